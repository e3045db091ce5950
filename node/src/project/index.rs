//! The index: all rows of a project in memory, and what takes more than one row to know.
//!
//! Rows come from `towline_crdt::commit` and are never changed here. What depends on other items is
//! computed when asked: names ([`find`]), whether dependencies are satisfied, epics' progress, what is
//! ready.

mod circles;
mod find;
#[cfg(test)]
mod tests;

pub(super) use find::letters;

use std::collections::{BTreeMap, BTreeSet};

use towline_crdt::view::ItemView;
use towline_proto::table::legal_from;
use towline_proto::{Closing, Column, ItemId, Kind, Millis};

use super::filter::Facts;
use crate::dto::{ItemCard, ItemLink};

/// Steps along a chain of successors before it counts as endless.
const MAX_SUCCESSORS: usize = 32;

/// All rows of one project.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Boxed: a row is large, and a node of the tree is half empty on average.
    rows: BTreeMap<ItemId, Box<ItemView>>,
    /// Sets of pairs and not maps of sets: nearly every number and reference belongs to one item, and a
    /// set of its own for each took more memory than its row's title.
    numbers: BTreeSet<(u32, Millis, ItemId)>,
    /// By the key as a number, in the order of its digits.
    keys: BTreeMap<u64, ItemId>,
    external: BTreeSet<(String, ItemId)>,
    /// What is depended on, and by whom.
    dependants: BTreeSet<(ItemId, ItemId)>,
    /// An epic and its items.
    children: BTreeSet<(ItemId, ItemId)>,
}

/// The smallest and the largest id, to find what belongs to something.
const IDS: (ItemId, ItemId) = (ItemId([0; ItemId::LEN]), ItemId([0xff; ItemId::LEN]));

/// The second of each pair whose first is this.
fn of<'a>(pairs: &'a BTreeSet<(ItemId, ItemId)>, first: &ItemId) -> impl Iterator<Item = &'a ItemId> {
    pairs
        .range((*first, IDS.0)..=(*first, IDS.1))
        .map(|(_, second)| second)
}

impl Index {
    /// Enters a row in place of the one before, which is returned.
    pub(crate) fn put(&mut self, row: ItemView) -> Option<ItemView> {
        let before = self.remove(&row.id);
        let id = row.id;
        self.numbers.insert((row.number, row.created_at, id));
        self.keys.insert(find::key(&id), id);
        for reference in row.external() {
            self.external.insert((reference.to_owned(), id));
        }
        self.dependants.extend(row.depends_on.iter().map(|on| (*on, id)));
        self.children.extend(row.epic.map(|epic| (epic, id)));
        self.rows.insert(id, Box::new(row));
        before
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, id: &ItemId) -> Option<ItemView> {
        let row = self.rows.remove(id)?;
        self.numbers.remove(&(row.number, row.created_at, *id));
        self.keys.remove(&find::key(id));
        for reference in row.external() {
            self.external.remove(&(reference.to_owned(), *id));
        }
        for on in &row.depends_on {
            self.dependants.remove(&(*on, *id));
        }
        if let Some(epic) = row.epic {
            self.children.remove(&(epic, *id));
        }
        Some(*row)
    }

    /// One row.
    pub(crate) fn get(&self, id: &ItemId) -> Option<&ItemView> {
        self.rows.get(id).map(Box::as_ref)
    }

    /// All rows, the trash too, in order of their ids.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &ItemView> {
        self.rows.values().map(Box::as_ref)
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The number for a new item: above every number that is known, the trash's too.
    pub(crate) fn next_number(&self) -> u32 {
        self.numbers
            .last()
            .map_or(1, |(number, ..)| number.saturating_add(1))
    }

    /// The item with an external reference; the oldest on every node where two nodes imported it apart.
    pub(crate) fn by_external(&self, reference: &str) -> Option<ItemId> {
        let mut from = self.external.range((reference.to_owned(), IDS.0)..);
        let (found, id) = from.next()?;
        (found == reference).then_some(*id)
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
        let (end, successor) = self.trace(on);
        let mut link = self.link(on);
        link.satisfied = matches!(end, End::Satisfied);
        if let Some(by) = successor {
            link.note = Some(format!("superseded by {}", self.link(by).handle));
        }
        match end {
            End::Closed(closing) => link.note = Some(format!("{} without being done", closing.status())),
            End::Endless => link.note = Some("its successors lead in a circle".into()),
            End::Satisfied | End::Open => {}
        }
        link
    }

