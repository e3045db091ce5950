//! The store of a project: the log, and the cache, documents and feed that are derived from it.
//!
//! The log is the source of truth and is synced before any reply; the cache follows in batches. After a crash
//! the next start folds the tail of the log again. One batch contains documents, rows, events and the log
//! position that they reflect, so none of them is ever ahead of another.
//!
//! Reading takes a shared reference: a document is loaded from the cache when it is asked for, and which
//! documents stay loaded is nobody else's concern. Nothing here folds a document or decides what is stored.

mod cache_open;
mod docs;
mod feed;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use towline_api::request::{Failure, FailureCode};
use towline_api::types::FeedEvent;
use towline_crdt::doc::ItemDoc;
use towline_crdt::settings::initial_document;
use towline_proto::{ItemId, ProjectId, codec};
use towline_store::cache::{Batch, Cache, CacheError, Table, Value, meta};
use towline_store::log::{Log, LogMark};

pub(crate) use cache_open::open_cache;
use docs::Docs;
use feed::Feed;

use crate::index::Index;

/// Unsaved documents after which the cache must be written.
const MAX_DIRTY: usize = 512;

/// What of one project is on disk, and what of it is loaded.
pub(crate) struct Store {
    dir: PathBuf,
    settings: ItemId,
    /// The entries of all authors.
    pub(crate) log: Log,
    cache: Cache,
    docs: RefCell<Docs>,
    /// The events.
    pub(crate) feed: Feed,
    /// The position of the last entry that documents and rows reflect.
    applied: Option<u64>,
    /// Whether the cache lags behind.
    dirty: bool,
    /// The roles that the rows were folded with: [`towline_crdt::members::Membership::roles_digest`] at that
    /// time.
    folded_roles: u64,
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureCode::Failure, error.to_string())
}

fn broken(error: impl std::fmt::Display) -> Failure {
    failed(format!("{error}; run `towline rebuild`"))
}

impl Store {
    /// A store of which log and cache are open.
    ///
    /// # Errors
    /// When the cache cannot be read.
    pub(crate) fn new(dir: PathBuf, project: ProjectId, log: Log, cache: Cache) -> Result<Self, CacheError> {
        let number = |name| cache.u64(Table::Meta, name);
        Ok(Self {
            dir,
            settings: ItemId::settings(&project),
            applied: number(meta::APPLIED)?,
            feed: Feed::stored_up_to(number(meta::FEED_HEAD)?.unwrap_or(0)),
            folded_roles: number(meta::RANKS)?.unwrap_or(0),
            log,
            docs: RefCell::default(),
            dirty: false,
            cache,
        })
    }

    /// The project's folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder of the log.
    pub(crate) fn log_dir(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// The id of the settings' document.
    pub(crate) const fn settings_id(&self) -> ItemId {
        self.settings
    }

    /// An empty settings document.
    pub(crate) fn no_settings(&self) -> Result<ItemDoc, Failure> {
        initial_document(self.settings).map_err(failed)
    }

    /// An item's document; it is loaded from the cache if necessary.
    pub(crate) fn doc(&self, id: &ItemId) -> Result<Arc<ItemDoc>, Failure> {
        if let Some(doc) = self.loaded(id) {
            return Ok(doc);
        }
        let doc = match self.saved(id)? {
            Some(saved) => Arc::new(ItemDoc::load(*id, &saved).map_err(broken)?),
            None if *id == self.settings => return self.no_settings().map(Arc::new),
            None => {
                let why = format!("the document of item {} is not in the cache", id.short());
                return Err(broken(why));
            }
        };
        self.docs.borrow_mut().put_clean(doc.clone());
        Ok(doc)
    }

    /// An item's document, if the item exists.
    pub(crate) fn existing_doc(&self, index: &Index, id: &ItemId) -> Result<Option<Arc<ItemDoc>>, Failure> {
        if index.row(id).is_none() && *id != self.settings {
            return Ok(None);
        }
        self.doc(id).map(Some)
    }

    /// An item's document, if it is loaded.
    pub(crate) fn loaded(&self, id: &ItemId) -> Option<Arc<ItemDoc>> {
        self.docs.borrow_mut().get(id)
    }

    /// An item's document as the cache has it, packed.
    pub(crate) fn saved(&self, id: &ItemId) -> Result<Option<Vec<u8>>, Failure> {
        self.cache.doc(id).map_err(broken)
    }

    /// An item's body.
    pub(crate) fn body(&self, id: &ItemId) -> Result<String, Failure> {
        self.doc(id)?.body().map_err(failed)
    }

    /// Stores a document whose current version is not in the cache.
    pub(crate) fn put_doc(&mut self, doc: Arc<ItemDoc>) {
        self.docs.get_mut().put(doc);
    }

    /// The current document, if this version is not in the cache.
    pub(crate) fn uncached(&self, id: &ItemId) -> Option<Arc<ItemDoc>> {
        self.docs.borrow().uncached(id)
    }

    /// The documents whose current version is not in the cache.
    pub(crate) fn uncached_docs(&self) -> Vec<Arc<ItemDoc>> {
        self.docs.borrow().dirty().cloned().collect()
    }

    /// Drops a document after a rollback; the cache has its version before the batch.
    pub(crate) fn forget_doc(&mut self, id: &ItemId) {
        self.docs.get_mut().forget(id);
    }

    /// The bodies in the cache, in lower case, with the keys of their items.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = Result<(Vec<u8>, Value), Failure>> {
        let bodies = self.cache.scan(Table::Bodies, &[]);
        bodies.map(|pair| pair.map_err(failed))
    }

