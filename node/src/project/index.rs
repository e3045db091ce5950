//! The index: all rows of a project in memory, and what takes more than one row to know.
//!
//! Rows come from `towline_crdt::commit` and are never changed here. What depends on other items is
//! computed when asked: names ([`find`]), whether dependencies are satisfied, epics' progress, what is
//! ready.

mod find;

pub(super) use find::letters;

use std::collections::{BTreeMap, BTreeSet};

use towline_crdt::view::ItemView;
use towline_proto::table::legal_from;
use towline_proto::{Closing, Column, ItemId, Kind, Millis};

use crate::dto::{ItemCard, ItemLink};

/// Steps along a chain of successors before it counts as endless.
const MAX_SUCCESSORS: usize = 32;

/// All rows of one project.
#[derive(Debug, Default)]
pub(crate) struct Index {
    rows: BTreeMap<ItemId, ItemView>,
    numbers: BTreeMap<u32, Vec<ItemId>>,
    keys: BTreeMap<String, ItemId>,
    external: BTreeMap<String, BTreeSet<ItemId>>,
    dependants: BTreeMap<ItemId, BTreeSet<ItemId>>,
    children: BTreeMap<ItemId, BTreeSet<ItemId>>,
}

impl Index {
    /// Enters a row in place of the one before, which is returned.
    pub(crate) fn put(&mut self, row: ItemView) -> Option<ItemView> {
        let before = self.remove(&row.id);
        let id = row.id;
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
        self.rows.insert(id, row);
        before
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, id: &ItemId) -> Option<ItemView> {
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
        Some(row)
    }

    /// One row.
    pub(crate) fn get(&self, id: &ItemId) -> Option<&ItemView> {
        self.rows.get(id)
    }

    /// All rows, the trash too, in order of their ids.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &ItemView> {
        self.rows.values()
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The number for a new item: above every number that is known, the trash's too.
    pub(crate) fn next_number(&self) -> u32 {
        self.numbers
            .keys()
            .next_back()
            .map_or(1, |number| number.saturating_add(1))
    }

    /// The items that have a number.
    pub(crate) fn numbered(&self, number: u32) -> impl Iterator<Item = &ItemId> {
        self.numbers.get(&number).into_iter().flatten()
    }

    /// The item with an external reference; the oldest on every node where two nodes imported it apart.
    pub(crate) fn by_external(&self, reference: &str) -> Option<ItemId> {
        self.external.get(reference)?.first().copied()
    }

    /// Another item in short.
    pub(crate) fn link(&self, id: &ItemId) -> ItemLink {
        match self.rows.get(id) {
            None => ItemLink {
                handle: id.key().get(..8).unwrap_or_default().to_owned(),
                id: *id,
                title: String::new(),
                status: None,
                satisfied: false,
                note: Some("not known here yet".into()),
            },
            Some(row) => ItemLink {
                handle: self.handle(row),
                id: *id,
                title: row.title.clone(),
                status: Some(row.status()),
                satisfied: row.column == Column::Done,
                note: row.deleted.then(|| "deleted".to_owned()),
            },
        }
    }

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

    /// Whether `from` depends on `to`, directly or not.
    pub(crate) fn depends_on(&self, from: &ItemId, to: &ItemId) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![*from];
        while let Some(id) = open.pop() {
            if id == *to {
                return true;
            }
            if seen.insert(id) {
                open.extend(
                    self.rows
                        .get(&id)
                        .iter()
                        .flat_map(|row| row.depends_on.iter().copied()),
                );
            }
        }
        false
    }

    /// Items that depend on this one.
    pub(crate) fn dependants(&self, id: &ItemId) -> Vec<ItemLink> {
        self.dependants
            .get(id)
            .into_iter()
            .flatten()
            .map(|id| self.link(id))
            .collect()
    }

    /// Items of this epic.
    pub(crate) fn children(&self, id: &ItemId) -> Vec<ItemLink> {
        self.children
            .get(id)
            .into_iter()
            .flatten()
            .map(|id| self.link(id))
            .collect()
    }

    /// Dependencies with whether they are satisfied. One that closes a circle, which only happens by
    /// merging, is never satisfied and says why, so that it blocks nobody silently.
    fn dependencies(&self, row: &ItemView) -> Vec<ItemLink> {
        let on = row.depends_on.iter().map(|on| {
            let mut link = self.dependency(on);
            if !link.satisfied && self.depends_on(on, &row.id) {
                link.note = Some("closes a circle of dependencies".into());
            }
            link
        });
        on.collect()
    }

    fn progress(&self, row: &ItemView) -> Option<(usize, usize)> {
        if row.kind != Kind::Epic {
            return None;
        }
        let children = self
            .children
            .get(&row.id)
            .into_iter()
            .flatten()
            .filter_map(|id| self.rows.get(id));
        let counted: Vec<_> = children.filter(|child| !child.deleted).collect();
        let is_done = |child: &&&ItemView| child.column == Column::Done || child.column == Column::Archived;
        Some((counted.iter().filter(is_done).count(), counted.len()))
    }

    /// A row as lists and boards show it.
    pub(crate) fn card(&self, row: &ItemView) -> ItemCard {
        let depends_on = self.dependencies(row);
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
            epic: row.epic.map(|epic| self.link(&epic)),
            unmet: depends_on.iter().filter(|link| !link.satisfied).count(),
            depends_on,
            retries: row.retries,
            criteria_met: row.criteria_met(),
            criteria: row.criteria.len(),
            comments: row.comments,
            conflicts: row.conflicts.len(),
            attention: row.attention.clone(),
            progress: self.progress(row),
            origin: row.origin.clone(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            entered_at: row.entered_at,
            legal: legal_from(row.standing()),
        }
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
        let met = |row: &&ItemView| row.depends_on.iter().all(|on| self.dependency(on).satisfied);
        let mut ready: Vec<_> = self.rows.values().filter(startable).filter(met).collect();
        ready.sort_by_key(|row| (row.priority, row.created_at, row.id));
        ready
    }

    /// Board order: by column, then priority, then how long it stands there.
    pub(crate) fn board_order(row: &ItemView) -> (Column, u8, Millis, ItemId) {
        (row.column, row.priority, row.entered_at, row.id)
    }
}

/// Changes with everything that a transition could depend on: the heads of the stage's registers.
pub(crate) fn revision(row: &ItemView) -> String {
    let mut hasher = blake3::Hasher::new();
    for head in &row.heads {
        hasher.update(&head.0);
    }
    towline_proto::ids::to_hex(&hasher.finalize().as_bytes()[..8])
}
