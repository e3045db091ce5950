//! The index: all rows of a project in memory, and what takes more than one row to know.
//!
//! Rows come from `towline_crdt::projection_update` and are never changed here. They are held packed ([`Row`]): what a
//! pass over all of them asks stands open, and one that is asked for by name is unpacked. What depends on
//! other items is computed when asked: names ([`find`]), what waits for what ([`waits`]), cards ([`cards`]).
//! Which circles came and went with a row is noted as it is entered ([`cycle_changes`]), for whoever is to be told.

mod cards;
mod cycle_changes;
mod cycles;
mod dependencies;
mod find;
mod ready;
#[cfg(test)]
mod tests;

pub(super) use cards::revision;
pub(super) use cycle_changes::CycleChange;
pub(super) use cycles::{DependencyEdge, WaitEdge, WaitKind, rank};
pub(super) use find::letters;
pub(super) use ready::{is_candidate_column, select_ready};

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use towline_crdt::view::ItemView;
use towline_proto::{Column, ItemId, Millis, RequestId};

use crate::cache::Row;
use cycles::Cycles;

/// All rows of one project.
#[derive(Debug, Default)]
pub(crate) struct Index {
    rows: BTreeMap<ItemId, Row>,
    /// Sets of pairs and not maps of sets: nearly every number and reference belongs to one item, and a
    /// set of its own for each took more memory than its row's title.
    numbers: BTreeSet<(u32, ItemId)>,
    /// By the key as a number, in the order of its digits.
    keys: BTreeMap<u64, ItemId>,
    /// External references by their hash: the rows have them whole.
    external: BTreeSet<(u64, ItemId)>,
    /// Items that were made for a request that its asker named.
    requests: BTreeSet<(RequestId, ItemId)>,
    /// Those of them that another was made for as well.
    duplicates: BTreeSet<ItemId>,
    /// What is depended on, and by whom.
    dependants: BTreeSet<(ItemId, ItemId)>,
    /// An epic and its items.
    children: BTreeSet<(ItemId, ItemId)>,
    /// An item, and those that it has taken the place of.
    superseded: BTreeSet<(ItemId, ItemId)>,
    /// Computed when somebody asks, and again when a circle may have come or gone.
    cycles: OnceCell<Cycles>,
    /// Dependencies that were suspended or let go since somebody last asked.
    cycle_changes: BTreeMap<DependencyEdge, CycleChange>,
}

/// The smallest and the largest id, to find what belongs to something.
const IDS: (ItemId, ItemId) = (ItemId([0; ItemId::LEN]), ItemId([0xff; ItemId::LEN]));

/// The second of each pair whose first is this.
fn seconds<'a>(pairs: &'a BTreeSet<(ItemId, ItemId)>, first: &ItemId) -> impl Iterator<Item = &'a ItemId> {
    pairs
        .range((*first, IDS.0)..=(*first, IDS.1))
        .map(|(_, second)| second)
}

