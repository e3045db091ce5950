//! Which dependencies a row suspends or releases: compares the cycles before and after it is stored.
//!
//! A cycle that appears or ends with a row passes through its item, so only the items that it waits for and
//! that wait for it are visited, however large the project is. The changes are collected until they are
//! taken; no events are emitted here.

use std::collections::{BTreeMap, BTreeSet};

use towline_proto::ItemId;

use super::cycles::{Cycles, DependencyEdge, WaitEdge, WaitKind};
use super::{Index, dependencies, seconds};

/// The most items visited in each direction; beyond that the changes of a row are not reported.
const MAX_VISITS: usize = 10_000;
/// The most dependencies around one item; beyond that the changes are not reported, since the computation is
/// quadratic in this.
const MAX_EDGES: usize = 2_000;
/// The most changes of one row whose cycle is worked out; further ones are not reported.
const MAX_DRAWN: usize = 64;

/// A dependency that became suspended, or is no longer suspended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CycleChange {
    /// The dependency.
    pub(crate) edge: DependencyEdge,
    /// Whether it is suspended now.
    pub(crate) is_suspended: bool,
    /// The cycle that it closes or closed, the dependency itself last. Empty if there were too many to work
    /// out.
    pub(crate) cycle: Vec<WaitEdge>,
}

/// The changes between two states of the same few items.
fn cycle_changes(
    before: impl IntoIterator<Item = WaitEdge>,
    after: impl IntoIterator<Item = WaitEdge>,
) -> Vec<CycleChange> {
    let (before, after) = (Cycles::of(before), Cycles::of(after));
    let ended = before
        .suspended()
        .filter(|(from, on)| !after.is_suspended(from, on));
    let made = after
        .suspended()
        .filter(|(from, on)| !before.is_suspended(from, on));
    let ended = ended.map(|edge| (edge, false, &before));
    let both = ended.chain(made.map(|edge| (edge, true, &after)));
    let change = |(nth, (edge, is_suspended, cycles)): (usize, (&DependencyEdge, bool, &Cycles))| {
        let mut cycle = Vec::new();
        if nth < MAX_DRAWN {
            cycle = cycles.path_back(edge);
            cycle.push((edge.0, edge.1, WaitKind::Dependency));
        }
        CycleChange {
            edge: *edge,
            is_suspended,
            cycle,
        }
    };
    both.enumerate().map(change).collect()
}

/// A search from an item in one direction, item by item.
struct Reach {
    forth: bool,
    seen: BTreeSet<ItemId>,
    open: Vec<ItemId>,
}

impl Reach {
    fn from(id: &ItemId, forth: bool) -> Self {
        Self {
            forth,
            seen: BTreeSet::new(),
            open: vec![*id],
        }
    }

    /// Visits one more item. Returns whether all have been visited.
    fn step(&mut self, index: &Index) -> bool {
        let Some(at) = self.open.pop() else { return true };
        for next in index.next(&at, self.forth) {
            if self.seen.insert(next) {
                self.open.push(next);
            }
        }
        false
    }

    /// After a finished search: the items that are in cycles with `id`.
    fn around(self, index: &Index, id: &ItemId) -> BTreeSet<ItemId> {
        if !self.seen.contains(id) {
            return BTreeSet::new();
        }
        let mut around = BTreeSet::from([*id]);
        let mut open = vec![*id];
        while let Some(at) = open.pop() {
            let next = index.next(&at, !self.forth).into_iter();
            open.extend(next.filter(|next| self.seen.contains(next) && around.insert(*next)));
        }
        around
    }
}

impl Index {
    /// Takes the changes since the last call.
    pub(crate) fn take_cycle_changes(&mut self) -> BTreeMap<DependencyEdge, CycleChange> {
        std::mem::take(&mut self.cycle_changes)
    }

    /// Whether a dependency of the item, or one on it, is suspended, without visiting the whole project.
    pub(crate) fn is_in_cycle(&self, id: &ItemId) -> bool {
        match self.around(id).and_then(|around| self.within(&around)) {
            Some(edges) => !Cycles::of(edges).suspended_at(id).is_empty(),
            None => !self.suspended_at(id).is_empty(),
        }
    }

    /// The items that are in cycles with an item, itself included; empty if it is in no cycle. `None` if that
    /// would take too long. Both directions are followed alternately, because mostly one of them ends at
    /// once: hardly anything waits for a new item.
    pub(super) fn around(&self, id: &ItemId) -> Option<BTreeSet<ItemId>> {
        let (mut forth, mut back) = (Reach::from(id, true), Reach::from(id, false));
        for _ in 0..MAX_VISITS {
            if forth.step(self) {
                return Some(forth.around(self, id));
            }
            if back.step(self) {
                return Some(back.around(self, id));
            }
        }
        None
    }

    /// Notes the changes after a row was replaced. Before, the item `waited` for others and was in cycles
    /// with those `around` it.
    pub(super) fn note_cycle_changes(
        &mut self,
        id: &ItemId,
        waited: &BTreeSet<(ItemId, WaitKind)>,
        around: Option<BTreeSet<ItemId>>,
    ) {
        let (Some(mut around), Some(now)) = (around, self.around(id)) else {
            return;
        };
        around.extend(now);
        if around.is_empty() {
            return;
        }
        let Some(after) = self.within(&around) else { return };
        let others = after.iter().filter(|(from, _, _)| from != id).copied();
        let waited = waited.iter().filter(|(on, _)| around.contains(on));
        let before = others.chain(waited.map(|(on, wait)| (*id, *on, *wait)));
        let changes = cycle_changes(before.collect::<Vec<_>>(), after);
        for change in changes {
            // Two opposite changes cancel out.
            let earlier = self.cycle_changes.remove(&change.edge);
            if earlier.is_none_or(|earlier| earlier.is_suspended == change.is_suspended) {
                self.cycle_changes.insert(change.edge, change);
            }
        }
    }

    /// The edges among some items; `None` if there are too many.
    fn within(&self, items: &BTreeSet<ItemId>) -> Option<Vec<WaitEdge>> {
        let rows = items.iter().filter_map(|id| self.row(id));
        let edges = rows.flat_map(|row| {
            dependencies::packed_wait_edges(row)
                .into_iter()
                .map(|(on, wait)| (row.id, on, wait))
        });
        let edges = edges.filter(|(_, on, _)| items.contains(on));
        let edges: Vec<_> = edges.take(MAX_EDGES + 1).collect();
        (edges.len() <= MAX_EDGES).then_some(edges)
    }

    /// The items that an item waits for, or that wait for it.
    fn next(&self, id: &ItemId, forth: bool) -> Vec<ItemId> {
        if forth {
            let row = self.row(id);
            let edges = row.map(dependencies::packed_wait_edges).into_iter().flatten();
            return edges.map(|(on, _)| on).collect();
        }
        let depends = |from: &&ItemId| self.get(from).as_ref().is_some_and(dependencies::depends);
        let dependants = seconds(&self.dependants, id).filter(depends);
        dependants.chain(seconds(&self.superseded, id)).copied().collect()
    }
}

#[cfg(test)]
#[path = "cycle_changes_tests.rs"]
mod tests;
