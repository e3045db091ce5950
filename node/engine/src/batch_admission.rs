//! Batch admission: the entries of a catch-up frame are admitted together, item by item and on all cores.
//!
//! The entries of a run are grouped by item, and all changes of an item pass the gate at once: one trial
//! copy, one save and load. Items are independent, so groups run in parallel. Rows and events are still made
//! entry by entry and queued in the order of the entries, so the feed is the same as if each had arrived
//! alone. Nothing is modified before the whole run has passed: if any entry would be refused or lacks a
//! cause, the run is admitted entry by entry (`ingest`), and that result counts.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use towline_crdt::doc::{ActRecord, ItemDoc, NodePrefix};
use towline_crdt::gate::{self, CheckedChange};
use towline_crdt::members::Membership;
use towline_crdt::projection_update::{ProjectionUpdate, update_projection_from_acts};
use towline_crdt::view::ItemView;
use towline_proto::{Act, ActId, Entry, ItemId, NodeId, Payload, ProjectId, limits};
use towline_sync::{AdmissionBatch, Effect};

use super::Project;
use super::actor::STACK_BYTES;
use super::ingest::{checked_by_item, touches_settings};

/// Bytes of entries after which a run ends: about a thousand items, whose documents are all in memory.
const RUN_BYTES: usize = 2 * limits::ENTRY_BYTES;
/// Bytes of entries above which more than one thread pays.
const PARALLEL_MIN_BYTES: usize = 32 * 1024;
/// The most threads for one run, this one included.
const MAX_THREADS: usize = 8;

/// An entry, and whether it arrived by gossip.
pub(super) type IncomingEntry = (Entry, bool);

/// The changes of one item in a run.
struct ItemGroup {
    item: ItemId,
    base: BaseDocument,
    before: Option<ItemView>,
    /// All changes, in the order of their entries.
    changes: Vec<CheckedChange>,
    /// For each entry: its index in the run, its author, and how many of the changes belong to it.
    parts: Vec<(usize, NodeId, usize)>,
}

/// An item's document before the run.
enum BaseDocument {
    /// The item does not exist yet.
    New,
    Loaded(Arc<ItemDoc>),
    Saved(Vec<u8>),
}

/// An item that passed, with its row and events after each entry, by the entry's index in the run.
pub(super) struct CheckedItem {
    doc: ItemDoc,
    commits: Vec<EntryUpdate>,
}

/// The result of one entry for an item: the entry's index, the row and events, the new acts.
type EntryUpdate = (usize, ProjectionUpdate, BTreeSet<ActId>);

impl Project {
    /// The entries to admit next, up to the first that does not change items.
    pub(super) fn take_run(&mut self, entry: Entry, live: bool) -> Vec<IncomingEntry> {
        let is_changes = |entry: &Entry| matches!(entry.body().payload, Payload::Changes(_));
        let room = self.batch.room();
        let mut bytes = entry.bytes().len();
        let mut open = is_changes(&entry);
        let mut run = vec![(entry, live)];
        while open && run.len() < room && bytes < RUN_BYTES {
            let next = |effect: &Effect| matches!(effect, Effect::Admit { entry, .. } if is_changes(entry));
            open = false;
            if let Some(Effect::Admit { entry, live, .. }) = self.replication.next_effect_if(next) {
                bytes += entry.bytes().len();
                run.push((entry, live));
                open = true;
            }
        }
        run
    }

    /// Admits a run: together if all of it passes, otherwise entry by entry.
    pub(super) fn admit_run(&mut self, batch: &mut AdmissionBatch, run: Vec<IncomingEntry>) {
        match self.check_run(batch, &run) {
            Some(checked_items) => self.apply_run(run, checked_items),
            None => {
                for (entry, live) in run {
                    self.admit(batch, entry, live);
                }
            }
        }
    }

    /// The checked items of a run, if every entry passes. Modifies nothing.
    pub(super) fn check_run(
        &self,
        batch: &mut AdmissionBatch,
        run: &[IncomingEntry],
    ) -> Option<Vec<CheckedItem>> {
        let bytes: usize = run.iter().map(|(entry, _)| entry.bytes().len()).sum();
        if run.len() == 1 && bytes < PARALLEL_MIN_BYTES {
            return None;
        }
        for (entry, _) in run {
            let may = self
                .members
                .role_of(entry)
                .is_some_and(towline_proto::Role::may_write);
            // Settings have no row, and writing them requires a higher role.
            let alone = touches_settings(entry) || !self.members.missing(entry).is_empty();
            if alone || !may || !batch.allows(entry) {
                return None;
            }
        }
        let threads = if bytes < PARALLEL_MIN_BYTES {
            1
        } else {
            MAX_THREADS
        };
        let entries: Vec<&Entry> = run.iter().map(|(entry, _)| entry).collect();
        let checked = run_parallel(threads, entries, |entry| match &entry.body().payload {
            Payload::Changes(changes) => checked_by_item(entry, changes).ok(),
            Payload::Genesis(_) | Payload::Member(_) => None,
        })?;
        let mut by_item: BTreeMap<ItemId, ItemGroup> = BTreeMap::new();
        for (at, items) in checked.into_iter().enumerate() {
            let author = run.get(at)?.0.body().author;
            for (item, changes) in items {
                let group = by_item.entry(item).or_insert_with(|| ItemGroup::new(item));
                group.parts.push((at, author, changes.len()));
                group.changes.extend(changes);
            }
        }
        for group in by_item.values_mut() {
            group.before = self.index.get(&group.item);
            if group.before.is_some() {
                group.base = match self.store.loaded(&group.item) {
                    Some(doc) => BaseDocument::Loaded(doc),
                    None => BaseDocument::Saved(self.store.saved(&group.item).ok()??),
                };
            }
        }
        let (project, members) = (self.id, &self.members);
        run_parallel(threads, by_item.into_values().collect(), |group| {
            group.check(project, members)
        })
    }

