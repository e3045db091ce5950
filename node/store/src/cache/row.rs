//! A packed row, as the cache stores it and the index keeps it in memory.
//!
//! The fields by which lists filter and sort are in the header ([`RowHeader`]). The rest is packed: fields by
//! position, enum values by number, each act id stored once, rare fields left out. The format is private to
//! this file. Unpacking restores exactly the packed row. Invalid bytes give `None`; nothing here panics.

#[cfg(test)]
mod tests;

use std::ops::Deref;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use towline_crdt::reasons::Notice;
use towline_crdt::view::{Attribution, ColumnStep, Conflict, Criterion, ItemView, Link, RefusedAct};
use towline_proto::stage::{Claim, Holds};
use towline_proto::{
    ActId, Closing, Column, ItemId, Kind, LinkKind, Millis, NodeId, Origin, OriginKind, Qa, RequestId,
    Status, codec,
};

use super::stored_card::{number, word};

/// A packed row: about 400 bytes, while an [`ItemView`] takes 1,200 including its heap data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    header: RowHeader,
    /// The title, [`Words`], [`Ties`] and [`Rest`] in MessagePack, one behind the other.
    packed: Box<[u8]>,
}

/// The fields of a row that can be read without unpacking it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowHeader {
    /// Its id.
    pub id: ItemId,
    /// Its number.
    pub number: u32,
    /// Its kind.
    pub kind: Kind,
    /// Its column.
    pub column: Column,
    /// Its status.
    pub status: Status,
    /// In the trash.
    pub deleted: bool,
    /// Purged from the trash.
    pub purged: bool,
    /// 0 (highest) to 4.
    pub priority: u8,
    /// Whether it has a hold.
    pub held: bool,
    /// Whether it is claimed.
    pub claimed: bool,
    /// Whether it has dependencies.
    pub depends: bool,
    /// Whether it has a conflict of its own.
    pub disputed: bool,
    /// Whether its body was ever edited.
    pub has_body: bool,
    /// When it was created.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// When it entered its column.
    pub entered_at: Millis,
}

