//! The projection of one item: everything that is derived from its document, as plain values.
//!
//! An [`ItemView`] is the row that the index keeps. It is a pure function of the item's admitted
//! acts and the members' roles; it knows nothing of other items, so anything that needs two items
//! (whether a dependency is satisfied, `42a` and `42b`, an epic's progress) is computed from rows
//! when asked. Rows carry [`PROJECTION_VERSION`]: a row of another version is recomputed.

use serde::{Deserialize, Serialize};
use towline_proto::stage::{Claim, Holds, status};
use towline_proto::{
    ActId, Closing, Column, CriterionState, ItemId, ItemState, Kind, LinkKind, Millis, NodeId, Origin, Qa,
    Register, RequestId, Rule, Status,
};

/// Raise when the fold or this type changes what a row says.
pub const PROJECTION_VERSION: u32 = 5;

/// How many column steps a row remembers, so that a jump over several can be told as one line.
pub const TRAIL: usize = 8;

/// The row of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemView {
    /// Its id.
    pub id: ItemId,
    /// What people type; two items made apart may share one.
    pub number: u32,
    /// What sort of work.
    pub kind: Kind,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub column: Column,
    /// How it ended; only in closed, and archived from closed.
    pub closing: Option<Closing>,
    /// What holds it.
    pub holds: Holds,
    /// In the trash.
    pub deleted: bool,
    /// Emptied out of the trash: shown nowhere, and its number is not given out again.
    pub purged: bool,
    /// Who passes it through QA.
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
    /// Who asked for the item.
    pub origin: Origin,
    /// The request that made it, where the asker named one.
    pub request: Option<RequestId>,
    /// Who works on it.
    pub claim: Option<Claim>,
    /// The highest claim generation that was ever given; the next claim takes one more.
    pub generation: u32,
    /// How often it was sent back since it last left the backlog.
    pub retries: u32,
    /// Acceptance criteria, in order of their making.
    pub criteria: Vec<Criterion>,
    /// Links, sorted.
    pub links: Vec<Link>,
    /// How many comments there are.
    pub comments: u32,
    /// The last edit of the body, if it was ever edited.
    pub body_edit: Option<ActId>,
    /// The hash of the foreign record that it was last imported from.
    pub imported: Option<String>,
    /// Contending intents that nobody has settled.
    pub conflicts: Vec<Conflict>,
    /// Facts that contradict what stands, such as "merged, but blocked at the same time".
    pub attention: Vec<String>,
    /// Acts that never took effect, with the reason.
    pub refused: Vec<RefusedAct>,
    /// The act that put it where it stands, then the earlier ones, at most [`TRAIL`].
    pub trail: Vec<ColumnStep>,
    /// The act that was last, by the authors' clocks.
    pub last: Attribution,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// Since when it stands in its column.
    pub entered_at: Millis,
    /// The heads of the registers that a transition reads and writes: what a new act must name as
    /// seen. Sorted.
    pub heads: Vec<ActId>,
}

/// An acceptance criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Criterion {
    /// The act that added it.
    pub id: ActId,
    /// What must be true of the work.
    pub text: String,
    /// How far it is.
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

/// Who did something, where and when.
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

/// One effective step into a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnStep {
    /// Into which column.
    pub column: Column,
    /// By which act.
    pub act: ActId,
}

/// Contending intents: derived, never written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The hash of the contenders, in hex.
    pub id: String,
    /// What they contend for.
    pub register: Register,
    /// The rule that chose the winner.
    pub rule: Rule,
    /// What takes effect.
    pub winner: ActId,
    /// What does not.
    pub losers: Vec<ActId>,
    /// When the youngest contender was made.
    pub since: Millis,
}

/// An act that never takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedAct {
    /// Which act.
    pub act: ActId,
    /// Why, for people.
    pub why: String,
}

impl ItemView {
    /// The one badge.
    pub fn status(&self) -> Status {
        status(self.column, self.closing.as_ref(), &self.holds)
    }

    /// What decides which transitions are legal from here.
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
        let settled = |state| matches!(state, CriterionState::Met | CriterionState::Skipped);
        self.criteria
            .iter()
            .filter(|criterion| settled(criterion.state))
            .count()
    }
}
