//! The index: all rows of a project in memory, and what takes more than one row to know.
//!
//! Rows come from `towline_crdt::commit` and are never changed here. What depends on other items is
//! computed when asked: names ([`find`]), what waits for what ([`waits`]), cards ([`cards`]).

mod cards;
mod circles;
mod find;
mod waits;

pub(super) use circles::{Edge, Wait, rank};
pub(super) use find::letters;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use towline_crdt::view::ItemView;
use towline_proto::{Column, ItemId, Millis};

use circles::Circles;

pub(super) use cards::revision;

/// All rows of one project.
#[derive(Debug, Default)]
pub(crate) struct Index {
    rows: BTreeMap<ItemId, ItemView>,
    numbers: BTreeMap<u32, Vec<ItemId>>,
    keys: BTreeMap<String, ItemId>,
    external: BTreeMap<String, BTreeSet<ItemId>>,
    dependants: BTreeMap<ItemId, BTreeSet<ItemId>>,
    children: BTreeMap<ItemId, BTreeSet<ItemId>>,
    /// The items that an item has taken the place of.
    superseded: BTreeMap<ItemId, BTreeSet<ItemId>>,
    /// Computed when somebody asks, and again when a circle may have come or gone.
    circles: OnceCell<Circles>,
}

impl Index {
    /// Enters a row in place of the one before, which is returned.
    pub(crate) fn put(&mut self, row: ItemView) -> Option<ItemView> {
        let before = self.take_out(&row.id);
        let id = row.id;
        let waits = waits::waits(&row);
        let place = self.numbers.entry(row.number).or_default();
        place.push(id);
        let stamp = |id: &ItemId| {
            (
                self.rows.get(id).map_or(row.created_at, |row| row.created_at),
                *id,
            )
        };
        place.sort_by_key(stamp);
        self.keys.insert(id.key(), id);
        for reference in row.external() {
            self.external.entry(reference.to_owned()).or_default().insert(id);
        }
        for on in &row.depends_on {
            self.dependants.entry(*on).or_default().insert(id);
        }
        if let Some(epic) = row.epic {
            self.children.entry(epic).or_default().insert(id);
        }
        if let Some(by) = waits::successor(&row) {
            self.superseded.entry(by).or_default().insert(id);
        }
        self.rows.insert(id, row);
        self.rejudge(
            &id,
            &before.as_ref().map(waits::waits).unwrap_or_default(),
            &waits,
        );
        before
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, id: &ItemId) -> Option<ItemView> {
        let row = self.take_out(id)?;
        self.rejudge(id, &waits::waits(&row), &BTreeSet::new());
        Some(row)
    }

    fn take_out(&mut self, id: &ItemId) -> Option<ItemView> {
        let row = self.rows.remove(id)?;
        if let Some(place) = self.numbers.get_mut(&row.number) {
            place.retain(|other| other != id);
            if place.is_empty() {
                self.numbers.remove(&row.number);
            }
        }
        self.keys.remove(&id.key());
        for reference in row.external() {
            if let Some(named) = self.external.get_mut(reference) {
                named.remove(id);
                if named.is_empty() {
                    self.external.remove(reference);
                }
            }
        }
        for on in &row.depends_on {
            if let Some(dependants) = self.dependants.get_mut(on) {
                dependants.remove(id);
            }
        }
        if let Some(children) = row.epic.and_then(|epic| self.children.get_mut(&epic)) {
            children.remove(id);
        }
        if let Some(superseded) = waits::successor(&row).and_then(|by| self.superseded.get_mut(&by)) {
            superseded.remove(id);
        }
        Some(row)
    }

    /// One row.
    pub(crate) fn get(&self, id: &ItemId) -> Option<&ItemView> {
        self.rows.get(id)
    }

    /// The rows that people may see, the trash too, in order of their ids.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &ItemView> {
        self.rows().filter(|row| !row.purged)
    }

    /// All rows, purged ones too, in order of their ids.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &ItemView> {
        self.rows.values()
    }

    /// The number for a new item: above every number that is known, those of the trash and of purged
    /// items too.
    pub(crate) fn next_number(&self) -> u32 {
        self.numbers
            .keys()
            .next_back()
            .map_or(1, |number| number.saturating_add(1))
    }

    /// The item with an external reference; the oldest on every node where two nodes imported it apart.
    pub(crate) fn by_external(&self, reference: &str) -> Option<ItemId> {
        self.external.get(reference)?.first().copied()
    }

    /// Board order: by column, then priority, then how long it stands there.
    pub(crate) fn board_order(row: &ItemView) -> (Column, u8, Millis, ItemId) {
        (row.column, row.priority, row.entered_at, row.id)
    }
}
