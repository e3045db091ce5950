//! Summarises many events of a project in one line.
//!
//! The line has counts by kind of change and names some of the items: those that moved, with their current
//! column, and those that need a person now. Events are added in feed order, so the line shows the state
//! after the last one. No event is kept, so a backlog of any length takes bounded memory.

use std::collections::BTreeMap;

use towline_proto::text::show;
use towline_proto::{Column, Event, EventKind, ItemId, Status};

use super::acked_ranges::PositionRanges;
use super::coalesce::{ChatText, EventsHash, escape_html};

/// Maximum number of items that a digest stores; further ones are only counted.
const STORED_ITEMS: usize = 1_000;
/// Maximum number of items named for each kind of change.
const NAMED_ITEMS: usize = 5;

/// A summary of events.
#[derive(Debug, Clone, Default)]
pub(crate) struct Digest {
    /// The feed positions that it covers.
    pub(crate) positions: PositionRanges,
    /// The hash of its events.
    pub(crate) hash: EventsHash,
    /// The number of events.
    pub(crate) events: u64,
    counts: EventCounts,
    items: BTreeMap<ItemId, DigestItem>,
    /// Whether there were more than [`STORED_ITEMS`] items.
    overflow: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct EventCounts {
    created: u64,
    moves: u64,
    done: u64,
    holds: u64,
    conflicts: u64,
    deleted: u64,
    other: u64,
}

/// An item after the last event about it.
#[derive(Debug, Clone)]
struct DigestItem {
    number: u32,
    title: String,
    status: Status,
    /// The column that it moved to last.
    to: Option<Column>,
    created: bool,
    held: bool,
    conflicted: bool,
    deleted: bool,
    other: bool,
}

impl DigestItem {
    fn label(&self) -> String {
        format!("{} {}", self.number, self.title)
    }

    /// Whether it waits for a person.
    const fn needs_attention(&self) -> bool {
        matches!(
            self.status,
            Status::Blocked | Status::MergeFailure | Status::MergeFailureFinal | Status::ReviewHold
        ) && !self.deleted
    }

    /// Adds a later event.
    fn apply_later(&mut self, later: Self) {
        *self = Self {
            to: later.to.or(self.to),
            created: self.created || later.created,
            held: self.held || later.held,
            conflicted: self.conflicted || later.conflicted,
            other: self.other || later.other,
            ..later
        };
    }
}

impl Digest {
    /// Adds an event, which covers the positions `from` to `to`. Events of one item must be added in feed
    /// order.
    pub(crate) fn add(&mut self, from: u64, to: u64, event: &Event) {
        self.positions.insert(from, to);
        self.hash.push(&event.id);
        self.events += 1;
        let mut item = DigestItem {
            number: event.number,
            title: show(&event.title, 40),
            status: event.status,
            to: None,
            created: false,
            held: false,
            conflicted: false,
            deleted: false,
            other: false,
        };
        match &event.what {
            EventKind::ItemCreated { .. } => {
                self.counts.created += 1;
                item.created = true;
            }
            EventKind::StageChanged { to, .. } => {
                self.counts.moves += 1;
                self.counts.done += u64::from(*to == Column::Done);
                item.to = Some(*to);
            }
            EventKind::ConflictRaised { .. } => {
                self.counts.conflicts += 1;
                item.conflicted = true;
            }
            EventKind::Deleted => {
                self.counts.deleted += 1;
                item.deleted = true;
            }
            EventKind::HoldsChanged { .. } => {
                self.counts.holds += 1;
                item.held = true;
            }
            // Counted with the conflict that comes with it.
            EventKind::ChangedByMerge { .. } => {}
            EventKind::Claimed { .. }
            | EventKind::Released { .. }
            | EventKind::FieldChanged { .. }
            | EventKind::Commented { .. }
            | EventKind::ConflictsResolved
            | EventKind::Restored => {
                self.counts.other += 1;
                item.other = true;
            }
        }
        self.add_item(event.item, item);
    }

