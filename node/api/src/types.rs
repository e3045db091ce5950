//! The JSON types of replies: items, timelines, members and findings.
//!
//! These are the versioned schemas that `--json` prints and the API serves. They are computed from
//! rows and documents by `towline-engine`; nothing here is stored.

mod conflict;
#[cfg(test)]
mod event_examples;
mod explanation;
mod history;
mod import;
mod line_import;
mod link;
mod members;
mod settings;
mod texts;
mod tokens;

pub use conflict::{ConflictTopic, CriterionName, OpenConflict, Side, SideResult, Unkeepable};
pub use explanation::{ColumnHold, Explanation, StateReason};
pub use history::{ActSummary, Comment, HistoryLine, HistoryOutcome, KeptSide, LineValue, Resolution};
pub use import::ImportReport;
pub use line_import::{EntryImportReport, ImportPass, LineOutcome};
pub use link::{ItemLink, LinkNote};
pub use members::{MemberInfo, PeerInfo, UnavailableProject};
pub use settings::{NotReadyReason, SetBy, Setting};
pub use tokens::{Scope, TokenInfo};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
pub use towline_crdt::reasons::{Notice, NoticedAct, RefusalReason};
use towline_crdt::view::{Criterion, Link};
use towline_proto::stage::{Claim, Holds};
use towline_proto::{
    ActId, Closing, Column, Event, ItemId, Kind, Millis, NodeId, Origin, ProjectId, Qa, Role, Status, Verb,
    event,
};

use crate::notice_text::{notice_text, refusal_text};
use texts::{WithTexts, with_texts};

/// An item as lists and boards show it. Schema `towline.item/v1`. The JSON has its notices a second time in words,
/// as `attention`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct ItemCard {
    /// What to type: `42`, or `42a` where two items share 42.
    pub handle: String,
    /// The number alone.
    pub number: u32,
    /// The shortest unique prefix of the key, at least four hex digits.
    pub key: String,
    /// Its id.
    pub id: ItemId,
    /// Changes with every change of the item; send it back as `expect`.
    pub revision: String,
    /// What sort of work.
    pub kind: Kind,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub column: Column,
    /// The one badge.
    pub status: Status,
    /// What holds it.
    pub holds: Holds,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Closing>,
    /// In the trash.
    #[serde(default)]
    pub deleted: bool,
    /// 0 (highest) to 4.
    pub priority: u8,
    /// Who passes it through QA.
    pub qa: Qa,
    /// Sorted.
    pub labels: Vec<String>,
    /// A person or agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// Who works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// When the node of the claim was last seen; absent without a running node, and when it was not seen since
    /// that was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_heard: Option<Millis>,
    /// Its epic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epic: Option<ItemLink>,
    /// What must be done first.
    pub depends_on: Vec<ItemLink>,
    /// How many of those are not satisfied.
    pub unmet: usize,
    /// How often it was sent back.
    pub retries: u32,
    /// Criteria met or skipped.
    pub criteria_met: usize,
    /// Criteria in all.
    pub criteria: usize,
    /// Comments.
    pub comments: u32,
    /// Open conflicts.
    pub conflicts: usize,
    /// Facts that contradict its state.
    #[serde(rename = "notices", default, skip_serializing_if = "Vec::is_empty")]
    pub attention: Vec<Notice>,
    /// For an epic: items done and in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<(usize, usize)>,
    /// Who asked for it.
    pub origin: Origin,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// Since when it stands in its column.
    pub entered_at: Millis,
    /// Whether a clock was ahead: a time that cannot be true is shown as when it was seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skewed: bool,
    /// Why nobody can start it now; see [`NotReadyReason`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_the_way: Option<NotReadyReason>,
    /// What could be done to it now.
    pub legal: Vec<Verb>,
}

/// The texts of an [`ItemCard`] in its JSON.
#[derive(Debug, Serialize)]
struct CardTexts {
    attention: Vec<String>,
}

with_texts!(ItemCard, |card| {
    let texts = || CardTexts {
        attention: card.attention.iter().map(notice_text).collect(),
    };
    (!card.attention.is_empty()).then(texts)
});

