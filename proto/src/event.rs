//! Typed events: what changed about an item, for subscribers (board, chat relay, webhooks, agent runner).
//!
//! An event is derived by comparing an item's row before and after a change. Its id is the same on every replica. An
//! event says what to look at, and not what the state is now: a subscriber that missed events reads the current state
//! (docs/spec/pipeline.md, *What changes mean to everyone else*).

use serde::{Deserialize, Serialize};

use crate::{Closing, Column, EventId, HoldKind, ItemId, Kind, Millis, NodeId, Origin, ProjectId, Status};

/// A change of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The same on every replica.
    pub id: EventId,
    /// The project.
    pub project: ProjectId,
    /// The item.
    pub item: ItemId,
    /// Its number when the event was derived.
    pub number: u32,
    /// Its kind.
    pub kind: Kind,
    /// Its title when the event was derived.
    pub title: String,
    /// Its status after the change.
    pub status: Status,
    /// Who caused it.
    pub origin: Origin,
    /// The node that signed the causing act.
    pub node: NodeId,
    /// When, by that node's clock.
    pub at: Millis,
    /// What changed.
    pub what: EventKind,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum EventKind {
    /// A new item.
    ItemCreated {
        /// Its column.
        column: Column,
    },
    /// It moved to another column, or was closed differently.
    StageChanged {
        /// Before.
        from: Column,
        /// The columns in between, when several steps arrived together.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        via: Vec<Column>,
        /// After.
        to: Column,
        /// How it was closed, if it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closing: Option<Closing>,
    },
    /// Holds were set or lifted.
    HoldsChanged {
        /// Holds that were set.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        added: Vec<HoldKind>,
        /// Holds that were lifted.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        removed: Vec<HoldKind>,
        /// The reason of a block, or the detail of a merge failure.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// It was claimed.
    Claimed {
        /// The holder.
        holder: String,
        /// The fencing token.
        generation: u32,
    },
    /// The claim ended.
    Released {
        /// The former holder.
        holder: String,
    },
    /// A field has another value.
    FieldChanged {
        /// The field: `title`, `kind`, `priority`, `qa`, `epic`, `assignee`, `labels`, `depends_on`,
        /// `links`, `criteria`, `body`.
        field: String,
    },
    /// A comment was added.
    Commented {
        /// The beginning of the comment.
        excerpt: String,
    },
    /// There is a new open conflict.
    ConflictRaised {
        /// The rule that chose the winner.
        rule: String,
    },
    /// The item has no open conflict any more.
    #[serde(rename = "conflicts-settled")]
    ConflictsResolved,
    /// Concurrent acts of others arrived and changed a value that was shown on this node.
    ChangedByMerge {
        /// The name of the register.
        field: String,
        /// The value that was shown before.
        before: String,
        /// The value now.
        after: String,
    },
    /// It was deleted.
    Deleted,
    /// It was restored from the trash.
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
            Self::ConflictsResolved => "conflicts-settled",
            Self::ChangedByMerge { .. } => "changed-by-merge",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
        }
    }
}
