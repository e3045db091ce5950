//! Socket paths of any length.
//!
//! The kernel takes at most 108 bytes of path in a socket address, and a project deep inside a home
//! directory or a test's temporary directory is longer than that. On Linux such a path is reached
//! through the open directory instead: `/proc/self/fd/7/node.sock`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Bytes of path that fit a socket address on every Unix (104 with the closing zero on BSDs).
const ADDRESS_BYTES: usize = 100;

/// A path that fits a socket address, and what must stay open while it is used.
pub(super) struct ShortPath {
    pub(super) path: PathBuf,
    _directory: Option<File>,
}

/// A way to name `path` in a socket address.
pub(super) fn shorten(path: &Path) -> io::Result<ShortPath> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a socket path names a file",
        ));
    };
    if path.as_os_str().as_bytes().len() <= ADDRESS_BYTES || !cfg!(target_os = "linux") {
        return Ok(ShortPath {
            path: path.to_owned(),
            _directory: None,
        });
    }
    let directory = File::open(parent)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
    Ok(ShortPath {
        path,
        _directory: Some(directory),
    })
}
