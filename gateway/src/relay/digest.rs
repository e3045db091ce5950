//! One line for what happened while nobody was listening.
//!
//! Counts by kind, and the items behind them by name: those that moved with where they stand now, those
//! that need a person at the end of it. Events are folded in the order of the feed, so what is named is
//! the state at the end. Like a story it keeps no events, so a backlog of any length costs the same.

use std::collections::BTreeMap;

use towline_proto::text::show;
use towline_proto::{Column, Event, EventKind, ItemId, Status};

use super::spans::Spans;
use super::story::{Chain, Text, escape};

/// Items that a digest remembers by name; of further ones there are only counts.
const REMEMBERED: usize = 1_000;
/// Items that a digest names at most for each thing that happened.
const NAMED: usize = 5;

/// What a backlog comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Digest {
    /// Feed positions that it accounts for.
    pub(crate) spans: Spans,
    /// Its events.
    pub(crate) chain: Chain,
    /// How many there are.
    pub(crate) events: u64,
    counts: Counts,
    items: BTreeMap<ItemId, Item>,
    /// Whether there were more items than are remembered.
    overflow: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    created: u64,
    moves: u64,
    done: u64,
    holds: u64,
    conflicts: u64,
    deleted: u64,
    other: u64,
}

/// An item as the last event about it left it.
#[derive(Debug, Clone)]
struct Item {
    number: u32,
    title: String,
    status: Status,
    /// Where it moved last.
    to: Option<Column>,
    created: bool,
    held: bool,
    disputed: bool,
    deleted: bool,
    other: bool,
}

impl Item {
    fn named(&self) -> String {
        format!("{} {}", self.number, self.title)
    }

    /// Whether it needs a person.
    const fn waits(&self) -> bool {
        matches!(
            self.status,
            Status::Blocked | Status::MergeFailure | Status::MergeFailureFinal | Status::ReviewHold
        ) && !self.deleted
    }

    /// Takes what happened after it.
    fn go_on(&mut self, later: Self) {
        *self = Self {
            to: later.to.or(self.to),
            created: self.created || later.created,
            held: self.held || later.held,
            disputed: self.disputed || later.disputed,
            other: self.other || later.other,
            ..later
        };
    }
}

impl Digest {
    /// Adds an event, which accounts for the positions `from` to `to`. Events of one item come in the
    /// order of the feed.
    pub(crate) fn fold(&mut self, from: u64, to: u64, event: &Event) {
        self.spans.insert(from, to);
        self.chain.push(&event.id);
        self.events += 1;
        let mut item = Item {
            number: event.number,
            title: show(&event.title, 40),
            status: event.status,
            to: None,
            created: false,
            held: false,
            disputed: false,
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
                item.disputed = true;
            }
            EventKind::Deleted => {
                self.counts.deleted += 1;
                item.deleted = true;
            }
            EventKind::HoldsChanged { .. } => {
                self.counts.holds += 1;
                item.held = true;
            }
            // A conflict was raised with it.
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
        self.note(event.item, item);
    }

    fn note(&mut self, id: ItemId, item: Item) {
        let full = self.items.len() >= REMEMBERED;
        match self.items.get_mut(&id) {
            Some(known) => known.go_on(item),
            None if full => self.overflow = true,
            None => drop(self.items.insert(id, item)),
        }
    }

