//! Combines events into messages: filters them, coalesces them, and decides when a message is due. It does
//! no IO, and time is an argument.
//!
//! Events of one item within [`WINDOW_MS`] of each other become one line, which is held back for at most
//! [`HOLD_MS`]. A backlog becomes one digest, or one line if it is about a single item. A backlog is what is
//! found at the start, what a catch-up from a peer brings, or what accumulates while the destination cannot
//! be reached. The planner never sends, and never drops a position: each leaves it as part of a planned
//! message, or because the filter does not let its event through.

use std::collections::BTreeMap;

use serde::Deserialize;
use towline_api::types::FeedEvent;
use towline_proto::{Column, EventKind, ItemId, Millis};

use super::acked_ranges::PositionRanges;
use super::coalesce::{ChatText, CoalescedEvents, EventsHash};
use super::digest::Digest;

/// A line about an item is due after this time without a further event, in milliseconds.
pub(super) const WINDOW_MS: u64 = 1_500;
/// It is due at the latest this long after its first event, in milliseconds.
pub(super) const HOLD_MS: u64 = 10_000;
/// More events than this become one digest.
pub(super) const BACKLOG_EVENTS: usize = 20;
/// Events that waited longer than this become one digest, in milliseconds.
pub(super) const BACKLOG_MS: u64 = 10 * 60 * 1_000;

/// Maximum number of items that are held back at once; events of further items go into a digest.
const BURSTS: usize = 1_000;

/// Which events a destination wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// New items, moves, holds, conflicts, deletions.
    #[default]
    Stages,
    /// Everything.
    All,
    /// Holds and conflicts, when they appear and when they go.
    FailuresAndRecovery,
}

impl Preset {
    /// Whether an event passes the filter.
    pub(crate) const fn wants(self, what: &EventKind) -> bool {
        match what {
            EventKind::HoldsChanged { .. }
            | EventKind::ConflictRaised { .. }
            | EventKind::ChangedByMerge { .. } => true,
            // Items are archived automatically, often a hundred at a time: too many to report.
            EventKind::StageChanged {
                to: Column::Archived, ..
            } => matches!(self, Self::All),
            EventKind::ItemCreated { .. }
            | EventKind::StageChanged { .. }
            | EventKind::Deleted
            | EventKind::Restored => matches!(self, Self::Stages | Self::All),
            EventKind::ConflictsResolved => matches!(self, Self::All | Self::FailuresAndRecovery),
            EventKind::Claimed { .. }
            | EventKind::Released { .. }
            | EventKind::FieldChanged { .. }
            | EventKind::Commented { .. } => matches!(self, Self::All),
        }
    }
}

/// A message to send, and the positions that it acknowledges.
#[derive(Debug, Clone)]
pub(crate) struct PlannedMessage {
    /// The positions.
    pub(crate) positions: PositionRanges,
    /// The hash of the events, for the transaction id.
    pub(crate) hash: EventsHash,
    /// The line; `None` when nothing changed in the end.
    pub(crate) text: Option<ChatText>,
}

/// Events that are held back, because more may follow.
#[derive(Debug)]
struct Burst<T> {
    content: T,
    since: u64,
    due: u64,
}

impl<T> Burst<T> {
    fn new(now: u64, content: T) -> Self {
        Self {
            content,
            since: now,
            due: now + WINDOW_MS,
        }
    }

    fn extend(&mut self, now: u64) {
        self.due = (now + WINDOW_MS).min(self.since + HOLD_MS);
    }
}

/// A backlog of events: a digest, and also the full line as long as it is about one item only.
#[derive(Debug, Default)]
struct Backlog {
    digest: Digest,
    single_item: Option<(ItemId, CoalescedEvents)>,
}

