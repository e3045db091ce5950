//! Why an import, or an export of entries, failed as a whole.
//!
//! What is wrong with one record of many is in the report of the import and not here. Decides nothing.

use towline_api::failure::{FailureCode, Hint, OperationError};
use towline_api::request::{IMPORT_CHUNK, MAX_ENTRIES};

use super::StorageError;

/// Why nothing was imported, or only a part.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Too many items.
    #[error("at most {IMPORT_CHUNK} items or relations are allowed in one import request")]
    TooManyItems,
    /// Too many lines.
    #[error("at most {IMPORT_CHUNK} lines are allowed in one request")]
    TooManyLines,
    /// Too many entries.
    #[error("at most {MAX_ENTRIES} entries are allowed in one request")]
    TooManyEntries,
    /// The entries are those of another project.
    #[error("these entries belong to project {theirs}; this is {here} ({name})")]
    OtherProject {
        /// Whose entries they are.
        theirs: String,
        /// This project.
        here: String,
        /// Its name.
        name: String,
    },
    /// An entry is not base64.
    #[error("an entry is not valid base64")]
    NotBase64,
    /// The line cannot be replayed.
    #[error("{0}")]
    InvalidLine(String),
    /// This node wrote something else meanwhile.
    #[error("this node's log has changed meanwhile; import the file again")]
    LogChanged,
    /// Orphans of the bundle cannot be kept.
    #[error(
        "cannot store the waiting entries: {0}; import the bundle again when the missing entries have arrived"
    )]
    Orphans(std::io::Error),
}

impl OperationError for TransferError {
    fn code(&self) -> FailureCode {
        match self {
            Self::Storage(error) => error.code(),
            Self::TooManyItems
            | Self::TooManyLines
            | Self::TooManyEntries
            | Self::OtherProject { .. }
            | Self::NotBase64
            | Self::InvalidLine(_) => FailureCode::Usage,
            Self::LogChanged | Self::Orphans(_) => FailureCode::Failure,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Storage(error) => error.hint(),
            _ => None,
        }
    }

    fn retry(&self) -> bool {
        match self {
            Self::Storage(error) => error.retry(),
            Self::LogChanged | Self::Orphans(_) => true,
            _ => false,
        }
    }
}
