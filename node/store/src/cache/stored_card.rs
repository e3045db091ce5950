//! A card as the snapshot stores it ([`super::packed`]): a cold list spends most of its time reading cards.
//!
//! Decoding restores exactly the encoded card, without what is computed at the time of a request.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use towline_api::types::{ItemCard, ItemLink, LinkNote, NotReadyReason};
use towline_crdt::reasons::Notice;
use towline_proto::stage::{Claim, Holds};
use towline_proto::{Closing, Column, ItemId, Kind, Millis, Origin, Qa, Status, Verb};

use super::packed::named;

/// A card on its way into or out of postcard.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct PackedCard(#[serde(with = "StoredCard")] pub(super) ItemCard);

/// How an [`ItemCard`] is packed.
#[derive(Serialize, Deserialize)]
#[serde(remote = "ItemCard")]
struct StoredCard {
    handle: String,
    number: u32,
    key: String,
    id: ItemId,
    revision: String,
    kind: Kind,
    title: String,
    column: Column,
    status: Status,
    #[serde(with = "named")]
    holds: Holds,
    #[serde(with = "named")]
    closing: Option<Closing>,
    deleted: bool,
    priority: u8,
    qa: Qa,
    labels: Vec<String>,
    assignee: Option<String>,
    claim: Option<Claim>,
    /// Computed at the time of the request, not from the log.
    #[serde(skip)]
    claim_heard: Option<Millis>,
    #[serde(with = "epic")]
    epic: Option<ItemLink>,
    #[serde(with = "links")]
    depends_on: Vec<ItemLink>,
    unmet: usize,
    retries: u32,
    criteria_met: usize,
    criteria: usize,
    comments: u32,
    conflicts: usize,
    #[serde(with = "named")]
    attention: Vec<Notice>,
    progress: Option<(usize, usize)>,
    origin: Origin,
    created_at: Millis,
    updated_at: Millis,
    entered_at: Millis,
    /// Computed at the time of the request, not from the log.
    #[serde(skip)]
    skewed: bool,
    #[serde(with = "named")]
    in_the_way: Option<NotReadyReason>,
    legal: Vec<Verb>,
}

/// How an [`ItemLink`] is packed.
#[derive(Serialize, Deserialize)]
#[serde(remote = "ItemLink")]
struct StoredLink {
    handle: String,
    id: ItemId,
    title: String,
    status: Option<Status>,
    satisfied: bool,
    suspended: bool,
    #[serde(with = "named")]
    note: Option<LinkNote>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct PackedLink(#[serde(with = "StoredLink")] ItemLink);

struct LinkToPack<'a>(&'a ItemLink);

impl Serialize for LinkToPack<'_> {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        StoredLink::serialize(self.0, into)
    }
}

mod links {
    use super::*;

    pub(super) fn serialize<S: Serializer>(links: &[ItemLink], into: S) -> Result<S::Ok, S::Error> {
        into.collect_seq(links.iter().map(LinkToPack))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ItemLink>, D::Error> {
        let links = Vec::<PackedLink>::deserialize(from)?;
        Ok(links.into_iter().map(|link| link.0).collect())
    }
}

mod epic {
    use super::*;

    pub(super) fn serialize<S: Serializer>(epic: &Option<ItemLink>, into: S) -> Result<S::Ok, S::Error> {
        epic.as_ref().map(LinkToPack).serialize(into)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ItemLink>, D::Error> {
        let epic = Option::<PackedLink>::deserialize(from)?;
        Ok(epic.map(|link| link.0))
    }
}
