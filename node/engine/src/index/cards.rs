//! Cards: rows as lists and boards show them, with data from other items.
//!
//! Reads the index and changes nothing.

use towline_api::types::{ItemCard, ItemLink, LinkNote};
use towline_crdt::view::ItemView;
use towline_proto::table::legal_from;
use towline_proto::{Column, ItemId, Kind, Status, Verb};
use towline_store::cache::Row;

use super::super::transition_errors;
use super::{Index, seconds};

impl Index {
    /// Another item in short.
    pub(crate) fn link(&self, id: &ItemId) -> ItemLink {
        match self.rows.get(id) {
            None => ItemLink {
                handle: id.key().get(..8).unwrap_or_default().to_owned(),
                id: *id,
                title: String::new(),
                status: None,
                satisfied: false,
                suspended: false,
                note: Some(LinkNote::Unknown),
            },
            Some(row) if row.purged => ItemLink {
                handle: self.handle_of(row.number, id),
                id: *id,
                title: String::new(),
                status: None,
                satisfied: false,
                suspended: false,
                note: Some(LinkNote::Purged),
            },
            Some(row) => ItemLink {
                handle: self.handle_of(row.number, id),
                id: *id,
                title: row.title().to_owned(),
                status: Some(row.status),
                satisfied: row.column == Column::Done,
                suspended: false,
                note: row.deleted.then_some(LinkNote::Deleted),
            },
        }
    }

    /// Items of this epic.
    pub(crate) fn children(&self, id: &ItemId) -> Vec<ItemLink> {
        seconds(&self.children, id)
            .filter(|id| self.rows.get(id).is_some_and(|row| !row.purged))
            .map(|id| self.link(id))
            .collect()
    }

    fn progress(&self, row: &ItemView) -> Option<(usize, usize)> {
        if row.kind != Kind::Epic {
            return None;
        }
        let (mut done, mut all) = (0, 0);
        let children = seconds(&self.children, &row.id).filter_map(|id| self.rows.get(id));
        for child in children.filter(|child| !child.deleted) {
            all += 1;
            done += usize::from(child.status == Status::Done);
        }
        Some((done, all))
    }

    /// Many rows as cards, in their order.
    pub(crate) fn cards<'a>(&self, rows: impl IntoIterator<Item = &'a Row>) -> Vec<ItemCard> {
        let views = rows.into_iter().filter_map(Row::view);
        views.map(|row| self.card(&row)).collect()
    }

    /// A row as lists and boards show it.
    pub(crate) fn card(&self, row: &ItemView) -> ItemCard {
        let depends_on = self.dependencies(row);
        let waits = depends_on.iter().any(|link| !link.satisfied);
        ItemCard {
            handle: self.handle(row),
            number: row.number,
            key: self.short_key(&row.id),
            id: row.id,
            revision: revision(row),
            kind: row.kind,
            title: row.title.clone(),
            column: row.column,
            status: row.status(),
            holds: row.holds.clone(),
            closing: row.closing.clone(),
            deleted: row.deleted,
            priority: row.priority,
            qa: row.qa,
            labels: row.labels.clone(),
            assignee: row.assignee.clone(),
            claim: row.claim.clone(),
            claim_heard: None,
            epic: row.epic.map(|epic| self.link(&epic)),
            unmet: depends_on.iter().filter(|link| !link.satisfied).count(),
            depends_on,
            retries: row.retries,
            criteria_met: row.criteria_met(),
            criteria: row.criteria.len(),
            comments: row.comments,
            conflicts: row.conflicts.len() + self.suspended_at(&row.id).len(),
            attention: row.attention.clone(),
            progress: self.progress(row),
            origin: row.origin.clone(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            entered_at: row.entered_at,
            skewed: false,
            in_the_way: self.in_the_way(row, waits),
            legal: legal_from(row.state())
                .into_iter()
                // Starting an item that waits needs `--force` and a reason.
                .filter(|verb| *verb != Verb::Start || !waits)
                .filter(|verb| transition_errors::redundant(*verb, row).is_none())
                .collect(),
        }
    }
}

/// Changes with everything that a transition could depend on: the heads of the stage registers.
pub(crate) fn revision(row: &ItemView) -> String {
    let mut hasher = blake3::Hasher::new();
    for head in &row.heads {
        hasher.update(&head.0);
    }
    towline_proto::ids::to_hex(&hasher.finalize().as_bytes()[..8])
}
