//! What an imported item says about the record that it comes from: when that last changed, what it says
//! nothing about, and which id it shares.
//!
//! Plain data on its way through the socket. Decides nothing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use towline_proto::Millis;

/// Something that a record may say nothing about. Absent is not empty: what is not said stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What it is called.
    Title,
    /// Its main text; what stands under headings is added to the body that is there.
    Body,
    /// What sort of work it is.
    Kind,
    /// How urgent it is.
    Priority,
    /// Who works on it.
    Assignee,
    /// Where it stands and what holds it.
    Stage,
    /// Its acceptance criteria.
    Criteria,
    /// The tracker's own labels.
    Labels,
    /// The labels that stand for its milestone.
    Milestone,
    /// The labels that stand for its projects.
    Projects,
    /// The label that stands for its due date.
    Due,
    /// The labels that stand for flags such as `pinned`.
    Flags,
    /// The labels that stand for references.
    References,
}

/// The record of another tracker that an item is made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRecord {
    /// When it last changed over there, by which an older one is known; 0 where it does not say.
    #[serde(default)]
    pub at: Millis,
    /// When it came to where it stands; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Millis>,
    /// What it says nothing about.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub silent: BTreeSet<Part>,
    /// References that earlier versions gave the same record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formerly: Vec<String>,
    /// Whether its reference does not say alone which issue it is: only one that was made at the same time
    /// is the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_birth: bool,
    /// The reference that it shares with other records of the source, which are different issues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<String>,
}

impl ImportRecord {
    /// Whether there is nothing to say about it.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it says something about a part.
    pub fn says(&self, part: Part) -> bool {
        !self.silent.contains(&part)
    }
}
