//! What waits for what: whether dependencies are satisfied, which of them are suspended because they
//! close a circle, what is ready.
//!
//! An item that is closed, done or in the trash waits for nobody, so its dependencies are part of no
//! circle; a superseded one passes its dependants on to its successor. Relies on [`super::circles`] for
//! the rule.

use std::collections::BTreeSet;

use towline_crdt::view::ItemView;
use towline_proto::{Closing, Column, ItemId, Kind};

use super::Index;
use super::circles::{Circles, Edge, Wait};
use crate::dto::ItemLink;

/// Steps along a chain of successors before it counts as endless.
const MAX_SUCCESSORS: usize = 32;
/// Items that are looked at for a new circle before all of them are.
const NEAR: usize = 1_000;
/// Items that a note about a circle names.
const NAMED: usize = 5;

/// The item that took this one's place.
pub(super) fn successor(row: &ItemView) -> Option<ItemId> {
    match (&row.closing, row.column) {
        (Some(Closing::Superseded { by }), Column::Closed | Column::Archived) if !row.purged => Some(*by),
        _ => None,
    }
}

/// What an item waits for.
pub(super) fn waits(row: &ItemView) -> BTreeSet<(ItemId, Wait)> {
    if let Some(by) = successor(row) {
        return BTreeSet::from([(by, Wait::Successor)]);
    }
    if row.deleted || !row.column.is_open() {
        return BTreeSet::new();
    }
    row.depends_on.iter().map(|on| (*on, Wait::Dependency)).collect()
}

impl Index {
    /// A dependency: satisfied when done, or archived from done; a superseded item passes that on to
    /// its successor; one that was closed otherwise never satisfies.
    pub(crate) fn dependency(&self, on: &ItemId) -> ItemLink {
        let mut link = self.link(on);
        let mut at = *on;
        for _ in 0..MAX_SUCCESSORS {
            let Some(row) = self.rows.get(&at) else {
                link.satisfied = false;
                return link;
            };
            let ended = matches!(row.column, Column::Closed | Column::Archived);
            match (&row.closing, ended) {
                (_, _) if row.purged => {
                    link.satisfied = false;
                    return link;
                }
                (Some(Closing::Superseded { by }), true) => {
                    link.note = Some(format!("superseded by {}", self.link(by).handle));
                    at = *by;
                }
                (Some(closing), true) => {
                    link.satisfied = false;
                    link.note = Some(format!("{} without being done", closing.status()));
                    return link;
                }
                (_, _) => {
                    link.satisfied = matches!(row.column, Column::Done | Column::Archived) && !row.deleted;
                    return link;
                }
            }
        }
        link.satisfied = false;
        link.note = Some("its successors lead in a circle".into());
        link
    }