    /// The index of the rows in the cache, and the items whose rows are of another version.
    ///
    /// # Errors
    /// When the cache cannot be read.
    pub(crate) fn load_index(&self) -> Result<(Index, Vec<ItemId>), CacheError> {
        let mut stale = Vec::new();
        let current = self.cache.rows().filter_map(|row| match row {
            Ok((_, Some(row))) => Some(Ok(row)),
            Ok((item, None)) => {
                stale.push(item);
                None
            }
            Err(error) => Some(Err(error)),
        });
        let index = Index::of(current)?;
        Ok((index, stale))
    }

    /// Adds the events of entries that are in the log up to a position; documents and rows reflect them.
    pub(crate) fn applied(&mut self, position: Option<u64>, events: Vec<FeedEvent>) {
        self.dirty = self.dirty || position.is_some();
        self.applied = position.or(self.applied);
        self.feed.extend(events);
    }

    /// Notes that a row was folded again from a document that did not change.
    pub(crate) const fn row_changed(&mut self) {
        self.dirty = true;
    }

    /// Notes the roles that all rows were folded with again.
    pub(crate) const fn refolded(&mut self, roles: u64) {
        self.folded_roles = roles;
        self.dirty = true;
    }

    /// Notes the roles that rows are folded with, which gives the same rows as the ones before.
    pub(crate) const fn set_folded_roles(&mut self, roles: u64) {
        self.folded_roles = roles;
    }

    /// The roles that the rows were folded with.
    pub(crate) const fn folded_roles(&self) -> u64 {
        self.folded_roles
    }

    /// The mark of the log, if rows reflect all of it.
    pub(crate) fn mark(&self) -> Option<LogMark> {
        self.log.mark(self.applied?)
    }

    /// Events after a feed position, oldest first.
    pub(crate) fn events(&self, after: u64, limit: usize) -> Result<Vec<FeedEvent>, Failure> {
        self.feed.events(&self.cache, after, limit)
    }

    /// Writes all unsaved state to the cache.
    ///
    /// # Errors
    /// When the cache cannot be written. Everything is in the log.
    pub(crate) fn save(&mut self, index: &Index) -> Result<(), Failure> {
        if !self.dirty {
            return Ok(());
        }
        let docs = self.docs.get_mut();
        let mut batch = Batch::default();
        for doc in docs.dirty() {
            let id = doc.id();
            batch.put_doc(&id, &doc.save());
            if let Some(row) = index.row(&id) {
                batch.put_row(row);
                if row.has_body {
                    // An unreadable body has no words to search for.
                    let body = doc.body().unwrap_or_default();
                    batch.put(Table::Bodies, &id.0, body.to_lowercase());
                }
            }
        }
        for event in self.feed.unsaved() {
            batch.put_feed(event.position, &codec::encode(event));
        }
        for position in self.feed.outdated() {
            batch.remove(Table::Feed, &position.to_be_bytes());
        }
        batch.put_u64(Table::Meta, meta::FEED_HEAD, self.feed.head());
        batch.put_u64(Table::Meta, meta::RANKS, self.folded_roles);
        if let Some(applied) = self.applied {
            batch.put_u64(Table::Meta, meta::APPLIED, applied);
        }
        self.cache.write(batch).map_err(failed)?;
        docs.all_clean();
        self.feed.saved();
        self.dirty = false;
        Ok(())
    }

