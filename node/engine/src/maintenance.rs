//! Maintenance, which a running node does without a request: items start when their last dependency is done,
//! and items that have been done or closed for a while are archived.
//!
//! Takes no input except the state and the time, and may run at any moment. Several nodes may make the same
//! decision: they wait for different times, so usually one of them writes it, and if two do, it has one
//! effect. Nothing is done to items with a conflict: an act of the system would resolve it unseen.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use towline_crdt::view::{ItemView, TRAIL};
use towline_proto::table::legal;
use towline_proto::{Column, ItemId, Kind, NodeId, Op, Origin, OriginKind, Verb};
use towline_store::cache::Row;
use towline_store::home::Settings;
use towline_store::home::settings::{ArchiveAfter, Promote};

use super::Project;
use super::command::drafts;
use super::pending_batch::Work;
use super::query::QueryContext;

/// The most items started per tick, which is a quarter of a second.
const MAX_STARTS: usize = 32;
/// The most changed items that wait to be checked; beyond that all items are checked.
const MAX_CHANGED: usize = 10_000;
/// The longest time for which a node leaves a start to other nodes, in milliseconds.
const START_SPREAD_MS: u64 = 5_000;
/// The longest time for which a node leaves a duplicate to other nodes, in milliseconds.
const DUPLICATE_SPREAD_MS: u64 = 2_000;
/// The interval between archive scans, and the delay of the first one after the start.
const SWEEP: Duration = Duration::from_secs(60);
/// The most items archived per scan, so that an imported tracker delays nothing.
const MAX_ARCHIVED: usize = 100;
/// How long an imported item stays visible at least, from its import or the start of this node: old records
/// ended long ago, and the person who imports them wants to see them.
const IMPORT_GRACE: Duration = Duration::from_secs(3_600);
/// The most imported items whose time of import is stored.
const MAX_IMPORTED: usize = 100_000;
/// The longest time for which a node leaves archiving an item to other nodes, in milliseconds.
const SWEEP_SPREAD_MS: u64 = 10 * 60 * 1_000;

/// The state of maintenance: the items to check.
#[derive(Debug, Default)]
pub(crate) struct Maintenance {
    /// When a node started to run the project, on the monotonic clock.
    started_at: Option<Instant>,
    last_sweep: Option<Instant>,
    /// When items were imported, if that was after the start of the node.
    imported_at: BTreeMap<ItemId, Instant>,
    /// Items that changed since the last check.
    changed: BTreeSet<ItemId>,
    /// When all items are checked again.
    full_scan_at: Option<Instant>,
    /// Items that can start, and when this node starts them.
    due: BTreeMap<ItemId, Instant>,
    /// Duplicates: items of a request for which there is an older item, and when this node closes them.
    duplicates: BTreeMap<ItemId, Instant>,
}

impl Maintenance {
    /// Notes that an item was imported.
    pub(super) fn note_import(&mut self, id: ItemId, now: Instant) {
        if self.started_at.is_some() && self.imported_at.len() < MAX_IMPORTED {
            self.imported_at.entry(id).or_insert(now);
        }
    }

    /// Whether an imported item has been visible for long enough.
    fn was_visible(&self, id: &ItemId, now: Instant) -> bool {
        let came = self.imported_at.get(id).copied().or(self.started_at);
        came.is_none_or(|came| now.saturating_duration_since(came) >= IMPORT_GRACE)
    }

    /// Notes that an item changed.
    pub(crate) fn note_change(&mut self, settings: &Settings, id: ItemId) {
        if settings.promote != Promote::Auto || self.started_at.is_none() {
            return;
        }
        if self.changed.len() < MAX_CHANGED {
            self.changed.insert(id);
        } else {
            self.check_all();
        }
    }

    /// Checks all items the next time, because the rule for starting them has changed.
    pub(crate) fn check_all(&mut self) {
        self.full_scan_at = self.started_at;
    }

    /// A node runs the project from now on.
    fn start(&mut self, now: Instant) {
        if self.started_at.is_none() {
            self.started_at = Some(now);
            self.full_scan_at = Some(now);
        }
    }

    /// The work that is due.
    fn works(&mut self, context: &QueryContext<'_>) -> Vec<Work> {
        let mut works = self.auto_starts(context);
        works.extend(self.auto_archives(context));
        works.extend(self.close_duplicates(context));
        works
    }

