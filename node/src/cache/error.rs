//! Why the cache did not do what was asked. Nothing in it is lost for good: it is made again from
//! the log.

use std::io;
use std::path::{Path, PathBuf};

use crate::home::files::is_full;
use crate::sled_store::SledStoreError;

/// Why the cache did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
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
    /// The disk is full.
    #[error("the disk is full: cannot {what} the cache; free some space and try again")]
    Full {
        /// What was tried.
        what: &'static str,
    },
    /// What is stored cannot be read; open the cache again to have it mended or set aside.
    #[error("the cache is damaged: cannot {what} ({why}); restart the node and it is rebuilt from the log")]
    Damaged {
        /// What was tried.
        what: &'static str,
        /// What sled said, or the words with which it panicked.
        why: String,
    },
    /// An earlier write failed, and sled does not survive that.
    #[error("the cache accepts no more writes because an earlier one failed; restart the node")]
    Closed,
    /// Another process, or another part of this one, has it open.
    #[error("another process has the cache open: {why}")]
    Busy {
        /// What sled said.
        why: String,
    },
    /// The cache was written by a newer towline.
    #[error(
        "{path} has cache format {found} and this towline reads up to {known}; use the newer towline that wrote it, or remove the folder to rebuild it from the log"
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// The version that it says.
        found: u32,
        /// The newest version that this build reads.
        known: u32,
    },
}

impl CacheError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            if is_full(&source) {
                return Self::Full { what };
            }
            let path = path.to_owned();
            Self::Io { what, path, source }
        }
    }

    /// Whether the cache's content is to blame, so that setting it aside helps.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }
}

impl From<SledStoreError> for CacheError {
    fn from(error: SledStoreError) -> Self {
        match error {
            SledStoreError::Io { what, path, source } => Self::Io { what, path, source },
            SledStoreError::Full { what } => Self::Full { what },
            SledStoreError::Damaged { what, why } => Self::Damaged { what, why },
            SledStoreError::Closed => Self::Closed,
            SledStoreError::Busy { why } => Self::Busy { why },
        }
    }
}
