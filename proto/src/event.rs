//! Typed events: what changed, for subscribers (board, chat relay, webhooks, agent runner).
//!
//! An event comes from comparing an item's projection before and after; its id is the same on every
//! replica. It says what to look at, not what is true now: a subscriber that missed some converges
//! from current state (pipeline spec, *What changes mean to everyone else*).

use serde::{Deserialize, Serialize};

use crate::{Closing, Column, EventId, HoldKind, ItemId, Kind, Millis, NodeId, Origin, ProjectId, Status};

/// Something that happened to an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The same on every replica.
    pub id: EventId,
    /// Which project.
    pub project: ProjectId,
    /// Which item.
    pub item: ItemId,
    /// Its number when this was derived.
    pub number: u32,
    /// Its kind.
    pub kind: Kind,
    /// Its title when this was derived.
    pub title: String,
    /// Its badge after the change.
    pub status: Status,
    /// Who caused it.
    pub origin: Origin,
    /// On which node.
    pub node: NodeId,
    /// When, by the causing author's clock.
    pub at: Millis,
    /// What happened.
    pub what: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum EventKind {
    /// A new item.
    ItemCreated {
        /// Where it stands.
        column: Column,
    },
    /// It stands somewhere else.
    StageChanged {
        /// Before.
        from: Column,
        /// Columns it passed through in between, when several steps arrived at once.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        via: Vec<Column>,
        /// After.
        to: Column,
        /// How it ended, when closed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closing: Option<Closing>,
    },
    /// Holds came or went.
    HoldsChanged {
        /// Those that came.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        added: Vec<HoldKind>,
        /// Those that went.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        removed: Vec<HoldKind>,
        /// The reason or detail that was given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Somebody works on it.
    Claimed {
        /// Who.
        holder: String,
        /// The fencing number.
        generation: u32,
    },
    /// Nobody works on it any more.
    Released {
        /// Who did.
        holder: String,
    },
    /// A field has another value.
    FieldChanged {
        /// Which: `title`, `kind`, `priority`, `qa`, `epic`, `assignee`, `labels`, `depends_on`,
        /// `links`, `criteria`, `body`.
        field: String,
    },
    /// Somebody said something.
    Commented {
        /// The beginning of it.
        excerpt: String,
    },
    /// Contending intents that nobody has settled.
    ConflictRaised {
        /// The rule that chose the winner.
        rule: String,
    },
    /// All of them are settled.
    ConflictsSettled,
    /// What was shown here is not what stands now that the acts of others have come, who had not seen
    /// it: somebody should be told.
    ChangedByMerge {
        /// What changed: the name of a register.
        field: String,
        /// What was shown.
        before: String,
        /// What stands.
        after: String,
    },
    /// It went into the trash.
    Deleted,
    /// It came back from the trash.
    Restored,
}

impl EventKind {
    /// The type name, as in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ItemCreated { .. } => "item-created",
            Self::StageChanged { .. } => "stage-changed",
            Self::HoldsChanged { .. } => "holds-changed",
            Self::Claimed { .. } => "claimed",
            Self::Released { .. } => "released",
            Self::FieldChanged { .. } => "field-changed",
            Self::Commented { .. } => "commented",
            Self::ConflictRaised { .. } => "conflict-raised",
            Self::ConflictsSettled => "conflicts-settled",
            Self::ChangedByMerge { .. } => "changed-by-merge",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
        }
    }
}