    /// Whether a dependency is satisfied.
    fn satisfies(&self, on: &ItemId) -> bool {
        matches!(self.trace(on).0, End::Satisfied)
    }

    /// Where a dependency leads, and its last successor if it was superseded.
    fn trace<'a>(&'a self, on: &ItemId) -> (End<'a>, Option<&'a ItemId>) {
        let (mut at, mut successor) = (on, None);
        for _ in 0..MAX_SUCCESSORS {
            let Some(row) = self.rows.get(at) else {
                return (End::Open, successor);
            };
            let ended = matches!(row.column, Column::Closed | Column::Archived);
            match (&row.closing, ended) {
                (Some(Closing::Superseded { by }), true) => (at, successor) = (by, Some(by)),
                (Some(closing), true) => return (End::Closed(closing), successor),
                (_, _) if row.deleted => return (End::Open, successor),
                (_, _) if matches!(row.column, Column::Done | Column::Archived) => {
                    return (End::Satisfied, successor);
                }
                (_, _) => return (End::Open, successor),
            }
        }
        (End::Endless, successor)
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
        of(&self.dependants, id).map(|id| self.link(id)).collect()
    }

    /// Items of this epic.
    pub(crate) fn children(&self, id: &ItemId) -> Vec<ItemLink> {
        of(&self.children, id).map(|id| self.link(id)).collect()
    }

    /// Dependencies with whether they are satisfied. One that closes a circle, which only happens by
    /// merging, is never satisfied and says why, so that it blocks nobody silently.
    fn dependencies(&self, row: &ItemView, leads_back: impl Fn(&ItemId) -> bool) -> Vec<ItemLink> {
        let on = row.depends_on.iter().map(|on| {
            let mut link = self.dependency(on);
            if !link.satisfied && leads_back(on) {
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
        let (mut done, mut all) = (0, 0);
        for child in of(&self.children, &row.id)
            .filter_map(|id| self.rows.get(id))
            .filter(|child| !child.deleted)
        {
            all += 1;
            done += usize::from(matches!(child.column, Column::Done | Column::Archived));
        }
        Some((done, all))
    }

    /// A row as lists and boards show it.
    pub(crate) fn card(&self, row: &ItemView) -> ItemCard {
        self.card_with(row, |on| self.depends_on(on, &row.id))
    }

    /// Many rows as cards, in their order.
    pub(crate) fn cards(&self, rows: Vec<&ItemView>) -> Vec<ItemCard> {
        let waits = |row: &&ItemView| row.depends_on.iter().any(|on| !self.satisfies(on));
        let circles = self.circles(rows.iter().copied().filter(waits));
        let card = |row: &ItemView| self.card_with(row, |on| circles.hold(on, &row.id));
        rows.into_iter().map(card).collect()
    }

    fn card_with(&self, row: &ItemView, leads_back: impl Fn(&ItemId) -> bool) -> ItemCard {
        let depends_on = self.dependencies(row, leads_back);
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

    /// What can be started now: nothing is in its way and every dependency is satisfied. By priority,
    /// then age.
    pub(crate) fn ready(&self) -> Vec<&ItemView> {
        let met = |row: &&ItemView| row.depends_on.iter().all(|on| self.satisfies(on));
        let startable = |row: &&ItemView| Facts::from(*row).startable();
        let mut ready: Vec<_> = self.rows().filter(startable).filter(met).collect();
        ready.sort_by_key(|row| (row.priority, row.created_at, row.id));
        ready
    }

    /// Board order: by column, then priority, then how long it stands there.
    pub(crate) fn board_order(row: &ItemView) -> (Column, u8, Millis, ItemId) {
        (row.column, row.priority, row.entered_at, row.id)
    }
}

/// How following a dependency ends.
enum End<'a> {
    /// Done, or archived from done.
    Satisfied,
    /// Not yet, or not known here.
    Open,
    /// Closed without being done.
    Closed(&'a Closing),
    /// Never.
    Endless,
}

/// Changes with everything that a transition could depend on: the heads of the stage's registers.
pub(crate) fn revision(row: &ItemView) -> String {
    let mut hasher = blake3::Hasher::new();
    for head in &row.heads {
        hasher.update(&head.0);
    }
    towline_proto::ids::to_hex(&hasher.finalize().as_bytes()[..8])
}
