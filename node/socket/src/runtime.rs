//! The folder for sockets that cannot be where they belong: in a project on a file system without sockets, or
//! whose path is too long for a socket's address.
//!
//! `$XDG_RUNTIME_DIR/towline`, else a folder of this user in `/tmp`. Whoever could write to it could put a socket
//! of their own there, so it is used only when it is a real folder that belongs to this user alone. The one file
//! of the socket that reads the environment.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

/// Hexadecimal digits of the name of a socket there: nobody has so many projects that two are alike.
const NAME_DIGITS: usize = 16;

/// Where the socket of the node in `root` is when it cannot be in `root`; the folder for it is made.
pub(super) fn place(root: &Path) -> io::Result<PathBuf> {
    let set = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    // A relative one means another folder to each client.
    let given = set.filter(|dir| dir.is_absolute()).map(|dir| dir.join("towline"));
    let mine = Path::new("/tmp").join(format!("towline-{}", Uid::effective()));
    let name = blake3::hash(root.as_os_str().as_encoded_bytes()).to_hex();
    let name = format!("{}.sock", name.get(..NAME_DIGITS).unwrap_or(&name));
    match given.map(|dir| prepare(&dir).map(|()| dir)) {
        Some(Ok(dir)) => Ok(dir.join(name)),
        Some(Err(error)) => {
            tracing::debug!(%error, "cannot use XDG_RUNTIME_DIR");
            prepare(&mine).map(|()| mine.join(name))
        }
        None => prepare(&mine).map(|()| mine.join(name)),
    }
}

fn prepare(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if is_private(dir) {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{} must be a folder that belongs to you and that nobody else can use (mode 0700)",
        dir.display()
    )))
}

/// Whether a folder is this user's alone.
pub(super) fn is_private(dir: &Path) -> bool {
    fs::symlink_metadata(dir).is_ok_and(|meta| {
        meta.is_dir() && meta.uid() == Uid::effective().as_raw() && meta.mode() & 0o077 == 0
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_folder_of_somebody_else_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("run");
        prepare(&dir).unwrap();
        prepare(&dir).unwrap();
        for mode in [0o701, 0o720, 0o755] {
            fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();
            assert!(prepare(&dir).is_err(), "{mode:o}");
        }
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        let link = folder.path().join("link");
        symlink(&dir, &link).unwrap();
        assert!(prepare(&link).is_err());
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(prepare(&folder.path().join("file")).is_err());
    }
}
