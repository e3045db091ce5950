//! A card as the snapshot stores it: fields by position and enum values by number, because a cold list spends
//! most of its time reading cards.
//!
//! Rare and structured fields (holds, closing, claim, notices, notes) are stored in the common encoding, with named fields.
//! Decoding restores exactly the encoded card.

use serde::{Deserialize, Serialize};
use towline_api::types::{ItemCard, ItemLink, LinkNote, NotReadyReason};
use towline_crdt::reasons::Notice;
use towline_proto::stage::{Claim, Holds};
use towline_proto::{Closing, Column, ItemId, Kind, Millis, Origin, OriginKind, Qa, Status, Verb, codec};

const _: () = assert!(Verb::ALL.len() <= 64, "verbs have a bit each");

/// A link to another item: handle, id, title, status, satisfied, suspended, note.
type StoredLink = (String, ItemId, String, Option<u8>, bool, bool, Option<Vec<u8>>);

/// A card without its column and `deleted`, which are stored in the block.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredCard {
    handle: String,
    number: u32,
    key: String,
    id: ItemId,
    revision: String,
    kind: u8,
    title: String,
    status: u8,
    holds: Option<Vec<u8>>,
    closing: Option<Vec<u8>>,
    priority: u8,
    qa: u8,
    labels: Vec<String>,
    assignee: Option<String>,
    claim: Option<Vec<u8>>,
    epic: Option<StoredLink>,
    depends_on: Vec<StoredLink>,
    unmet: usize,
    retries: u32,
    criteria_met: usize,
    criteria: usize,
    comments: u32,
    conflicts: usize,
    attention: Option<Vec<u8>>,
    progress: Option<(usize, usize)>,
    origin: (u8, String),
    created_at: Millis,
    updated_at: Millis,
    entered_at: Millis,
    in_the_way: Option<Vec<u8>>,
    legal: u64,
}

/// The number of a value among all values of its type.
pub(super) fn number<T: PartialEq>(all: &[T], word: &T) -> u8 {
    let place = all.iter().position(|known| known == word);
    place
        .and_then(|place| u8::try_from(place).ok())
        .unwrap_or(u8::MAX)
}

pub(super) fn word<T: Copy>(all: &[T], number: u8) -> Option<T> {
    all.get(usize::from(number)).copied()
}

/// Decodes an optional part; `None` if the bytes are invalid.
fn part<T: serde::de::DeserializeOwned>(bytes: Option<Vec<u8>>) -> Option<Option<T>> {
    bytes.map_or(Some(None), |bytes| codec::decode(&bytes).ok().map(Some))
}

fn stored_link(link: ItemLink) -> StoredLink {
    let ItemLink {
        handle,
        id,
        title,
        status,
        satisfied,
        suspended,
        note,
    } = link;
    let status = status.map(|status| number(Status::ALL, &status));
    let note = note.map(|note| codec::encode(&note));
    (handle, id, title, status, satisfied, suspended, note)
}

fn link((handle, id, title, status, satisfied, suspended, note): StoredLink) -> Option<ItemLink> {
    let status = match status {
        Some(number) => Some(word(Status::ALL, number)?),
        None => None,
    };
    Some(ItemLink {
        handle,
        id,
        title,
        status,
        satisfied,
        suspended,
        note: part::<LinkNote>(note)?,
    })
}

impl From<ItemCard> for StoredCard {
    fn from(card: ItemCard) -> Self {
        // Destructured in full, so that the compiler reports a field that is added later.
        let ItemCard {
            handle,
            number: own_number,
            key,
            id,
            revision,
            kind,
            title,
            column: _,
            status,
            holds,
            closing,
            deleted: _,
            priority,
            qa,
            labels,
            assignee,
            claim,
            epic,
            depends_on,
            unmet,
            retries,
            criteria_met,
            criteria,
            comments,
            conflicts,
            attention,
            progress,
            origin,
            created_at,
            updated_at,
            entered_at,
            // Computed at the time of the request, not from the log.
            claim_heard: _,
            skewed: _,
            in_the_way,
            legal,
        } = card;
        Self {
            handle,
            number: own_number,
            key,
            id,
            revision,
            kind: number(Kind::ALL, &kind),
            title,
            status: number(Status::ALL, &status),
            holds: (holds != Holds::default()).then(|| codec::encode(&holds)),
            closing: closing.map(|closing| codec::encode(&closing)),
            priority,
            qa: number(Qa::ALL, &qa),
            labels,
            assignee,
            claim: claim.map(|claim| codec::encode(&claim)),
            epic: epic.map(stored_link),
            depends_on: depends_on.into_iter().map(stored_link).collect(),
            unmet,
            retries,
            criteria_met,
            criteria,
            comments,
            conflicts,
            attention: (!attention.is_empty()).then(|| codec::encode(&attention)),
            progress,
            origin: (number(OriginKind::ALL, &origin.kind), origin.id),
            created_at,
            updated_at,
            entered_at,
            in_the_way: in_the_way.map(|why| codec::encode(&why)),
            legal: bits(&legal),
        }
    }
}

impl StoredCard {
    /// The card; `None` if it is invalid.
    pub(super) fn card(self, deleted: bool, column: Column) -> Option<ItemCard> {
        Some(ItemCard {
            handle: self.handle,
            number: self.number,
            key: self.key,
            id: self.id,
            revision: self.revision,
            kind: word(Kind::ALL, self.kind)?,
            title: self.title,
            column,
            status: word(Status::ALL, self.status)?,
            holds: part::<Holds>(self.holds)?.unwrap_or_default(),
            closing: part::<Closing>(self.closing)?,
            deleted,
            priority: self.priority,
            qa: word(Qa::ALL, self.qa)?,
            labels: self.labels,
            assignee: self.assignee,
            claim: part::<Claim>(self.claim)?,
            epic: match self.epic {
                Some(epic) => Some(link(epic)?),
                None => None,
            },
            depends_on: self.depends_on.into_iter().map(link).collect::<Option<_>>()?,
            unmet: self.unmet,
            retries: self.retries,
            criteria_met: self.criteria_met,
            criteria: self.criteria,
            comments: self.comments,
            conflicts: self.conflicts,
            attention: part::<Vec<Notice>>(self.attention)?.unwrap_or_default(),
            progress: self.progress,
            origin: Origin {
                kind: word(OriginKind::ALL, self.origin.0)?,
                id: self.origin.1,
            },
            created_at: self.created_at,
            updated_at: self.updated_at,
            entered_at: self.entered_at,
            claim_heard: None,
            skewed: false,
            in_the_way: part::<NotReadyReason>(self.in_the_way)?,
            legal: verbs(self.legal),
        })
    }
}

/// Verbs as bits; they are always listed in the order of the transition table.
fn bits(verbs: &[Verb]) -> u64 {
    verbs
        .iter()
        .fold(0, |bits, verb| bits | 1u64 << (number(Verb::ALL, verb) & 63))
}

fn verbs(bits: u64) -> Vec<Verb> {
    let has = |place: &usize| bits >> place & 1 == 1;
    let places = (0..Verb::ALL.len()).filter(has);
    places.filter_map(|place| Verb::ALL.get(place).copied()).collect()
}
