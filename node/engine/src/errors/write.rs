//! Why a plan was not written, whatever it is about.
//!
//! Relies on the checks of `compose` and of the gate. Decides nothing.

use towline_api::failure::{FailureCode, Hint, OperationError};
use towline_api::labels::cannot_keep_text;
use towline_crdt::compose::ComposeError;
use towline_proto::{Role, limits};

use super::{StorageError, TransitionError};
use crate::pending_batch::{WORK_BYTES, WORK_CHANGES};

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// This node may only read.
    #[error("this node is a {role} of {project} and may not write; an owner can invite it as a writer")]
    MayNotWrite {
        /// The role of this node.
        role: Role,
        /// The project's name.
        project: String,
    },
    /// The log cannot be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The transition table forbids it.
    #[error(transparent)]
    Transition(TransitionError),
    /// The change is not valid for another reason.
    #[error("{}", compose_text(.0))]
    Compose(ComposeError),
    /// The change of one item is too large.
    #[error(
        "the change of one item has {bytes} bytes in {parts} parts; at most {WORK_BYTES} in {WORK_CHANGES} fit \
         into one entry"
    )]
    ItemTooLarge {
        /// Its size.
        bytes: usize,
        /// Its changes.
        parts: usize,
    },
    /// The entry is too large.
    #[error(
        "the change has {size} bytes; at most {} fit into one entry",
        limits::ENTRY_BYTES
    )]
    EntryTooLarge {
        /// Its size.
        size: usize,
    },
    /// No node could read the entry.
    #[error("nothing was written: {0}")]
    Unreadable(towline_proto::entry::EntryError),
    /// The work had no result.
    #[error("nothing was written")]
    Nothing,
}

impl From<ComposeError> for WriteError {
    fn from(error: ComposeError) -> Self {
        match error {
            ComposeError::Illegal(illegal) => Self::Transition(TransitionError::Illegal(illegal)),
            error => Self::Compose(error),
        }
    }
}

fn compose_text(error: &ComposeError) -> String {
    match error {
        ComposeError::CannotKeep(rule) => cannot_keep_text(*rule).to_string(),
        error => error.to_string(),
    }
}

impl OperationError for WriteError {
    fn code(&self) -> FailureCode {
        match self {
            Self::MayNotWrite { .. } => FailureCode::NotAllowed,
            Self::Storage(error) => error.code(),
            Self::Transition(error) => error.code(),
            Self::Compose(error) => match error {
                ComposeError::Illegal(_)
                | ComposeError::NoSuchConflict { .. }
                | ComposeError::CannotKeep(_) => FailureCode::Conflict,
                ComposeError::Act(_) | ComposeError::Body(_) | ComposeError::Full { .. } => {
                    FailureCode::Usage
                }
                ComposeError::Doc(_) | ComposeError::Automerge(_) | ComposeError::Gate(_) => {
                    FailureCode::Failure
                }
            },
            Self::ItemTooLarge { .. } | Self::EntryTooLarge { .. } => FailureCode::Usage,
            Self::Unreadable(_) | Self::Nothing => FailureCode::Failure,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Storage(error) => error.hint(),
            Self::Transition(error) => error.hint(),
            Self::MayNotWrite { .. }
            | Self::Compose(_)
            | Self::ItemTooLarge { .. }
            | Self::EntryTooLarge { .. }
            | Self::Unreadable(_)
            | Self::Nothing => None,
        }
    }

    fn retry(&self) -> bool {
        match self {
            Self::Storage(error) => error.retry(),
            Self::Transition(error) => error.retry(),
            _ => false,
        }
    }
}