/// The texts that a search reads besides the title: labels and link targets.
pub(super) type SearchTerms<'a> = (Vec<&'a str>, Vec<(u8, &'a str)>);

/// References of a row to other items: dependencies, the epic, and how it was closed.
type References = (Vec<ItemId>, Option<ItemId>, Option<ByteBuf>);

/// The header of a stored row: number, kind, column, flags, priority, and the times of creation, last change
/// and column entry.
type StoredHeader = (u32, u8, u8, u8, u8, Millis, Millis, Millis);

const DELETED: u8 = 1;
const PURGED: u8 = 2;
/// The index of an act in the list of act ids of a row.
type ActIndex = usize;

/// The rest of a row.
#[derive(Serialize, Deserialize)]
struct ColdFields {
    acts: ByteBuf,
    heads: Vec<ActIndex>,
    trail: Vec<(u8, ActIndex)>,
    body_edit: Option<ActIndex>,
    last: (ActIndex, u8, String, NodeId, Millis),
    qa: u8,
    assignee: Option<String>,
    origin: (u8, String),
    generation: u32,
    retries: u32,
    comments: u32,
    imported: Option<String>,
    rare: Option<ByteBuf>,
}

/// Fields that few rows have, in the common encoding.
#[derive(Default, PartialEq, Serialize, Deserialize)]
struct RareFields {
    holds: Holds,
    claim: Option<Claim>,
    criteria: Vec<Criterion>,
    conflicts: Vec<Conflict>,
    attention: Vec<Notice>,
    refused: Vec<RefusedAct>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<RequestId>,
}

impl RowHeader {
    fn of(row: &ItemView) -> Self {
        Self {
            id: row.id,
            number: row.number,
            kind: row.kind,
            column: row.column,
            status: row.status(),
            deleted: row.deleted,
            purged: row.purged,
            priority: row.priority,
            held: !row.holds.is_empty(),
            claimed: row.claim.is_some(),
            depends: !row.depends_on.is_empty(),
            disputed: !row.conflicts.is_empty(),
            has_body: row.body_edit.is_some(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            entered_at: row.entered_at,
        }
    }
}

impl Deref for Row {
    type Target = RowHeader;
    fn deref(&self) -> &RowHeader {
        &self.header
    }
}

impl Row {
    /// Packs a row.
    pub fn of(row: ItemView) -> Self {
        Self {
            header: RowHeader::of(&row),
            packed: pack(row).into_boxed_slice(),
        }
    }

    /// The unpacked row; `None` if the bytes are invalid, which [`Row::read`] rules out.
    pub fn view(&self) -> Option<ItemView> {
        whole(self.id, self.stored_header(), &self.packed)
    }

    fn stored_header(&self) -> StoredHeader {
        let header = &self.header;
        (
            header.number,
            number(Kind::ALL, &header.kind),
            number(Column::ALL, &header.column),
            u8::from(header.deleted) * DELETED + u8::from(header.purged) * PURGED,
            header.priority,
            header.created_at,
            header.updated_at,
            header.entered_at,
        )
    }

    /// The title.
    pub fn title(&self) -> &str {
        <&str>::deserialize(&mut reader(&self.packed)).unwrap_or_default()
    }

    /// Labels and link targets.
    pub fn search_terms(&self) -> SearchTerms<'_> {
        let mut from = reader(&self.packed);
        let words = <&str>::deserialize(&mut from).and_then(|_| SearchTerms::deserialize(&mut from));
        words.unwrap_or_default()
    }

    /// Its dependencies and how it was closed.
    pub fn references(&self) -> (Vec<ItemId>, Option<Closing>) {
        let (on, _, closing) = self.all_references();
        (on, part(closing).unwrap_or_default())
    }

    /// Its epic.
    pub fn epic(&self) -> Option<ItemId> {
        self.all_references().1
    }

    fn all_references(&self) -> References {
        let mut from = reader(&self.packed);
        let words = <&str>::deserialize(&mut from).and_then(|_| SearchTerms::deserialize(&mut from));
        words
            .and_then(|_| References::deserialize(&mut from))
            .unwrap_or_default()
    }

    /// Writes its bytes for the cache.
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        put(into, &self.stored_header());
        into.extend_from_slice(&self.packed);
    }

    /// Reads what [`Row::write`] wrote: the packed and the unpacked row; `None` for invalid bytes.
    pub(super) fn read(id: ItemId, bytes: &[u8]) -> Option<(Self, ItemView)> {
        let mut rest = bytes;
        let mut from = rmp_serde::Deserializer::new(&mut rest);
        let front = StoredHeader::deserialize(&mut from).ok()?;
        let view = whole(id, front, rest)?;
        let row = Self {
            header: RowHeader::of(&view),
            packed: rest.into(),
        };
        Some((row, view))
    }
}

fn whole(id: ItemId, front: StoredHeader, packed: &[u8]) -> Option<ItemView> {
    let (own_number, kind, column, flags, priority, created_at, updated_at, entered_at) = front;
    let mut from = reader(packed);
    let title = String::deserialize(&mut from).ok()?;
    let (labels, links) = SearchTerms::deserialize(&mut from).ok()?;
    let (depends_on, epic, closing) = References::deserialize(&mut from).ok()?;
    let rest = ColdFields::deserialize(&mut from).ok()?;
    let act = |place: ActIndex| act(&rest.acts, place);
    let (last, by_kind, by, node, at) = rest.last;
    let rare: RareFields = part(rest.rare)?.unwrap_or_default();
    let step = |(column, place)| {
        Some(ColumnStep {
            column: word(Column::ALL, column)?,
            act: act(place)?,
        })
    };
    Some(ItemView {
        id,
        number: own_number,
        kind: word(Kind::ALL, kind)?,
        title,
        column: word(Column::ALL, column)?,
        closing: part(closing)?,
        holds: rare.holds,
        deleted: flags & DELETED != 0,
        purged: flags & PURGED != 0,
        qa: word(Qa::ALL, rest.qa)?,
        priority,
        labels: labels.into_iter().map(str::to_owned).collect(),
        depends_on,
        epic,
        assignee: rest.assignee,
        origin: origin(rest.origin)?,
        request: rare.request,
        claim: rare.claim,
        generation: rest.generation,
        retries: rest.retries,
        criteria: rare.criteria,
        links: links.into_iter().map(link).collect::<Option<_>>()?,
        comments: rest.comments,
        body_edit: rest.body_edit.map_or(Some(None), |place| act(place).map(Some))?,
        imported: rest.imported,
        conflicts: rare.conflicts,
        attention: rare.attention,
        refused: rare.refused,
        trail: rest.trail.into_iter().map(step).collect::<Option<_>>()?,
        last: Attribution {
            act: act(last)?,
            origin: origin((by_kind, by))?,
            node,
            at,
        },
        created_at,
        updated_at,
        entered_at,
        heads: rest.heads.into_iter().map(act).collect::<Option<_>>()?,
    })
}

