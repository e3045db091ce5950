//! API tokens: what lets a program use the HTTP API of this node.
//!
//! A token is `twl_<id>_<secret>`. The secret has 32 random bytes and is shown once; the file `tokens` in the home
//! keeps a hash of it, with mode 0600, and is only ever replaced whole. A running node reads the file again when it
//! was replaced. Nothing here reads a clock: callers say what time it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use blake3::Hash;
use serde::{Deserialize, Serialize};
use towline_api::types::{Scope, TokenInfo};
use towline_proto::Millis;
use towline_proto::ids::to_hex;

use super::files::{PRIVATE_MODE, write_atomic};
use super::{Home, HomeError};

/// What a token begins with, so that people and scanners of secrets know one.
const PREFIX: &str = "twl_";
/// Random bytes of a secret: it cannot be guessed, so that a fast hash of it may be stored.
const SECRET_BYTES: usize = 32;
/// Random bytes of the public id.
const ID_BYTES: usize = 4;
/// Tokens at once.
pub const MAX_TOKENS: usize = 64;
/// The most bytes read of the file: 64 tokens with the longest names are a third of it.
const FILE_BYTES: u64 = 64 * 1024;
/// What the hash of a secret is derived for.
const CONTEXT: &str = "towline 2026-12-01 API token";

/// A token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    info: TokenInfo,
    /// The hash of the secret, in hex.
    hash: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct TokenFile {
    tokens: Vec<Stored>,
}

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is no token, or revoked.
    #[error("this API token is unknown or revoked; create another with `towline token create`")]
    Unknown,
    /// Its time is over.
    #[error("this API token has expired; create another with `towline token create`")]
    Expired,
    /// The tokens cannot be read.
    #[error("cannot check API tokens: {0}")]
    Unreadable(#[from] HomeError),
}

/// Creates a token: what is known about it, and the token itself, which is kept nowhere.
///
/// # Errors
/// When there are [`MAX_TOKENS`], no randomness, or the file cannot be written.
pub fn create(
    home: &Home,
    now: Millis,
    name: &str,
    scope: Scope,
    expires: Option<Millis>,
) -> Result<(TokenInfo, String), HomeError> {
    let path = home.tokens_file();
    let _changing = lock(home)?;
    let mut file = read(&path)?;
    let is_over = |token: &Stored| token.info.expires.is_some_and(|expires| expires <= now);
    if file.tokens.len() >= MAX_TOKENS {
        // Expired tokens are only kept to say so.
        file.tokens.retain(|token| !is_over(token));
    }
    if file.tokens.len() >= MAX_TOKENS {
        let why = format!("there are {MAX_TOKENS} API tokens; revoke one with `towline token revoke`");
        return Err(HomeError::Invalid { path, why });
    }
    let id = loop {
        let id = to_hex(&random::<ID_BYTES>(&path)?);
        if file.tokens.iter().all(|token| token.info.id != id) {
            break id;
        }
    };
    let secret = to_hex(&random::<SECRET_BYTES>(&path)?);
    let info = TokenInfo {
        id: id.clone(),
        name: name.to_owned(),
        scope,
        created: now,
        expires,
    };
    file.tokens.push(Stored {
        info: info.clone(),
        hash: hash(&secret).to_hex().to_string(),
    });
    write(&path, &file)?;
    Ok((info, format!("{PREFIX}{id}_{secret}")))
}

/// The tokens of a home, oldest first.
///
/// # Errors
/// When the file cannot be read.
pub fn list(home: &Home) -> Result<Vec<TokenInfo>, HomeError> {
    let file = read(&home.tokens_file())?;
    Ok(file.tokens.into_iter().map(|token| token.info).collect())
}

/// Revokes a token by its id. A running node refuses it from its next request on.
///
/// # Errors
/// When there is none, or the file cannot be read or written.
pub fn revoke(home: &Home, id: &str) -> Result<Option<TokenInfo>, HomeError> {
    let path = home.tokens_file();
    let _changing = lock(home)?;
    let mut file = read(&path)?;
    let Some(at) = file.tokens.iter().position(|token| token.info.id == id) else {
        return Ok(None);
    };
    let gone = file.tokens.remove(at);
    write(&path, &file)?;
    Ok(Some(gone.info))
}

