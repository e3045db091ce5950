//! A request that failed, as the faces print it: a code with its exit code, a sentence, and the current card.
//!
//! Plain data. Which failure an operation gives is decided where it is executed.

use serde::{Deserialize, Serialize};

use crate::types::ItemCard;

/// The kind of failure, with its exit code (docs/cli.md, *Exit codes*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCode {
    /// 1: anything else.
    Failure,
    /// 2: asked wrongly.
    Usage,
    /// 3: not there, or more than one.
    NotFound,
    /// 4: not allowed.
    NotAllowed,
    /// 5: illegal transition, claim held, stale revision.
    Conflict,
    /// 6: findings.
    Findings,
    /// 69: the node cannot be reached.
    Unreachable,
    /// 75: somebody else holds the lock; try again later.
    Busy,
    /// 124: timed out.
    TimedOut,
}

impl FailureCode {
    /// The process exit code.
    pub const fn exit(self) -> u8 {
        match self {
            Self::Failure => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotAllowed => 4,
            Self::Conflict => 5,
            Self::Findings => 6,
            Self::Unreachable => 69,
            Self::Busy => 75,
            Self::TimedOut => 124,
        }
    }
}

/// A request that failed. Nothing was changed.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What sort.
    pub code: FailureCode,
    /// What failed, why, and what to do about it.
    pub message: String,
    /// The card as it stands, where the asker's was stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Box<ItemCard>>,
}

impl Failure {
    /// A failure of a sort with its sentence.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            current: None,
        }
    }
}