    /// Closes duplicates: items that two nodes created concurrently for one request. The older one supersedes
    /// the other, so that people find what was done to either.
    fn close_duplicates(&mut self, context: &QueryContext<'_>) -> Vec<Work> {
        let now = context.clock;
        let duplicates = context.index.duplicates();
        self.duplicates
            .retain(|id, _| duplicates.iter().any(|(duplicate, _)| duplicate == id));
        let mut works = Vec::new();
        for (id, by) in duplicates.into_iter().take(MAX_STARTS) {
            let spread = Duration::from_millis(spread_ms(&context.me, &id, DUPLICATE_SPREAD_MS));
            let due = *self.duplicates.entry(id).or_insert(now + spread);
            if due <= now {
                works.push(context.system_work(id, "request", Op::Supersede { by }));
            }
        }
        works
    }

    /// Starts the items that are due and still can start.
    fn auto_starts(&mut self, context: &QueryContext<'_>) -> Vec<Work> {
        let now = context.clock;
        if context.settings.promote != Promote::Auto {
            return Vec::new();
        }
        self.find_startable(context);
        let due = self.due.iter().filter(|(_, at)| **at <= now);
        let due: Vec<ItemId> = due.map(|(id, _)| *id).take(MAX_STARTS).collect();
        let mut works = Vec::new();
        for id in due {
            self.due.remove(&id);
            if context.index.row(&id).is_some_and(|row| context.may_start(row)) {
                works.push(context.system_work(id, "promotion", Op::Start { force: None }));
            }
        }
        works
    }

    /// Checks changed items, or all, for items that can start. The node whose change satisfied the last
    /// dependency starts them at once; other nodes wait whether that happens.
    fn find_startable(&mut self, context: &QueryContext<'_>) {
        let now = context.clock;
        let mut candidates: BTreeMap<ItemId, bool> = BTreeMap::new();
        let changed = std::mem::take(&mut self.changed);
        if self.full_scan_at.is_some_and(|at| at <= now) {
            self.full_scan_at = None;
            let waiting = context.index.shown().filter(|row| row.depends);
            candidates.extend(waiting.map(|row| (row.id, false)));
        }
        if !changed.is_empty() {
            // Items do not wait for dependencies that were suspended by another node's change.
            let freed = context
                .index
                .suspended()
                .take(MAX_CHANGED)
                .map(|(from, _)| (*from, false));
            candidates.extend(freed);
        }
        for id in changed {
            let mine = context
                .index
                .get(&id)
                .is_some_and(|row| row.last.node == context.me);
            let below = context.index.below(&id);
            for id in context
                .index
                .waiting_for(&id)
                .into_iter()
                .chain([id])
                .chain(below)
            {
                let at_once = candidates.entry(id).or_insert(mine);
                *at_once = *at_once || mine;
            }
        }
        for (id, at_once) in candidates {
            if !context.index.row(&id).is_some_and(|row| context.may_start(row)) {
                continue;
            }
            let spread = Duration::from_millis(spread_ms(&context.me, &id, START_SPREAD_MS));
            let at = if at_once { now } else { now + spread };
            let due = self.due.entry(id).or_insert(at);
            *due = at.min(*due);
        }
    }

    /// Archives the items that are due.
    fn auto_archives(&mut self, context: &QueryContext<'_>) -> Vec<Work> {
        let now = context.clock;
        let ArchiveAfter::Span(after) = context.settings.archive_after else {
            return Vec::new();
        };
        let last = self.last_sweep.or(self.started_at).unwrap_or(now);
        if now.saturating_duration_since(last) < SWEEP {
            return Vec::new();
        }
        self.last_sweep = Some(now);
        let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        self.imported_at
            .retain(|_, came| now.saturating_duration_since(*came) < IMPORT_GRACE);
        let over = context
            .index
            .shown()
            .filter(|row| self.is_archivable(context, row, after));
        let over: Vec<ItemId> = over.map(|row| row.id).take(MAX_ARCHIVED).collect();
        let works = over
            .into_iter()
            .map(|id| context.system_work(id, "retention", Op::Archive));
        works.collect()
    }

