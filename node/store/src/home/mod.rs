//! The `.towline` folder of a node: its layout, and how it is found, created and removed.
//!
//! ```text
//! <root>/.towline/            mode 0700
//!   key                       the node's ed25519 seed, mode 0600; or where it is, on a disk without modes
//!   config.toml               what a person may change
//!   lock                      held by whoever has the stores open
//!   node.sock                 where a running node listens
//!   tokens                    API tokens, hashed; mode 0600
//!   sessions                  sessions of the board, hashed; mode 0600
//!   undo                      what `init` changed outside of this folder
//!   projects/<16 hex digits of the project id>/
//!     project.toml            its name and full id
//!     introduced              whom the inviter named, until the log says who is a member
//!     log/  cache/  rows.snap
//! ```
//!
//! Nothing here reads a clock, and only `key` reads environment variables; only [`key::create`] and [`tokens::create`]
//! draw randomness.

pub mod config;
pub mod files;
pub mod find;
mod ignore;
mod incomplete_projects;
pub mod init;
pub mod key;
pub mod lock;
mod projects;
pub mod sessions;
pub mod settings;
pub mod tokens;
pub mod views;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use towline_proto::ProjectId;
use towline_proto::ids::to_hex;

pub use config::Config;
pub use lock::{Lock, LockHolder};
use projects::ProjectFile;
pub use projects::ProjectScan;
pub use settings::{BusyTimeout, Settings};

use incomplete_projects::{INCOMPLETE, is_incomplete};
use towline_api::failure::{FailureCode, Hint, OperationError};

/// The name of the folder.
pub const FOLDER: &str = ".towline";
/// How many bytes of a project's id name its folder.
const PROJECT_NAME_BYTES: usize = 8;

/// Why the home of a node is not usable.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The file system refused something.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that every home has is not there.
    #[error("{path} does not exist")]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// It exists already.
    #[error("{path} already exists")]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// Another process has it open.
    #[error("in use by {holder}; try again when that process has finished")]
    Busy {
        /// Who, as in "`towline up` (pid 123)".
        holder: String,
    },
    /// The key can be read by others.
    #[error("other users can read the key {path} (mode {mode:03o}); run: chmod 600 {path}")]
    KeyMode {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file system has no modes.
    #[error(
        "the file system of {path} has no file modes, so other users could read a key there, \
         and your state folder cannot hold it either ({why}); set XDG_STATE_HOME or HOME to a folder of your own"
    )]
    NoModes {
        /// Where the key was to be.
        path: PathBuf,
        /// Why it cannot be elsewhere either.
        why: String,
    },
    /// A file does not hold what it should.
    #[error("{path}: {why}")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// What is wrong and how to fix it.
        why: String,
    },
}

impl HomeError {
    /// A failed operation on a file; `what` is a verb.
    pub fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    /// Why the key or the configuration could not be opened.
    pub fn open(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Io {
                what: "read",
                path,
                source,
            },
        }
    }
}

impl OperationError for HomeError {
    fn code(&self) -> FailureCode {
        match self {
            Self::Busy { .. } => FailureCode::Busy,
            Self::Exists { .. } => FailureCode::Usage,
            Self::KeyMode { .. } | Self::NoModes { .. } => FailureCode::NotAllowed,
            Self::Io { .. } | Self::Missing { .. } | Self::Invalid { .. } => FailureCode::Failure,
        }
    }

    fn hint(&self) -> Option<Hint> {
        matches!(self, Self::Missing { .. }).then_some(Hint::RestoreOrResume)
    }
}

/// The home of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

/// The folder of one project in a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectHome {
    /// Which project.
    pub id: ProjectId,
    /// What people call it here.
    pub name: String,
    dir: PathBuf,
}

impl Home {
    /// The home whose `.towline` is in `root`, whether it exists or not.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Whether `init` has completed here.
    pub fn exists(&self) -> bool {
        self.dir().join("config.toml").is_file()
    }

    /// The folder that holds `.towline`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The `.towline` folder.
    pub fn dir(&self) -> PathBuf {
        self.root.join(FOLDER)
    }

    /// The key file.
    pub fn key_file(&self) -> PathBuf {
        self.dir().join("key")
    }

    /// The configuration.
    pub fn config_file(&self) -> PathBuf {
        self.dir().join("config.toml")
    }

    /// The sessions of the board.
    pub fn sessions_file(&self) -> PathBuf {
        self.dir().join("sessions")
    }

    /// The API tokens.
    pub fn tokens_file(&self) -> PathBuf {
        self.dir().join("tokens")
    }

    /// The saved views of the board.
    pub fn views_file(&self) -> PathBuf {
        self.dir().join("views")
    }

    /// What `init` changed outside of the folder.
    pub fn undo_file(&self) -> PathBuf {
        self.dir().join("undo")
    }

    /// The lock.
    pub fn lock_file(&self) -> PathBuf {
        self.dir().join("lock")
    }

    /// The socket of a running node. The system takes some 100 bytes of path and not more.
    pub fn socket(&self) -> PathBuf {
        self.dir().join("node.sock")
    }

    /// Takes the lock until the value is dropped; `what` names the purpose for other processes.
    ///
    /// # Errors
    /// [`HomeError::Busy`] with who has it.
    pub fn lock(&self, what: &str) -> Result<Lock, HomeError> {
        Lock::take(&self.lock_file(), what)
    }

