//! Errors of the cache. Nothing is lost for good: the cache can be rebuilt from the log.

use std::io;
use std::path::{Path, PathBuf};

use crate::home::files::is_full;
use crate::sled_store::SledStoreError;

/// Why an operation on the cache failed.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file system refused something.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The disk is full.
    #[error("the disk is full: cannot {what} the cache; free some space and try again")]
    Full {
        /// What was tried.
        what: &'static str,
    },
    /// Stored data cannot be read; opening the cache again repairs or replaces it.
    #[error("the cache is damaged: cannot {what} ({why}); restart the node and it is rebuilt from the log")]
    Damaged {
        /// What was tried.
        what: &'static str,
        /// The error of sled, or its panic message.
        why: String,
    },
    /// An earlier write failed, after which sled cannot be used.
    #[error("the cache accepts no more writes because an earlier one failed; restart the node")]
    Closed,
    /// Another process, or another part of this one, has the cache open.
    #[error("another process has the cache open: {why}")]
    Busy {
        /// The error of sled.
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

    /// Whether the contents are damaged, so that replacing the cache helps.
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