fn split(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.strip_prefix(PREFIX)?.split_once('_')?;
    let is_hex = |text: &str, bytes: usize| {
        text.len() == 2 * bytes && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    (is_hex(id, ID_BYTES) && is_hex(secret, SECRET_BYTES)).then_some((id, secret))
}

/// The tokens of a home as a running node sees them.
#[derive(Debug)]
pub struct TokenStore {
    path: PathBuf,
    read: Mutex<Option<(FileVersion, Vec<Stored>)>>,
}

/// What changes whenever the file is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileVersion {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl TokenStore {
    /// The tokens of a home; nothing is read yet.
    pub fn of(home: &Home) -> Self {
        Self {
            path: home.tokens_file(),
            read: Mutex::new(None),
        }
    }

    /// The public id in a token, if there is a token with that id. Its secret may be wrong.
    pub fn known_id(&self, shown: &str) -> Option<String> {
        let (id, _) = split(shown)?;
        self.find(id).ok().flatten().map(|stored| stored.info.id)
    }

    /// What is known about a token that somebody shows.
    ///
    /// # Errors
    /// When it is not accepted, or the file cannot be read.
    pub fn check(&self, shown: &str, now: Millis) -> Result<TokenInfo, TokenError> {
        let (id, secret) = split(shown).ok_or(TokenError::Unknown)?;
        let stored = self.find(id)?.ok_or(TokenError::Unknown)?;
        let kept = Hash::from_hex(&stored.hash).map_err(|error| HomeError::Invalid {
            path: self.path.clone(),
            why: format!("the hash of the token {id} is damaged: {error}"),
        })?;
        // Hashes are compared in constant time.
        if kept != hash(secret) {
            return Err(TokenError::Unknown);
        }
        match stored.info.expires {
            Some(expires) if expires <= now => Err(TokenError::Expired),
            _ => Ok(stored.info),
        }
    }

    fn find(&self, id: &str) -> Result<Option<Stored>, HomeError> {
        let version = match fs::metadata(&self.path) {
            Ok(data) => FileVersion {
                inode: data.ino(),
                bytes: data.len(),
                modified: (data.mtime(), data.mtime_nsec()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(HomeError::io("read", &self.path)(error)),
        };
        let mut cached = self.read.lock().unwrap_or_else(|broken| broken.into_inner());
        if cached.as_ref().is_none_or(|(of, _)| *of != version) {
            *cached = Some((version, read(&self.path)?.tokens));
        }
        let tokens = cached.as_ref().map(|(_, tokens)| tokens);
        let found = tokens.and_then(|tokens| tokens.iter().find(|token| token.info.id == id));
        Ok(found.cloned())
    }
}

fn hash(secret: &str) -> Hash {
    Hash::from_bytes(blake3::derive_key(CONTEXT, secret.as_bytes()))
}

fn random<const N: usize>(path: &Path) -> Result<[u8; N], HomeError> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| HomeError::io("draw a token for", path)(io::Error::other(error.to_string())))?;
    Ok(bytes)
}

