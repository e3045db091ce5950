//! Why an item is in its state, as types. The sentences are made where people read them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use towline_crdt::reasons::Notice;
use towline_proto::{ActId, Millis, Rule};

use super::texts::{WithTexts, with_texts};
use super::{ConflictTopic, HistoryLine, ItemCard, ItemLink, OpenConflict};
use crate::explanation_text::sentences;

/// Why an item is in its state. Schema `towline.explanation/v1`. The JSON has `because` besides, a sentence for each
/// reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Explanation {
    /// The item.
    pub card: ItemCard,
    /// When this was asked, for relative times.
    pub at: Millis,
    /// What is so and which act made it so.
    pub reasons: Vec<StateReason>,
    /// Everything that was done to it, with the outcome of each act, oldest first.
    pub acts: Vec<HistoryLine>,
    /// Unresolved conflicts.
    pub conflicts: Vec<OpenConflict>,
}

/// The texts of an [`Explanation`] in its JSON.
#[derive(Debug, Serialize)]
struct ExplanationTexts {
    because: Vec<String>,
}

with_texts!(Explanation, |explanation| Some(ExplanationTexts {
    because: sentences(explanation, None),
}));

/// One thing that is so about an item. Acts are those of the explanation; `None` for one that is not known here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum StateReason {
    /// Where it is.
    Column {
        /// The act that put it there, or the hold that keeps it there.
        by: Option<ActId>,
        /// Whether `by` is a hold that keeps it there against a concurrent act.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<ColumnHold>,
        /// The item that replaced it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        successor: Option<Box<ItemLink>>,
    },
    /// A concurrent act about the column is overridden.
    Overridden {
        /// Which act.
        act: ActId,
        /// By which rule.
        rule: Rule,
    },
    /// So many more concurrent acts about the column are overridden.
    MoreOverridden {
        /// How many.
        count: usize,
    },
    /// It was deleted permanently.
    Purged {
        /// By which act.
        by: Option<ActId>,
    },
    /// It is in the trash.
    Deleted {
        /// By which act.
        by: Option<ActId>,
    },
    /// It is frozen.
    Frozen {
        /// By which act.
        by: Option<ActId>,
    },
    /// It is blocked.
    Blocked {
        /// By which act.
        by: Option<ActId>,
    },
    /// It waits for approval.
    Review {
        /// By which act.
        by: Option<ActId>,
    },
    /// Its merge failed.
    MergeFailed {
        /// By which act.
        by: Option<ActId>,
        /// Whether it was given up.
        #[serde(rename = "final")]
        is_final: bool,
    },
    /// Somebody works on it.
    Claimed {
        /// Who.
        holder: String,
        /// Since when.
        at: Millis,
        /// On which node.
        node_name: String,
        /// The fencing token.
        generation: u32,
    },
    /// A fact that contradicts its state.
    Notice {
        /// Which one.
        notice: Notice,
    },
    /// It waits for another item, or would if its dependency was not suspended.
    Waits {
        /// The dependency.
        item: Box<ItemLink>,
    },
    /// There is a conflict about something else than its column.
    Conflict {
        /// About what.
        topic: ConflictTopic,
        /// The act in effect.
        winner: ActId,
        /// Some of the acts that are overridden.
        losers: Vec<ActId>,
        /// The rule that decided.
        rule: Rule,
    },
}

/// A hold that keeps an item in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnHold {
    /// It is frozen.
    Frozen,
    /// It is blocked.
    Blocked,
}