impl Index {
    /// An index of many rows at once, packed and whole. Made so its maps have no empty places: filled one
    /// by one in the order of their ids they would be half empty.
    ///
    /// # Errors
    /// The first of the rows' own.
    pub(crate) fn of<E>(rows: impl Iterator<Item = Result<(Row, ItemView), E>>) -> Result<Self, E> {
        let mut packed = Vec::new();
        let mut requests = BTreeSet::new();
        let (mut numbers, mut keys, mut external) = (Vec::new(), Vec::new(), Vec::new());
        let (mut dependants, mut children, mut superseded) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            let (row, view) = row?;
            let id = row.id;
            numbers.push((row.number, id));
            keys.push((find::key(&id), id));
            external.extend(view.external().map(|reference| (find::hash(reference), id)));
            dependants.extend(view.depends_on.iter().map(|on| (*on, id)));
            children.extend(view.epic.map(|epic| (epic, id)));
            requests.extend(view.request.map(|request| (request, id)));
            superseded.extend(dependencies::successor(&view).map(|by| (by, id)));
            packed.push((id, row));
        }
        Ok(Self {
            rows: packed.into_iter().collect(),
            numbers: numbers.into_iter().collect(),
            keys: keys.into_iter().collect(),
            external: external.into_iter().collect(),
            duplicates: duplicates(&requests),
            requests,
            dependants: dependants.into_iter().collect(),
            children: children.into_iter().collect(),
            superseded: superseded.into_iter().collect(),
            cycles: OnceCell::new(),
            cycle_changes: BTreeMap::new(),
        })
    }

    /// Enters a row that was there before this process: nothing about it is news.
    pub(crate) fn load(&mut self, row: ItemView) {
        let (id, waits) = (row.id, dependencies::wait_edges(&row));
        let before = self.enter(row);
        let waited = before.as_ref().map(dependencies::wait_edges).unwrap_or_default();
        self.invalidate_cycles(&id, &waited, &waits);
    }

    /// Enters a row in place of the one before, which is returned, and notes which circles that makes or
    /// ends: nothing is looked at unless the item waits for others than before.
    pub(crate) fn put(&mut self, row: ItemView) -> Option<ItemView> {
        let (id, waits) = (row.id, dependencies::wait_edges(&row));
        let waited = self
            .rows
            .get(&id)
            .map(dependencies::packed_wait_edges)
            .unwrap_or_default();
        let around = (waited != waits).then(|| self.around(&id));
        let before = self.enter(row);
        self.invalidate_cycles(&id, &waited, &waits);
        if let Some(around) = around {
            self.note_cycle_changes(&id, &waited, around);
        }
        before
    }

    fn enter(&mut self, row: ItemView) -> Option<ItemView> {
        let before = self.take_out(&row.id);
        let id = row.id;
        self.numbers.insert((row.number, id));
        self.keys.insert(find::key(&id), id);
        let references = row.external().map(|reference| (find::hash(reference), id));
        self.external.extend(references);
        self.dependants.extend(row.depends_on.iter().map(|on| (*on, id)));
        self.children.extend(row.epic.map(|epic| (epic, id)));
        if let Some(request) = row.request {
            self.requests.insert((request, id));
            let several: Vec<ItemId> = self.made_for(&request).collect();
            if several.len() > 1 {
                self.duplicates.extend(several);
            }
        }
        self.superseded
            .extend(dependencies::successor(&row).map(|by| (by, id)));
        self.rows.insert(id, Row::of(row));
        before
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, id: &ItemId) {
        if let Some(row) = self.take_out(id) {
            self.invalidate_cycles(id, &dependencies::wait_edges(&row), &BTreeSet::new());
        }
    }

    fn take_out(&mut self, id: &ItemId) -> Option<ItemView> {
        let row = self.rows.remove(id)?.view()?;
        self.numbers.remove(&(row.number, *id));
        self.keys.remove(&find::key(id));
        for reference in row.external() {
            self.external.remove(&(find::hash(reference), *id));
        }
        for on in &row.depends_on {
            self.dependants.remove(&(*on, *id));
        }
        if let Some(epic) = row.epic {
            self.children.remove(&(epic, *id));
        }
        if let Some(request) = row.request {
            self.requests.remove(&(request, *id));
            self.duplicates.remove(id);
        }
        if let Some(by) = dependencies::successor(&row) {
            self.superseded.remove(&(by, *id));
        }
        Some(row)
    }

    /// One row, whole.
    pub(crate) fn get(&self, id: &ItemId) -> Option<ItemView> {
        self.rows.get(id).and_then(Row::view)
    }

    /// One row as it is held.
    pub(crate) fn row(&self, id: &ItemId) -> Option<&Row> {
        self.rows.get(id)
    }

    /// The rows that people may see, the trash too, in order of their ids.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Row> {
        self.rows().filter(|row| !row.purged)
    }

    /// All rows, purged ones too, in order of their ids.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// The number for a new item: above every number that is known, those of the trash and of purged
    /// items too.
    pub(crate) fn next_number(&self) -> u32 {
        self.numbers
            .last()
            .map_or(1, |(number, _)| number.saturating_add(1))
    }

    /// The items that were made for a request, the oldest first: one, unless nodes made it that did not
    /// know of each other's.
    pub(crate) fn made_for(&self, request: &RequestId) -> impl Iterator<Item = ItemId> {
        let range = (*request, IDS.0)..=(*request, IDS.1);
        self.requests.range(range).map(|(_, id)| *id)
    }

    /// Items that were made for one request with another, by which another is to take the place: the
    /// older, where it is the same in all that the request said.
    pub(crate) fn duplicates(&self) -> Vec<(ItemId, ItemId)> {
        let pair = |id: &ItemId| {
            let row = self.get(id)?;
            let request = row.request?;
            let first = self.made_for(&request).next().filter(|first| first < id)?;
            let of = self.get(&first)?;
            let same =
                |a: &ItemView, b: &ItemView| (&a.title, a.kind, &a.origin) == (&b.title, b.kind, &b.origin);
            (same(&row, &of) && row.column.is_open() && !row.deleted && !of.purged && !of.deleted)
                .then_some((*id, first))
        };
        self.duplicates.iter().filter_map(pair).collect()
    }

    /// The item with an external reference. Of several, which come of nodes that imported apart, a
    /// living one before one in the trash and that before a purged one, then the oldest: the same on
    /// every node.
    pub(crate) fn by_external(&self, reference: &str) -> Option<ItemId> {
        let rows = self.all_by_external(reference);
        rows.min_by_key(|row| (row.purged, row.deleted, row.id))
            .map(|row| row.id)
    }

    /// All items with an external reference, purged ones too.
    pub(crate) fn all_by_external<'a>(&'a self, reference: &'a str) -> impl Iterator<Item = ItemView> + 'a {
        let hash = find::hash(reference);
        let fits = self.external.range((hash, IDS.0)..=(hash, IDS.1));
        let rows = fits.filter_map(|(_, id)| self.get(id));
        rows.filter(move |row| row.external().any(|known| known == reference))
    }

    /// Board order: by column, then priority, then how long it stands there.
    pub(crate) fn board_order(row: &Row) -> (Column, u8, Millis, ItemId) {
        (row.column, row.priority, row.entered_at, row.id)
    }
}

/// The items of requests that several were made for.
fn duplicates(requests: &BTreeSet<(RequestId, ItemId)>) -> BTreeSet<ItemId> {
    let pairs = requests.iter().zip(requests.iter().skip(1));
    let duplicates = pairs.filter(|((a, _), (b, _))| a == b);
    duplicates.flat_map(|((_, a), (_, b))| [*a, *b]).collect()
}
