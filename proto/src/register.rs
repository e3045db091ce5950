//! Registers: the things about an item that acts contend for, and the rules by which a contest is
//! decided (pipeline spec, *When replicas disagree*).
//!
//! Which operation writes which register, and who wins, is the fold's to say; here are the words,
//! because an act that settles a contest names its register on the wire.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::stage::words;
use crate::{ActId, ItemId, LinkKind};

/// One thing that an act can write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Register {
    /// Where it stands.
    Column,
    /// Hold: frozen.
    Frozen,
    /// Hold: blocked.
    Blocked,
    /// Hold: review; ends with its column.
    Review,
    /// Hold: merge failure; ends with its column.
    Failure,
    /// The trash.
    Deleted,
    /// Who works on it; ends with the column.
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
    /// Field: the foreign record it was last imported from.
    Imported,
    /// Whether it has a label.
    Label(String),
    /// Whether it has a dependency.
    Dependency(ItemId),
    /// Whether it has a link.
    Link(LinkKind, String),
    /// How far a criterion is met.
    Criterion(ActId),
    /// What was said: every comment follows those that its author had read.
    Comments,
    /// That the body was edited; the text itself merges by Automerge.
    Body,
    /// That there are criteria.
    Criteria,
    /// A setting of the project, by its name.
    Setting(String),
}

impl Register {
    /// Whether acts that write it apart can contradict each other, so that somebody may have to
    /// settle it. In the others everything that was written stands.
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

/// The name that conflicts are listed under.
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
    /// Why one of several contending intents takes effect (pipeline spec, rules 3 and 4 and the table
    /// of cases).
    Rule, "rule" {
        /// A fact beats intents.
        Fact = "fact",
        /// A freeze or block beats an exit from the open columns that did not know of it.
        Hold = "hold",
        /// Of two intents the more cautious.
        Cautious = "cautious",
        /// Of two that are equally cautious, the higher role, then the smaller hash.
        Tie = "tie",
        /// What only means something in a column ends when the column changes.
        ColumnLeft = "left",
        /// One claim a generation: a person before an agent, then by lot.
        Claim = "claim",
        /// A claim of a later generation.
        Generation = "generation",
        /// One field edited apart: the higher role, then the smaller hash.
        Field = "field",
        /// A circle of dependencies made apart: the one with the largest hash is suspended.
        Cycle = "circle",
    }
);

impl Rule {
    /// The rule as a sentence for people who have not read the rules.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Fact => "a recorded merge overrides other changes",
            Self::Hold => "it was put on hold at the same time and stays here until the hold is lifted",
            Self::Cautious => "of concurrent changes, the more cautious one takes effect",
            Self::Tie => {
                "both are equally cautious: the higher role takes effect (equal roles: a fixed tie-break)"
            }
            Self::ColumnLeft => {
                "the item left the column at the same time, and this change applies only in that column"
            }
            Self::Claim => {
                "only one claim can hold: people come before agents, then a fixed tie-break decides"
            }
            Self::Generation => "a newer claim was made or released at the same time",
            Self::Field => "concurrent edits: the higher role takes effect (equal roles: a fixed tie-break)",
            Self::Cycle => "the dependencies form a cycle, so one of them is ignored",
        }
    }
}