impl Backlog {
    /// Adds an event, and the events of its item that were held back before it.
    fn add(&mut self, from: u64, event: &FeedEvent, before: Option<CoalescedEvents>) {
        let (item, to) = (event.event.item, event.position);
        let first = self.digest.events == 0;
        if let Some(before) = &before {
            self.digest.merge(before.digest.clone());
        }
        self.digest.add(from, to, &event.event);
        self.single_item = match (self.single_item.take(), before) {
            (Some((known, mut events)), None) if known == item => {
                events.add(from, to, &event.event);
                Some((item, events))
            }
            (None, Some(mut events)) if first => {
                events.add(from, to, &event.event);
                Some((item, events))
            }
            (None, None) if first => Some((item, CoalescedEvents::new(from, to, &event.event))),
            _ => None,
        };
    }

    fn render(&self, project: &str, hint: &str) -> Option<ChatText> {
        match &self.single_item {
            Some((_, events)) => events.render(project),
            None => Some(self.digest.render(project, hint)),
        }
    }
}

/// Combines the events of one project for one destination.
#[derive(Debug)]
pub(crate) struct Planner {
    project: String,
    /// How to list the items that a digest does not name.
    hint: String,
    preset: Preset,
    read: u64,
    /// Events up to this position existed before the start: they are a backlog.
    backlog_until: u64,
    /// The beginning of a backlog, until it is known whether it is large.
    pending: Vec<(u64, FeedEvent)>,
    /// Whether the backlog is large, so that it becomes a digest.
    is_large: bool,
    bursts: BTreeMap<ItemId, Burst<CoalescedEvents>>,
    backlog: Option<Burst<Backlog>>,
    filtered: PositionRanges,
}

impl Planner {
    /// A planner that has read up to `read`, while the last position of the feed is `head`.
    pub(crate) fn new(project: &str, preset: Preset, read: u64, head: u64) -> Self {
        Self {
            project: project.to_owned(),
            hint: String::new(),
            preset,
            read,
            backlog_until: head,
            pending: Vec::new(),
            is_large: false,
            bursts: BTreeMap::new(),
            backlog: None,
            filtered: PositionRanges::default(),
        }
    }

    /// Sets the name of the project and the hint how to list the items that a digest does not name.
    pub(crate) fn set_project(&mut self, project: &str, hint: String) {
        if self.project != project {
            project.clone_into(&mut self.project);
        }
        self.hint = hint;
    }

    /// Number of events that were read and are in no planned message yet.
    pub(crate) fn held_back(&self) -> u64 {
        let bursts = self.bursts.values().map(|burst| burst.content.digest.events);
        let backlog = self
            .backlog
            .as_ref()
            .map_or(0, |burst| burst.content.digest.events);
        self.pending.len() as u64 + bursts.sum::<u64>() + backlog
    }

    /// The last position that was read.
    pub(crate) const fn read(&self) -> u64 {
        self.read
    }

    /// Adds the next event of the feed. `now` counts milliseconds of this process, and `wall` is the time of
    /// day. `acked` says that the event was acknowledged in an earlier run.
    pub(crate) fn push(&mut self, now: u64, wall: Millis, acked: bool, event: FeedEvent) {
        if event.position <= self.read {
            return;
        }
        // Positions may have gaps; an event covers every position since the previous one.
        let from = self.read + 1;
        let to = event.position;
        self.read = to;
        if acked || !self.preset.wants(&event.event.what) {
            self.filtered.insert(from, to);
        } else if to > self.backlog_until {
            self.end_backlog(now);
            self.add_live(now, from, &event);
        } else if self.is_large {
            self.add_to_backlog(now, from, &event);
        } else {
            self.is_large = wall.since(event.seen_at) > BACKLOG_MS || self.pending.len() >= BACKLOG_EVENTS;
            self.pending.push((from, event));
            // Pending events are added first, because a digest shows the state after the last event.
            if self.is_large {
                for (from, event) in std::mem::take(&mut self.pending) {
                    self.add_to_backlog(now, from, &event);
                }
            }
        }
        if self.read >= self.backlog_until {
            self.end_backlog(now);
        }
    }

