//! Opens the cache and writes derived state to it.
//!
//! The log is the source of truth and is synced before any reply; the cache follows in batches. After a crash
//! the next start folds the tail of the log again. One batch contains documents, rows, events and the log
//! position that they reflect, so none of them is ever ahead of another.

use std::path::Path;

use towline_api::request::{Failure, FailureCode};
use towline_crdt::doc::ItemDoc;
use towline_proto::{Millis, codec};
use towline_store::cache::{Batch, Cache, CacheError, Table, meta};
use towline_store::log::Log;

use super::{Project, RECENT};

/// Unsaved documents after which the cache must be written.
const MAX_DIRTY: usize = 512;
/// Events kept for subscribers that were disconnected; later ones start from the current state.
const FEED_KEPT: u64 = 100_000;

/// A body in the form that search uses; an unreadable one has no words.
fn searchable(doc: &ItemDoc) -> String {
    doc.body().unwrap_or_default().to_lowercase()
}

impl Project {
    /// Writes all unsaved state to the cache.
    ///
    /// # Errors
    /// When the cache cannot be written. Everything is in the log.
    pub(crate) fn store(&mut self) -> Result<(), Failure> {
        if !self.dirty {
            return Ok(());
        }
        let mut batch = Batch::default();
        for doc in self.docs.dirty() {
            batch.put_doc(&doc.id(), &doc.save());
            if let Some(row) = self.index.row(&doc.id()) {
                batch.put_row(row);
                if row.has_body {
                    batch.put(Table::Bodies, &doc.id().0, searchable(doc));
                }
            }
        }
        for event in self
            .recent
            .iter()
            .filter(|event| event.position > self.feed_stored)
        {
            batch.put_feed(event.position, &codec::encode(event));
        }
        let kept = self.feed_head.saturating_sub(FEED_KEPT);
        for position in self.feed_stored.saturating_sub(FEED_KEPT)..kept {
            batch.remove(Table::Feed, &position.to_be_bytes());
        }
        batch.put_u64(Table::Meta, meta::FEED_HEAD, self.feed_head);
        batch.put_u64(Table::Meta, meta::RANKS, self.folded_ranks);
        if let Some(applied) = self.applied {
            batch.put_u64(Table::Meta, meta::APPLIED, applied);
        }
        self.cache
            .write(batch)
            .map_err(|error| Failure::new(FailureCode::Failure, error.to_string()))?;
        self.docs.all_clean();
        self.feed_stored = self.feed_head;
        self.dirty = false;
        while self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        Ok(())
    }

    /// Writes to the cache if much state is unsaved.
    pub(crate) fn store_if_full(&mut self) {
        if self.docs.dirty_len() < MAX_DIRTY && self.recent.len() < RECENT * 2 {
            return;
        }
        self.store_or_warn();
    }

    /// Writes to the cache; a failure is logged and the write is retried later.
    pub(crate) fn store_or_warn(&mut self) {
        if let Err(failure) = self.store() {
            tracing::error!(%failure, "the cache was not written; the log has everything");
        }
    }

    /// A subscriber's cursor.
    pub(crate) fn cursor(&self, subscriber: &str) -> Result<Option<u64>, Failure> {
        let broken = |error: CacheError| Failure::new(FailureCode::Failure, error.to_string());
        self.check_cursors()?;
        self.cache.u64(Table::Cursors, subscriber).map_err(broken)
    }

    /// A temporary cache has no cursors; subscribers would start from the beginning.
    fn check_cursors(&self) -> Result<(), Failure> {
        if self.cache.temporary_dir().is_none() {
            return Ok(());
        }
        let why = "the disk was full when this project was opened; free some space and start the node again";
        Err(Failure::new(FailureCode::Failure, why))
    }

    /// Stores a subscriber's cursor durably, after the events that it has processed.
    pub(crate) fn set_cursor(&mut self, subscriber: &str, position: u64) -> Result<(), Failure> {
        let broken = |error: CacheError| Failure::new(FailureCode::Failure, error.to_string());
        self.check_cursors()?;
        self.store()?;
        let mut batch = Batch::default();
        batch.put_u64(Table::Cursors, subscriber, position.min(self.feed_head));
        self.cache.write(batch).map_err(broken)?;
        self.cache.flush_durable().map_err(broken)
    }
}

/// Opens the cache. On a full disk it gets the room of the log's reserve, so that reading and starting
/// go on; and where even that is used up, everything is made from the log in a folder elsewhere.
pub(super) fn open_cache(
    now: Millis,
    dir: &Path,
) -> Result<(Cache, towline_store::cache::OpenOutcome), CacheError> {
    let cache = dir.join("cache");
    match Cache::open(now, &cache) {
        Err(CacheError::Full { .. }) => {
            Log::release_reserve_of(&dir.join("log"));
            match Cache::open(now, &cache) {
                Err(full @ CacheError::Full { .. }) => {
                    let temporary = Cache::open_temporary(now).map_err(|_| full)?;
                    let there = temporary.temporary_dir().unwrap_or(&cache).display();
                    tracing::error!(%there, "the disk is full: derived data is kept in this folder until the next start, and nothing can be written until there is space");
                    Ok((temporary, towline_store::cache::OpenOutcome::Created))
                }
                opened => opened,
            }
        }
        opened => opened,
    }
}

/// A damaged cache is rebuilt automatically, so this is logged and is not a finding.
pub(super) fn log_cache_state(opened: &towline_store::cache::OpenOutcome) {
    match opened {
        towline_store::cache::OpenOutcome::Created | towline_store::cache::OpenOutcome::Intact => {}
        towline_store::cache::OpenOutcome::Repaired { removed } => {
            tracing::warn!(
                removed,
                "a part of the cache was removed so that it opens; nothing is lost"
            );
        }
        towline_store::cache::OpenOutcome::Replaced { aside, why } => {
            tracing::warn!(aside = %aside.display(), %why, "the cache was moved aside and is rebuilt from the log");
        }
    }
}
