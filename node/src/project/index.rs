//! The index: all rows of a project in memory, and what takes more than one row to know.
//!
//! Rows come from `towline_crdt::commit` and are never changed here. What depends on other items is
//! computed when asked: handles (`42`, or `42a` and `42b` where two items share a number), key
//! prefixes, whether dependencies are satisfied, epics' progress, what is ready.

use std::collections::{BTreeMap, BTreeSet};

use towline_crdt::view::ItemView;
use towline_proto::table::legal_from;
use towline_proto::{Closing, Column, ItemId, Kind, Millis, text};

use crate::dto::{ItemCard, ItemLink};
use crate::request::{Failure, FailureCode};

/// Steps along a chain of successors before it counts as endless.
const MAX_SUCCESSORS: usize = 32;
/// Shortest key prefix that names an item.
const MIN_KEY: usize = 4;
/// Items named in a message about an ambiguous handle.
const NAMED: usize = 5;

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

    /// The item with an external reference; the oldest on every node where two nodes imported it apart.
    pub(crate) fn by_external(&self, reference: &str) -> Option<ItemId> {
        self.external.get(reference)?.first().copied()
    }

    /// What people type for an item.
    pub(crate) fn handle(&self, row: &ItemView) -> String {
        match self.numbers.get(&row.number).map(Vec::as_slice) {
            Some(several) if several.len() > 1 => {
                let place = several.iter().position(|id| *id == row.id).unwrap_or(0);
                format!("{}{}", row.number, letters(place))
            }
            _ => row.number.to_string(),
        }
    }

    /// The shortest prefix of an item's key that no other item shares.
    fn short_key(&self, id: &ItemId) -> String {
        let key = id.key();
        let shared = |other: Option<(&String, &ItemId)>| {
            other.map_or(0, |(other, _)| {
                other.bytes().zip(key.bytes()).take_while(|(a, b)| a == b).count()
            })
        };
        let below = shared(self.keys.range(..key.clone()).next_back());
        let above = shared(self.keys.range(format!("{key}\0")..).next());
        let digits = (below.max(above) + 1).clamp(MIN_KEY, key.len());
        key.get(..digits).unwrap_or(&key).to_owned()
    }

    /// The items that a person may mean: several only for a number that several share.
    pub(crate) fn find(&self, wanted: &str) -> Result<Vec<ItemId>, Failure> {
        let wanted = wanted.trim().trim_start_matches('#').to_lowercase();
        let not_found = |why: &str| {
            Failure::new(
                FailureCode::NotFound,
                format!("no item {:?}: {why}", text::show(&wanted, 80)),
            )
        };
        let digits = wanted.len() - wanted.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, suffix) = wanted.split_at(digits);
        if let Some(several) = number
            .parse()
            .ok()
            .and_then(|number: u32| self.numbers.get(&number))
        {
            if suffix.is_empty() {
                return Ok(several.clone());
            }
            let named = several
                .iter()
                .enumerate()
                .find(|(place, _)| letters(*place) == suffix);
            if let Some((_, id)) = named.filter(|_| several.len() > 1) {
                return Ok(vec![*id]);
            }
        }
        if let Ok(id) = wanted.parse::<ItemId>() {
            return if self.rows.contains_key(&id) {
                Ok(vec![id])
            } else {
                Err(not_found("no such id here"))
            };
        }
        let is_hex = !wanted.is_empty() && wanted.bytes().all(|byte| byte.is_ascii_hexdigit());
        if wanted.len() < MIN_KEY || !is_hex {
            return Err(not_found(
                "type a number such as 42, or at least four digits of a key",
            ));
        }
        let mut fits = self
            .keys
            .range(wanted.clone()..)
            .take_while(|(key, _)| key.starts_with(&wanted));
        match (fits.next(), fits.next()) {
            (Some((_, id)), None) => Ok(vec![*id]),
            (Some(_), Some(_)) => Err(not_found("several keys begin so; type more digits")),
            (None, _) => Err(not_found("no number and no key fits")),
        }
    }

    /// The one item that a person means, for something that changes it: a number that two items
    /// share names neither.
    pub(crate) fn find_one(&self, wanted: &str) -> Result<&ItemView, Failure> {
        let found = self.find(wanted)?;
        match found.as_slice() {
            [id] => self
                .rows
                .get(id)
                .ok_or_else(|| Failure::new(FailureCode::NotFound, "no such item")),
            several => {
                let names: Vec<_> = several
                    .iter()
                    .take(NAMED)
                    .filter_map(|id| self.named(id))
                    .collect();
                let message = format!(
                    "{wanted} is {} items; name one: {}",
                    several.len(),
                    names.join(", ")
                );
                Err(Failure::new(FailureCode::NotFound, message))
            }
        }
    }

    fn named(&self, id: &ItemId) -> Option<String> {
        let row = self.rows.get(id)?;
        Some(format!("{} ({})", self.handle(row), text::show(&row.title, 40)))
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

/// 0 → a, 25 → z, 26 → aa.
fn letters(mut place: usize) -> String {
    let mut letters = String::new();
    loop {
        letters.insert(0, char::from(b'a' + u8::try_from(place % 26).unwrap_or(0)));
        place /= 26;
        if place == 0 {
            return letters;
        }
        place -= 1;
    }
}