    /// Whether `from` depends on `to`, directly or not. Items that are done count too: they may come back.
    pub(crate) fn depends_on(&self, from: &ItemId, to: &ItemId) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![*from];
        while let Some(id) = open.pop() {
            if id == *to {
                return true;
            }
            if seen.insert(id) {
                let row = self.rows.get(&id);
                open.extend(row.into_iter().flat_map(|row| row.depends_on.iter().copied()));
                open.extend(row.and_then(successor));
            }
        }
        false
    }

    /// What one dependency of an item means to it: one that is suspended is not waited for.
    pub(crate) fn wait(&self, row: &ItemView, on: &ItemId) -> ItemLink {
        let mut link = self.dependency(on);
        if !link.satisfied && self.is_suspended(&row.id, on) {
            let rest = self.circle(&(row.id, *on));
            let others: Vec<_> = rest.iter().map(|(from, _, _)| self.link(from).handle).collect();
            let more = if others.len() > NAMED { " …" } else { "" };
            let named = others.get(..NAMED).unwrap_or(&others).join(", ");
            link.satisfied = true;
            link.note = Some(if rest.is_empty() {
                "suspended: it closes a circle".to_owned()
            } else {
                format!("suspended: it closes a circle with {named}{more}")
            });
        }
        link
    }

    /// Whether a dependency is suspended.
    pub(crate) fn is_suspended(&self, from: &ItemId, on: &ItemId) -> bool {
        self.circles().is_suspended(from, on)
    }

    /// The suspended dependencies of an item and those of others on it.
    pub(crate) fn circles_at(&self, id: &ItemId) -> &[Edge] {
        self.circles().at(id)
    }

    /// All suspended dependencies.
    pub(crate) fn suspended(&self) -> impl Iterator<Item = &Edge> {
        self.circles().suspended()
    }

    /// The rest of the circle that a suspended dependency would close.
    pub(crate) fn circle(&self, edge: &Edge) -> Vec<(ItemId, ItemId, Wait)> {
        self.circles().rest(edge)
    }

    fn circles(&self) -> &Circles {
        self.circles.get_or_init(|| {
            let rows = self.rows.values();
            Circles::of(rows.flat_map(|row| waits(row).into_iter().map(|(on, wait)| (row.id, on, wait))))
        })
    }

    /// Notes that an item waits for other items than before. What cannot have made or ended a circle,
    /// which is nearly everything, costs no look at the whole project.
    pub(super) fn rejudge(
        &mut self,
        id: &ItemId,
        before: &BTreeSet<(ItemId, Wait)>,
        after: &BTreeSet<(ItemId, Wait)>,
    ) {
        let Some(circles) = self.circles.get() else { return };
        let ended = before.difference(after).any(|(on, _)| circles.joins(id, on));
        let made = || after.difference(before).any(|(on, _)| self.is_near(on, id));
        if ended || made() {
            self.circles = std::cell::OnceCell::new();
        }
    }

    /// Whether `from` waits for `to`, directly or not, or so much waits there that it may.
    fn is_near(&self, from: &ItemId, to: &ItemId) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![*from];
        while let Some(id) = open.pop() {
            if id == *to || seen.len() >= NEAR {
                return true;
            }
            if seen.insert(id) {
                open.extend(
                    self.rows
                        .get(&id)
                        .map(waits)
                        .into_iter()
                        .flatten()
                        .map(|(on, _)| on),
                );
            }
        }
        false
    }

    /// Items that may wait for this one, directly or because it took the place of what they wait for.
    pub(crate) fn waiting_for(&self, id: &ItemId) -> BTreeSet<ItemId> {
        let mut seen = BTreeSet::from([*id]);
        let mut open = vec![*id];
        while let Some(id) = open.pop().filter(|_| seen.len() <= NEAR) {
            let replaced = self.superseded.get(&id).into_iter().flatten();
            open.extend(replaced.copied().filter(|id| seen.insert(*id)));
        }
        let waiting = seen.iter().filter_map(|id| self.dependants.get(id));
        waiting.flatten().copied().collect()
    }

    /// Items that depend on this one.
    pub(crate) fn dependants(&self, id: &ItemId) -> Vec<ItemLink> {
        self.dependants
            .get(id)
            .into_iter()
            .flatten()
            .filter(|id| self.rows.get(id).is_some_and(|row| !row.purged))
            .map(|id| self.link(id))
            .collect()
    }

    /// Dependencies with whether they are satisfied.
    pub(super) fn dependencies(&self, row: &ItemView) -> Vec<ItemLink> {
        row.depends_on.iter().map(|on| self.wait(row, on)).collect()
    }

    /// What can be started now: in the backlog, or in coding and claimed by nobody; nothing holds
    /// it, every dependency is satisfied. By priority, then age.
    pub(crate) fn ready(&self) -> Vec<&ItemView> {
        let startable = |row: &&ItemView| {
            let place = match row.column {
                Column::Backlog => true,
                Column::Coding => row.claim.is_none(),
                Column::Upcoming
                | Column::Qa
                | Column::Merge
                | Column::Done
                | Column::Archived
                | Column::Closed => false,
            };
            place && !row.deleted && row.kind != Kind::Epic && row.holds.is_empty()
        };
        let met = |row: &&ItemView| row.depends_on.iter().all(|on| self.wait(row, on).satisfied);
        let mut ready: Vec<_> = self.rows.values().filter(startable).filter(met).collect();
        ready.sort_by_key(|row| (row.priority, row.created_at, row.id));
        ready
    }
}
