//! Items of another tracker, their relations, and the records that they come from: when a record last changed,
//! what it says nothing about, and which id it shares.
//!
//! Plain data on its way through the socket. Decides nothing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use towline_proto::{Column, CriterionState, Kind, LinkKind, Millis};

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

/// Where an imported item ends up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum ImportStage {
    /// Open, in a column.
    Open {
        /// Which.
        column: Column,
    },
    /// Done.
    Done,
    /// Closed without being done.
    Abandoned {
        /// Why.
        reason: Option<String>,
    },
    /// In the trash.
    Deleted {
        /// Why.
        reason: Option<String>,
    },
}

/// A remark of an imported item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportComment {
    /// Its id in the other tracker, so that the record of an issue tells its comments apart. A comment is
    /// found again by its time and text, or by its text alone where it has no time; one that was
    /// edited over there is another.
    pub id: String,
    /// Who said it.
    pub author: String,
    /// When; 0 where that is not known.
    pub at: Millis,
    /// What.
    pub text: String,
}

/// An acceptance criterion of an imported item, found again by its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCriterion {
    /// What must be true of the work.
    pub text: String,
    /// How far it is met.
    pub state: CriterionState,
}

/// One item from another tracker, already in our words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportItem {
    /// `tracker:id`; an item with this external link is updated instead of made again.
    pub external: String,
    /// What sort of work.
    pub kind: Kind,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// 0 to 4.
    pub priority: u8,
    /// Labels.
    pub labels: Vec<String>,
    /// A person or agent.
    pub assignee: Option<String>,
    /// Who made it there.
    pub created_by: String,
    /// When; 0 where that is not known, and it then is when it is imported.
    pub created_at: Millis,
    /// When it last changed there; 0 where that is not known.
    pub updated_at: Millis,
    /// Where it ends up.
    pub stage: ImportStage,
    /// Put on ice.
    pub frozen: bool,
    /// Blocked, and why.
    pub blocked: Option<String>,
    /// What was said.
    pub comments: Vec<ImportComment>,
    /// Further links.
    pub links: Vec<(LinkKind, String)>,
    /// What must be true of the work, in order. Left out of the encoding where there is nothing, so
    /// that the hash of a record without criteria is what it was before there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub criteria: Vec<ImportCriterion>,
    /// About the record itself. Left out where there is nothing, for the same reason.
    #[serde(default, skip_serializing_if = "ImportRecord::is_plain")]
    pub record: ImportRecord,
}

/// How two imported items relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelationKind {
    /// `from` depends on `to`.
    DependsOn,
    /// `from` belongs to the epic `to`.
    Epic,
    /// A link without an order.
    Related,
    /// `to` takes the place of `from`; only noted as a link when `from` is not open.
    SupersededBy,
}

/// A relation between two imported items, by their external references or ids. One end may be an item that
/// is not here: then it is kept as a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRelation {
    /// Whose it is.
    pub from: String,
    /// What it is.
    pub kind: RelationKind,
    /// To whom.
    pub to: String,
    /// When it was made there.
    pub at: Millis,
    /// By whom.
    pub by: String,
    /// The record that says it; empty where that is not known.
    #[serde(default)]
    pub said_by: String,
    /// When that record last changed; 0 where that is not known.
    #[serde(default)]
    pub record_at: Millis,
}
