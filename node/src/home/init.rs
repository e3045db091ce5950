//! `init` and `deinit`: decided first, so that the plan can be shown, then performed.
//!
//! `init` touches `.towline/` and one line of `.gitignore`, and the latter only inside a git
//! repository. `deinit` takes back exactly that: the `undo` file says what there is to take back.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;

use super::files::{PRIVATE_MODE, PUBLIC_MODE, sync_folder, write_atomic};
use super::{Config, Home, HomeError, key};

const IGNORE_LINE: &str = ".towline/";
/// What the `undo` file says when `init` added a line, or made the whole file.
const UNDO_LINE: &str = "gitignore-line\n";
const UNDO_FILE: &str = "gitignore-file\n";

/// One thing that will be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make the folder with the key and the configuration.
    MakeFolder(PathBuf),
    /// Add the ignore line to a file that is there.
    AddLine(PathBuf),
    /// Make an ignore file with that line.
    MakeIgnoreFile(PathBuf),
    /// Remove the folder and everything in it.
    RemoveFolder(PathBuf),
    /// Remove the ignore line.
    RemoveLine(PathBuf),
    /// Remove the ignore file, which holds nothing else.
    RemoveIgnoreFile(PathBuf),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeFolder(path) => {
                write!(f, "make {} with a new key and a configuration", path.display())
            }
            Self::AddLine(path) => write!(f, "add the line {IGNORE_LINE} to {}", path.display()),
            Self::MakeIgnoreFile(path) => {
                write!(f, "make {} with the line {IGNORE_LINE}", path.display())
            }
            Self::RemoveFolder(path) => write!(
                f,
                "remove {} with its key and every project's log",
                path.display()
            ),
            Self::RemoveLine(path) => {
                write!(f, "remove the line {IGNORE_LINE} from {}", path.display())
            }
            Self::RemoveIgnoreFile(path) => {
                write!(f, "remove {}, which holds only that line", path.display())
            }
        }
    }
}

/// What `init` would do in a folder; changes nothing.
///
/// # Errors
/// [`HomeError::Exists`] when there is a home already.
pub fn plan_init(root: &Path) -> Result<Vec<Step>, HomeError> {
    let root = fs::canonicalize(root).map_err(HomeError::io("find", root))?;
    let home = Home::at(&root);
    if home.exists() {
        return Err(HomeError::Exists { path: home.dir() });
    }
    let mut steps = vec![Step::MakeFolder(home.dir())];
    let in_git = root.ancestors().any(|folder| folder.join(".git").exists());
    if in_git {
        let path = root.join(".gitignore");
        match read_ignore(&path)? {
            None => steps.push(Step::MakeIgnoreFile(path)),
            Some(text) if text.lines().any(is_ignore_line) => {}
            Some(_) => steps.push(Step::AddLine(path)),
        }
    }
    Ok(steps)
}

/// Makes a home: the folder, a key, the configuration, and the ignore line where there is git.
///
/// # Errors
/// [`HomeError::Exists`], [`HomeError::Busy`], or what the file system says. The configuration is
/// written last, so that an `init` that was cut short can be made again.
pub fn init(root: &Path, config: &Config) -> Result<(Home, SigningKey, Vec<Step>), HomeError> {
    let steps = plan_init(root)?;
    let root = fs::canonicalize(root).map_err(HomeError::io("find", root))?;
    let home = Home::at(&root);
    let dir = home.dir();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .map_err(HomeError::io("make", &dir))?;
    let _lock = home.lock("towline init")?;
    for step in &steps {
        let (path, text, undo) = match step {
            Step::AddLine(path) => {
                let text = read_ignore(path)?.unwrap_or_default();
                let gap = if text.is_empty() || text.ends_with('\n') {
                    ""
                } else {
                    "\n"
                };
                (path, format!("{text}{gap}{IGNORE_LINE}\n"), UNDO_LINE)
            }
            Step::MakeIgnoreFile(path) => (path, format!("{IGNORE_LINE}\n"), UNDO_FILE),
            Step::MakeFolder(_) | Step::RemoveFolder(_) | Step::RemoveLine(_) | Step::RemoveIgnoreFile(_) => {
                continue;
            }
        };
        write(&dir.join("undo"), undo, PRIVATE_MODE)?;
        write(path, &text, PUBLIC_MODE)?;
    }
    let key = new_key(&home)?;
    config.store(&home.config_file())?;
    sync_folder(&root).map_err(HomeError::io("sync", &root))?;
    Ok((home, key, steps))
}

/// What `deinit` would do; changes nothing.
///
/// # Errors
/// When the ignore file cannot be read.
pub fn plan_deinit(home: &Home) -> Result<Vec<Step>, HomeError> {
    let undo = match fs::read_to_string(home.dir().join("undo")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(HomeError::io("read", &home.dir().join("undo"))(error)),
    };
    let path = home.root().join(".gitignore");
    let mut steps = Vec::new();
    if !undo.is_empty()
        && let Some(text) = read_ignore(&path)?
        && text.lines().any(is_ignore_line)
    {
        let alone = text.lines().all(is_ignore_line);
        steps.push(if alone && undo == UNDO_FILE {
            Step::RemoveIgnoreFile(path)
        } else {
            Step::RemoveLine(path)
        });
    }
    steps.push(Step::RemoveFolder(home.dir()));
    Ok(steps)
}

