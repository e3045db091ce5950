//! Typed events: what changed about an item, for subscribers (board, chat relay, webhooks, agent runner).
//!
//! An event is derived by comparing an item's row before and after a change. Its id is the same on every replica. An
//! event says what to look at, and not what the state is now: a subscriber that missed events reads the current state
//! (docs/spec/pipeline.md, *What changes mean to everyone else*).
//!
//! An event carries types and no sentences: what people read is made where it is shown. docs/events.md shows every
//! event as JSON. The names in the JSON are stable, and some of them are part of the ids of events.

use serde::{Deserialize, Serialize};

use crate::stage::{Blocked, MergeFailure, words};
use crate::{
    ActId, Closing, Column, CriterionState, EventId, HoldKind, ItemId, Kind, Millis, NodeId, OpKind, Origin,
    ProjectId, Qa, Register, Rule, Status,
};

/// The schema of the JSON of events.
pub const SCHEMA: &str = "towline.event/v2";

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
        /// Why, of a block or a merge failure that was set or changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<HoldReason>,
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
        /// Which one.
        field: Field,
    },
    /// A comment was added.
    Commented {
        /// The beginning of the comment.
        excerpt: String,
    },
    /// There is a new open conflict.
    ConflictRaised {
        /// The id under which the conflict is listed, equal on every replica.
        conflict: String,
        /// The rule that chose what is in effect.
        rule: Rule,
        /// What competes.
        about: ConflictSubject,
    },
    /// The item has no open conflict any more.
    #[serde(rename = "conflicts-settled")]
    ConflictsResolved,
    /// Concurrent acts of others arrived and changed a value that was shown on this node.
    ChangedByMerge {
        /// The register with the value.
        register: Register,
        /// The value that was shown before.
        before: RegisterValue,
        /// The value now.
        after: RegisterValue,
    },
    /// It was deleted.
    Deleted,
    /// It was restored from the trash.
    Restored,
}

impl EventKind {
    /// The type name, as in JSON. Part of the ids of events, so it never changes.
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

words!(
    /// A field of an item, or everything about it that is one list. The names are part of the ids of events, so they
    /// never change.
    Field, "field" {
        /// The title.
        Title = "title",
        /// The kind.
        Kind = "kind",
        /// The priority.
        Priority = "priority",
        /// How it passes QA.
        Qa = "qa",
        /// The epic.
        Epic = "epic",
        /// The assignee.
        Assignee = "assignee",
        /// The labels.
        Labels = "labels",
        /// The dependencies.
        DependsOn = "depends_on",
        /// The links.
        Links = "links",
        /// The criteria.
        Criteria = "criteria",
        /// The description.
        Body = "body",
    }
);

/// Why an item is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "hold", rename_all = "kebab-case")]
pub enum HoldReason {
    /// Why it is blocked.
    Blocked(Blocked),
    /// What went wrong when it was merged.
    MergeFailure(MergeFailure),
}

/// What a conflict is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum ConflictSubject {
    /// Concurrent acts on one register.
    Register {
        /// The register.
        register: Register,
        /// The act that is in effect; absent when it is not known here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        winner: Option<Contender>,
        /// Acts that are overridden, at most [`crate::limits::EVENT_LOSERS`].
        losers: Vec<Contender>,
        /// How many more are overridden.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: usize,
    },
    /// Dependencies that form a cycle. The last one is suspended.
    Cycle {
        /// Who waits for whom, each waiting for the next.
        waits: Vec<Wait>,
        /// How many are left out in the middle.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: usize,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// One of several competing acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contender {
    /// The act.
    pub act: ActId,
    /// Who asked for it.
    pub origin: Origin,
    /// What it does.
    pub op: OpKind,
}

/// One item that waits for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The item that waits.
    pub item: ItemName,
    /// The item that it waits for.
    pub on: ItemName,
    /// Why it waits.
    pub why: WaitKind,
}

words!(
    /// Why an item waits for another.
    WaitKind, "reason to wait" {
        /// It was superseded by the other.
        Successor = "successor",
        /// It depends on the other.
        Dependency = "dependency",
    }
);

/// Another item, as events and timelines name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemName {
    /// Its id.
    pub id: ItemId,
    /// What people type for it on the node that says so.
    pub handle: String,
}

/// The value of a register that a merge can change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum RegisterValue {
    /// The column of an item that is not closed.
    Column {
        /// Which one.
        column: Column,
    },
    /// How an item was closed.
    Closed {
        /// Abandoned, superseded or rejected.
        status: Status,
    },
    /// Whether a hold is set.
    Hold {
        /// It is.
        set: bool,
    },
    /// Whether the item is in the trash.
    Trash {
        /// It is.
        deleted: bool,
    },
    /// Who holds the claim.
    Claim {
        /// The holder, if there is one.
        holder: Option<String>,
    },
    /// The title.
    Title {
        /// One line.
        title: String,
    },
    /// The kind of work.
    Kind {
        /// Which one.
        kind: Kind,
    },
    /// The priority.
    Priority {
        /// 0 (highest) to 4.
        priority: u8,
    },
    /// How it passes QA.
    Qa {
        /// By whom.
        qa: Qa,
    },
    /// The epic.
    Epic {
        /// Its id, if there is one.
        epic: Option<ItemId>,
    },
    /// The assignee.
    Assignee {
        /// A person or agent, if there is one.
        who: Option<String>,
    },
    /// The state of a criterion.
    Criterion {
        /// Its state.
        state: CriterionState,
    },
}
