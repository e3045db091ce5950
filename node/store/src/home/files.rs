//! Atomic file replacement and syncing of folders.
//!
//! A file is never half-written after a crash: it is written beside the target, synced and renamed, and the
//! folder is synced. This relies on `rename` being atomic inside one folder, and never writes through a
//! symbolic link.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Mode of files that anybody may read.
pub const PUBLIC_MODE: u32 = 0o644;
/// Mode of files that only their owner may read.
pub const PRIVATE_MODE: u32 = 0o600;

/// Syncs a folder: files that were created, renamed or removed in it stay so after a crash.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Replaces `path` with `bytes` atomically; durable when this returns.
///
/// # Errors
/// When the folder cannot be written or is full. The temporary file is removed then.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let temporary = temporary_beside(path);
    match fs::remove_file(&temporary) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // The leftover is useless, and the first error is the one to report.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_folder(folder)
}

/// The temporary file of [`write_atomic`]: the same name with `.new` appended.
pub fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Whether something other than a file or a folder has this path, such as a device or a pipe: it is written to, and
/// never replaced.
pub fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Whether an error means that the disk, or this user's quota, is full.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// How many bytes this user may still write to the disk that holds a folder.
///
/// # Errors
/// When the file system does not say.
pub fn room(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_special_and_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert!(!is_special(&path) && !is_special(folder.path()));
        fs::write(&path, "x").unwrap();
        assert!(!is_special(&path));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert!(is_special(&link) && is_special(Path::new("/dev/null")));
    }

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        write_atomic(&path, b"one", PRIVATE_MODE).unwrap();
        // A leftover of a process that died half-way must not stop the next one.
        fs::write(temporary_beside(&path), b"half").unwrap();
        write_atomic(&path, b"two", PRIVATE_MODE).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), b"kept").unwrap();
        assert!(write_atomic(&path, b"two", PUBLIC_MODE).is_err());
        assert_eq!(fs::read(path.join("inside")).unwrap(), b"kept");
        assert!(!temporary_beside(&path).exists());
    }
}
