//! From events to lines: filter, coalesce, decide what is due. Pure; time is an argument.
//!
//! Events of one item within [`WINDOW_MS`] of each other become one line, held back for at most
//! [`HOLD_MS`]. A backlog (found at the start, brought by a catch-up, or grown while the receiver
//! could not be reached) becomes one digest, or the line of the one item that it is about. The planner never sends and never forgets: a position
//! leaves it only as part of a plan, or as one that the filter does not let through.

use std::collections::BTreeMap;

use serde::Deserialize;
use towline_node::api::types::FeedEvent;
use towline_proto::{Column, EventKind, ItemId, Millis};

use super::digest::Digest;
use super::spans::Spans;
use super::story::{Chain, Story, Text};

/// An item is told when it has been quiet for so long, in milliseconds.
pub const WINDOW_MS: u64 = 1_500;
/// And when its first event is so old at the latest, in milliseconds.
pub const HOLD_MS: u64 = 10_000;
/// More events than this are told as one digest.
pub const BACKLOG_EVENTS: usize = 20;
/// Events that waited longer than this are told as one digest, in milliseconds.
pub const BACKLOG_MS: u64 = 10 * 60 * 1_000;

/// Items that are held back at once; news of further ones goes into a digest.
const BURSTS: usize = 1_000;

/// Which events a receiver wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// New items, steps, holds, conflicts, deletions.
    #[default]
    Stages,
    /// Everything.
    All,
    /// Holds and conflicts, coming and going.
    FailuresAndRecovery,
}

impl Preset {
    /// Whether an event passes.
    pub const fn wants(self, what: &EventKind) -> bool {
        match what {
            EventKind::HoldsChanged { .. }
            | EventKind::ConflictRaised { .. }
            | EventKind::ChangedByMerge { .. } => true,
            // What goes out of sight by itself, a hundred at a time, is no news.
            EventKind::StageChanged {
                to: Column::Archived, ..
            } => matches!(self, Self::All),
            EventKind::ItemCreated { .. }
            | EventKind::StageChanged { .. }
            | EventKind::Deleted
            | EventKind::Restored => matches!(self, Self::Stages | Self::All),
            EventKind::ConflictsSettled => matches!(self, Self::All | Self::FailuresAndRecovery),
            EventKind::Claimed { .. }
            | EventKind::Released { .. }
            | EventKind::FieldChanged { .. }
            | EventKind::Commented { .. } => matches!(self, Self::All),
        }
    }
}

/// A line that is to be sent, and the positions that are dealt with by it.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The positions.
    pub(crate) spans: Spans,
    /// The events, for the transaction id.
    pub(crate) chain: Chain,
    /// The line; `None` when nothing of it is news any more.
    pub(crate) text: Option<Text>,
}

#[derive(Debug)]
struct Burst<T> {
    told: T,
    since: u64,
    due: u64,
}

impl<T> Burst<T> {
    fn new(now: u64, told: T) -> Self {
        Self {
            told,
            since: now,
            due: now + WINDOW_MS,
        }
    }

    fn extend(&mut self, now: u64) {
        self.due = (now + WINDOW_MS).min(self.since + HOLD_MS);
    }
}

/// What came while nobody listened: counted, and told in full for as long as it is about one item.
#[derive(Debug, Default)]
struct Away {
    digest: Digest,
    only: Option<(ItemId, Story)>,
}

impl Away {
    /// Adds an event, and what was held back about its item.
    fn fold(&mut self, from: u64, event: &FeedEvent, before: Option<Story>) {
        let (item, to) = (event.event.item, event.position);
        let first = self.digest.events == 0;
        if let Some(before) = &before {
            self.digest.absorb(before.tally.clone());
        }
        self.digest.fold(from, to, &event.event);
        self.only = match (self.only.take(), before) {
            (Some((known, mut story)), None) if known == item => {
                story.fold(from, to, &event.event);
                Some((item, story))
            }
            (None, Some(mut story)) if first => {
                story.fold(from, to, &event.event);
                Some((item, story))
            }
            (None, None) if first => Some((item, Story::new(from, to, &event.event))),
            _ => None,
        };
    }

    fn tell(&self, project: &str, see: &str) -> Option<Text> {
        match &self.only {
            Some((_, story)) => story.tell(project),
            None => Some(self.digest.tell(project, see)),
        }
    }
}

/// Collects the events of one project for one receiver.
#[derive(Debug)]
pub(crate) struct Planner {
    project: String,
    /// How a reader sees what a digest does not name.
    see: String,
    preset: Preset,
    read: u64,
    /// Events up to this position were there before we were: they are a backlog.
    backlog_until: u64,
    held: Vec<(u64, FeedEvent)>,
    overflow: bool,
    bursts: BTreeMap<ItemId, Burst<Story>>,
    digest: Option<Burst<Away>>,
    dropped: Spans,
}

impl Planner {
    /// A planner that has read up to `read`, while the feed is at `head` already.
    pub(crate) fn new(project: &str, preset: Preset, read: u64, head: u64) -> Self {
        Self {
            project: project.to_owned(),
            see: String::new(),
            preset,
            read,
            backlog_until: head,
            held: Vec::new(),
            overflow: false,
            bursts: BTreeMap::new(),
            digest: None,
            dropped: Spans::default(),
        }
    }

