//! One line for what happened while nobody was listening.
//!
//! Counts by kind, and the items that need a person at the end of it, by name. Like a story it
//! keeps no events, so a backlog of any length costs the same.

use std::collections::BTreeMap;

use towline_proto::text::show;
use towline_proto::{Event, EventKind, ItemId, Status};

use super::spans::Spans;
use super::story::{Chain, Text, escape};

/// Items that a digest remembers by name; beyond it they are only counted as moves and the like.
const REMEMBERED: usize = 1_000;
/// Items that a digest names at most.
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
    created: u64,
    moves: u64,
    done: u64,
    conflicts: u64,
    deleted: u64,
    other: u64,
    held: BTreeMap<ItemId, (u32, String, Status)>,
}

impl Digest {
    /// Adds an event, which accounts for the positions `from` to `to`.
    pub(crate) fn fold(&mut self, from: u64, to: u64, event: &Event) {
        self.spans.insert(from, to);
        self.chain.push(&event.id);
        self.events += 1;
        match &event.what {
            EventKind::ItemCreated { .. } => self.created += 1,
            EventKind::StageChanged { to, .. } => {
                self.moves += 1;
                if *to == towline_proto::Column::Done {
                    self.done += 1;
                }
            }
            EventKind::ConflictRaised { .. } => self.conflicts += 1,
            EventKind::Deleted => self.deleted += 1,
            // A conflict was raised with it.
            EventKind::HoldsChanged { .. } | EventKind::ChangedByMerge { .. } => {}
            EventKind::Claimed { .. }
            | EventKind::Released { .. }
            | EventKind::FieldChanged { .. }
            | EventKind::Commented { .. }
            | EventKind::ConflictsSettled
            | EventKind::Restored => self.other += 1,
        }
        let needs_somebody = matches!(
            event.status,
            Status::Blocked | Status::MergeFailure | Status::MergeFailureFinal | Status::ReviewHold
        );
        if !needs_somebody || matches!(event.what, EventKind::Deleted) {
            self.held.remove(&event.item);
        } else if self.held.len() < REMEMBERED || self.held.contains_key(&event.item) {
            let title = show(&event.title, 40);
            self.held.insert(event.item, (event.number, title, event.status));
        }
    }

    /// Adds the events of one item that were counted apart.
    pub(crate) fn absorb(&mut self, item: ItemId, other: Self) {
        self.spans.extend(&other.spans);
        self.chain.join(&other.chain);
        self.events += other.events;
        self.created += other.created;
        self.moves += other.moves;
        self.done += other.done;
        self.conflicts += other.conflicts;
        self.deleted += other.deleted;
        self.other += other.other;
        self.held.remove(&item);
        if self.held.len() < REMEMBERED {
            self.held.extend(other.held);
        }
    }

    /// The line.
    pub(crate) fn tell(&self, project: &str) -> Text {
        let mut parts = Vec::new();
        let mut count = |count: u64, one: &str, many: &str| {
            if count > 0 {
                parts.push(format!("{count} {}", if count == 1 { one } else { many }));
            }
        };
        count(self.moves, "move", "moves");
        count(self.done, "of them to done", "of them to done");
        count(self.created, "new item", "new items");
        count(self.conflicts, "conflict", "conflicts");
        count(self.deleted, "deleted", "deleted");
        count(self.other, "other change", "other changes");
        let words = [
            (Status::Blocked, "blocked"),
            (Status::MergeFailure, "with a failed merge"),
            (Status::MergeFailureFinal, "with a merge given up"),
            (Status::ReviewHold, "waiting for review"),
        ];
        for (status, word) in words {
            let held: Vec<_> = self.held.values().filter(|(_, _, now)| *now == status).collect();
            if held.is_empty() {
                continue;
            }
            let named: Vec<_> = held
                .iter()
                .take(NAMED)
                .map(|(number, title, _)| format!("{number} {title}"))
                .collect();
            let more = if held.len() > NAMED { ", …" } else { "" };
            parts.push(format!("{} {word}: {}{more}", held.len(), named.join(", ")));
        }
        if parts.is_empty() {
            parts.push(format!("{} holds changed", self.events));
        }
        let project = show(project, 40);
        let news = parts.join(", ");
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
    use towline_proto::{Column, HoldKind};

    use super::super::testing::{Feed, holds, moved};
    use super::*;

    #[test]
    fn a_backlog_is_counted_and_what_needs_somebody_is_named() {
        let mut feed = Feed::new();
        let mut digest = Digest::default();
        for number in 1..=34 {
            let event = feed.event(number, "Thing", moved(Column::Coding, Column::Qa));
            digest.fold(event.position, event.position, &event.event);
        }
        for number in [3, 7] {
            let event = feed.event(number, "Keys", holds(&[HoldKind::Blocked], &[], Some("keys")));
            digest.fold(event.position, event.position, &event.event);
        }
        assert_eq!(
            digest.tell("demo").plain,
            "demo while away: 34 moves, 2 blocked: 3 Keys, 7 Keys"
        );
    }

    #[test]
    fn what_was_unblocked_again_is_not_named() {
        let mut feed = Feed::new();
        let mut digest = Digest::default();
        for what in [
            holds(&[HoldKind::Blocked], &[], None),
            holds(&[], &[HoldKind::Blocked], None),
        ] {
            let event = feed.event(3, "Keys", what);
            digest.fold(event.position, event.position, &event.event);
        }
        assert_eq!(digest.tell("demo").plain, "demo while away: 2 holds changed");
    }
}
