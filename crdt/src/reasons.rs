//! Reasons as types: why an act is refused, and which facts contradict the state of an item.
//!
//! Rows and timelines carry these; the sentences about them are made where people read them. Texts of users in a
//! notice are cut, because a row may have many notices. Nothing here decides anything.

use serde::{Deserialize, Serialize};
use towline_proto::table::IllegalReason;
use towline_proto::{Column, FailureKind, Op, OpKind, Register, Rule};

/// The most characters of a block's reason in a notice; a longer text keeps one more.
pub const NOTICE_REASON_CHARS: usize = 80;
/// The most characters of a commit in a notice; a longer text keeps one more.
pub const NOTICE_COMMIT_CHARS: usize = 16;
/// The most characters of a claim's holder in a notice; a longer text keeps one more.
pub const NOTICE_HOLDER_CHARS: usize = 40;

/// Why an act is refused: it was illegal in the state that its author had observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum RefusalReason {
    /// It names an act as seen that is not there.
    MissingAct,
    /// It does not name what put the item where it stood.
    NoColumn,
    /// A newer version of towline wrote an operation that this one does not know.
    UnknownOperation,
    /// Only a maintainer or an owner changes the project's settings.
    NotMaintainer,
    /// The transition table forbids it.
    Illegal {
        /// Why.
        why: IllegalReason,
    },
    /// A claim must carry the next generation.
    NotNextGeneration {
        /// The generation that it carries.
        generation: u32,
        /// The newest one that its author had seen.
        seen: u32,
    },
    /// A release must carry the present generation.
    NotPresentGeneration {
        /// The generation that it carries.
        generation: u32,
        /// The present one.
        present: u32,
    },
    /// A take-over names a renewal from before the claim that it takes over.
    OldRenewal,
    /// It resolves a conflict that did not exist.
    NoConflict {
        /// About what.
        register: Register,
    },
    /// It keeps an act that was no side of the conflict.
    NoSide,
    /// It keeps an act that lost by a rule after which no act can be kept.
    NotKeepable {
        /// The rule.
        rule: Rule,
    },
}

/// A fact that contradicts the state of an item without being a conflict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Notice {
    /// It was marked done, and something happened concurrently that speaks against it.
    DoneDespite {
        /// What happened.
        act: NoticedAct,
    },
    /// It was merged, and something happened concurrently that speaks against it.
    MergedDespite {
        /// What happened.
        act: NoticedAct,
    },
    /// It was merged several times concurrently.
    MergedRepeatedly {
        /// Some of the commits, sorted.
        commits: Vec<String>,
    },
    /// It was deleted while others worked on it.
    DeletedDespite {
        /// Those acts that matter for restoring it, or some of them.
        acts: Vec<NoticedAct>,
        /// How many other acts there are.
        edits: usize,
        /// How many acts there are in all.
        total: usize,
    },
}

/// What an act did, as far as a notice says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "kebab-case")]
pub enum NoticedAct {
    /// A failed merge was reported.
    MergeFailed {
        /// The kind of failure.
        kind: FailureKind,
    },
    /// It was blocked.
    Blocked {
        /// The beginning of the reason.
        reason: String,
    },
    /// It was claimed.
    Claimed {
        /// The beginning of the holder's name.
        holder: String,
    },
    /// It was frozen.
    Frozen,
    /// It was merged, or marked done when there is no commit.
    Merged {
        /// The beginning of the commit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
    },
    /// It was moved.
    Moved {
        /// To which column.
        to: Column,
    },
    /// Any other operation.
    Other {
        /// Which one.
        op: OpKind,
    },
}

impl NoticedAct {
    /// What an operation did.
    pub fn of(op: &Op) -> Self {
        match op {
            Op::MergeFailed { kind, .. } => Self::MergeFailed { kind: *kind },
            Op::Block { reason } => Self::Blocked {
                reason: beginning(reason, NOTICE_REASON_CHARS),
            },
            Op::Claim { holder, .. } | Op::TakeOver { holder, .. } => Self::Claimed {
                holder: beginning(holder, NOTICE_HOLDER_CHARS),
            },
            Op::Freeze => Self::Frozen,
            Op::Merged { commit } => Self::Merged {
                commit: commit
                    .as_deref()
                    .map(|commit| beginning(commit, NOTICE_COMMIT_CHARS)),
            },
            Op::Move { to, .. } => Self::Moved { to: *to },
            op => Self::Other { op: op.kind() },
        }
    }
}

/// The beginning of a text: enough to show `max` characters, and to see that there was more.
pub(crate) fn beginning(text: &str, max: usize) -> String {
    text.chars().take(max + 1).collect()
}
