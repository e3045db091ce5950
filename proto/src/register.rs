//! Registers: the parts of an item that acts write, and the rules that decide conflicts about them
//! (docs/spec/pipeline.md, *When replicas disagree*).
//!
//! Which operation writes which register, and which act wins, is decided by the fold in `towline-crdt`. The names are
//! defined here, because an act that resolves a conflict names its register on the wire. What people read about a
//! register or a rule is made where it is shown.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::stage::words;
use crate::{ActId, ItemId, LinkKind};

/// One part of an item that acts write and that has a value of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Register {
    /// The column.
    Column,
    /// Hold: frozen.
    Frozen,
    /// Hold: blocked.
    Blocked,
    /// Hold: review; reset when the column changes.
    Review,
    /// Hold: merge failure; reset when the column changes.
    Failure,
    /// Whether it is deleted or purged.
    Deleted,
    /// Who holds the claim; reset when the column changes.
    Claim,
    /// Field.
    Title,
    /// Field.
    Kind,
    /// Field.
    Priority,
    /// Field.
    Qa,
    /// Field.
    Epic,
    /// Field.
    Assignee,
    /// Field: the foreign record that it was last imported from.
    Imported,
    /// Whether it has a label.
    Label(String),
    /// Whether it has a dependency.
    Dependency(ItemId),
    /// Whether it has a link.
    Link(LinkKind, String),
    /// The state of a criterion.
    Criterion(ActId),
    /// The comments: each one names those that its author had read.
    Comments,
    /// The edits of the body; Automerge merges the text itself.
    Body,
    /// The list of criteria.
    Criteria,
    /// A setting of the project, by its name.
    Setting(String),
}

impl Register {
    /// Whether concurrent acts on it can conflict, so that somebody may have to resolve that. In the other registers
    /// all acts stay in effect, or the fold merges them without a loser.
    pub const fn can_conflict(&self) -> bool {
        match self {
            Self::Column
            | Self::Frozen
            | Self::Blocked
            | Self::Review
            | Self::Failure
            | Self::Deleted
            | Self::Claim
            | Self::Title
            | Self::Kind
            | Self::Priority
            | Self::Qa
            | Self::Epic
            | Self::Assignee
            | Self::Criterion(_)
            | Self::Setting(_) => true,
            Self::Imported
            | Self::Label(_)
            | Self::Dependency(_)
            | Self::Link(..)
            | Self::Comments
            | Self::Body
            | Self::Criteria => false,
        }
    }
}

/// The name that logs and errors use.
impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column => f.pad("column"),
            Self::Frozen => f.pad("frozen"),
            Self::Blocked => f.pad("blocked"),
            Self::Review => f.pad("review-hold"),
            Self::Failure => f.pad("merge-failure"),
            Self::Deleted => f.pad("deleted"),
            Self::Claim => f.pad("claim"),
            Self::Title => f.pad("title"),
            Self::Kind => f.pad("kind"),
            Self::Priority => f.pad("priority"),
            Self::Qa => f.pad("qa"),
            Self::Epic => f.pad("epic"),
            Self::Assignee => f.pad("assignee"),
            Self::Imported => f.pad("import"),
            Self::Label(label) => write!(f, "label {label}"),
            Self::Dependency(on) => write!(f, "dependency on {}", on.key()),
            Self::Link(kind, target) => write!(f, "{kind} link {target}"),
            Self::Criterion(id) => write!(f, "criterion {}", id.short()),
            Self::Comments => f.pad("comments"),
            Self::Body => f.pad("body"),
            Self::Criteria => f.pad("criteria"),
            Self::Setting(key) => write!(f, "setting {key}"),
        }
    }
}

words!(
    /// The rule by which one of several competing acts wins (docs/spec/pipeline.md, *When replicas disagree*).
    Rule, "rule" {
        /// A fact wins against intents.
        Fact = "fact",
        /// A freeze or block wins against an exit from the open columns whose author did not know of it.
        Hold = "hold",
        /// The more cautious of two intents wins.
        Cautious = "cautious",
        /// Of two equally cautious acts, the higher role wins, then the smaller hash.
        Tie = "tie",
        /// The item left the column concurrently, which resets everything that has a meaning in that column only.
        ColumnLeft = "left",
        /// Of two claims of one generation, a person wins against an agent, then a hash decides.
        Claim = "claim",
        /// A claim of a later generation.
        Generation = "generation",
        /// Of two concurrent edits of a field, the higher role wins, then the smaller hash.
        Field = "field",
        /// Of a cycle of dependencies that were added concurrently, the one with the largest hash is suspended.
        Cycle = "circle",
    }
);
