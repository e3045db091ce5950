//! Ready items: what somebody can start now, and what blocks the rest.
//!
//! Whether an item can be started by anyone follows from the project alone and is part of its card; whether
//! it is assigned to somebody else depends on the caller. One function over cards decides both, so that an
//! open project and the card snapshot give the same answer. Changes nothing.

use std::collections::BTreeSet;

use towline_api::types::{ItemCard, NotReadyReason};
use towline_crdt::view::ItemView;
use towline_proto::{Column, ItemId, Kind};
use towline_store::cache::Row;

use super::{Index, seconds};

/// The most epics above an item that are checked; concurrent edits can nest them in a cycle.
const ABOVE: usize = 64;
/// The most items below an epic that are checked when it changes.
const BELOW: usize = 10_000;

/// Whether items of a column can be ready; with `all` also those that a person has to triage first.
pub(crate) const fn is_candidate_column(column: Column, all: bool) -> bool {
    matches!(column, Column::Backlog | Column::Coding) || all && matches!(column, Column::Upcoming)
}

/// Selects the cards that somebody can start, by priority, then age; with `all` the others follow, each with
/// the reason why not.
pub(crate) fn select_ready(mut cards: Vec<ItemCard>, asker: Option<&str>, all: bool) -> Vec<ItemCard> {
    for card in &mut cards {
        let other = card.assignee.as_deref().filter(|who| Some(*who) != asker);
        if card.in_the_way.is_none() && other.is_some() {
            card.in_the_way = Some(NotReadyReason::Assigned);
        }
    }
    if !all {
        cards.retain(|card| card.in_the_way.is_none());
    }
    let barred = |card: &ItemCard| card.in_the_way.is_some();
    cards.sort_by_key(|card| (barred(card), card.priority, card.created_at, card.id));
    cards
}

impl Index {
    /// The items that somebody can start now; with `all` the others too.
    pub(crate) fn ready(&self, asker: Option<&str>, all: bool) -> Vec<ItemCard> {
        let concerned =
            |row: &&Row| is_candidate_column(row.column, all) && !row.deleted && (all || can_be_free(row));
        let cards = self.cards(self.shown().filter(concerned));
        select_ready(cards, asker, all)
    }

    /// The best item that somebody can start now.
    pub(crate) fn best(&self, asker: &str) -> Option<ItemView> {
        let concerned =
            |row: &&Row| is_candidate_column(row.column, false) && !row.deleted && can_be_free(row);
        let mut rows: Vec<&Row> = self.shown().filter(concerned).collect();
        rows.sort_by_key(|row| (row.priority, row.created_at, row.id));
        let free = |row: &ItemView| {
            row.assignee.as_deref().is_none_or(|who| who == asker)
                && self.in_the_way(row, self.waits(row)).is_none()
        };
        rows.into_iter().filter_map(Row::view).find(free)
    }

    /// Whether an item has a dependency that is neither satisfied nor suspended.
    fn waits(&self, row: &ItemView) -> bool {
        let waits = |on: &ItemId| !self.satisfies(on) && !self.is_suspended(&row.id, on);
        row.depends_on.iter().any(waits)
    }

    /// Why nobody can start an item now; `None` also for items that were started already. The caller knows
    /// whether it waits for a dependency.
    pub(super) fn in_the_way(&self, row: &ItemView, waits: bool) -> Option<NotReadyReason> {
        if !is_candidate_column(row.column, true) || row.deleted || row.purged {
            return None;
        }
        if row.kind == Kind::Epic {
            return Some(NotReadyReason::Epic);
        }
        if row.column == Column::Upcoming {
            return Some(NotReadyReason::Upcoming);
        }
        if row.claim.is_some() {
            return Some(NotReadyReason::Claimed);
        }
        // An imported item in coding that was never claimed here is being worked on in the other tracker.
        let elsewhere = row.column == Column::Coding && row.imported.is_some() && row.generation == 0;
        if elsewhere && row.assignee.is_none() {
            return Some(NotReadyReason::Underway);
        }
        if !row.holds.is_empty() {
            return Some(NotReadyReason::Held);
        }
        if waits {
            return Some(NotReadyReason::Waits);
        }
        self.epic_in_the_way(row.epic)
    }

    /// The nearest epic above that is held or waits, which blocks its items.
    pub(crate) fn epic_in_the_way(&self, epic: Option<ItemId>) -> Option<NotReadyReason> {
        let mut above = epic;
        for _ in 0..ABOVE {
            let id = above?;
            let row = self.rows.get(&id)?;
            let counts = !row.purged && !row.deleted && row.column.is_open();
            let handle = || self.handle_of(row.number, &id);
            if counts && row.held {
                return Some(NotReadyReason::EpicHeld { epic: handle() });
            }
            let waits = |on: &ItemId| !self.satisfies(on) && !self.is_suspended(&id, on);
            if counts && row.depends && row.references().depends_on.iter().any(waits) {
                return Some(NotReadyReason::EpicWaits { epic: handle() });
            }
            above = row.references().epic;
        }
        None
    }

    /// The items that belong to an epic, directly or not, up to a limit.
    pub(crate) fn below(&self, id: &ItemId) -> BTreeSet<ItemId> {
        let mut found = BTreeSet::new();
        let mut open = vec![*id];
        while let Some(id) = open.pop().filter(|_| found.len() < BELOW) {
            open.extend(
                seconds(&self.children, &id)
                    .copied()
                    .filter(|id| found.insert(*id)),
            );
        }
        found
    }
}

/// Whether a row may be ready, judged by its header.
fn can_be_free(row: &Row) -> bool {
    !row.held && !row.claimed && row.kind != Kind::Epic
}
