//! Adds and removes the line in `.gitignore` that makes git ignore a node's folder.
//!
//! The file belongs to a person: its other bytes stay, whatever their encoding and line ends, and so does a
//! symbolic link, which is written through. The `undo` file records what was added, so that `deinit` removes
//! exactly that. Nothing is changed outside of git repositories.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::HomeError;
use super::files::{PRIVATE_MODE, PUBLIC_MODE, write_atomic};

/// The line.
pub(super) const LINE: &str = ".towline/";
/// The first word of the `undo` file if a line was added; below, if the whole file was created.
const UNDO_LINE: &str = "gitignore-line";
const UNDO_FILE: &str = "gitignore-file";

/// A change of an ignore file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IgnoreChange {
    /// Add the line to an existing file.
    Add,
    /// Create the file with that line.
    Make,
    /// Remove the line.
    Remove,
    /// Remove the file, which contains nothing else.
    Unmake,
}

/// The ignore file of a folder.
#[derive(Debug, Clone)]
pub(super) struct Ignore {
    path: PathBuf,
}

/// What `init` did.
struct InitNote {
    made: bool,
    /// The bytes that were appended; earlier versions did not record them.
    added: Option<String>,
}

impl Ignore {
    pub(super) fn of(root: &Path) -> Self {
        Self {
            path: root.join(".gitignore"),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The change that makes git ignore the node's folder; `None` outside of a repository.
    pub(super) fn wanted(&self) -> Result<Option<IgnoreChange>, HomeError> {
        let mut above = self.path.ancestors().skip(1);
        if !above.any(|folder| folder.join(".git").exists()) {
            return Ok(None);
        }
        Ok(match self.read()? {
            None => Some(IgnoreChange::Make),
            Some(bytes) if lines(&bytes).any(is_it) => None,
            Some(_) => Some(IgnoreChange::Add),
        })
    }

    /// Adds the line, with a note for [`Ignore::back`] in the file `undo` before.
    pub(super) fn add(&self, change: IgnoreChange, undo: &Path) -> Result<(), HomeError> {
        let mut bytes = self.read()?.unwrap_or_default();
        let end = if bytes.windows(2).any(|two| two == b"\r\n") {
            "\r\n"
        } else {
            "\n"
        };
        let gap = match bytes.last() {
            None | Some(b'\n') => "",
            Some(_) => end,
        };
        let added = format!("{gap}{LINE}{end}");
        let kind = if change == IgnoreChange::Make {
            UNDO_FILE
        } else {
            UNDO_LINE
        };
        let note = format!("{kind}\n{added:?}\n");
        write_atomic(undo, note.as_bytes(), PRIVATE_MODE).map_err(HomeError::io("write", undo))?;
        bytes.extend_from_slice(added.as_bytes());
        self.write(&bytes)
    }

    /// The change that reverts what the file `undo` records.
    pub(super) fn plan_removal(&self, undo: &Path) -> Result<Option<IgnoreChange>, HomeError> {
        Ok(match self.without(undo)? {
            None => None,
            Some(left) if left.is_empty() && read_undo(undo)?.is_some_and(|undo| undo.made) => {
                Some(IgnoreChange::Unmake)
            }
            Some(_) => Some(IgnoreChange::Remove),
        })
    }

    /// Does what [`Ignore::back`] says.
    pub(super) fn remove(&self, change: IgnoreChange, undo: &Path) -> Result<(), HomeError> {
        match change {
            IgnoreChange::Unmake => {
                let file = self.target()?;
                fs::remove_file(&file).map_err(HomeError::io("remove", &file))
            }
            _ => match self.without(undo)? {
                Some(left) => self.write(&left),
                None => Ok(()),
            },
        }
    }

    /// The contents without what was added; `None` if nothing of that is left.
    fn without(&self, undo: &Path) -> Result<Option<Vec<u8>>, HomeError> {
        let (Some(undo), Some(mut bytes)) = (read_undo(undo)?, self.read()?) else {
            return Ok(None);
        };
        let added = undo.added.unwrap_or_default();
        if !added.is_empty() && bytes.ends_with(added.as_bytes()) {
            bytes.truncate(bytes.len() - added.len());
            return Ok(Some(bytes));
        }
        // Somebody has added lines after it.
        let left: Vec<u8> = lines(&bytes)
            .filter(|line| !is_it(line))
            .flatten()
            .copied()
            .collect();
        Ok((left.len() < bytes.len()).then_some(left))
    }

    fn read(&self) -> Result<Option<Vec<u8>>, HomeError> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(HomeError::io("read", &self.path)(error)),
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), HomeError> {
        let file = self.target()?;
        let mode = fs::metadata(&file).map_or(PUBLIC_MODE, |meta| meta.mode() & 0o777);
        write_atomic(&file, bytes, mode).map_err(HomeError::io("write", &file))
    }

    /// The file itself, behind a symbolic link.
    fn target(&self) -> Result<PathBuf, HomeError> {
        let is_link = fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.is_symlink());
        if !is_link {
            return Ok(self.path.clone());
        }
        match fs::canonicalize(&self.path) {
            // A link to a file that is not made yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let to = fs::read_link(&self.path).map_err(HomeError::io("read", &self.path))?;
                Ok(self.path.parent().unwrap_or(Path::new(".")).join(to))
            }
            found => found.map_err(HomeError::io("follow", &self.path)),
        }
    }
}

