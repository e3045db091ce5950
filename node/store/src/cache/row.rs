//! A packed row, as the cache stores it and the index keeps it in memory.
//!
//! The fields by which lists filter and sort are in the header ([`RowHeader`]). The whole row is packed
//! ([`super::packed`]), and what searches read stands first. The format is private to this file. Unpacking restores
//! exactly the packed row. Invalid bytes give `None`; nothing here panics.

#[cfg(test)]
mod tests;

use std::ops::Deref;

use serde::{Deserialize, Serialize};
use towline_crdt::reasons::Notice;
use towline_crdt::view::{Attribution, ColumnStep, Conflict, Criterion, ItemView, Link, RefusedAct};
use towline_proto::stage::{Claim, Holds};
use towline_proto::{ActId, Closing, Column, ItemId, Kind, LinkKind, Millis, Origin, Qa, RequestId, Status};

use super::packed::{self, named};

/// A packed row: about 400 bytes, while an [`ItemView`] takes 1,200 including its heap data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    header: RowHeader,
    /// A [`StoredRow`].
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

/// How an [`ItemView`] is packed. The fields of [`RowTexts`] and [`RowReferences`] come first.
#[derive(Serialize, Deserialize)]
#[serde(remote = "ItemView")]
struct StoredRow {
    title: String,
    labels: Vec<String>,
    links: Vec<Link>,
    depends_on: Vec<ItemId>,
    epic: Option<ItemId>,
    #[serde(with = "named")]
    closing: Option<Closing>,
    id: ItemId,
    number: u32,
    kind: Kind,
    column: Column,
    #[serde(with = "named")]
    holds: Holds,
    deleted: bool,
    purged: bool,
    qa: Qa,
    priority: u8,
    assignee: Option<String>,
    origin: Origin,
    request: Option<RequestId>,
    claim: Option<Claim>,
    generation: u32,
    retries: u32,
    criteria: Vec<Criterion>,
    comments: u32,
    body_edit: Option<ActId>,
    imported: Option<String>,
    conflicts: Vec<Conflict>,
    #[serde(with = "named")]
    attention: Vec<Notice>,
    #[serde(with = "named")]
    refused: Vec<RefusedAct>,
    trail: Vec<ColumnStep>,
    last: Attribution,
    created_at: Millis,
    updated_at: Millis,
    entered_at: Millis,
    heads: Vec<ActId>,
}

/// A row on its way into or out of postcard.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Packed(#[serde(with = "StoredRow")] ItemView);

/// The texts that a search reads.
#[derive(Debug, Default, Deserialize)]
pub struct RowTexts<'a> {
    /// The title.
    pub title: &'a str,
    /// Labels.
    #[serde(borrow)]
    pub labels: Vec<&'a str>,
    /// Kinds and targets of links.
    #[serde(borrow)]
    pub links: Vec<(LinkKind, &'a str)>,
}

/// References of a row to other items.
#[derive(Debug, Default, Deserialize)]
pub struct RowReferences {
    /// Its dependencies.
    pub depends_on: Vec<ItemId>,
    /// Its epic.
    pub epic: Option<ItemId>,
    /// How it was closed.
    #[serde(with = "named")]
    pub closing: Option<Closing>,
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
        let header = RowHeader::of(&row);
        let mut packed = Vec::new();
        let appended = packed::append(&mut packed, &Packed(row));
        debug_assert!(appended.is_ok(), "plain data is packed into memory");
        Self {
            header,
            packed: packed.into_boxed_slice(),
        }
    }

    /// The unpacked row; `None` if the bytes are invalid, which [`Row::read`] rules out.
    pub fn view(&self) -> Option<ItemView> {
        whole(&self.packed)
    }

    /// The title.
    pub fn title(&self) -> &str {
        packed::read(&self.packed).map_or("", |(title, _)| title)
    }

    /// Title, labels and link targets.
    pub fn texts(&self) -> RowTexts<'_> {
        packed::read(&self.packed).map_or_else(RowTexts::default, |(texts, _)| texts)
    }

    /// Its dependencies, its epic and how it was closed.
    pub fn references(&self) -> RowReferences {
        let behind = packed::read::<RowTexts<'_>>(&self.packed).map(|(_, behind)| behind);
        let references = behind.and_then(packed::read);
        references.map_or_else(RowReferences::default, |(references, _)| references)
    }

    /// Writes its bytes for the cache.
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.packed);
    }

    /// Reads what [`Row::write`] wrote: the packed and the unpacked row; `None` for invalid bytes and for the row of
    /// another item.
    pub(super) fn read(id: ItemId, bytes: &[u8]) -> Option<(Self, ItemView)> {
        let view = whole(bytes).filter(|view| view.id == id)?;
        let row = Self {
            header: RowHeader::of(&view),
            packed: bytes.into(),
        };
        Some((row, view))
    }
}

fn whole(bytes: &[u8]) -> Option<ItemView> {
    let (Packed(view), behind) = packed::read(bytes)?;
    behind.is_empty().then_some(view)
}