    /// The current holder of the lock.
    ///
    /// # Errors
    /// When that cannot be checked.
    pub fn holder(&self) -> Result<Option<LockHolder>, HomeError> {
        LockHolder::ask(&self.lock_file())
    }

    /// The projects of the node that can be read, sorted by name.
    ///
    /// # Errors
    /// When there are projects and none of them can be read; with the reason of the first.
    pub fn projects(&self) -> Result<Vec<ProjectHome>, HomeError> {
        let ProjectScan { projects, unreadable } = self.scan_projects()?;
        match unreadable.into_iter().next() {
            Some((_, error)) if projects.is_empty() => Err(error),
            _ => Ok(projects),
        }
    }

    /// The folder of a project.
    pub fn project_dir(&self, id: &ProjectId) -> PathBuf {
        self.dir()
            .join("projects")
            .join(to_hex(&id.0[..PROJECT_NAME_BYTES]))
    }

    /// Creates a folder for a project, beside its place: [`ProjectHome::register`] moves it there when it is
    /// complete, and only then is the project listed.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn make_project(&self, id: ProjectId, name: &str) -> Result<ProjectHome, HomeError> {
        let folder = self.dir().join("projects");
        let dir = self.project_dir(&id);
        let incomplete = dir.with_extension(INCOMPLETE);
        if incomplete.is_dir() {
            fs::remove_dir_all(&incomplete).map_err(HomeError::io("remove", &incomplete))?;
        }
        // An earlier version that created folders in place may have left one, with a log that must not be
        // deleted.
        let dir = if dir.is_dir() { dir } else { incomplete };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(HomeError::io("make", &dir))?;
        for folder in [&folder, &self.dir()] {
            files::sync_folder(folder).map_err(HomeError::io("sync", folder))?;
        }
        Ok(ProjectHome {
            id,
            name: name.to_owned(),
            dir,
        })
    }
}

impl ProjectHome {
    /// The project's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The same project with its store in another folder.
    pub fn moved_to(&self, dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            ..self.clone()
        }
    }

    /// The folder of its log.
    pub fn log_dir(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// The folder of its cache.
    pub fn cache_dir(&self) -> PathBuf {
        self.dir.join("cache")
    }

    /// Writes `project.toml` and moves the folder to its place, which registers the project. To be called
    /// when its log exists, so that a crash before leaves nothing that looks like a project.
    ///
    /// # Errors
    /// When the file cannot be written or the folder not be moved.
    pub fn register(mut self) -> Result<Self, HomeError> {
        let path = self.dir.join("project.toml");
        let file = ProjectFile {
            name: self.name.clone(),
            id: self.id,
        };
        let text = toml::to_string(&file).map_err(|error| HomeError::Invalid {
            path: path.clone(),
            why: error.to_string(),
        })?;
        files::write_atomic(&path, text.as_bytes(), files::PRIVATE_MODE)
            .map_err(HomeError::io("write", &path))?;
        if is_incomplete(&self.dir) {
            let place = self.dir.with_extension("");
            fs::rename(&self.dir, &place).map_err(HomeError::io("move", &self.dir))?;
            self.dir = place;
        }
        if let Some(folder) = self.dir.parent() {
            files::sync_folder(folder).map_err(HomeError::io("sync", folder))?;
        }
        Ok(self)
    }
}

fn missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use towline_proto::NodeId;

    use super::*;

    #[test]
    fn projects_are_listed_once_they_are_registered() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        assert_eq!(home.projects().unwrap(), []);
        let sled = home.make_project(ProjectId([1; 32]), "sled \"dogs\"").unwrap();
        let half = home.make_project(ProjectId([2; 32]), "half").unwrap();
        let sled = sled.register().unwrap();
        assert_eq!(home.projects().unwrap(), std::slice::from_ref(&sled));
        assert!(sled.dir().ends_with("projects/0101010101010101"));
        half.introduce(&[NodeId([3; 32])]).unwrap();
        let half = half.register().unwrap();
        assert_eq!(half.introduced(), [NodeId([3; 32])]);
        // What was cut short before it was moved is no project, and goes with the next one that is made.
        let cut = home.make_project(ProjectId([4; 32]), "cut").unwrap();
        fs::write(cut.dir().join("project.toml"), "half").unwrap();
        assert_eq!(home.projects().unwrap().len(), 2);
        home.remove_incomplete_projects().unwrap();
        assert!(!cut.dir().exists());
        assert_eq!(home.projects().unwrap().len(), 2);
        assert_eq!(home.projects().unwrap(), [half.clone(), sled.clone()]);
        fs::write(sled.dir().join("project.toml"), "name = 3").unwrap();
        assert_eq!(home.projects().unwrap(), std::slice::from_ref(&half));
        let unreadable = home.scan_projects().unwrap().unreadable;
        assert!(
            matches!(unreadable.as_slice(), [(name, HomeError::Invalid { .. })] if name == "0101010101010101")
        );
        fs::write(half.dir().join("project.toml"), [0xff; 9]).unwrap();
        assert!(home.projects().is_err(), "none is left, and one is there");
    }
}
