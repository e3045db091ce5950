//! Why a conflict was not resolved.
//!
//! Relies on the texts that [`crate::conflicts`] gives it. Decides nothing.

use towline_api::failure::{FailureCode, Hint, OperationError};
use towline_proto::Verb;

/// Why no side of a conflict was chosen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    /// There is none.
    #[error("this item has no unresolved conflicts")]
    NoConflicts,
    /// It is not clear which conflict is meant.
    #[error("expected one of the conflicts of this item: {0}")]
    WhichConflict(String),
    /// No side was named.
    #[error("expected the side to keep")]
    NoSide,
    /// It is not clear which side is meant.
    #[error("expected one side to keep: {0}")]
    WhichSide(String),
    /// It is resolved already.
    #[error("this conflict was already resolved")]
    Resolved,
    /// The item is in the trash.
    #[error("{0} is in the trash; use `restore` first, then resolve the conflict")]
    InTrash(String),
    /// The side cannot be kept.
    #[error("{0}")]
    Unkeepable(String),
}

impl OperationError for ResolveError {
    fn code(&self) -> FailureCode {
        match self {
            Self::NoSide => FailureCode::Usage,
            Self::WhichConflict(_) | Self::WhichSide(_) => FailureCode::NotFound,
            Self::NoConflicts | Self::Resolved | Self::InTrash(_) | Self::Unkeepable(_) => {
                FailureCode::Conflict
            }
        }
    }

    fn hint(&self) -> Option<Hint> {
        matches!(self, Self::InTrash(_)).then_some(Hint::Transition { verb: Verb::Restore })
    }
}
