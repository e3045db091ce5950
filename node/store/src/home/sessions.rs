//! Sessions of the board, stored so that nobody has to sign in again after a restart.
//!
//! The file `sessions` in the home has hashes of the sessions' tokens and no token, has mode 0600, and is only ever
//! replaced whole. The running node is the only one that writes it. Nothing here reads a clock.

use std::fs::File;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use towline_proto::Millis;

use super::files::{PRIVATE_MODE, write_atomic};
use super::{Home, HomeError};

/// The most bytes read of the file: 1,024 sessions of people with long names are less.
const FILE_BYTES: u64 = 2 * 1024 * 1024;

/// A session as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// The hash of its token, in hex.
    pub hash: String,
    /// Who is signed in.
    pub who: String,
    /// When it ends.
    pub until: Millis,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct SessionFile {
    sessions: Vec<SessionRecord>,
}

/// The sessions of the last run; none without a file.
///
/// # Errors
/// When the file cannot be read, or is damaged.
pub fn read(home: &Home) -> Result<Vec<SessionRecord>, HomeError> {
    let path = home.sessions_file();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(HomeError::io("read", &path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(HomeError::io("read", &path))?;
    let file: Result<SessionFile, _> = serde_json::from_slice(&bytes);
    file.map(|file| file.sessions).map_err(|_| HomeError::Invalid {
        path,
        why: "the file is damaged; everybody has to sign in to the board again".to_owned(),
    })
}

/// Replaces the stored sessions.
///
/// # Errors
/// When the file cannot be written.
pub fn write(home: &Home, sessions: Vec<SessionRecord>) -> Result<(), HomeError> {
    let path = home.sessions_file();
    let failed = |error: serde_json::Error| HomeError::io("write", &path)(io::Error::other(error));
    let mut bytes = serde_json::to_vec(&SessionFile { sessions }).map_err(failed)?;
    bytes.push(b'\n');
    write_atomic(&path, &bytes, PRIVATE_MODE).map_err(HomeError::io("write", &path))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn sessions_are_stored_for_their_owner_alone_and_a_damaged_file_says_what_it_means() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        fs::create_dir(home.dir()).unwrap();
        assert_eq!(read(&home).unwrap(), []);
        let ann = SessionRecord {
            hash: "ab".into(),
            who: "ann".into(),
            until: Millis(2_000),
        };
        write(&home, vec![ann.clone()]).unwrap();
        assert_eq!(read(&home).unwrap(), [ann]);
        let mode = fs::metadata(home.sessions_file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(home.sessions_file(), b"{").unwrap();
        let damaged = read(&home).unwrap_err().to_string();
        assert!(damaged.contains("sign in to the board again"), "{damaged}");
    }
}
