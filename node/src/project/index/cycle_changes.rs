//! Which dependencies a row suspends or lets go: what the index knew of circles before it was entered,
//! compared with what it knows afterwards.
//!
//! A circle that comes or goes with a row leads through its item, so only the items that the item waits
//! for and that wait for it are looked at, and nobody else however large the project is. What was found
//! is kept until it is asked for; nothing is told here.

use std::collections::{BTreeMap, BTreeSet};

use towline_proto::ItemId;

use super::cycles::{Cycles, DependencyEdge, WaitEdge, WaitKind};
use super::{Index, dependencies, seconds};

/// Items that are looked at on either side of a row before its circles are let pass untold.
const MAX_VISITS: usize = 10_000;
/// Dependencies of the circles around one item above which they are let pass untold: judging them costs
/// up to the square of this.
const MAX_EDGES: usize = 2_000;
/// Turns of one row whose circle is worked out; others are let pass untold.
const MAX_DRAWN: usize = 64;

/// A dependency that is suspended from now on, or not any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CycleChange {
    /// Which.
    pub(crate) edge: DependencyEdge,
    /// Whether it is suspended now.
    pub(crate) is_suspended: bool,
    /// What it closes or closed, the dependency itself last. Empty where that is too much to draw.
    pub(crate) cycle: Vec<WaitEdge>,
}

/// What turns between two states of the same few items.
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

/// What is reached from an item in one direction, item by item.
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

    /// Looks at one more item; whether all have been looked at.
    fn step(&mut self, index: &Index) -> bool {
        let Some(at) = self.open.pop() else { return true };
        for next in index.next(&at, self.forth) {
            if self.seen.insert(next) {
                self.open.push(next);
            }
        }
        false
    }

    /// Of a finished look: the items that are in circles with `id`.
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
    /// What turned since this was last asked.
    pub(crate) fn take_cycle_changes(&mut self) -> BTreeMap<DependencyEdge, CycleChange> {
        std::mem::take(&mut self.cycle_changes)
    }

    /// Whether a dependency of the item, or one on it, is suspended, without a look at the whole project.
    pub(crate) fn is_in_cycle(&self, id: &ItemId) -> bool {
        match self.around(id).and_then(|around| self.within(&around)) {
            Some(edges) => !Cycles::of(edges).suspended_at(id).is_empty(),
            None => !self.suspended_at(id).is_empty(),
        }
    }

    /// The items that are in circles with an item, itself among them; none when it is in no circle. `None`
    /// when that would take too long to see. Both directions are followed in turns, for mostly one of them
    /// ends at once: hardly anything waits for a new item.
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

    /// Notes what turned because an item that `waited` for others before, in circles with those `around`
    /// it, has another row now.
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
            // What came and went, or went and came, is as it was.
            let earlier = self.cycle_changes.remove(&change.edge);
            if earlier.is_none_or(|earlier| earlier.is_suspended == change.is_suspended) {
                self.cycle_changes.insert(change.edge, change);
            }
        }
    }

    /// What some items wait for among themselves, unless that is too much.
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

    /// What an item waits for, or what waits for it.
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