    /// Whether an item has been done or closed for long enough. An author's clock may be ahead; an item whose
    /// time is in the future is not archived.
    fn is_archivable(&self, context: &QueryContext<'_>, row: &Row, after: u64) -> bool {
        let seen = |row: &ItemView| row.imported.is_none() || self.was_visible(&row.id, context.clock);
        let is_quiet = |row: ItemView| {
            seen(&row) && row.attention.is_empty() && legal(Verb::Archive, row.state()).is_ok()
        };
        let spread = spread_ms(&context.me, &row.id, SWEEP_SPREAD_MS);
        let due = row.entered_at.0.saturating_add(after).saturating_add(spread);
        matches!(row.column, Column::Done | Column::Closed)
            && due <= context.now.0
            && !row.disputed
            && row.view().is_some_and(is_quiet)
    }
}

fn system(what: &str) -> Origin {
    Origin {
        kind: OriginKind::System,
        id: what.to_owned(),
    }
}

/// A delay below `most`, different for each node and item.
fn spread_ms(me: &NodeId, item: &ItemId, most: u64) -> u64 {
    let mut hasher = blake3::Hasher::new_derive_key("towline/spread/1");
    hasher.update(&me.0);
    hasher.update(&item.0);
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes) % most
}

/// Whether it was started before: then a person has moved it back. A trail that is too long to tell counts as
/// yes.
fn was_started(row: &ItemView) -> bool {
    let beyond = |column| !matches!(column, Column::Upcoming | Column::Backlog);
    row.trail.len() >= TRAIL || row.trail.iter().any(|step| beyond(step.column))
}

impl Project {
    /// Runs the maintenance that is due. Its changes are durable when this returns.
    pub(crate) fn run_maintenance(&mut self) {
        let clock = self.env.instant();
        self.presence.start(clock);
        self.maintenance.start(clock);
        self.send_heartbeat(clock);
        if self.query().may_write().is_err() {
            return;
        }
        self.adopt_legacy_settings();
        let mut maintenance = std::mem::take(&mut self.maintenance);
        let works = maintenance.works(&self.query());
        self.maintenance = maintenance;
        if works.is_empty() {
            return;
        }
        let written = self.write_batch(works).and_then(|written| {
            for failure in written.into_iter().filter_map(Result::err) {
                tracing::debug!(%failure, "skipped");
            }
            self.commit_pending()
        });
        if let Err(failure) = written {
            tracing::warn!(%failure, "nothing was started or archived; retrying");
            self.maintenance.full_scan_at = Some(clock + SWEEP);
        }
        self.run_effects();
    }

    fn adopt_legacy_settings(&mut self) {
        let legacy = std::mem::take(&mut self.settings.legacy);
        if legacy.is_empty() {
            return;
        }
        let adopted = self.query().legacy_settings(&legacy).and_then(|work| {
            let Some(work) = work else { return Ok(()) };
            tracing::info!(
                "settings of this node's config.toml are moved to the project; see `towline config`"
            );
            self.write(work)?;
            self.commit_pending()
        });
        if let Err(failure) = adopted {
            tracing::warn!(%failure, "settings of config.toml were not brought into the project");
        }
        self.run_effects();
    }
}

impl QueryContext<'_> {
    fn system_work(&self, item: ItemId, what: &str, op: Op) -> Work {
        Work {
            item: Some(item),
            drafts: drafts(self, &system(what), None, vec![op]),
            ..Work::default()
        }
    }

    /// Whether an item may start automatically. An item without dependencies, or with suspended ones only,
    /// waits for a person.
    fn may_start(&self, row: &Row) -> bool {
        row.column == Column::Backlog
            && row.kind != Kind::Epic
            && !row.deleted
            && !row.held
            && !row.disputed
            && row.depends
            && row.view().is_some_and(|row| self.is_startable(&row))
    }

    /// Whether an item was never started and its dependencies are satisfied.
    fn is_startable(&self, row: &ItemView) -> bool {
        !was_started(row)
            && self.index.epic_in_the_way(row.epic).is_none()
            && row.depends_on.iter().all(|on| self.index.wait(row, on).satisfied)
            && row
                .depends_on
                .iter()
                .any(|on| self.index.dependency(on).satisfied)
    }
}