    fn apply_run(&mut self, run: Vec<IncomingEntry>, checked_items: Vec<CheckedItem>) {
        // Within an entry in the order of item ids, which is the order of `checked_items`.
        let mut commits: Vec<Vec<(ProjectionUpdate, BTreeSet<ActId>)>> =
            run.iter().map(|_| Vec::new()).collect();
        let mut docs = Vec::with_capacity(checked_items.len());
        for item in checked_items {
            let mut later_acts = BTreeSet::new();
            for (at, commit, new_acts) in item.commits {
                later_acts.extend(&new_acts);
                if let Some(of_entry) = commits.get_mut(at) {
                    of_entry.push((commit, new_acts));
                }
            }
            docs.push((item.doc, later_acts));
        }
        self.apply_docs_ahead(docs);
        for ((entry, live), commits) in run.into_iter().zip(commits) {
            let seen_at = self.now();
            self.apply_updates(commits, !live, seen_at);
            self.batch.add_remote(entry);
        }
    }
}

impl ItemGroup {
    const fn new(item: ItemId) -> Self {
        Self {
            item,
            base: BaseDocument::New,
            before: None,
            changes: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Passes the changes through the rest of the gate and makes a row after each entry. `None` if anything
    /// is wrong; entry-by-entry admission finds out which entry is to blame.
    fn check(self, project: ProjectId, members: &Membership) -> Option<CheckedItem> {
        let item = self.item;
        let base = match self.base {
            BaseDocument::New => None,
            BaseDocument::Loaded(doc) => Some(doc),
            BaseDocument::Saved(bytes) => Some(Arc::new(ItemDoc::load(item, &bytes).ok()?)),
        };
        let am = gate::admit(base.as_deref().map(ItemDoc::automerge), &self.changes).ok()?;
        let mut acts = base.map(|doc| doc.acts().clone()).unwrap_or_default();
        let mut commits: Vec<EntryUpdate> = Vec::with_capacity(self.parts.len());
        let mut changes = self.changes.into_iter();
        for (at, author, count) in self.parts {
            let node = NodePrefix::from(&author);
            let mut new_acts = BTreeSet::new();
            for (id, act, bytes) in changes.by_ref().take(count).flat_map(|checked| checked.acts) {
                let hash = Act::record_hash(&bytes);
                acts.insert(id, ActRecord { act, node, hash });
                new_acts.insert(id);
            }
            let before = commits
                .last()
                .map(|(_, commit, _)| &commit.view)
                .or(self.before.as_ref());
            let before = before.map(|view| (view, new_acts.clone()));
            let commit = update_projection_from_acts(project, before, item, &acts, members)?;
            commits.push((at, commit, new_acts));
        }
        if acts.len() > 2 * limits::ACTS_PER_ITEM {
            return None;
        }
        let doc = ItemDoc::with_acts(item, am, acts);
        Some(CheckedItem { doc, commits })
    }
}

/// Runs `work` on up to `threads` threads; results are in the order of the items. `None` as soon as one call
/// returns `None`.
fn run_parallel<T: Send, R: Send>(
    threads: usize,
    items: Vec<T>,
    work: impl Fn(T) -> Option<R> + Sync,
) -> Option<Vec<R>> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let helpers = threads.min(cores).min(items.len()).saturating_sub(1);
    let queue = Mutex::new(items.into_iter().enumerate());
    let failed = AtomicBool::new(false);
    let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || {
        let mut done = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let Some((at, item)) = take() else { break };
            match work(item) {
                Some(result) => done.push((at, result)),
                None => failed.store(true, Ordering::Relaxed),
            }
        }
        done
    };
    let mut done = thread::scope(|scope| {
        // If the system provides no thread, this one does all of the work.
        let helpers: Vec<_> = (0..helpers)
            .filter_map(|_| {
                let helper = thread::Builder::new().name("gate".to_owned());
                helper.stack_size(STACK_BYTES).spawn_scoped(scope, worker).ok()
            })
            .collect();
        let mut done = worker();
        for helper in helpers {
            match helper.join() {
                Ok(more) => done.extend(more),
                Err(_) => failed.store(true, Ordering::Relaxed),
            }
        }
        done
    });
    if failed.load(Ordering::Relaxed) {
        return None;
    }
    done.sort_unstable_by_key(|(at, _)| *at);
    Some(done.into_iter().map(|(_, result)| result).collect())
}
