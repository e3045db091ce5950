//! The node's key: an ed25519 seed in hex, in a file that only its owner may read.
//!
//! A file system without modes, such as that of a memory stick, has no private files. The key is then in the
//! user's state folder, and the key file contains its path. The seed is never printed and never part of an
//! error. A key is never overwritten.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use towline_proto::ids::{from_hex, to_hex};

use super::HomeError;
use super::files::{PRIVATE_MODE, sync_folder};

/// The prefix of a key file that contains the path of the key.
const ELSEWHERE: &str = "at ";
/// The most bytes read of a key file.
const FILE_BYTES: u64 = 8 * 1024;
/// Random bytes in the name of a key in the state folder.
const NAME_BYTES: usize = 8;

/// Creates a key and writes it to a new file.
///
/// # Errors
/// [`HomeError::Exists`], [`HomeError::NoModes`], or when there is no randomness or no room.
pub fn create(path: &Path) -> Result<SigningKey, HomeError> {
    let key = SigningKey::from_bytes(&random(path)?);
    match store(path, &key) {
        Err(HomeError::KeyMode { .. }) => store_in_state_folder(path, &key)?,
        stored => stored?,
    }
    Ok(key)
}

fn random<const N: usize>(path: &Path) -> Result<[u8; N], HomeError> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| HomeError::io("create a key for", path)(io::Error::other(error.to_string())))?;
    Ok(bytes)
}

/// Stores a key in the user's state folder and its path in the key file.
fn store_in_state_folder(path: &Path, key: &SigningKey) -> Result<(), HomeError> {
    let no_modes = |why: String| HomeError::NoModes {
        path: path.to_owned(),
        why,
    };
    let folder = state_folder().ok_or_else(|| no_modes("it is not set".to_owned()))?;
    let file = folder.join(to_hex(&random::<NAME_BYTES>(path)?));
    let name = file
        .to_str()
        .ok_or_else(|| no_modes("its path is not valid UTF-8".to_owned()))?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| no_modes(format!("{}: {error}", folder.display())))?;
    store(&file, key).map_err(|error| no_modes(error.to_string()))?;
    let note = format!("{ELSEWHERE}{name}\n");
    if let Err(error) = fs::write(path, note) {
        let _ = fs::remove_file(&file);
        return Err(HomeError::io("write", path)(error));
    }
    tracing::warn!(
        key = name,
        "the file system here has no file modes, so other users of this machine may be able to read the project; its key is stored in your state folder"
    );
    Ok(())
}

/// The user's state folder for keys.
fn state_folder() -> Option<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|dir| dir.is_absolute())
    };
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    Some(state.join("towline/keys"))
}

/// The path of the key that a key file contains or refers to.
fn resolve_key_path(path: &Path) -> Result<PathBuf, HomeError> {
    let mut text = String::new();
    let file = File::open(path).map_err(HomeError::open(path))?;
    file.take(FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(HomeError::io("read", path))?;
    let elsewhere = text
        .strip_prefix(ELSEWHERE)
        .map(|path| PathBuf::from(path.trim_end()));
    Ok(elsewhere.unwrap_or_else(|| path.to_owned()))
}

/// Removes a key in the state folder.
pub(super) fn remove_external(path: &Path) -> Result<(), HomeError> {
    let Some(file) = resolve_key_path(path).ok().filter(|file| file != path) else {
        return Ok(());
    };
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(HomeError::io("remove", &file)(error)),
        _ => Ok(()),
    }
}

/// Writes a key to a new file.
///
/// # Errors
/// [`HomeError::Exists`], [`HomeError::KeyMode`] when the file system lets others read it all the same, or when
/// the file cannot be written; no part of it is left then.
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
    if let Err(error) = is_private(path, &file) {
        let _ = fs::remove_file(path);
        return Err(error);
    }
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
    let path = &resolve_key_path(path)?;
    let file = File::open(path).map_err(HomeError::open(path))?;
    is_private(path, &file)?;
    let mut text = String::new();
    file.take(FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(HomeError::io("read", path))?;
    let seed = from_hex::<32>(text.trim_end()).ok_or_else(|| HomeError::Invalid {
        path: path.to_owned(),
        why: "a key must have 64 hex digits; restore it from a backup".to_owned(),
    })?;
    Ok(SigningKey::from_bytes(&seed))
}

fn is_private(path: &Path, file: &File) -> Result<(), HomeError> {
    let meta = file.metadata().map_err(HomeError::io("read", path))?;
    let mode = meta.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(HomeError::KeyMode {
        path: path.to_owned(),
        mode,
    })
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