/// Held while the file is changed, so that two commands do not overwrite each other's change.
fn lock(home: &Home) -> Result<File, HomeError> {
    let path = home.dir().join("tokens.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(PRIVATE_MODE)
        .open(&path)
        .map_err(HomeError::io("open", &path))?;
    file.lock().map_err(HomeError::io("lock", &path))?;
    Ok(file)
}

fn read(path: &Path) -> Result<TokenFile, HomeError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(TokenFile::default()),
        Err(error) => return Err(HomeError::io("read", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(HomeError::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|error| HomeError::Invalid {
        path: path.to_owned(),
        why: format!(
            "the file is damaged at line {}; remove the file, and create the API tokens again",
            error.line()
        ),
    })
}

fn write(path: &Path, file: &TokenFile) -> Result<(), HomeError> {
    let failed = |error: serde_json::Error| HomeError::Invalid {
        path: path.to_owned(),
        why: error.to_string(),
    };
    let mut bytes = serde_json::to_vec_pretty(file).map_err(failed)?;
    bytes.push(b'\n');
    write_atomic(path, &bytes, PRIVATE_MODE).map_err(HomeError::io("write", path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: Millis = Millis(1_000);

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        fs::create_dir(home.dir()).unwrap();
        (folder, home)
    }

    #[test]
    fn a_running_node_sees_a_token_come_and_go() {
        let (_folder, home) = home();
        let node = TokenStore::of(&home);
        let (info, token) = create(&home, NOW, "ci", Scope::Write, None).unwrap();
        assert_eq!(node.check(&token, NOW).unwrap(), info);
        assert_eq!(node.known_id(&token).as_ref(), Some(&info.id));
        let (other, second) = create(&home, NOW, "ci", Scope::Read, None).unwrap();
        assert_eq!(node.check(&second, NOW).unwrap().scope, Scope::Read);
        assert_eq!(list(&home).unwrap(), [info.clone(), other]);

        assert_eq!(revoke(&home, &info.id).unwrap(), Some(info.clone()));
        assert!(matches!(node.check(&token, NOW), Err(TokenError::Unknown)));
        assert!(node.check(&second, NOW).is_ok());
        assert_eq!(revoke(&home, &info.id).unwrap(), None);
    }

    #[test]
    fn only_the_whole_token_is_accepted() {
        let (_folder, home) = home();
        let node = TokenStore::of(&home);
        let (info, token) = create(&home, NOW, "ci", Scope::Write, None).unwrap();
        let (other, _) = create(&home, NOW, "ci", Scope::Write, None).unwrap();
        let swapped = token.replace(&info.id, &other.id);
        for wrong in [
            "",
            "twl_",
            &token[1..],
            &token[..token.len() - 1],
            &swapped,
            &token.to_uppercase(),
        ] {
            assert!(
                matches!(node.check(wrong, NOW), Err(TokenError::Unknown)),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_token_ends_when_its_time_is_over() {
        let (_folder, home) = home();
        let node = TokenStore::of(&home);
        let (_, token) = create(&home, NOW, "ci", Scope::Read, Some(Millis(2_000))).unwrap();
        assert!(node.check(&token, Millis(1_999)).is_ok());
        assert!(matches!(
            node.check(&token, Millis(2_000)),
            Err(TokenError::Expired)
        ));
    }

    #[test]
    fn the_secret_is_not_stored_and_the_file_is_private() {
        let (_folder, home) = home();
        let (_, token) = create(&home, NOW, "ci", Scope::Write, None).unwrap();
        let text = fs::read_to_string(home.tokens_file()).unwrap();
        let (_, secret) = split(&token).unwrap();
        assert!(!text.contains(secret));
        let mode = fs::metadata(home.tokens_file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_accepts_nobody_and_says_what_to_do() {
        let (_folder, home) = home();
        let node = TokenStore::of(&home);
        let (_, token) = create(&home, NOW, "ci", Scope::Write, None).unwrap();
        fs::write(home.tokens_file(), b"{").unwrap();
        let refused = node.check(&token, NOW).unwrap_err().to_string();
        assert!(refused.contains("remove the file"), "{refused}");
        assert!(create(&home, NOW, "ci", Scope::Write, None).is_err());
    }

    #[test]
    fn there_are_not_more_tokens_than_fit() {
        let (_folder, home) = home();
        for _ in 0..MAX_TOKENS {
            create(&home, NOW, "ci", Scope::Read, Some(Millis(2_000))).unwrap();
        }
        assert!(create(&home, NOW, "ci", Scope::Read, None).is_err());
        // Expired ones make room.
        assert!(create(&home, Millis(2_000), "ci", Scope::Read, None).is_ok());
    }
}
