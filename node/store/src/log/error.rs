//! Why the log of a project could not be opened, read or written.
//!
//! Which command helps is not said here: see `StorageError` in `towline-engine` for the hints.

use std::io;
use std::path::{Path, PathBuf};

use towline_proto::ProjectId;

use crate::home::files::is_full;

/// Why an operation on the log failed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
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
    /// The disk is full. Nothing of the batch was stored; acknowledged entries are safe.
    #[error(
        "the disk is full: nothing was written to {path}; earlier changes are safe; free some space and try again"
    )]
    Full {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// An earlier sync failed, so the state of the disk is unknown.
    #[error("the log is closed because a write to it failed ({why}); restart the node")]
    Poisoned {
        /// What failed.
        why: String,
    },
    /// The log may be read but not written, because entries of this node may be missing from it.
    #[error("the log cannot be written: {why}")]
    ReadOnly {
        /// Why.
        why: String,
    },
    /// A record or a segment is not what was written.
    #[error("{0}")]
    Damaged(#[from] Damage),
    /// The store was written by a newer towline.
    #[error(
        "{path} has log format {found} and this towline reads up to {known}; use the newer towline that wrote it"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The version that it says.
        found: u8,
        /// The newest version that this build reads.
        known: u8,
    },
    /// The log is another project's.
    #[error("{path} belongs to project {found}, not to {wanted}")]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// The project that it says.
        found: ProjectId,
        /// The project that was wanted.
        wanted: ProjectId,
    },
    /// There is no log here.
    #[error("there is no log in {dir}")]
    Missing {
        /// The folder.
        dir: PathBuf,
    },
    /// There is a log here already.
    #[error("{dir} already has a log, which is not overwritten")]
    Exists {
        /// The folder.
        dir: PathBuf,
    },
    /// A record or a batch is larger than the log takes.
    #[error("{what} has {got} bytes; the log accepts 1 to {max}")]
    Size {
        /// `"a record"` or `"a batch"`.
        what: &'static str,
        /// Size in bytes.
        got: usize,
        /// Largest size in bytes.
        max: usize,
    },
    /// The position is not the place of a record of this log.
    #[error("position {position:#x} is not in the log, which ends at {end:#x}")]
    Position {
        /// What was asked for.
        position: u64,
        /// Where the log ends.
        end: u64,
    },
    /// The callback rejected a record.
    #[error("the record at {position:#x} was not accepted: {source}")]
    Rejected {
        /// Which record.
        position: u64,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl LogError {
    /// An error of the file system with what was tried; a full disk becomes [`LogError::Full`].
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            let path = path.to_owned();
            if is_full(&source) {
                Self::Full { path }
            } else {
                Self::Io { what, path, source }
            }
        }
    }

    /// Whether trying again in the same process can help.
    pub const fn is_permanent(&self) -> bool {
        !matches!(self, Self::Full { .. })
    }
}

/// A damaged place in a log, as `doctor` reports it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log segment {segment} is damaged at byte {offset}: {why}")]
pub struct Damage {
    /// The number of the segment.
    pub segment: u32,
    /// The byte in its file.
    pub offset: u64,
    /// What is wrong there.
    pub why: String,
}
