//! Errors of the cache. Nothing is lost for good: the cache can be rebuilt from the log.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::home::files::is_full;

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
    #[error("the cache is damaged: {what} failed ({why}); restart the node and it is rebuilt from the log")]
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

    fn sled(what: &'static str, error: sled::Error) -> Self {
        match error {
            sled::Error::Io(source) if is_full(&source) => Self::Full { what },
            // sled has no error of its own for a lock that is held; it is this sentence.
            sled::Error::Io(source) if source.to_string().contains("could not acquire lock") => Self::Busy {
                why: source.to_string(),
            },
            error => Self::Damaged {
                what,
                why: error.to_string(),
            },
        }
    }

    /// Whether the contents are damaged, so that replacing the cache helps.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }
}

/// Runs something of sled's and turns its panics into errors: a flipped bit in its file makes it
/// panic inside `open` and inside reads.
pub(crate) fn guard<T>(what: &'static str, run: impl FnOnce() -> sled::Result<T>) -> Result<T, CacheError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(done) => done.map_err(|error| CacheError::sled(what, error)),
        Err(panic) => {
            let why = words(panic.as_ref());
            // sled unwraps some results of the file system; the words are all that is left of them.
            if why.contains("No space left on device") || why.contains("StorageFull") {
                return Err(CacheError::Full { what });
            }
            Err(CacheError::Damaged { what, why })
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    text.chars().take(300).collect()
}
