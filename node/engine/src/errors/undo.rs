//! Why a command was not taken back.
//!
//! Relies on the texts that [`crate::undo`] gives it. Decides nothing.

use towline_api::failure::{FailureCode, Hint, OperationError};

use super::{ItemError, StorageError};

/// Why nothing was undone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UndoError {
    /// The caller did nothing here.
    #[error("{0} has no command at this node that can be undone")]
    Nothing(String),
    /// Something else changed what the command had changed.
    #[error("cannot undo `{what}` of {handle}: it was changed again by {by}")]
    ChangedSince {
        /// The item.
        handle: String,
        /// What the command did.
        what: String,
        /// Who changed it, and how.
        by: String,
    },
    /// The domain knows no way back.
    #[error("cannot undo `{what}` of {handle}: {why}")]
    Impossible {
        /// The item.
        handle: String,
        /// What the command did.
        what: &'static str,
        /// Why.
        why: &'static str,
    },
    /// The last command changed a setting.
    #[error("cannot undo the change of the setting {0}: its value before is not known here; set it again")]
    Setting(String),
    /// The item was not found.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// The item could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl OperationError for UndoError {
    fn code(&self) -> FailureCode {
        match self {
            Self::Nothing(_) => FailureCode::NotFound,
            Self::ChangedSince { .. } | Self::Impossible { .. } | Self::Setting(_) => FailureCode::Conflict,
            Self::Item(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Item(error) => error.hint(),
            Self::Storage(error) => error.hint(),
            Self::Nothing(_) | Self::ChangedSince { .. } | Self::Impossible { .. } | Self::Setting(_) => None,
        }
    }
}