    /// What the project is called from now on, and how a reader sees what a digest does not name.
    pub(crate) fn call(&mut self, project: &str, see: String) {
        if self.project != project {
            project.clone_into(&mut self.project);
        }
        self.see = see;
    }

    /// How many events were taken in and are in no plan yet.
    pub(crate) fn waiting(&self) -> u64 {
        let bursts = self.bursts.values().map(|burst| burst.told.tally.events);
        let away = self.digest.as_ref().map_or(0, |away| away.told.digest.events);
        self.held.len() as u64 + bursts.sum::<u64>() + away
    }

    /// The last position that was offered.
    pub(crate) const fn read(&self) -> u64 {
        self.read
    }

    /// Takes in the next event of the feed. `now` counts milliseconds of this process, `wall` is the
    /// time of day; `settled` says that an earlier run has told it already.
    pub(crate) fn offer(&mut self, now: u64, wall: Millis, settled: bool, event: FeedEvent) {
        if event.position <= self.read {
            return;
        }
        // Positions may have gaps; an event accounts for everything since the one before.
        let from = self.read + 1;
        let to = event.position;
        self.read = to;
        if settled || !self.preset.wants(&event.event.what) {
            self.dropped.insert(from, to);
        } else if to > self.backlog_until {
            self.resolve(now);
            self.news(now, from, &event);
        } else if self.overflow {
            self.away(now, from, &event);
        } else {
            self.overflow = wall.since(event.seen_at) > BACKLOG_MS || self.held.len() >= BACKLOG_EVENTS;
            self.held.push((from, event));
            // What is held goes first: a digest says how things stand after the last event of each item.
            if self.overflow {
                for (from, event) in std::mem::take(&mut self.held) {
                    self.away(now, from, &event);
                }
            }
        }
        if self.read >= self.backlog_until {
            self.resolve(now);
        }
    }

    /// Nothing more is in the feed for now: whatever the backlog is, it is complete.
    pub(crate) fn caught_up(&mut self, now: u64) {
        self.backlog_until = self.backlog_until.min(self.read);
        self.resolve(now);
    }

    fn resolve(&mut self, now: u64) {
        for (from, event) in std::mem::take(&mut self.held) {
            self.news(now, from, &event);
        }
        self.overflow = false;
    }

    fn news(&mut self, now: u64, from: u64, event: &FeedEvent) {
        if event.backfill || self.bursts.len() >= BURSTS {
            return self.away(now, from, event);
        }
        match self.bursts.get_mut(&event.event.item) {
            Some(burst) => {
                burst.told.fold(from, event.position, &event.event);
                burst.extend(now);
            }
            None => {
                let story = Story::new(from, event.position, &event.event);
                self.bursts.insert(event.event.item, Burst::new(now, story));
            }
        }
    }

    fn away(&mut self, now: u64, from: u64, event: &FeedEvent) {
        // What is still held back about this item happened before, so it is told before or with it.
        let before = self.bursts.remove(&event.event.item).map(|burst| burst.told);
        let away = self
            .digest
            .get_or_insert_with(|| Burst::new(now, Away::default()));
        away.told.fold(from, event, before);
        away.extend(now);
    }

    /// Positions that the filter did not let through since the last call.
    pub(crate) fn take_dropped(&mut self) -> Spans {
        std::mem::take(&mut self.dropped)
    }

    /// When the next plan is due.
    pub(crate) fn due(&self) -> Option<u64> {
        match &self.digest {
            Some(digest) => Some(digest.due),
            None => self.bursts.values().map(|burst| burst.due).min(),
        }
    }

    /// The next plan, if one is due. Lines wait for a digest, which is about what came before them.
    pub(crate) fn take(&mut self, now: u64) -> Option<Plan> {
        if let Some(Burst { told: mut away, .. }) = self.digest.take_if(|away| away.due <= now) {
            // What has changed since is told behind it, and is not said to be otherwise here.
            for (item, burst) in &self.bursts {
                away.digest.overtake(item, &burst.told.tally);
            }
            return Some(Plan {
                text: away.tell(&self.project, &self.see),
                spans: away.digest.spans,
                chain: away.digest.chain,
            });
        }
        if self.digest.is_some() {
            return None;
        }
        let due: Vec<_> = self
            .bursts
            .iter()
            .filter(|(_, burst)| burst.due <= now)
            .map(|(item, burst)| (burst.told.tally.spans.first(), *item, burst.since))
            .collect();
        let waited = due
            .iter()
            .any(|(_, _, since)| now.saturating_sub(*since) > BACKLOG_MS);
        if due.len() > BACKLOG_EVENTS || (due.len() > 1 && waited) {
            let items: Vec<_> = due.into_iter().map(|(_, item, _)| item).collect();
            return Some(self.summary(&items));
        }
        let (_, item, _) = due.into_iter().min()?;
        let story = self.bursts.remove(&item)?.told;
        Some(Plan {
            text: story.tell(&self.project),
            spans: story.tally.spans,
            chain: story.tally.chain,
        })
    }

    /// Many lines that fell due while the receiver could not take them, as one.
    fn summary(&mut self, items: &[ItemId]) -> Plan {
        let mut digest = Digest::default();
        for item in items {
            if let Some(burst) = self.bursts.remove(item) {
                digest.absorb(burst.told.tally);
            }
        }
        Plan {
            text: Some(digest.tell(&self.project, &self.see)),
            spans: digest.spans,
            chain: digest.chain,
        }
    }
}