    fn add_item(&mut self, id: ItemId, item: DigestItem) {
        let full = self.items.len() >= STORED_ITEMS;
        match self.items.get_mut(&id) {
            Some(known) => known.apply_later(item),
            None if full => self.overflow = true,
            None => drop(self.items.insert(id, item)),
        }
    }

    /// Adds a digest of later events.
    pub(crate) fn merge(&mut self, other: Self) {
        self.positions.extend(&other.positions);
        self.hash.extend(&other.hash);
        self.events += other.events;
        let (ours, theirs) = (&mut self.counts, other.counts);
        ours.created += theirs.created;
        ours.moves += theirs.moves;
        ours.done += theirs.done;
        ours.holds += theirs.holds;
        ours.conflicts += theirs.conflicts;
        ours.deleted += theirs.deleted;
        ours.other += theirs.other;
        self.overflow |= other.overflow;
        for (id, item) in other.items {
            self.add_item(id, item);
        }
    }

    /// Updates the state of an item from later events that get a message of their own.
    pub(crate) fn update_item(&mut self, id: &ItemId, later: &Self) {
        if let (Some(item), Some(later)) = (self.items.get_mut(id), later.items.get(id)) {
            item.status = later.status;
            item.deleted = later.deleted || (item.deleted && !later.other);
            item.to = item.to.and(later.to).or(item.to);
        }
    }

