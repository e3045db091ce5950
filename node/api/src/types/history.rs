//! Comments, the lines of a timeline, and conflicts.

use serde::{Deserialize, Serialize};
use towline_proto::{ActId, Column, ItemId, Millis, NodeId, Origin, Rule};

use super::ItemLink;

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
    pub what: String,
    /// The column before, where it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Column>,
    /// The column after, where it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Column>,
    /// The reason, value or text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Its outcome.
    #[serde(default)]
    pub fate: HistoryOutcome,
    /// Why it has no effect, when it has none, as half a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overtaken: Option<String>,
    /// Whether a clock was ahead: a time that cannot be true is shown as when it was seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skewed: bool,
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
    /// It is overridden by a concurrent act.
    Overtaken {
        /// To which act.
        by: ActId,
        /// By which rule.
        rule: Rule,
    },
    /// It was illegal from what its author had in front of it.
    Refused,
}

/// An unresolved conflict. Schema `towline.conflict/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenConflict {
    /// The hash of the competing acts, in hex: the same on every node.
    pub id: String,
    /// The item.
    pub item: ItemLink,
    /// What the conflict is about: `column`, `title`, `dependencies`.
    pub about: String,
    /// The rule that chose what takes effect.
    pub rule: Rule,
    /// The rule as a sentence.
    pub why: String,
    /// When the newest competing act was made.
    pub since: Millis,
    /// The sides; the one in effect is first.
    pub sides: Vec<Side>,
}

/// One side of a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// What to type for it after `--keep`: `a`, `b` …
    pub key: String,
    /// Whether it is in effect.
    pub effective: bool,
    /// The result of keeping it: a column, a value.
    pub means: String,
    /// Why it cannot be kept, with what leads on instead; absent when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unkeepable: Option<String>,
    /// What was done.
    pub line: HistoryLine,
}
