//! A request that failed, as the faces print it: a code with its exit code, a sentence, what a user can do about
//! it, whether trying again helps, and the current card.
//!
//! Plain data. Which failure an operation gives is decided where it is executed: each family of operations has
//! an error enum that says so ([`OperationError`]). No sentence here names a command or an option: the command
//! line makes those from the [`Hint`].

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use towline_proto::Verb;

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

    /// Whether failures of this sort usually pass by themselves.
    pub const fn passes(self) -> bool {
        match self {
            Self::Unreachable | Self::Busy | Self::TimedOut => true,
            Self::Failure
            | Self::Usage
            | Self::NotFound
            | Self::NotAllowed
            | Self::Conflict
            | Self::Findings => false,
        }
    }
}

/// What a user can do about a failure. On the wire `{"do": "rebuild"}`, with the fields of the hint beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Hint {
    /// Make the cache again from the log.
    Rebuild,
    /// Check the store.
    Doctor,
    /// Stop the node and repair the log.
    Repair,
    /// There is no log: finish an interrupted repair, or join the project again.
    RepairOrJoin,
    /// A file of the home is missing: restore it from a backup, or repeat the command that was interrupted.
    RestoreOrResume,
    /// Start the node, or announce an address of it.
    UpOrAnnounce,
    /// Start the node to learn whether the holder's node is gone, or take the claim over by force.
    UpOrForce,
    /// Create a project or join one.
    CreateOrJoin,
    /// Say which of several projects is meant.
    ChooseProject,
    /// Do it by force, with a reason.
    Force {
        /// What would be refused without force.
        verb: Verb,
    },
    /// Take the claim over once its node is gone, or at once by force.
    TakeOver,
    /// Perform another transition first.
    Transition {
        /// Which one.
        verb: Verb,
    },
    /// List the items that are not ready, with the reasons.
    ListNotReady,
    /// List the members and invitations.
    ListMembers,
    /// Show what an item depends on.
    ShowDependencies {
        /// Its handle.
        item: String,
    },
    /// Take the items out of their epic.
    LeaveEpic {
        /// The handle of one of them.
        item: String,
    },
}

/// A request that failed. Nothing was changed.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
#[serde(from = "ReceivedFailure")]
pub struct Failure {
    /// What sort.
    pub code: FailureCode,
    /// What failed and why.
    pub message: String,
    /// What to do about it, where the sentence does not say it already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Hint>,
    /// Whether the same request can succeed later, when time passes or others have done their part.
    pub retry: bool,
    /// The card as it stands, where the asker's was stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<Box<ItemCard>>,
}

impl Failure {
    /// A failure of a sort with its sentence.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            retry: code.passes(),
            current: None,
        }
    }

    /// The same with what to do about it.
    pub fn with_hint(self, hint: Hint) -> Self {
        let hint = Some(hint);
        Self { hint, ..self }
    }

    /// The same with another sentence.
    pub fn with_message(self, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { message, ..self }
    }
}

/// Why an operation of one family failed; its `Display` is the sentence.
pub trait OperationError: Display {
    /// What sort of failure it is.
    fn code(&self) -> FailureCode;

    /// What a user can do about it.
    fn hint(&self) -> Option<Hint> {
        None
    }

    /// Whether the same request can succeed later, when time passes or others have done their part.
    fn retry(&self) -> bool {
        self.code().passes()
    }

    /// The card as it stands, where the asker's was stale.
    fn current(self) -> Option<Box<ItemCard>>
    where
        Self: Sized,
    {
        None
    }
}

impl<E: OperationError> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            code: error.code(),
            message: error.to_string(),
            hint: error.hint(),
            retry: error.retry(),
            current: error.current(),
        }
    }
}

/// A failure as other versions may send it: without the newer fields, or with a hint that is not known here.
#[derive(Deserialize)]
struct ReceivedFailure {
    code: FailureCode,
    message: String,
    #[serde(default)]
    hint: Option<ReceivedHint>,
    #[serde(default)]
    retry: Option<bool>,
    #[serde(default)]
    current: Option<Box<ItemCard>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ReceivedHint {
    Known(Hint),
    Unknown(serde::de::IgnoredAny),
}

impl From<ReceivedFailure> for Failure {
    fn from(received: ReceivedFailure) -> Self {
        Self {
            code: received.code,
            message: received.message,
            hint: received.hint.and_then(|hint| match hint {
                ReceivedHint::Known(hint) => Some(hint),
                ReceivedHint::Unknown(_) => None,
            }),
            retry: received.retry.unwrap_or_else(|| received.code.passes()),
            current: received.current,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_comes_back_as_it_was_sent() {
        let sent = Failure::new(FailureCode::Conflict, "no").with_hint(Hint::Force { verb: Verb::Start });
        let json = serde_json::to_string(&sent).unwrap();
        assert_eq!(
            json,
            r#"{"code":"conflict","message":"no","hint":{"do":"force","verb":"start"},"retry":false}"#
        );
        let back: Failure = serde_json::from_str(&json).unwrap();
        assert_eq!(back.hint, sent.hint);
    }

    #[test]
    fn failures_of_other_versions_can_be_read() {
        let of = |json: &str| serde_json::from_str::<Failure>(json).unwrap();
        let older = of(r#"{"code":"busy","message":"no"}"#);
        assert!(older.retry && older.hint.is_none());
        for hint in [r#"{"do":"pray","to":1}"#, r#""rebuild""#, "7", "null"] {
            let newer = of(&format!(
                r#"{{"code":"failure","message":"no","hint":{hint},"retry":true,"odds":3}}"#
            ));
            assert!(newer.retry && newer.hint.is_none(), "{hint}");
        }
    }
}
