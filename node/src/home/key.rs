//! The node's key: an ed25519 seed in hex, in a file that only its owner may read.
//!
//! The seed is never printed and never part of an error. A key is never overwritten.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use ed25519_dalek::SigningKey;
use towline_proto::ids::{from_hex, to_hex};

use super::HomeError;
use super::files::{PRIVATE_MODE, sync_folder};

/// Draws a key and writes it to a new file.
///
/// # Errors
/// [`HomeError::Exists`], or when there is no randomness or no room.
pub fn create(path: &Path) -> Result<SigningKey, HomeError> {
    let mut seed = [0u8; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| HomeError::io("draw a key for", path)(io::Error::other(error.to_string())))?;
    let key = SigningKey::from_bytes(&seed);
    store(path, &key)?;
    Ok(key)
}

/// Writes a key to a new file.
///
/// # Errors
/// [`HomeError::Exists`], or when the file cannot be written; no part of it is left then.
pub fn store(path: &Path, key: &SigningKey) -> Result<(), HomeError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE_MODE)
        .open(path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => HomeError::Exists {
                path: path.to_owned(),
            },
            _ => HomeError::io("make", path)(error),
        })?;
    let text = format!("{}\n", to_hex(key.as_bytes()));
    if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
        let _ = fs::remove_file(path);
        return Err(HomeError::io("write", path)(error));
    }
    if let Some(folder) = path.parent() {
        sync_folder(folder).map_err(HomeError::io("sync", folder))?;
    }
    Ok(())
}

/// Reads a key.
///
/// # Errors
/// [`HomeError::KeyMode`] when others may read it, [`HomeError::Invalid`] when it is not a key.
pub fn load(path: &Path) -> Result<SigningKey, HomeError> {
    let meta = fs::metadata(path).map_err(HomeError::io("read", path))?;
    let mode = meta.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(HomeError::KeyMode {
            path: path.to_owned(),
            mode,
        });
    }
    let text = fs::read_to_string(path).map_err(HomeError::io("read", path))?;
    let seed = from_hex::<32>(text.trim_end()).ok_or_else(|| HomeError::Invalid {
        path: path.to_owned(),
        why: "a key is 64 hex digits; put it back from a backup".to_owned(),
    })?;
    Ok(SigningKey::from_bytes(&seed))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_private_survives_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(load(&path).unwrap().to_bytes(), key.to_bytes());
        assert!(matches!(create(&path), Err(HomeError::Exists { .. })));
        assert_eq!(load(&path).unwrap().to_bytes(), key.to_bytes());
    }

    #[test]
    fn a_key_that_others_may_read_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path).unwrap();
        for mode in [0o644, 0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = load(&path).unwrap_err().to_string();
            assert!(refused.contains(&format!("mode {mode:o}")), "{refused}");
            assert!(refused.contains("chmod 600"), "{refused}");
        }
    }

    #[test]
    fn a_damaged_key_is_refused_without_printing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = create(&path).unwrap();
        let text = to_hex(key.as_bytes());
        fs::write(&path, &text[..60]).unwrap();
        let refused = load(&path).unwrap_err().to_string();
        assert!(refused.contains("64 hex digits") && !refused.contains(&text[..8]));
    }
}
