//! Why a setting of the project was not changed.
//!
//! Relies on the parsers of the values, which say what is wrong with one. Decides nothing.

use towline_api::failure::{FailureCode, Hint, OperationError};
use towline_proto::Role;

use super::WriteError;

/// Why a setting stays as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// This node may not write at all, or cannot.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The key is unknown or the value invalid.
    #[error("{0}")]
    Invalid(String),
    /// The role of this node does not allow it.
    #[error("this node is a {role} of {project}; only a maintainer or an owner can change project settings")]
    NotAllowed {
        /// The role of this node.
        role: Role,
        /// The project's name.
        project: String,
    },
}

impl OperationError for SettingsError {
    fn code(&self) -> FailureCode {
        match self {
            Self::Write(error) => error.code(),
            Self::Invalid(_) => FailureCode::Usage,
            Self::NotAllowed { .. } => FailureCode::NotAllowed,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Write(error) => error.hint(),
            Self::Invalid(_) | Self::NotAllowed { .. } => None,
        }
    }

    fn retry(&self) -> bool {
        matches!(self, Self::Write(error) if error.retry())
    }
}
