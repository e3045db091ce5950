//! The index: all rows of a project in memory, and everything that takes more than one row to know.
//!
//! Rows come from `towline_crdt::projection_update` and are never changed here. They are stored packed
//! ([`Row`]): the header fields that scans use are readable, and a row that is requested by handle is
//! unpacked. What depends on other items is computed on demand: handles ([`find`]), dependencies
//! ([`dependencies`]), cards ([`cards`]). Cycles that appear or end with a row are noted when it is stored
//! ([`cycle_changes`]), so that their events can be emitted.

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

use cycles::Cycles;
use towline_store::cache::Row;

/// All rows of one project.
#[derive(Debug, Default)]
pub(crate) struct Index {
    rows: BTreeMap<ItemId, Row>,
    /// Sets of pairs and not maps of sets: nearly every number and reference belongs to one item, and a set
    /// per key took more memory than a row's title.
    numbers: BTreeSet<(u32, ItemId)>,
    /// Items by key, as a number in the order of its digits.
    keys: BTreeMap<u64, ItemId>,
    /// External references by hash; the rows contain the full texts.
    external: BTreeSet<(u64, ItemId)>,
    /// Items that were created for a request with an id.
    requests: BTreeSet<(RequestId, ItemId)>,
    /// Those of them that share a request with another item.
    duplicates: BTreeSet<ItemId>,
    /// Dependencies: the target, and the item that waits for it.
    dependants: BTreeSet<(ItemId, ItemId)>,
    /// Epics and their items.
    children: BTreeSet<(ItemId, ItemId)>,
    /// Successors and the items that they supersede.
    superseded: BTreeSet<(ItemId, ItemId)>,
    /// Computed on demand, and again when a cycle may have appeared or ended.
    cycles: OnceCell<Cycles>,
    /// Dependencies that were suspended or released since the last call of `take_cycle_changes`.
    cycle_changes: BTreeMap<DependencyEdge, CycleChange>,
}

/// The smallest and the largest id, for range queries.
const IDS: (ItemId, ItemId) = (ItemId([0; ItemId::LEN]), ItemId([0xff; ItemId::LEN]));

/// The second elements of all pairs with this first one.
fn seconds<'a>(pairs: &'a BTreeSet<(ItemId, ItemId)>, first: &ItemId) -> impl Iterator<Item = &'a ItemId> {
    pairs
        .range((*first, IDS.0)..=(*first, IDS.1))
        .map(|(_, second)| second)
}

impl Index {
    /// Builds an index of many rows at once. Its maps are built from sorted vectors: inserting rows one by
    /// one in the order of their ids would leave the maps half empty.
    ///
    /// # Errors
    /// The first error of `rows`.
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

    /// Stores a row that existed before this process; notes no cycle changes.
    pub(crate) fn load(&mut self, row: ItemView) {
        let before = self.get(&row.id);
        let (id, waits) = (row.id, dependencies::wait_edges(&row));
        let waited = before.as_ref().map(dependencies::wait_edges).unwrap_or_default();
        self.enter(before.as_ref(), row);
        self.invalidate_cycles(&id, &waited, &waits);
    }

    /// Stores a row in the place of the one that is there.
    #[cfg(test)]
    pub(crate) fn put(&mut self, row: ItemView) {
        let before = self.get(&row.id);
        self.replace(before.as_ref(), row);
    }

    /// Replaces the row `before`, which the caller has unpacked already, and notes which cycles that starts or
    /// ends: nothing is checked unless the item waits for other items than before.
    pub(crate) fn replace(&mut self, before: Option<&ItemView>, row: ItemView) {
        let (id, waits) = (row.id, dependencies::wait_edges(&row));
        let waited = before.map(dependencies::wait_edges).unwrap_or_default();
        let around = (waited != waits).then(|| self.around(&id));
        self.enter(before, row);
        self.invalidate_cycles(&id, &waited, &waits);
        if let Some(around) = around {
            self.note_cycle_changes(&id, &waited, around);
        }
    }

