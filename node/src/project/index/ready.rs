//! What somebody can start now, and what stands in the way of the rest.
//!
//! Whether nobody can start an item follows from the project alone and is part of its card; to whom it is
//! assigned depends on who asks. One function over cards decides both, so that an open project and the
//! snapshot of its cards give the same answer. Changes nothing.

use std::collections::BTreeSet;

use towline_crdt::view::ItemView;
use towline_proto::{Column, ItemId, Kind};

use super::{Index, seconds};
use crate::api::types::{ItemCard, NotReadyReason};
use crate::cache::Row;

/// Epics above an item that are looked at; people apart can nest them in a circle.
const ABOVE: usize = 64;
/// Items below an epic that are looked at again when it changes.
const BELOW: usize = 10_000;

/// Whether items of a column can be started at all, or may be after a look at them.
pub(in crate::project) const fn is_candidate_column(column: Column, all: bool) -> bool {
    matches!(column, Column::Backlog | Column::Coding) || all && matches!(column, Column::Upcoming)
}

/// Of cards that `ready` is about those that somebody can start, by priority, then age; with `all` the
/// others behind them, each with what stands in the way.
pub(in crate::project) fn select_ready(
    mut cards: Vec<ItemCard>,
    asker: Option<&str>,
    all: bool,
) -> Vec<ItemCard> {
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
    /// What somebody can start now; with `all` what they cannot, too.
    pub(crate) fn ready(&self, asker: Option<&str>, all: bool) -> Vec<ItemCard> {
        let concerned =
            |row: &&Row| is_candidate_column(row.column, all) && !row.deleted && (all || can_be_free(row));
        let cards = self.cards(self.shown().filter(concerned));
        select_ready(cards, asker, all)
    }

    /// The best of what somebody can start now.
    pub(crate) fn best(&self, asker: &str) -> Option<ItemView> {
        let concerned =
            |row: &&Row| is_candidate_column(row.column, false) && !row.deleted && can_be_free(row);
        let mut rows: Vec<&Row> = self.shown().filter(concerned).collect();
        rows.sort_by_key(|row| (row.priority, row.created_at, row.id));
        let free = |row: &ItemView| {
            row.assignee.as_deref().is_none_or(|who| who == asker) && self.in_the_way(row).is_none()
        };
        rows.into_iter().filter_map(Row::view).find(free)
    }

    /// Why nobody can start an item now. Nothing is said of items that are beyond being started.
    pub(crate) fn in_the_way(&self, row: &ItemView) -> Option<NotReadyReason> {
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
        // Where nobody has ever claimed it here, somebody works on it in the other tracker.
        let elsewhere = row.column == Column::Coding && row.imported.is_some() && row.generation == 0;
        if elsewhere && row.assignee.is_none() {
            return Some(NotReadyReason::Underway);
        }
        if !row.holds.is_empty() {
            return Some(NotReadyReason::Held);
        }
        if row.depends_on.iter().any(|on| !self.wait(row, on).satisfied) {
            return Some(NotReadyReason::Waits);
        }
        self.epic_in_the_way(row.epic)
    }

    /// The nearest epic above that is held or waits, and so keeps its items from being started.
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
            if counts && row.depends && row.references().0.iter().any(waits) {
                return Some(NotReadyReason::EpicWaits { epic: handle() });
            }
            above = row.epic();
        }
        None
    }

    /// The items that belong to an epic, directly or not, as far as it takes to look at them again.
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

/// Whether a row can be free to be started, as far as it shows without unpacking it.
fn can_be_free(row: &Row) -> bool {
    !row.held && !row.claimed && row.kind != Kind::Epic
}