fn read_undo(path: &Path) -> Result<Option<InitNote>, HomeError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(HomeError::io("read", path)(error)),
    };
    let mut parts = text.lines();
    let made = match parts.next() {
        Some(UNDO_FILE) => true,
        Some(UNDO_LINE) => false,
        _ => return Ok(None),
    };
    let added = parts.next().and_then(|added| serde_json::from_str(added).ok());
    Ok(Some(InitNote { made, added }))
}

/// The lines, each with its end.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

fn is_it(line: &[u8]) -> bool {
    matches!(
        line.trim_ascii(),
        b".towline/" | b".towline" | b"/.towline/" | b"/.towline"
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::home::Config;
    use crate::home::init::{deinit, init};

    fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        folder
    }

    fn ignored(root: &Path) -> usize {
        let bytes = fs::read(root.join(".gitignore")).unwrap();
        lines(&bytes).filter(|line| is_it(line)).count()
    }

    #[test]
    fn a_line_comes_and_goes_and_every_other_byte_stays() {
        let all: [Option<&[u8]>; 8] = [
            None,
            Some(b""),
            Some(b"target\n"),
            Some(b"target"),
            Some(b"\n\n"),
            Some(b"a\r\nb\r\n"),
            Some(b"a\r\nb"),
            Some(b"caf\xe9\n\xff\xfe"),
        ];
        for before in all {
            let folder = repository();
            let path = folder.path().join(".gitignore");
            if let Some(bytes) = before {
                fs::write(&path, bytes).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            }
            let (home, ..) = init(folder.path(), &Config::default()).unwrap();
            assert_eq!(ignored(folder.path()), 1, "{before:?}");
            deinit(&home).unwrap();
            assert_eq!(fs::read(&path).ok().as_deref(), before);
            if before.is_some() {
                assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
            }
        }
    }

    #[test]
    fn a_link_stays_one_and_what_it_leads_to_is_restored() {
        for before in [Some("target\n"), None] {
            let folder = repository();
            let (link, file) = (folder.path().join(".gitignore"), folder.path().join("shared"));
            if let Some(text) = before {
                fs::write(&file, text).unwrap();
            }
            symlink("shared", &link).unwrap();
            let (home, ..) = init(folder.path(), &Config::default()).unwrap();
            assert_eq!(ignored(folder.path()), 1);
            assert_eq!(fs::read_link(&link).unwrap(), Path::new("shared"));
            deinit(&home).unwrap();
            assert_eq!(fs::read_to_string(&file).ok().as_deref(), before);
            assert_eq!(fs::read_link(&link).unwrap(), Path::new("shared"));
        }
    }

    #[test]
    fn what_was_written_behind_the_line_since_stays() {
        let folder = repository();
        let path = folder.path().join(".gitignore");
        let (home, ..) = init(folder.path(), &Config::default()).unwrap();
        fs::write(&path, ".towline/\nmine").unwrap();
        deinit(&home).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_note_of_an_older_version_is_understood() {
        for (note, left) in [("gitignore-line\n", Some("")), ("gitignore-file\n", None)] {
            let folder = repository();
            let path = folder.path().join(".gitignore");
            let (home, ..) = init(folder.path(), &Config::default()).unwrap();
            fs::write(home.dir().join("undo"), note).unwrap();
            deinit(&home).unwrap();
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), left);
        }
    }
}
