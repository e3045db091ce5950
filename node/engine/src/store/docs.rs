//! The loaded documents. A loaded Automerge document takes about 34 kB, its row 300 bytes, so only the most
//! recently used documents are kept, and those that are not in the cache yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use towline_crdt::doc::ItemDoc;
use towline_proto::ItemId;

/// Saved documents that stay loaded: about 10 MB.
const KEPT: usize = 256;

/// Loaded documents; the least recently used are dropped first.
#[derive(Debug, Default)]
pub(crate) struct Docs {
    loaded: BTreeMap<ItemId, (Arc<ItemDoc>, u64)>,
    by_use: BTreeMap<u64, ItemId>,
    dirty: BTreeSet<ItemId>,
    clock: u64,
}

impl Docs {
    /// A loaded document.
    pub(crate) fn get(&mut self, id: &ItemId) -> Option<Arc<ItemDoc>> {
        let (doc, used) = self.loaded.get_mut(id)?;
        self.by_use.remove(used);
        self.clock += 1;
        *used = self.clock;
        self.by_use.insert(self.clock, *id);
        Some(doc.clone())
    }

    /// Stores a document whose current version is not in the cache.
    pub(crate) fn put(&mut self, doc: Arc<ItemDoc>) {
        self.dirty.insert(doc.id());
        self.enter(doc);
    }

    /// Stores a document as it is in the cache.
    pub(crate) fn put_clean(&mut self, doc: Arc<ItemDoc>) {
        self.enter(doc);
        self.shrink();
    }

    fn enter(&mut self, doc: Arc<ItemDoc>) {
        let id = doc.id();
        self.clock += 1;
        if let Some((_, used)) = self.loaded.insert(id, (doc, self.clock)) {
            self.by_use.remove(&used);
        }
        self.by_use.insert(self.clock, id);
    }

    /// The current document, if this version is not in the cache.
    pub(crate) fn uncached(&self, id: &ItemId) -> Option<Arc<ItemDoc>> {
        self.dirty
            .get(id)
            .and_then(|id| self.loaded.get(id))
            .map(|(doc, _)| doc.clone())
    }

    /// Drops a document after a rollback; the cache has its version before the batch.
    pub(crate) fn forget(&mut self, id: &ItemId) {
        self.dirty.remove(id);
        if let Some((_, used)) = self.loaded.remove(id) {
            self.by_use.remove(&used);
        }
    }

    /// The documents whose current version is not in the cache.
    pub(crate) fn dirty(&self) -> impl Iterator<Item = &Arc<ItemDoc>> {
        self.dirty
            .iter()
            .filter_map(|id| self.loaded.get(id))
            .map(|(doc, _)| doc)
    }

    /// How many of those there are.
    pub(crate) fn dirty_len(&self) -> usize {
        self.dirty.len()
    }

    /// Marks all documents as saved.
    pub(crate) fn all_clean(&mut self) {
        self.dirty.clear();
        self.shrink();
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn shrink(&mut self) {
        let mut oldest: Vec<u64> = Vec::new();
        let mut excess = self.loaded.len().saturating_sub(KEPT);
        for (used, id) in &self.by_use {
            if excess == 0 {
                break;
            }
            if !self.dirty.contains(id) {
                oldest.push(*used);
                excess -= 1;
            }
        }
        for used in oldest {
            if let Some(id) = self.by_use.remove(&used) {
                self.loaded.remove(&id);
            }
        }
    }
}
