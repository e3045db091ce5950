//! The projection of one item: everything that is derived from its document, as plain values.
//!
//! An [`ItemView`] is the row that a node's index keeps. It depends on the item's admitted acts and the members'
//! roles only, and never on other items. Anything that needs several items (whether a dependency is satisfied, a
//! number that two items share, an epic's progress) is computed from rows when it is needed. Stored rows carry
//! [`PROJECTION_VERSION`]; a row of another version is computed anew.

use serde::{Deserialize, Serialize};
use towline_proto::stage::{Claim, Holds, status};
use towline_proto::{
    ActId, Closing, Column, CriterionState, ItemId, ItemState, Kind, LinkKind, Millis, NodeId, Origin, Qa,
    Register, RequestId, Rule, Status,
};

use crate::reasons::{Notice, RefusalReason};

/// The version of stored rows. Increase it when a change of the fold or of this type changes rows.
pub const PROJECTION_VERSION: u32 = 6;

/// How many column steps a row remembers, so that several steps at once can be shown as one line.
pub const TRAIL: usize = 8;

/// The row of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemView {
    /// Its id.
    pub id: ItemId,
    /// The number that people type. Items that were created concurrently can share one.
    pub number: u32,
    /// The kind of work.
    pub kind: Kind,
    /// The title, one line.
    pub title: String,
    /// Its column.
    pub column: Column,
    /// How it was closed; set in the columns closed, and archived after closed.
    pub closing: Option<Closing>,
    /// The holds that are set.
    pub holds: Holds,
    /// In the trash.
    pub deleted: bool,
    /// Purged from the trash: shown nowhere, and its number is not reused.
    pub purged: bool,
    /// How it passes QA.
    pub qa: Qa,
    /// 0 (highest) to 4.
    pub priority: u8,
    /// Sorted.
    pub labels: Vec<String>,
    /// Items that must be done first, sorted.
    pub depends_on: Vec<ItemId>,
    /// The epic it belongs to.
    pub epic: Option<ItemId>,
    /// A person or agent.
    pub assignee: Option<String>,
    /// Who asked for the item to be created.
    pub origin: Origin,
    /// The id of the request that created it, when the request had one.
    pub request: Option<RequestId>,
    /// The current claim.
    pub claim: Option<Claim>,
    /// The highest claim generation so far; the next claim takes the following one.
    pub generation: u32,
    /// How often it was sent back since it last left the backlog.
    pub retries: u32,
    /// Acceptance criteria, in the order in which they were added.
    pub criteria: Vec<Criterion>,
    /// Links, sorted.
    pub links: Vec<Link>,
    /// How many comments there are.
    pub comments: u32,
    /// The last edit of the body, if it was ever edited.
    pub body_edit: Option<ActId>,
    /// The hash of the foreign record that it was last imported from.
    pub imported: Option<String>,
    /// Open conflicts.
    pub conflicts: Vec<Conflict>,
    /// Facts that contradict the state: it was merged, say, and blocked at the same time.
    pub attention: Vec<Notice>,
    /// Refused acts, with the reason.
    pub refused: Vec<RefusedAct>,
    /// The step that put it into its column, then earlier steps, at most [`TRAIL`].
    pub trail: Vec<ColumnStep>,
    /// The last act by the authors' clocks.
    pub last: Attribution,
    /// When it was created.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// Since when it is in its column.
    pub entered_at: Millis,
    /// The heads of the registers that a transition reads or writes, which a new transition must name as seen.
    /// Sorted.
    pub heads: Vec<ActId>,
}

/// An acceptance criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Criterion {
    /// The act that added it.
    pub id: ActId,
    /// What must be true of the work.
    pub text: String,
    /// Its state.
    pub state: CriterionState,
    /// References to what proves it.
    pub evidence: Vec<String>,
}

/// A link of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Link {
    /// What it points to.
    pub kind: LinkKind,
    /// Where.
    pub target: String,
}

/// The act that did something, with who asked for it, which node signed it, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// The act.
    pub act: ActId,
    /// Who asked for it.
    pub origin: Origin,
    /// The node that signed it.
    pub node: NodeId,
    /// When, by that node's clock.
    pub at: Millis,
}

/// One effective step of the column register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnStep {
    /// The column that it led to.
    pub column: Column,
    /// The act.
    pub act: ActId,
}

/// An open conflict: concurrent acts on one register. Derived by the fold, stored in no document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// A hash of the competing acts, in hex.
    pub id: String,
    /// The register that they wrote.
    pub register: Register,
    /// The rule that chose the winner.
    pub rule: Rule,
    /// The act that is in effect.
    pub winner: ActId,
    /// The acts that are overridden.
    pub losers: Vec<ActId>,
    /// When the youngest of the competing acts was made.
    pub since: Millis,
}

/// An act that was illegal for its author and has no effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedAct {
    /// Which act.
    pub act: ActId,
    /// Why.
    pub why: RefusalReason,
}

impl ItemView {
    /// The one badge.
    pub fn status(&self) -> Status {
        status(self.column, self.closing.as_ref(), &self.holds)
    }

    /// The input of the transition table.
    pub fn state(&self) -> ItemState {
        ItemState {
            column: self.column,
            kind: self.kind,
            frozen: self.holds.frozen,
            blocked: self.holds.blocked.is_some(),
            review: self.holds.review,
            failure: self.holds.failure.is_some(),
            claimed: self.claim.is_some(),
            deleted: self.deleted,
            purged: self.purged,
        }
    }

    /// The external references of the item, such as `beads:bd-a1b2`.
    pub fn external(&self) -> impl Iterator<Item = &str> {
        self.links
            .iter()
            .filter(|link| link.kind == LinkKind::External)
            .map(|link| link.target.as_str())
    }

    /// How many criteria are met or skipped.
    pub fn criteria_met(&self) -> usize {
        let counts = |state| matches!(state, CriterionState::Met | CriterionState::Skipped);
        self.criteria
            .iter()
            .filter(|criterion| counts(criterion.state))
            .count()
    }
}