    /// Adds the later events of one item that were counted apart.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.spans.extend(&other.spans);
        self.chain.join(&other.chain);
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
            self.note(id, item);
        }
    }

    /// What is known by now of an item of this digest, from events that are told later.
    pub(crate) fn overtake(&mut self, id: &ItemId, later: &Self) {
        if let (Some(item), Some(later)) = (self.items.get_mut(id), later.items.get(id)) {
            item.status = later.status;
            item.deleted = later.deleted || (item.deleted && !later.other);
            item.to = item.to.and(later.to).or(item.to);
        }
    }

    /// The line. `see` says how the rest is seen where not every item is named.
    pub(crate) fn tell(&self, project: &str, see: &str) -> Text {
        let mut parts = Vec::new();
        let mut whole = !self.overflow;
        let mut part = |head: String, items: Vec<String>| {
            let named = items.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            parts.push(match items.len() {
                0 => head,
                all if all > NAMED => {
                    whole = false;
                    format!("{head}: {named} and {} more", all - NAMED)
                }
                _ => format!("{head}: {named}"),
            });
        };
        let some =
            |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let items = |which: &dyn Fn(&Item) -> bool| -> Vec<String> {
            let mut items: Vec<&Item> = self.items.values().filter(|item| which(item)).collect();
            items.sort_by_key(|item| item.number);
            items.into_iter().map(Item::named).collect()
        };
        let counts = &self.counts;
        if counts.moves > 0 {
            let mut moved: Vec<&Item> = self.items.values().filter(|item| item.to.is_some()).collect();
            moved.sort_by_key(|item| item.number);
            let to = |item: &&Item| item.to.map(|to| format!("{} → {to}", item.named()));
            let done = match counts.done {
                0 => String::new(),
                done => format!(" ({done} to done)"),
            };
            let head = some(counts.moves, "move", "moves") + &done;
            part(head, moved.iter().filter_map(to).collect());
        }
        if counts.created > 0 {
            let head = some(counts.created, "new item", "new items");
            part(head, items(&|item| item.created && item.to.is_none()));
        }
        if counts.conflicts > 0 {
            part(
                some(counts.conflicts, "conflict", "conflicts"),
                items(&|item| item.disputed),
            );
        }
        if counts.deleted > 0 {
            part(format!("{} deleted", counts.deleted), items(&|item| item.deleted));
        }
        let words = [
            (Status::Blocked, "blocked"),
            (Status::MergeFailure, "with a failed merge"),
            (Status::MergeFailureFinal, "with a merge given up"),
            (Status::ReviewHold, "waiting for review"),
        ];
        for (status, word) in words {
            let held = items(&|item| item.waits() && item.status == status);
            if !held.is_empty() {
                part(format!("{} {word}", held.len()), held);
            }
        }
        // Holds that came and went, or that need nobody: of a frozen item only that something changed.
        let rest = items(&|item| item.held && !item.waits() && !item.deleted && item.to.is_none());
        if !rest.is_empty() {
            part("holds changed".to_owned(), rest);
        }
        if counts.other > 0 {
            let head = some(counts.other, "other change", "other changes");
            part(
                head,
                items(&|item| item.other && item.to.is_none() && !item.created),
            );
        }
        if parts.is_empty() {
            parts.push(some(self.events, "change", "changes"));
        }
        let project = show(project, 60);
        let rest = if whole { String::new() } else { format!(" ({see})") };
        let news = parts.join("; ") + &rest;
        Text {
            plain: format!("{project} while away: {news}"),
            html: format!(
                "<strong>{}</strong> while away: {}",
                escape(&project),
                escape(&news)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use towline_proto::HoldKind;

    use super::super::testing::{Feed, holds, moved};
    use super::*;

    fn told(feed: &mut Feed, events: Vec<(u32, &str, EventKind)>) -> String {
        let mut digest = Digest::default();
        for (number, title, what) in events {
            let event = feed.event(number, title, what);
            digest.fold(event.position, event.position, &event.event);
        }
        digest.tell("demo", "`!list demo/` shows all").plain
    }

    fn block() -> EventKind {
        holds(&[HoldKind::Blocked], &[], Some("keys"))
    }

    fn unblock() -> EventKind {
        holds(&[], &[HoldKind::Blocked], None)
    }

    #[test]
    fn a_few_items_are_named_with_where_they_stand_now() {
        let events = vec![
            (4, "Login", moved(Column::Coding, Column::Qa)),
            (5, "Keys", moved(Column::Qa, Column::Merge)),
            (4, "Login", moved(Column::Qa, Column::Merge)),
            (7, "Pay", moved(Column::Merge, Column::Done)),
        ];
        assert_eq!(
            told(&mut Feed::new(), events),
            "demo while away: 4 moves (1 to done): 4 Login → merge, 5 Keys → merge, 7 Pay → done"
        );
    }

    #[test]
    fn of_many_items_some_are_named_and_it_is_said_where_the_rest_is() {
        let mut events: Vec<_> = (1..=34)
            .map(|number| (number, "Thing", moved(Column::Coding, Column::Qa)))
            .collect();
        events.extend([(3, "Thing", block()), (7, "Thing", block())]);
        assert_eq!(
            told(&mut Feed::new(), events),
            "demo while away: 34 moves: 1 Thing → qa, 2 Thing → qa, 3 Thing → qa, 4 Thing → qa, \
             5 Thing → qa and 29 more; 2 blocked: 3 Thing, 7 Thing (`!list demo/` shows all)"
        );
    }

    #[test]
    fn what_was_unblocked_again_is_not_called_blocked() {
        let mut feed = Feed::new();
        let events = vec![
            (3, "Keys", block()),
            (5, "Pay", block()),
            (3, "Keys", unblock()),
            (8, "Lamp", unblock()),
        ];
        assert_eq!(
            told(&mut feed, events),
            "demo while away: 1 blocked: 5 Pay; holds changed: 3 Keys, 8 Lamp"
        );
    }

    #[test]
    fn what_happened_to_an_item_later_is_what_is_told_of_it() {
        let mut feed = Feed::new();
        let mut digest = Digest::default();
        let mut later = Digest::default();
        let event = feed.event(3, "Keys", block());
        digest.fold(event.position, event.position, &event.event);
        let event = feed.event(3, "Keys", unblock());
        later.fold(event.position, event.position, &event.event);
        let item = event.event.item;
        let mut overtaken = digest.clone();
        overtaken.overtake(&item, &later);
        assert_eq!(
            overtaken.tell("demo", "").plain,
            "demo while away: holds changed: 3 Keys"
        );
        digest.absorb(later);
        assert_eq!(
            digest.tell("demo", "").plain,
            "demo while away: holds changed: 3 Keys"
        );
    }
}