    /// The line. `hint` says how to list all items; it is added when some are not named.
    pub(crate) fn render(&self, project: &str, hint: &str) -> ChatText {
        let mut parts = Vec::new();
        let mut complete = !self.overflow;
        let mut add_part = |head: String, items: Vec<String>| {
            let named = items
                .iter()
                .take(NAMED_ITEMS)
                .cloned()
                .collect::<Vec<_>>()
                .join(", ");
            parts.push(match items.len() {
                0 => head,
                all if all > NAMED_ITEMS => {
                    complete = false;
                    format!("{head}: {named} and {} more", all - NAMED_ITEMS)
                }
                _ => format!("{head}: {named}"),
            });
        };
        let counted =
            |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let items = |which: &dyn Fn(&DigestItem) -> bool| -> Vec<String> {
            let mut items: Vec<&DigestItem> = self.items.values().filter(|item| which(item)).collect();
            items.sort_by_key(|item| item.number);
            items.into_iter().map(DigestItem::label).collect()
        };
        let counts = &self.counts;
        if counts.moves > 0 {
            let mut moved: Vec<&DigestItem> = self.items.values().filter(|item| item.to.is_some()).collect();
            moved.sort_by_key(|item| item.number);
            let to = |item: &&DigestItem| item.to.map(|to| format!("{} → {to}", item.label()));
            let done = match counts.done {
                0 => String::new(),
                done => format!(" ({done} to done)"),
            };
            let head = counted(counts.moves, "move", "moves") + &done;
            add_part(head, moved.iter().filter_map(to).collect());
        }
        if counts.created > 0 {
            let head = counted(counts.created, "new item", "new items");
            add_part(head, items(&|item| item.created && item.to.is_none()));
        }
        if counts.conflicts > 0 {
            add_part(
                counted(counts.conflicts, "conflict", "conflicts"),
                items(&|item| item.conflicted),
            );
        }
        if counts.deleted > 0 {
            add_part(format!("{} deleted", counts.deleted), items(&|item| item.deleted));
        }
        let words = [
            (Status::Blocked, "blocked"),
            (Status::MergeFailure, "with a failed merge"),
            (Status::MergeFailureFinal, "with a merge that failed for good"),
            (Status::ReviewHold, "waiting for approval"),
        ];
        for (status, word) in words {
            let held = items(&|item| item.needs_attention() && item.status == status);
            if !held.is_empty() {
                add_part(format!("{} {word}", held.len()), held);
            }
        }
        // Items whose holds were removed again, or have a hold that needs nobody, such as frozen ones.
        let others =
            items(&|item| item.held && !item.needs_attention() && !item.deleted && item.to.is_none());
        if !others.is_empty() {
            add_part("holds changed".to_owned(), others);
        }
        if counts.other > 0 {
            let head = counted(counts.other, "other change", "other changes");
            add_part(
                head,
                items(&|item| item.other && item.to.is_none() && !item.created),
            );
        }
        if parts.is_empty() {
            parts.push(counted(self.events, "change", "changes"));
        }
        let project = show(project, 60);
        let hint = match complete {
            true => String::new(),
            false => format!(" ({hint})"),
        };
        let changes = parts.join("; ") + &hint;
        ChatText {
            plain: format!("{project} summary: {changes}"),
            html: format!(
                "<strong>{}</strong> summary: {}",
                escape_html(&project),
                escape_html(&changes)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use towline_proto::HoldKind;

    use super::super::test_feed::{TestFeed, holds, moved};
    use super::*;

    fn line(feed: &mut TestFeed, events: Vec<(u32, &str, EventKind)>) -> String {
        let mut digest = Digest::default();
        for (number, title, what) in events {
            let event = feed.event(number, title, what);
            digest.add(event.position, event.position, &event.event);
        }
        digest.render("demo", "`!list demo/` lists all").plain
    }

    fn block() -> EventKind {
        holds(&[HoldKind::Blocked], &[], Some("keys"))
    }

    fn unblock() -> EventKind {
        holds(&[], &[HoldKind::Blocked], None)
    }

    #[test]
    fn a_few_items_are_named_with_their_current_column() {
        let events = vec![
            (4, "Login", moved(Column::Coding, Column::Qa)),
            (5, "Keys", moved(Column::Qa, Column::Merge)),
            (4, "Login", moved(Column::Qa, Column::Merge)),
            (7, "Pay", moved(Column::Merge, Column::Done)),
        ];
        assert_eq!(
            line(&mut TestFeed::new(), events),
            "demo summary: 4 moves (1 to done): 4 Login → merge, 5 Keys → merge, 7 Pay → done"
        );
    }

    #[test]
    fn of_many_items_some_are_named_with_a_hint_how_to_list_all() {
        let mut events: Vec<_> = (1..=34)
            .map(|number| (number, "Thing", moved(Column::Coding, Column::Qa)))
            .collect();
        events.extend([(3, "Thing", block()), (7, "Thing", block())]);
        assert_eq!(
            line(&mut TestFeed::new(), events),
            "demo summary: 34 moves: 1 Thing → qa, 2 Thing → qa, 3 Thing → qa, 4 Thing → qa, \
             5 Thing → qa and 29 more; 2 blocked: 3 Thing, 7 Thing (`!list demo/` lists all)"
        );
    }

    #[test]
    fn an_item_that_was_unblocked_again_is_not_listed_as_blocked() {
        let mut feed = TestFeed::new();
        let events = vec![
            (3, "Keys", block()),
            (5, "Pay", block()),
            (3, "Keys", unblock()),
            (8, "Lamp", unblock()),
        ];
        assert_eq!(
            line(&mut feed, events),
            "demo summary: 1 blocked: 5 Pay; holds changed: 3 Keys, 8 Lamp"
        );
    }

    #[test]
    fn later_events_update_the_state_of_an_item() {
        let mut feed = TestFeed::new();
        let mut digest = Digest::default();
        let mut later = Digest::default();
        let event = feed.event(3, "Keys", block());
        digest.add(event.position, event.position, &event.event);
        let event = feed.event(3, "Keys", unblock());
        later.add(event.position, event.position, &event.event);
        let item = event.event.item;
        let mut updated = digest.clone();
        updated.update_item(&item, &later);
        assert_eq!(
            updated.render("demo", "").plain,
            "demo summary: holds changed: 3 Keys"
        );
        digest.merge(later);
        assert_eq!(
            digest.render("demo", "").plain,
            "demo summary: holds changed: 3 Keys"
        );
    }
}
