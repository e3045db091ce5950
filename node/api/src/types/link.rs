//! Another item, in short, and what to know about it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use towline_proto::{ItemId, ItemName, Status};

use super::texts::{WithTexts, with_texts};
use crate::notice_text::link_note_text;

/// Another item, in short. The JSON has its reason a second time in words, as `note`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct ItemLink {
    /// What to type for it.
    pub handle: String,
    /// Its id.
    pub id: ItemId,
    /// Its title; empty when the item is not known here.
    pub title: String,
    /// Its badge; absent when the item is not known here.
    pub status: Option<Status>,
    /// For a dependency: whether it is not waited for any more, because it is satisfied or because it is
    /// suspended.
    #[serde(default)]
    pub satisfied: bool,
    /// For a dependency: whether it is suspended, because it closes a cycle.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// What to know about it, such as that a dependency was abandoned or closes a cycle.
    #[serde(rename = "reason", default, skip_serializing_if = "Option::is_none")]
    pub note: Option<LinkNote>,
}

impl ItemLink {
    /// Its id and handle.
    pub fn name(&self) -> ItemName {
        ItemName {
            id: self.id,
            handle: self.handle.clone(),
        }
    }
}

/// The texts of an [`ItemLink`] in its JSON.
#[derive(Debug, Serialize)]
struct LinkTexts {
    note: String,
}

with_texts!(ItemLink, |link| link.note.as_ref().map(|note| LinkTexts {
    note: link_note_text(note),
}));

/// What to know about another item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum LinkNote {
    /// It is not known here yet.
    Unknown,
    /// It is in the trash.
    Deleted,
    /// It was deleted permanently.
    Purged,
    /// Its successor is what has to be done.
    Superseded {
        /// The last successor.
        by: ItemName,
    },
    /// It was closed without being done.
    NotDone {
        /// Abandoned or rejected.
        status: Status,
    },
    /// Its successors form a cycle.
    EndlessSuccessors,
    /// The dependency on it is suspended, because it closes a cycle.
    Suspended {
        /// Other items of the cycle.
        with: Vec<ItemName>,
        /// Whether there are more of them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        more: bool,
    },
}
