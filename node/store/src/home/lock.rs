//! The lock of a home: one process has the stores open, and the others learn which.
//!
//! The kernel's file lock ends with the process, so a killed one leaves none behind. The contents of the file
//! are for people, and for clients of a node: the path of its socket, if that is not in its usual place. Only
//! the kernel decides whether the lock is held.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::HomeError;
use super::files::PRIVATE_MODE;

/// The most bytes read of the file: two short lines.
const TEXT_BYTES: u64 = 1_000;
/// The prefix of the line with the socket path.
const SOCKET: &str = "socket ";

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    // Closing the file releases the lock.
    file: File,
    what: String,
}

/// The holder of a lock, according to the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolder {
    /// Who, as in "`towline up` (pid 123)".
    pub who: String,
    /// The socket of the holder, if it is a node that listens already.
    pub socket: Option<PathBuf>,
}

impl Lock {
    /// Takes the lock and writes its purpose into the file, as in `towline up`.
    ///
    /// # Errors
    /// [`HomeError::Busy`] with who has it.
    pub fn take(path: &Path, what: &str) -> Result<Self, HomeError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE_MODE)
            .open(path)
            .map_err(HomeError::io("open", path))?;
        if !file.metadata().is_ok_and(|meta| meta.is_file()) {
            return Err(no_file(path));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(HomeError::Busy {
                    holder: LockHolder::of(&file).who,
                });
            }
            Err(TryLockError::Error(error)) => return Err(HomeError::io("lock", path)(error)),
        }
        let lock = Self {
            file,
            what: what.to_owned(),
        };
        lock.write(None);
        Ok(lock)
    }

    /// Writes the socket path into the file, for clients.
    pub fn set_socket(&self, socket: &Path) {
        self.write(Some(socket));
    }

    /// Whether the file at `path` is still the locked one. If not, another process can hold a lock of its
    /// own, and this process writes to a folder that was removed or replaced. A file system that cannot be
    /// read right now, or renumbers its files, is no proof of that.
    pub fn still_holds(&self, path: &Path) -> bool {
        let there = match fs::symlink_metadata(path) {
            Ok(there) => there,
            Err(error) => {
                return !matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                );
            }
        };
        let same = |held: fs::Metadata| (held.dev(), held.ino()) == (there.dev(), there.ino());
        if self.file.metadata().map_or(true, same) {
            return true;
        }
        match LockHolder::ask(path) {
            Ok(holder) => holder.is_some_and(|holder| holder.who == self.name()),
            Err(_) => true,
        }
    }

    fn name(&self) -> String {
        format!("`{}` (pid {})", self.what, std::process::id())
    }

    fn write(&self, socket: Option<&Path>) {
        let mut text = format!("{}\n", self.name());
        // A path that is no text is found by nobody; its usual place is.
        if let Some(socket) = socket.and_then(Path::to_str) {
            text.push_str(&format!("{SOCKET}{socket}\n"));
        }
        let mut file = &self.file;
        // On a full disk the lock is held all the same; it only cannot say by whom.
        let _ = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(text.as_bytes()));
    }
}

impl LockHolder {
    /// The current holder; `None` if nobody holds the lock, or there is no such file.
    ///
    /// # Errors
    /// When the file exists and cannot be checked.
    pub fn ask(path: &Path) -> Result<Option<Self>, HomeError> {
        // Checked first: opening a pipe would block.
        let file = match fs::metadata(path) {
            Ok(meta) if meta.is_file() => File::open(path),
            Ok(_) => return Err(no_file(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        };
        let file = file.map_err(HomeError::io("open", path))?;
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(Self::of(&file))),
            Err(TryLockError::Error(error)) => Err(HomeError::io("ask", path)(error)),
        }
    }

    /// The socket path in the file. The node may have ended since; only connecting tells.
    pub fn noted_socket(path: &Path) -> Option<PathBuf> {
        let is_file = fs::metadata(path).is_ok_and(|meta| meta.is_file());
        let file = is_file.then(|| File::open(path).ok()).flatten();
        file.and_then(|file| Self::of(&file).socket)
    }

    fn of(mut file: &File) -> Self {
        let mut bytes = Vec::new();
        // What cannot be read is answered below.
        let _ = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| file.take(TEXT_BYTES).read_to_end(&mut bytes));
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines();
        let who = lines.next().unwrap_or_default().trim();
        let who = if who.is_empty() { "another process" } else { who };
        Self {
            who: who.to_owned(),
            socket: lines
                .find_map(|line| line.strip_prefix(SOCKET))
                .map(PathBuf::from),
        }
    }
}

fn no_file(path: &Path) -> HomeError {
    HomeError::Invalid {
        path: path.to_owned(),
        why: "this must be a regular file; remove it, and towline creates it again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use towline_api::failure::{FailureCode, OperationError as _};

    #[test]
    fn the_second_process_learns_who_holds_the_lock_and_gets_it_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path, "towline up").unwrap();
        let busy = Lock::take(&path, "towline doctor").unwrap_err();
        let pid = std::process::id();
        assert!(
            busy.to_string()
                .starts_with(&format!("in use by `towline up` (pid {pid})"))
        );
        assert_eq!(busy.code(), FailureCode::Busy);
        assert_eq!(busy.code().exit(), 75);
        drop(first);
        let second = Lock::take(&path, "doctor").unwrap();
        let busy = Lock::take(&path, "towline up").unwrap_err();
        assert!(
            busy.to_string().starts_with("in use by `doctor` (pid"),
            "no rest of the longer line"
        );
        drop(second);
    }

    #[test]
    fn asking_for_the_holder_returns_its_socket_and_takes_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert_eq!(LockHolder::ask(&path).unwrap(), None, "no file");
        let node = Lock::take(&path, "towline up").unwrap();
        node.set_socket(Path::new("/run/somewhere.sock"));
        let holder = LockHolder::ask(&path).unwrap().unwrap();
        assert!(holder.who.starts_with("`towline up` (pid"), "{holder:?}");
        assert_eq!(holder.socket.as_deref(), Some(Path::new("/run/somewhere.sock")));
        drop(node);
        // What a killed process has left says nothing about who has it now.
        assert_eq!(LockHolder::ask(&path).unwrap(), None);
        assert!(LockHolder::noted_socket(&path).is_some());
        drop(Lock::take(&path, "towline").unwrap());
        assert_eq!(LockHolder::noted_socket(&path), None);
    }

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        assert!(matches!(Lock::take(&path, "x"), Err(HomeError::Invalid { .. })));
        assert!(matches!(LockHolder::ask(&path), Err(HomeError::Invalid { .. })));
        assert_eq!(LockHolder::noted_socket(&path), None);
    }

    #[test]
    fn a_lock_whose_file_is_gone_or_another_one_knows_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = Lock::take(&path, "towline up").unwrap();
        assert!(lock.still_holds(&path));
        fs::remove_file(&path).unwrap();
        assert!(!lock.still_holds(&path));
        fs::write(&path, "").unwrap();
        assert!(!lock.still_holds(&path));
    }
}
