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
