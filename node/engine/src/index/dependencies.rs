//! Dependencies: whether they are satisfied, and which of them are suspended because they close a cycle.
//!
//! An item that is closed, done or in the trash waits for nothing, so its dependencies are part of no cycle;
//! a superseded one passes its dependants on to its successor. [`super::cycles`] contains the rule.

use std::collections::BTreeSet;

use towline_api::types::{ItemLink, LinkNote};
use towline_crdt::view::ItemView;
use towline_proto::{Closing, Column, ItemId, Status};
use towline_store::cache::Row;

use super::cycles::{Cycles, DependencyEdge, WaitEdge, WaitKind};
use super::{Index, seconds};

/// Steps along a chain of successors before it counts as endless.
const MAX_SUCCESSORS: usize = 32;
/// Items visited for a new cycle before the whole graph is recomputed.
const NEAR: usize = 1_000;
/// The most items in a note about a cycle.
const NAMED: usize = 5;

/// The item that supersedes this one.
pub(super) fn successor(row: &ItemView) -> Option<ItemId> {
    match (&row.closing, row.column) {
        (Some(Closing::Superseded { by }), Column::Closed | Column::Archived) if !row.purged => Some(*by),
        _ => None,
    }
}

/// Whether an item waits for its dependencies.
pub(super) fn depends(row: &ItemView) -> bool {
    successor(row).is_none() && !row.deleted && row.column.is_open()
}

/// The items that an item waits for.
pub(super) fn wait_edges(row: &ItemView) -> BTreeSet<(ItemId, WaitKind)> {
    if let Some(by) = successor(row) {
        return BTreeSet::from([(by, WaitKind::Successor)]);
    }
    if !depends(row) {
        return BTreeSet::new();
    }
    row.depends_on
        .iter()
        .map(|on| (*on, WaitKind::Dependency))
        .collect()
}

/// The items that an item waits for, from its packed row: few items wait, and only those are unpacked.
pub(super) fn packed_wait_edges(row: &Row) -> BTreeSet<(ItemId, WaitKind)> {
    let waits_at_all =
        row.status == Status::Superseded || row.depends && !row.deleted && row.column.is_open();
    let row = waits_at_all.then(|| row.view()).flatten();
    row.as_ref().map(wait_edges).unwrap_or_default()
}

impl Index {
    /// A dependency as a link: satisfied if done, or archived from done. For a superseded item its successor
    /// counts; an item that was closed otherwise never satisfies a dependency.
    pub(crate) fn dependency(&self, on: &ItemId) -> ItemLink {
        let (end, successor) = self.follow(on);
        let mut link = self.link(on);
        link.satisfied = matches!(end, DependencyState::Satisfied);
        if let Some(by) = successor {
            let by = self.link(&by).name();
            link.note = Some(LinkNote::Superseded { by });
        }
        match end {
            DependencyState::Closed(status) => link.note = Some(LinkNote::NotDone { status }),
            DependencyState::Endless => link.note = Some(LinkNote::EndlessSuccessors),
            DependencyState::Satisfied | DependencyState::Open => {}
        }
        link
    }

    /// Whether a dependency is satisfied.
    pub(super) fn satisfies(&self, on: &ItemId) -> bool {
        matches!(self.follow(on).0, DependencyState::Satisfied)
    }

    /// The state of a dependency, and its last successor if it was superseded.
    fn follow(&self, on: &ItemId) -> (DependencyState, Option<ItemId>) {
        let (mut at, mut successor) = (*on, None);
        for _ in 0..MAX_SUCCESSORS {
            let Some(row) = self.rows.get(&at) else {
                return (DependencyState::Open, successor);
            };
            let ended = matches!(row.column, Column::Closed | Column::Archived);
            let closing = if ended { row.references().closing } else { None };
            match closing {
                _ if row.purged => return (DependencyState::Open, successor),
                Some(Closing::Superseded { by }) => (at, successor) = (by, Some(by)),
                Some(closing) => return (DependencyState::Closed(closing.status()), successor),
                None if row.deleted => return (DependencyState::Open, successor),
                None if matches!(row.column, Column::Done | Column::Archived) => {
                    return (DependencyState::Satisfied, successor);
                }
                None => return (DependencyState::Open, successor),
            }
        }
        (DependencyState::Endless, successor)
    }

