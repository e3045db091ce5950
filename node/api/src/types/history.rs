//! Comments and the lines of a timeline.
//!
//! What happened is said by types: which operation, with which values, with which outcome. The JSON has some of it a
//! second time in words (`detail`, `overtaken`), for readers who want no more than a line; those texts are made when
//! the JSON is written, may be reworded, and are never read back.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use towline_crdt::reasons::RefusalReason;
use towline_proto::{
    ActId, Column, CriterionState, FailureKind, ItemId, ItemName, Kind, LinkKind, Millis, NodeId, OpKind,
    Origin, Qa, Rule,
};

use super::ConflictTopic;
use super::texts::{WithTexts, with_texts};
use crate::activity_text::{line_detail, why_not_effective};

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// The act.
    pub id: ActId,
    /// Who said it.
    pub origin: Origin,
    /// When.
    pub at: Millis,
    /// Markdown.
    pub text: String,
    /// Whether a clock was ahead: a time that cannot be true is shown as when it was seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skewed: bool,
}

/// One line of a timeline. Schema `towline.history/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct HistoryLine {
    /// The act.
    pub act: ActId,
    /// Which item.
    pub item: ItemId,
    /// What to type for it.
    pub handle: String,
    /// Its title.
    pub title: String,
    /// When, by the author's clock.
    pub at: Millis,
    /// Who asked.
    pub origin: Origin,
    /// The node that signed.
    pub node: NodeId,
    /// What people call that node.
    pub node_name: String,
    /// What was done: the verb, or what was edited.
    pub what: OpKind,
    /// The column before, where it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Column>,
    /// The column after, where it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Column>,
    /// The reason or value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<LineValue>,
    /// Its outcome.
    #[serde(default)]
    pub fate: HistoryOutcome,
    /// Whether a clock was ahead: a time that cannot be true is shown as when it was seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skewed: bool,
}

impl HistoryLine {
    /// Whether it was overridden, and nobody chose it when the conflict was resolved; or it was refused.
    pub const fn is_lost(&self) -> bool {
        match &self.fate {
            HistoryOutcome::Effective | HistoryOutcome::Superseded { .. } => false,
            HistoryOutcome::Overridden { .. } => !self.was_chosen(),
            HistoryOutcome::Refused { .. } => true,
        }
    }

    /// Whether it took effect when it was made: it was neither overridden nor refused.
    pub const fn was_effective(&self) -> bool {
        matches!(
            self.fate,
            HistoryOutcome::Effective | HistoryOutcome::Superseded { .. }
        )
    }

    /// Whether it was overridden and then kept by a resolution, so that it is in effect.
    pub const fn was_chosen(&self) -> bool {
        matches!(
            self.fate,
            HistoryOutcome::Overridden {
                resolution: Some(Resolution {
                    kept: KeptSide::This,
                    ..
                }),
                ..
            }
        )
    }

    /// Who did what, for a line that refers to it.
    pub fn summary(&self) -> ActSummary {
        ActSummary {
            origin: self.origin.clone(),
            what: self.what,
            to: self.to,
            value: self.value.clone(),
        }
    }
}

/// The texts of a [`HistoryLine`] in its JSON.
#[derive(Debug, Serialize)]
struct LineTexts {
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overtaken: Option<String>,
}

with_texts!(HistoryLine, |line| {
    let texts = LineTexts {
        detail: line_detail(line),
        overtaken: why_not_effective(line),
    };
    (texts.detail.is_some() || texts.overtaken.is_some()).then_some(texts)
});

/// The values of an act. Texts are cut to what a line shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum LineValue {
    /// A title.
    Title {
        /// One line.
        title: String,
    },
    /// Why it was done.
    Reason {
        /// The text.
        reason: String,
    },
    /// The commit of a merge.
    Commit {
        /// Its name.
        commit: String,
    },
    /// A failed merge.
    Failure {
        /// What went wrong.
        kind: FailureKind,
        /// What the reporter adds.
        detail: String,
    },
    /// Another item: what replaces it, or what it waits for.
    Item {
        /// Which one.
        item: ItemName,
    },
    /// A claim.
    Claim {
        /// The holder.
        holder: String,
        /// The fencing token.
        generation: u32,
        /// Why it was taken over by force.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        force: Option<String>,
    },
    /// A kind of work.
    Kind {
        /// Which one.
        kind: Kind,
    },
    /// A priority.
    Priority {
        /// 0 (highest) to 4.
        priority: u8,
    },
    /// A way to pass QA.
    Qa {
        /// By whom.
        qa: Qa,
    },
    /// An epic.
    Epic {
        /// Which one; none when it was removed from its epic.
        epic: Option<ItemName>,
    },
    /// An assignee.
    Assignee {
        /// A person or agent; none when it is assigned to nobody.
        who: Option<String>,
    },
    /// A label.
    Label {
        /// The label.
        label: String,
    },
    /// A link.
    Link {
        /// What it points to.
        kind: LinkKind,
        /// Where.
        target: String,
        /// The item that a link to a related item points to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<ItemName>,
    },
    /// A resolved conflict.
    Resolution {
        /// What the conflict was about.
        over: ConflictTopic,
        /// The act that was kept, if it is known here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<Box<ActSummary>>,
    },
    /// What was said: a comment, or a criterion.
    Text {
        /// The text.
        text: String,
    },
    /// The new state of a criterion.
    Judgement {
        /// The state.
        state: CriterionState,
        /// A reference to what proves it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<String>,
    },
    /// A setting of the project.
    Setting {
        /// Its name.
        key: String,
        /// Its value; none for the default.
        value: Option<String>,
    },
}

/// Who did what, of an act that another line refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActSummary {
    /// Who asked.
    pub origin: Origin,
    /// What was done.
    pub what: OpKind,
    /// The column after, where it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Column>,
    /// The reason or value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<LineValue>,
}

/// The outcome of an act.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum HistoryOutcome {
    /// It is in effect.
    #[default]
    Effective,
    /// It was in effect until a later act, whose author had seen it, replaced it.
    Superseded {
        /// Which act.
        by: ActId,
    },
    /// It was overridden by a concurrent act.
    #[serde(rename = "overtaken")]
    Overridden {
        /// By which act.
        by: ActId,
        /// By which rule.
        rule: Rule,
        /// What that act did, if it is known here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        winner: Option<Box<ActSummary>>,
        /// How the conflict was resolved; absent while it is open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resolution: Option<Resolution>,
    },
    /// It was illegal in the state that its author had observed.
    Refused {
        /// Why.
        why: RefusalReason,
    },
}

/// How the conflict was resolved in which an act was overridden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Who resolved it.
    pub by: Origin,
    /// With what consequence for the overridden act.
    pub kept: KeptSide,
}

/// What a resolution means for an act that had been overridden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptSide {
    /// It was chosen, so its effect is in effect.
    This,
    /// It was chosen, and that choice was overridden as well.
    ThisInVain,
    /// It stays overridden.
    Another,
}