    /// Writes to the cache if much state is unsaved.
    pub(crate) fn save_if_full(&mut self, index: &Index) {
        if self.docs.get_mut().dirty_len() >= MAX_DIRTY || self.feed.is_full() {
            self.save_or_warn(index);
        }
    }

    /// Writes to the cache; a failure is logged and the write is retried later.
    pub(crate) fn save_or_warn(&mut self, index: &Index) {
        if let Err(failure) = self.save(index) {
            tracing::error!(%failure, "the cache was not written; the log has everything");
        }
    }

    /// A subscriber's cursor.
    pub(crate) fn cursor(&self, subscriber: &str) -> Result<Option<u64>, Failure> {
        self.check_cursors()?;
        self.cache.u64(Table::Cursors, subscriber).map_err(failed)
    }

    /// A temporary cache has no cursors; subscribers would start from the beginning.
    fn check_cursors(&self) -> Result<(), Failure> {
        if self.cache.temporary_dir().is_none() {
            return Ok(());
        }
        let why = "the disk was full when this project was opened; free some space and start the node again";
        Err(failed(why))
    }

    /// Stores a subscriber's cursor durably, after the events that it has processed.
    pub(crate) fn set_cursor(&mut self, index: &Index, who: &str, position: u64) -> Result<(), Failure> {
        self.check_cursors()?;
        self.save(index)?;
        let mut batch = Batch::default();
        batch.put_u64(Table::Cursors, who, position.min(self.feed.head()));
        self.cache.write(batch).map_err(failed)?;
        self.cache.flush_durable().map_err(failed)
    }

    /// Deletes everything that is derived from the log, except the cursors.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub(crate) fn clear(&mut self) -> Result<(), CacheError> {
        let cursors: Vec<_> = self.cache.scan(Table::Cursors, b"").collect::<Result<_, _>>()?;
        self.cache.clear()?;
        let mut batch = Batch::default();
        for (name, value) in cursors {
            batch.put(Table::Cursors, &name, value.to_vec());
        }
        self.cache.write(batch)?;
        self.docs.get_mut().clear();
        self.feed = Feed::default();
        self.applied = None;
        Ok(())
    }

    /// A log from a backup gives a shorter feed. A cursor beyond its end would skip the next events.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub(crate) fn clamp_cursors(&mut self) -> Result<(), CacheError> {
        let cursors: Vec<_> = self.cache.scan(Table::Cursors, b"").collect::<Result<_, _>>()?;
        let mut batch = Batch::default();
        for (name, _) in cursors {
            let name = String::from_utf8_lossy(&name);
            let position = self.cache.u64(Table::Cursors, &name)?;
            if position.is_some_and(|position| position > self.feed.head()) {
                batch.put_u64(Table::Cursors, &name, self.feed.head());
            }
        }
        self.cache.write(batch)
    }

    /// Makes the cache durable, when the project is closed.
    pub(crate) fn flush(&mut self) {
        if let Err(error) = self.cache.flush_durable() {
            tracing::error!(%error, "the cache was not flushed; the log has everything");
        }
    }

    /// The position of the last entry that documents and rows reflect.
    #[cfg(test)]
    pub(crate) const fn applied_up_to(&self) -> Option<u64> {
        self.applied
    }

    /// Writes to the cache alone, as a test needs it.
    #[cfg(test)]
    pub(crate) fn write_cache(&self, batch: Batch) {
        self.cache.write(batch).unwrap();
    }
}