    /// Whether `from` depends on `to`, directly or not. Done items are included, since they may be reopened.
    pub(crate) fn depends_on(&self, from: &ItemId, to: &ItemId) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![*from];
        while let Some(id) = open.pop() {
            if id == *to {
                return true;
            }
            let ties = |row: &&Row| row.depends || row.status == Status::Superseded;
            if seen.insert(id) {
                let row = self.rows.get(&id).filter(ties).and_then(Row::view);
                open.extend(row.as_ref().and_then(successor));
                open.extend(row.into_iter().flat_map(|row| row.depends_on));
            }
        }
        false
    }

    /// One dependency of an item as a link; a suspended one counts as satisfied.
    pub(crate) fn wait(&self, row: &ItemView, on: &ItemId) -> ItemLink {
        let mut link = self.dependency(on);
        if !link.satisfied && self.is_suspended(&row.id, on) {
            let rest = self.rest_of_cycle(&(row.id, *on));
            let others = rest.iter().take(NAMED);
            (link.satisfied, link.suspended) = (true, true);
            link.note = Some(LinkNote::Suspended {
                with: others.map(|(from, _, _)| self.link(from).name()).collect(),
                more: rest.len() > NAMED,
            });
        }
        link
    }

    /// Whether an edge still exists.
    pub(crate) fn still_waits(&self, (from, on, wait): &WaitEdge) -> bool {
        let row = self.rows.get(from);
        row.is_some_and(|row| packed_wait_edges(row).contains(&(*on, *wait)))
    }

    /// Whether a dependency is suspended.
    pub(crate) fn is_suspended(&self, from: &ItemId, on: &ItemId) -> bool {
        self.cycles().is_suspended(from, on)
    }

    /// The suspended dependencies of an item and those of others on it.
    pub(crate) fn suspended_at(&self, id: &ItemId) -> &[DependencyEdge] {
        self.cycles().suspended_at(id)
    }

    /// All suspended dependencies.
    pub(crate) fn suspended(&self) -> impl Iterator<Item = &DependencyEdge> {
        self.cycles().suspended()
    }

    /// The rest of the cycle that a suspended dependency would close.
    pub(crate) fn rest_of_cycle(&self, edge: &DependencyEdge) -> Vec<WaitEdge> {
        self.cycles().path_back(edge)
    }

    fn cycles(&self) -> &Cycles {
        self.cycles.get_or_init(|| {
            let rows = self.rows();
            let waits = |row: &Row| packed_wait_edges(row).into_iter();
            Cycles::of(rows.flat_map(|row| waits(row).map(|(on, wait)| (row.id, on, wait))))
        })
    }

    /// Drops the computed cycles if an item waits for other items than before and a cycle may have appeared
    /// or ended. For nearly all changes that is cheap to rule out.
    pub(super) fn invalidate_cycles(
        &mut self,
        id: &ItemId,
        before: &BTreeSet<(ItemId, WaitKind)>,
        after: &BTreeSet<(ItemId, WaitKind)>,
    ) {
        let Some(cycles) = self.cycles.get() else { return };
        let ended = before
            .difference(after)
            .any(|(on, _)| cycles.in_same_component(id, on));
        let made = || after.difference(before).any(|(on, _)| self.is_near(on, id));
        if ended || made() {
            self.cycles = std::cell::OnceCell::new();
        }
    }

    /// Whether `from` waits for `to`, directly or not; also true if the search is cut off.
    fn is_near(&self, from: &ItemId, to: &ItemId) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![*from];
        while let Some(id) = open.pop() {
            if id == *to || seen.len() >= NEAR {
                return true;
            }
            if seen.insert(id) {
                let waits = self.rows.get(&id).map(packed_wait_edges);
                open.extend(waits.into_iter().flatten().map(|(on, _)| on));
            }
        }
        false
    }

    /// The items that may wait for this one, directly or because it supersedes what they wait for.
    pub(crate) fn waiting_for(&self, id: &ItemId) -> BTreeSet<ItemId> {
        let mut seen = BTreeSet::from([*id]);
        let mut open = vec![*id];
        while let Some(id) = open.pop().filter(|_| seen.len() <= NEAR) {
            let replaced = seconds(&self.superseded, &id);
            open.extend(replaced.copied().filter(|id| seen.insert(*id)));
        }
        let waiting = seen.iter().flat_map(|id| seconds(&self.dependants, id));
        waiting.copied().collect()
    }

    /// Items that depend on this one.
    pub(crate) fn dependants(&self, id: &ItemId) -> Vec<ItemLink> {
        seconds(&self.dependants, id)
            .filter(|id| self.rows.get(id).is_some_and(|row| !row.purged))
            .map(|id| self.link(id))
            .collect()
    }

    /// Dependencies with whether they are satisfied.
    pub(super) fn dependencies(&self, row: &ItemView) -> Vec<ItemLink> {
        row.depends_on.iter().map(|on| self.wait(row, on)).collect()
    }
}

/// The state of a dependency.
enum DependencyState {
    /// Done, or archived from done.
    Satisfied,
    /// Not yet, or not known here.
    Open,
    /// Closed without being done.
    Closed(Status),
    /// Never.
    Endless,
}
