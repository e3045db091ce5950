//! Requests that read a project and change nothing.
//!
//! Plain data with a JSON form. What each needs and gives is in [`super::properties`]; nothing here is executed.

use serde::{Deserialize, Serialize};
use towline_proto::{Column, Kind, Millis};

use super::ItemRef;

/// A request that reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Query {
    /// Cards that pass a filter, in board order.
    List(Filter),
    /// One item in full.
    Show {
        /// Which.
        item: ItemRef,
    },
    /// Cards whose title, body, label or reference contains every word of the text.
    Search {
        /// The words.
        text: String,
        /// At most so many.
        limit: usize,
    },
    /// The items that somebody can start now, best first.
    Ready {
        /// The user; somebody without assigned items when absent.
        #[serde(default)]
        asker: Option<String>,
        /// What cannot be started too, behind the rest, with the reason in
        /// [`ItemCard::in_the_way`] or in its assignee.
        #[serde(default)]
        all: bool,
    },
    /// The settings of the project.
    Settings,
    /// Unresolved conflicts of one item or of the project, oldest first.
    Conflicts {
        /// Which item; all when absent.
        #[serde(default)]
        item: Option<ItemRef>,
    },
    /// Why an item is in its state.
    Explain {
        /// Which.
        item: ItemRef,
    },
    /// The timeline of one item, or of the whole project, newest last.
    Log {
        /// Which item; all when absent.
        #[serde(default)]
        item: Option<ItemRef>,
        /// The last so many lines.
        limit: usize,
    },
    /// Counts, peers, position.
    Status,
    /// Members and open invitations.
    Members,
    /// Connected peers and whether they are in sync. Empty without a running node.
    Peers,
    /// Where this node can be dialled, to be given to others.
    Addresses,
    /// Events after a feed position, for `watch` and subscribers.
    Events {
        /// The last position that the asker has.
        after: u64,
        /// At most so many.
        limit: usize,
    },
    /// Every item in full, in order of creation, for export. Paged: at most `limit` from `offset`.
    Export {
        /// Items to skip.
        offset: usize,
        /// At most so many.
        limit: usize,
    },
}

/// Which items to list. Empty means all that are open or done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Only these columns.
    pub columns: Vec<Column>,
    /// Only these kinds.
    pub kinds: Vec<Kind>,
    /// Only with all of these labels.
    pub labels: Vec<String>,
    /// Only of this assignee or claim holder.
    pub assignee: Option<String>,
    /// Only with one of these badges.
    pub statuses: Vec<towline_proto::Status>,
    /// Only items of this epic.
    pub epic: Option<ItemRef>,
    /// Only with these words in the title.
    pub text: Option<String>,
    /// Only with one of these priorities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub priorities: Vec<u8>,
    /// Only what changed at this time or later; zero means at any time.
    #[serde(skip_serializing_if = "is_any_time")]
    pub updated_since: Millis,
    /// Only what was created at this time or later; zero means at any time.
    #[serde(skip_serializing_if = "is_any_time")]
    pub created_since: Millis,
    /// Archived and closed ones too.
    pub all: bool,
    /// Only the trash.
    pub deleted: bool,
    /// At most so many; 0 means all.
    pub limit: usize,
}

fn is_any_time(since: &Millis) -> bool {
    since.0 == 0
}
