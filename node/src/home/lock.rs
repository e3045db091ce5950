//! The lock of a home: one process has the stores open, and the others are told which.
//!
//! The lock is the kernel's and goes with the process, so a killed one leaves none behind. What the
//! file says is only for people.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::HomeError;
use super::files::PRIVATE_MODE;

/// How much of the file is read to name the holder, in bytes.
const HOLDER_BYTES: u64 = 200;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    // Never read again: closing it is what gives the lock back.
    _file: File,
}

impl Lock {
    /// Takes the lock and writes into it what it is held for, as in `towline up`.
    ///
    /// # Errors
    /// [`HomeError::Busy`] with who has it.
    pub fn take(path: &Path, what: &str) -> Result<Self, HomeError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE_MODE)
            .open(path)
            .map_err(HomeError::io("open", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(HomeError::Busy {
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(HomeError::io("lock", path)(error)),
        }
        let text = format!("`{what}` (pid {})\n", std::process::id());
        // On a full disk the lock is held all the same; it only cannot say by whom.
        let _ = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(text.as_bytes()));
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> String {
    let mut bytes = Vec::new();
    // What cannot be read is answered below.
    let _ = file.take(HOLDER_BYTES).read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        "another process".to_owned()
    } else {
        line.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::FailureCode;

    #[test]
    fn the_second_is_told_who_was_first_and_gets_it_afterwards() {
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
}