fn pack(row: ItemView) -> Vec<u8> {
    // Destructured in full, so that the compiler reports a field that is added later.
    let ItemView {
        id: _,
        number: _,
        kind: _,
        title,
        column: _,
        closing,
        holds,
        deleted: _,
        purged: _,
        qa,
        priority: _,
        labels,
        depends_on,
        epic,
        assignee,
        origin,
        request,
        claim,
        generation,
        retries,
        criteria,
        links,
        comments,
        body_edit,
        imported,
        conflicts,
        attention,
        refused,
        trail,
        last,
        created_at: _,
        updated_at: _,
        entered_at: _,
        heads,
    } = row;
    let steps = trail.iter().map(|step| &step.act);
    let mut acts: Vec<ActId> = heads.iter().chain(steps).chain(&body_edit).copied().collect();
    acts.push(last.act);
    acts.sort_unstable();
    acts.dedup();
    let place = |act: &ActId| acts.binary_search(act).unwrap_or(ActIndex::MAX);
    let step = |step: &ColumnStep| (number(Column::ALL, &step.column), place(&step.act));
    let last_by = number(OriginKind::ALL, &last.origin.kind);
    let rare = RareFields {
        holds,
        claim,
        criteria,
        conflicts,
        attention,
        refused,
        request,
    };
    let rest = ColdFields {
        acts: ByteBuf::from(acts.iter().flat_map(|act| act.0).collect::<Vec<u8>>()),
        heads: heads.iter().map(place).collect(),
        trail: trail.iter().map(step).collect(),
        body_edit: body_edit.as_ref().map(place),
        last: (place(&last.act), last_by, last.origin.id, last.node, last.at),
        qa: number(Qa::ALL, &qa),
        assignee,
        origin: (number(OriginKind::ALL, &origin.kind), origin.id),
        generation,
        retries,
        comments,
        imported,
        rare: (rare != RareFields::default()).then(|| ByteBuf::from(codec::encode(&rare))),
    };
    let words: SearchTerms<'_> = (
        labels.iter().map(String::as_str).collect(),
        links
            .iter()
            .map(|link| (number(LinkKind::ALL, &link.kind), link.target.as_str()))
            .collect(),
    );
    let closing = closing.map(|closing| ByteBuf::from(codec::encode(&closing)));
    let ties: References = (depends_on, epic, closing);
    let mut packed = Vec::new();
    put(&mut packed, &title);
    put(&mut packed, &words);
    put(&mut packed, &ties);
    put(&mut packed, &rest);
    packed
}

/// Appends a value, fields by position. Plain data always encodes into memory.
fn put<T: Serialize>(into: &mut Vec<u8>, value: &T) {
    let encoded = value.serialize(&mut rmp_serde::Serializer::new(into));
    debug_assert!(encoded.is_ok(), "plain data encodes");
}

fn reader(bytes: &[u8]) -> rmp_serde::Deserializer<rmp_serde::decode::ReadRefReader<'_, [u8]>> {
    rmp_serde::Deserializer::from_read_ref(bytes)
}

/// Decodes an optional part; `None` if the bytes are invalid.
fn part<T: DeserializeOwned>(bytes: Option<ByteBuf>) -> Option<Option<T>> {
    bytes.map_or(Some(None), |bytes| codec::decode(&bytes).ok().map(Some))
}

fn act(acts: &[u8], place: ActIndex) -> Option<ActId> {
    let from = place.checked_mul(ActId::LEN)?;
    Some(ActId(*acts.get(from..)?.first_chunk()?))
}

fn origin((kind, id): (u8, String)) -> Option<Origin> {
    word(OriginKind::ALL, kind).map(|kind| Origin { kind, id })
}

fn link((kind, target): (u8, &str)) -> Option<Link> {
    let target = target.to_owned();
    word(LinkKind::ALL, kind).map(|kind| Link { kind, target })
}