    /// The end of the feed is reached, so the backlog is complete.
    pub(crate) fn caught_up(&mut self, now: u64) {
        self.backlog_until = self.backlog_until.min(self.read);
        self.end_backlog(now);
    }

    /// Treats the events of a small backlog as live ones.
    fn end_backlog(&mut self, now: u64) {
        for (from, event) in std::mem::take(&mut self.pending) {
            self.add_live(now, from, &event);
        }
        self.is_large = false;
    }

    fn add_live(&mut self, now: u64, from: u64, event: &FeedEvent) {
        if event.backfill || self.bursts.len() >= BURSTS {
            return self.add_to_backlog(now, from, event);
        }
        match self.bursts.get_mut(&event.event.item) {
            Some(burst) => {
                burst.content.add(from, event.position, &event.event);
                burst.extend(now);
            }
            None => {
                let events = CoalescedEvents::new(from, event.position, &event.event);
                self.bursts.insert(event.event.item, Burst::new(now, events));
            }
        }
    }

    fn add_to_backlog(&mut self, now: u64, from: u64, event: &FeedEvent) {
        // Events of this item that are still held back happened before, so they go into the backlog too.
        let before = self.bursts.remove(&event.event.item).map(|burst| burst.content);
        let backlog = self
            .backlog
            .get_or_insert_with(|| Burst::new(now, Backlog::default()));
        backlog.content.add(from, event, before);
        backlog.extend(now);
    }

    /// The positions that the filter did not let through since the last call.
    pub(crate) fn take_filtered(&mut self) -> PositionRanges {
        std::mem::take(&mut self.filtered)
    }

    /// When the next message is due.
    pub(crate) fn due(&self) -> Option<u64> {
        match &self.backlog {
            Some(backlog) => Some(backlog.due),
            None => self.bursts.values().map(|burst| burst.due).min(),
        }
    }

    /// The next message, if one is due. Lines wait for a digest, because it is about earlier events.
    pub(crate) fn take_due(&mut self, now: u64) -> Option<PlannedMessage> {
        let due = self.backlog.take_if(|backlog| backlog.due <= now);
        if let Some(Burst {
            content: mut backlog, ..
        }) = due
        {
            // Later changes have lines of their own after the digest, which must not contradict them.
            for (item, burst) in &self.bursts {
                backlog.digest.update_item(item, &burst.content.digest);
            }
            return Some(PlannedMessage {
                text: backlog.render(&self.project, &self.hint),
                positions: backlog.digest.positions,
                hash: backlog.digest.hash,
            });
        }
        if self.backlog.is_some() {
            return None;
        }
        let due: Vec<_> = self
            .bursts
            .iter()
            .filter(|(_, burst)| burst.due <= now)
            .map(|(item, burst)| (burst.content.digest.positions.first(), *item, burst.since))
            .collect();
        let waited = due
            .iter()
            .any(|(_, _, since)| now.saturating_sub(*since) > BACKLOG_MS);
        if due.len() > BACKLOG_EVENTS || (due.len() > 1 && waited) {
            let items: Vec<_> = due.into_iter().map(|(_, item, _)| item).collect();
            return Some(self.summarise(&items));
        }
        let (_, item, _) = due.into_iter().min()?;
        let events = self.bursts.remove(&item)?.content;
        Some(PlannedMessage {
            text: events.render(&self.project),
            positions: events.digest.positions,
            hash: events.digest.hash,
        })
    }

    /// Combines lines that became due while the destination could not be reached.
    fn summarise(&mut self, items: &[ItemId]) -> PlannedMessage {
        let mut digest = Digest::default();
        for item in items {
            if let Some(burst) = self.bursts.remove(item) {
                digest.merge(burst.content.digest);
            }
        }
        PlannedMessage {
            text: Some(digest.render(&self.project, &self.hint)),
            positions: digest.positions,
            hash: digest.hash,
        }
    }
}
