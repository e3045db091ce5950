//! The feed: the numbered list of a project's events.
//!
//! The last events are in memory, those that the cache does not hold yet among them; older ones are in the
//! cache. A position is given to an event as soon as it is emitted, and taken back when its batch is rolled
//! back. Nothing here writes: [`super::Store`] saves what [`Feed::unsaved`] returns.

use std::collections::VecDeque;

use towline_api::request::{Failure, FailureCode};
use towline_api::types::FeedEvent;
use towline_store::cache::Cache;

/// Events kept in memory for subscribers that are nearly up to date.
const RECENT: usize = 4_096;
/// Events kept for subscribers that were disconnected; later ones start from the current state.
const KEPT: u64 = 100_000;

/// The feed of one project.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// The position of the last event, those of the pending batch included.
    head: u64,
    /// The last event that the cache holds.
    stored: u64,
    recent: VecDeque<FeedEvent>,
}

impl Feed {
    /// The feed of a cache that holds events up to a position.
    pub(super) const fn stored_up_to(head: u64) -> Self {
        Self {
            head,
            stored: head,
            recent: VecDeque::new(),
        }
    }

    /// The position of the last event.
    pub(crate) const fn head(&self) -> u64 {
        self.head
    }

    /// The position for another event.
    pub(crate) const fn advance(&mut self) -> u64 {
        self.head = self.head.saturating_add(1);
        self.head
    }

    /// Takes the positions after this one back, whose events were not added.
    pub(crate) const fn roll_back(&mut self, head: u64) {
        self.head = head;
    }

    /// Adds events that are durable.
    pub(crate) fn extend(&mut self, events: Vec<FeedEvent>) {
        self.recent.extend(events);
    }

    /// The events that the cache does not hold.
    pub(super) fn unsaved(&self) -> impl Iterator<Item = &FeedEvent> {
        self.recent.iter().filter(|event| event.position > self.stored)
    }

    /// The positions that leave the cache when the unsaved events enter it.
    pub(super) fn outdated(&self) -> std::ops::Range<u64> {
        self.stored.saturating_sub(KEPT)..self.head.saturating_sub(KEPT)
    }

    /// The cache holds all events now.
    pub(super) fn saved(&mut self) {
        self.stored = self.head;
        let excess = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..excess);
    }

    /// Whether much is unsaved.
    pub(super) fn is_full(&self) -> bool {
        self.recent.len() >= 2 * RECENT
    }

    /// Events after a position, oldest first; those that are not in memory come from the cache.
    pub(super) fn events(&self, cache: &Cache, after: u64, limit: usize) -> Result<Vec<FeedEvent>, Failure> {
        let limit = limit.min(RECENT);
        let first_recent = self.recent.front().map_or(u64::MAX, |event| event.position);
        let mut events = Vec::new();
        if after.saturating_add(1) < first_recent {
            for event in cache.feed(after.saturating_add(1)) {
                let bytes = event.map_err(|error| Failure::new(FailureCode::Failure, error.to_string()))?;
                let event: FeedEvent = towline_proto::codec::decode(&bytes).map_err(|error| {
                    Failure::new(FailureCode::Failure, format!("the feed is damaged: {error}"))
                })?;
                if event.position >= first_recent || events.len() >= limit {
                    break;
                }
                events.push(event);
            }
        }
        let room = limit.saturating_sub(events.len());
        let recent = self.recent.iter().filter(|event| event.position > after);
        events.extend(recent.take(room).cloned());
        Ok(events)
    }

    /// The events in memory.
    #[cfg(test)]
    pub(crate) fn recent(&self) -> Vec<FeedEvent> {
        self.recent.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use towline_proto::{
        Event, EventId, EventKind, ItemId, Kind, NodeId, Origin, OriginKind, ProjectId, Status, codec,
    };
    use towline_store::cache::{Batch, Table};

    use super::*;
    use crate::tests::pair::BEGIN;

    fn event(position: u64) -> FeedEvent {
        let event = Event {
            id: EventId([0; EventId::LEN]),
            project: ProjectId([0; 32]),
            item: ItemId([1; ItemId::LEN]),
            number: 1,
            kind: Kind::Story,
            title: "Sell ropes".to_owned(),
            status: Status::Done,
            origin: Origin::new(OriginKind::User, "ann").unwrap(),
            node: NodeId([0; 32]),
            at: BEGIN,
            what: EventKind::Restored,
        };
        FeedEvent {
            position,
            skewed: false,
            seen_at: BEGIN,
            backfill: false,
            event,
        }
    }

    fn feed_with(feed: &mut Feed, count: u64) {
        let events = (0..count).map(|_| event(feed.advance())).collect();
        feed.extend(events);
    }

    fn positions(events: &[FeedEvent]) -> Vec<u64> {
        events.iter().map(|event| event.position).collect()
    }

    #[test]
    fn events_come_from_the_cache_and_from_memory_without_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, _) = Cache::open(BEGIN, dir.path()).unwrap();
        let mut batch = Batch::default();
        for position in 1..=3 {
            batch.put_feed(position, &codec::encode(&event(position)));
        }
        cache.write(batch).unwrap();
        let mut feed = Feed::stored_up_to(3);
        feed_with(&mut feed, 2);
        assert_eq!(positions(&feed.events(&cache, 0, 100).unwrap()), [1, 2, 3, 4, 5]);
        assert_eq!(positions(&feed.events(&cache, 2, 2).unwrap()), [3, 4]);
        assert_eq!(positions(&feed.events(&cache, 5, 100).unwrap()), [0; 0]);
        assert_eq!(
            feed.unsaved().map(|event| event.position).collect::<Vec<_>>(),
            [4, 5]
        );
        feed.saved();
        assert_eq!(feed.unsaved().count(), 0);
        let mut damaged = Batch::default();
        damaged.put(Table::Feed, &1u64.to_be_bytes(), vec![0xc1]);
        cache.write(damaged).unwrap();
        assert!(feed.events(&cache, 0, 100).is_err());
    }

    #[test]
    fn positions_of_a_rolled_back_batch_are_given_again() {
        let mut feed = Feed::default();
        feed_with(&mut feed, 2);
        let before = feed.head();
        assert_eq!((feed.advance(), feed.advance()), (3, 4));
        feed.roll_back(before);
        assert_eq!(feed.advance(), 3);
    }

    #[test]
    fn old_events_leave_memory_and_the_cache() {
        let mut feed = Feed::stored_up_to(KEPT);
        feed_with(&mut feed, 2 * RECENT as u64);
        assert!(feed.is_full());
        assert_eq!(feed.outdated(), 0..2 * RECENT as u64);
        feed.saved();
        assert_eq!(feed.recent().len(), RECENT);
    }
}