/// Takes back what [`init`] did, projects and all. Refused while a node has them open.
///
/// # Errors
/// [`HomeError::Busy`], or what the file system says.
pub fn deinit(home: &Home) -> Result<Vec<Step>, HomeError> {
    let _lock = home.lock("towline deinit")?;
    let steps = plan_deinit(home)?;
    for step in &steps {
        match step {
            Step::RemoveLine(path) => {
                let text = read_ignore(path)?.unwrap_or_default();
                let kept: String = text
                    .split_inclusive('\n')
                    .filter(|line| !is_ignore_line(line))
                    .collect();
                write(path, &kept, PUBLIC_MODE)?;
            }
            Step::RemoveIgnoreFile(path) => fs::remove_file(path).map_err(HomeError::io("remove", path))?,
            Step::RemoveFolder(path) => fs::remove_dir_all(path).map_err(HomeError::io("remove", path))?,
            Step::MakeFolder(_) | Step::AddLine(_) | Step::MakeIgnoreFile(_) => {}
        }
    }
    sync_folder(home.root()).map_err(HomeError::io("sync", home.root()))?;
    Ok(steps)
}

/// The home's key: a new one, or the one of an `init` that was cut short.
fn new_key(home: &Home) -> Result<SigningKey, HomeError> {
    let path = home.key_file();
    match fs::metadata(&path) {
        // The process died between making the file and filling it; nothing was signed with it.
        Ok(meta) if meta.len() == 0 => {
            fs::remove_file(&path).map_err(HomeError::io("remove", &path))?;
            key::create(&path)
        }
        Ok(_) => key::load(&path),
        Err(_) => key::create(&path),
    }
}

fn is_ignore_line(line: &str) -> bool {
    matches!(line.trim(), ".towline/" | ".towline" | "/.towline/" | "/.towline")
}

fn read_ignore(path: &Path) -> Result<Option<String>, HomeError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(HomeError::io("read", path)(error)),
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), HomeError> {
    write_atomic(path, text.as_bytes(), mode).map_err(HomeError::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::FOLDER;

    fn ignore(root: &Path) -> Option<String> {
        read_ignore(&root.join(".gitignore")).unwrap()
    }

    #[test]
    fn init_outside_of_git_touches_only_its_folder_and_deinit_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let config = Config {
            user: "ada".to_owned(),
            ..Config::default()
        };
        let (home, key, steps) = init(&root, &config).unwrap();
        assert_eq!(steps, [Step::MakeFolder(root.join(FOLDER))]);
        assert_eq!(key::load(&home.key_file()).unwrap().to_bytes(), key.to_bytes());
        assert_eq!(Config::load(&home.config_file()).unwrap(), config);
        assert!(matches!(init(&root, &config), Err(HomeError::Exists { .. })));
        let lock = home.lock("towline up").unwrap();
        assert!(matches!(deinit(&home), Err(HomeError::Busy { .. })));
        drop(lock);
        deinit(&home).unwrap();
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    }

    #[test]
    fn in_a_repository_one_ignore_line_comes_and_goes() {
        for before in [None, Some("target\n"), Some("target"), Some("")] {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path();
            fs::create_dir(root.join(".git")).unwrap();
            if let Some(text) = before {
                fs::write(root.join(".gitignore"), text).unwrap();
            }
            let (home, ..) = init(root, &Config::default()).unwrap();
            let lines = ignore(root).unwrap();
            assert_eq!(lines.lines().filter(|line| *line == ".towline/").count(), 1);
            deinit(&home).unwrap();
            let after = ignore(root);
            let same = |text: &str| text.trim_end().to_owned();
            assert_eq!(after.as_deref().map(same), before.map(same));
        }
    }

    #[test]
    fn a_line_that_was_there_before_stays() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join(".git")).unwrap();
        fs::write(root.join(".gitignore"), "/target\n.towline/\n").unwrap();
        let (home, _, steps) = init(root, &Config::default()).unwrap();
        assert_eq!(steps.len(), 1);
        deinit(&home).unwrap();
        assert_eq!(ignore(root).as_deref(), Some("/target\n.towline/\n"));
    }

    #[test]
    fn an_init_that_was_cut_short_is_made_again_with_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let (home, key, _) = init(folder.path(), &Config::default()).unwrap();
        fs::remove_file(home.config_file()).unwrap();
        let (_, again, _) = init(folder.path(), &Config::default()).unwrap();
        assert_eq!(again.to_bytes(), key.to_bytes());
        fs::remove_file(home.config_file()).unwrap();
        fs::write(home.key_file(), "").unwrap();
        assert!(init(folder.path(), &Config::default()).is_ok());
    }
}