    fn enter(&mut self, before: Option<&ItemView>, row: ItemView) {
        if let Some(before) = before {
            self.unlink(before);
        }
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
    }

    /// Removes a row.
    pub(crate) fn remove(&mut self, id: &ItemId) {
        if let Some(row) = self.get(id) {
            self.unlink(&row);
            self.rows.remove(id);
            self.invalidate_cycles(id, &dependencies::wait_edges(&row), &BTreeSet::new());
        }
    }

    /// Removes what refers to a row.
    fn unlink(&mut self, row: &ItemView) {
        let id = row.id;
        self.numbers.remove(&(row.number, id));
        self.keys.remove(&find::key(&id));
        for reference in row.external() {
            self.external.remove(&(find::hash(reference), id));
        }
        for on in &row.depends_on {
            self.dependants.remove(&(*on, id));
        }
        if let Some(epic) = row.epic {
            self.children.remove(&(epic, id));
        }
        if let Some(request) = row.request {
            self.requests.remove(&(request, id));
            self.duplicates.remove(&id);
        }
        if let Some(by) = dependencies::successor(row) {
            self.superseded.remove(&(by, id));
        }
    }

    /// One row, unpacked.
    pub(crate) fn get(&self, id: &ItemId) -> Option<ItemView> {
        self.rows.get(id).and_then(Row::view)
    }

    /// One row, packed.
    pub(crate) fn row(&self, id: &ItemId) -> Option<&Row> {
        self.rows.get(id)
    }

    /// The rows that people may see, the trash included, in the order of their ids.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Row> {
        self.rows().filter(|row| !row.purged)
    }

    /// All rows, purged ones included, in the order of their ids.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// The number for a new item: above every known number, those in the trash and of purged items included.
    pub(crate) fn next_number(&self) -> u32 {
        self.numbers
            .last()
            .map_or(1, |(number, _)| number.saturating_add(1))
    }

    /// The items that were created for a request, the oldest first: one, unless several nodes executed it
    /// concurrently.
    pub(crate) fn made_for(&self, request: &RequestId) -> impl Iterator<Item = ItemId> {
        let range = (*request, IDS.0)..=(*request, IDS.1);
        self.requests.range(range).map(|(_, id)| *id)
    }

    /// Duplicates, each with the older item that is to supersede it: both were created for one request and
    /// agree in everything that the request contained.
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

    /// The item with an external reference. Several can exist if nodes imported concurrently: a living one is
    /// preferred to one in the trash, that to a purged one, and then the oldest, so the choice is equal on
    /// every node.
    pub(crate) fn by_external(&self, reference: &str) -> Option<ItemId> {
        let rows = self.all_by_external(reference);
        rows.min_by_key(|row| (row.purged, row.deleted, row.id))
            .map(|row| row.id)
    }

    /// All items with an external reference, purged ones included.
    pub(crate) fn all_by_external<'a>(&'a self, reference: &'a str) -> impl Iterator<Item = ItemView> + 'a {
        let hash = find::hash(reference);
        let fits = self.external.range((hash, IDS.0)..=(hash, IDS.1));
        let rows = fits.filter_map(|(_, id)| self.get(id));
        rows.filter(move |row| row.external().any(|known| known == reference))
    }

    /// Board order: by column, then priority, then time in the column.
    pub(crate) fn board_order(row: &Row) -> (Column, u8, Millis, ItemId) {
        (row.column, row.priority, row.entered_at, row.id)
    }
}

/// The items that share a request with another one.
fn duplicates(requests: &BTreeSet<(RequestId, ItemId)>) -> BTreeSet<ItemId> {
    let pairs = requests.iter().zip(requests.iter().skip(1));
    let duplicates = pairs.filter(|((a, _), (b, _))| a == b);
    duplicates.flat_map(|((_, a), (_, b))| [*a, *b]).collect()
}