/// An item in full. Schema `towline.item-page/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemPage {
    /// What lists show.
    #[serde(flatten)]
    pub card: ItemCard,
    /// Markdown.
    pub body: String,
    /// Acceptance criteria.
    pub criteria_list: Vec<Criterion>,
    /// What other trackers call it, such as `beads:bd-7`: these name it too.
    #[serde(default)]
    pub known_as: Vec<String>,
    /// Links.
    pub links: Vec<Link>,
    /// The items that the links of kind `related` point to.
    #[serde(default)]
    pub related: Vec<ItemLink>,
    /// What was said.
    pub remarks: Vec<Comment>,
    /// The item that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<ItemLink>,
    /// Items that depend on this one.
    pub dependants: Vec<ItemLink>,
    /// For an epic: its items.
    pub children: Vec<ItemLink>,
    /// Everything that was done to it, oldest first.
    pub history: Vec<HistoryLine>,
    /// Unresolved conflicts.
    pub open_conflicts: Vec<OpenConflict>,
    /// Acts that never took effect.
    pub refused: Vec<RefusedChange>,
}

/// An act that never took effect. The JSON has the reason a second time in words, as `why`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct RefusedChange {
    /// Which act.
    pub act: ActId,
    /// Why.
    pub reason: RefusalReason,
}

/// The texts of a [`RefusedChange`] in its JSON.
#[derive(Debug, Serialize)]
struct RefusalTexts {
    why: String,
}

with_texts!(RefusedChange, |refused| Some(RefusalTexts {
    why: refusal_text(&refused.reason),
}));

/// Counts and position. Schema `towline.status/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectStatus {
    /// The project.
    pub id: ProjectId,
    /// What people call it.
    pub name: String,
    /// This node.
    pub node: NodeId,
    /// What people call it.
    pub node_name: String,
    /// What this node may do.
    pub role: Role,
    /// Items in each column, trash left out.
    pub columns: Vec<(Column, usize)>,
    /// Items that something holds.
    pub held: usize,
    /// Items with open conflicts.
    pub conflicts: usize,
    /// Items in the trash.
    pub deleted: usize,
    /// Items in all.
    pub items: usize,
    /// Entries in the log.
    pub entries: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Members.
    pub members: usize,
    /// Entries that wait for a predecessor.
    pub waiting: usize,
    /// The digest of the version vector, in hex: equal on two nodes that hold the same.
    pub digest: String,
    /// The last event.
    pub last_event: Option<FeedEvent>,
    /// Connected peers; absent without a running node.
    pub peers: Option<Vec<PeerInfo>>,
    /// Where the board is; absent without a running node.
    pub board: Option<String>,
    /// Projects beside it in this home that could not be opened.
    #[serde(rename = "left_out", default, skip_serializing_if = "Vec::is_empty")]
    pub unavailable: Vec<UnavailableProject>,
}

/// What `doctor` found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doctor {
    /// What was looked at, one line each.
    pub checked: Vec<String>,
    /// What is wrong, one line each, with what to do about it.
    pub findings: Vec<String>,
}

/// An event and its place in this node's feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedEvent {
    /// The place.
    pub position: u64,
    /// When it was derived here, in milliseconds since the epoch.
    pub seen_at: Millis,
    /// Whether it came with a catch-up and not live.
    pub backfill: bool,
    /// Whether a clock was ahead: a time that cannot be true is shown as when it was seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skewed: bool,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

impl FeedEvent {
    /// The event as JSON gives it to programs: on the stream of events, to webhooks and from `watch --json`.
    pub const fn document(&self) -> EventDocument<'_> {
        EventDocument {
            schema: event::SCHEMA,
            event: self,
        }
    }
}

/// A [`FeedEvent`] with its schema in front. docs/events.md has an example of each event.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct EventDocument<'a> {
    /// [`event::SCHEMA`].
    schema: &'static str,
    #[serde(flatten)]
    event: &'a FeedEvent,
}

/// The result of a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The item as it stands now.
    pub card: ItemCard,
    /// The column before.
    pub from: Option<Column>,
    /// What to know, such as a dependency that closes a cycle elsewhere.
    pub notes: Vec<String>,
    /// Whether anything was written; `false` when it was so already.
    pub changed: bool,
    /// Whether it was emptied out of the trash by this, and will not be found again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub purged: bool,
}

/// An entry that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryInfo {
    /// Its hash, in hex.
    pub hash: String,
    /// Its place in the author's log.
    pub seq: u64,
}
