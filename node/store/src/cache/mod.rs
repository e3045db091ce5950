//! The cache: all state that is derived from the log, stored in sled 0.34.7 so that a start need not rebuild
//! it.
//!
//! It relies on one batch of one tree being atomic, also across `kill -9`, and on nothing else: after a power
//! cut sled may open at an earlier batch, and it may not open at all. The log covers both: [`meta::APPLIED`]
//! is written in the same batch as the state that it describes. No read and no write panics here, whatever
//! the file contains. `docs/storage.md` describes the bytes.

mod card_snapshot;
mod error;
mod open;
mod pack;
mod packed;
mod row;
mod scan;
mod stored_card;
mod tables;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::{Bound, Deref};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use towline_crdt::view::{ItemView, PROJECTION_VERSION};
use towline_proto::{ItemId, Millis};

pub use card_snapshot::{BLOCK_CARDS, Snapshot, SnapshotWriter, publish};
pub use error::CacheError;
pub use open::{FORMAT, OpenOutcome};
pub use row::{Row, RowHeader, RowReferences, RowTexts};
pub use scan::{Pair, Scan};
pub use tables::{Table, meta};

use crate::home::files;
use crate::sled_store::SledStore;

/// Free bytes that a folder must have for a temporary cache.
const TEMPORARY_BYTES: u64 = 64 * 1024 * 1024;

/// The open cache of one project.
pub struct Cache {
    dir: PathBuf,
    store: SledStore,
    /// The folder of a temporary cache; removed after the store.
    temporary: Option<TempDir>,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// A value that was read. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(sled::IVec);

impl Deref for Value {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// A batch of writes, which is applied atomically.
#[derive(Default)]
pub struct Batch {
    inner: sled::Batch,
    packer: pack::Packer,
    writes: usize,
    bytes: u64,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("writes", &self.writes)
            .finish_non_exhaustive()
    }
}

impl Batch {
    /// Sets a key.
    pub fn put(&mut self, table: Table, key: &[u8], value: impl Into<Vec<u8>>) {
        let value = value.into();
        self.bytes += (1 + key.len() + value.len()) as u64;
        self.inner.insert(table.key(key), value);
        self.writes += 1;
    }

    /// Removes a key if it exists.
    pub fn remove(&mut self, table: Table, key: &[u8]) {
        self.inner.remove(table.key(key));
        self.writes += 1;
    }

    /// Sets the saved document of an item.
    pub fn put_doc(&mut self, item: &ItemId, saved: &[u8]) {
        let packed = self.packer.pack(saved);
        self.put(Table::Docs, item.as_bytes(), packed);
    }

    /// Sets the row of an item.
    pub fn put_row(&mut self, row: &Row) {
        let mut value = PROJECTION_VERSION.to_le_bytes().to_vec();
        row.write(&mut value);
        self.put(Table::Rows, row.id.as_bytes(), value);
    }

    /// Sets a number in [`Table::Meta`] or [`Table::Cursors`].
    pub fn put_u64(&mut self, table: Table, name: &str, value: u64) {
        self.put(table, name.as_bytes(), value.to_le_bytes());
    }

    /// Sets an event of the feed.
    pub fn put_feed(&mut self, position: u64, event: &[u8]) {
        let packed = self.packer.pack(event);
        self.put(Table::Feed, &position.to_be_bytes(), packed);
    }

    /// The number of writes.
    pub const fn len(&self) -> usize {
        self.writes
    }

    /// Whether it contains no writes.
    pub const fn is_empty(&self) -> bool {
        self.writes == 0
    }
}

impl Cache {
    /// Opens the cache in a folder; creates it if there is none, repairs it if it is damaged, and replaces it
    /// if it cannot be repaired. [`OpenOutcome`] says which.
    ///
    /// # Errors
    /// [`CacheError::Newer`], [`CacheError::Full`], [`CacheError::Busy`], or what the file system
    /// says. Damage is none.
    pub fn open(now: Millis, dir: &Path) -> Result<(Self, OpenOutcome), CacheError> {
        let (store, opened) = open::open(now, dir)?;
        Ok((Self::new(dir, store), opened))
    }

    /// An empty cache in the system's temporary folder, which is removed with the value: for a node whose own
    /// disk has no room to open a cache.
    ///
    /// # Errors
    /// [`CacheError::Full`] when there is no room there either.
    pub fn open_temporary(now: Millis) -> Result<Self, CacheError> {
        // `/dev/shm` is memory, for machines without another disk.
        let places = [std::env::temp_dir(), PathBuf::from("/dev/shm")];
        let with_room = |place: &PathBuf| files::room(place).is_ok_and(|room| room >= TEMPORARY_BYTES);
        for place in places.iter().filter(|place| with_room(place)) {
            let made = tempfile::Builder::new()
                .prefix("towline-cache-")
                .tempdir_in(place);
            let Ok(folder) = made else { continue };
            let (store, _) = open::open(now, &folder.path().join("cache"))?;
            let mut cache = Self::new(place, store);
            cache.temporary = Some(folder);
            return Ok(cache);
        }
        Err(CacheError::Full { what: "lend room to" })
    }

    /// The folder of a temporary cache; nothing in it survives the process.
    pub fn temporary_dir(&self) -> Option<&Path> {
        self.temporary.as_ref().map(TempDir::path)
    }

    /// Moves the cache aside and creates an empty one, when a read finds damage that opening did not find,
    /// because sled reads pages on demand. Close the old one first.
    ///
    /// # Errors
    /// As [`Cache::open`].
    pub fn replace(now: Millis, dir: &Path, why: &CacheError) -> Result<(Self, OpenOutcome), CacheError> {
        let (store, opened) = open::replace(now, dir, why.to_string())?;
        Ok((Self::new(dir, store), opened))
    }

    fn new(dir: &Path, store: SledStore) -> Self {
        Self {
            dir: dir.to_owned(),
            store,
            temporary: None,
        }
    }

    /// Applies a batch atomically. It survives `kill -9` after the next flush, which sled does every half
    /// second.
    ///
    /// # Errors
    /// [`CacheError::Full`] leaves the cache as it was and usable; after anything else it is closed.
    pub fn write(&self, batch: Batch) -> Result<(), CacheError> {
        let Batch { inner, bytes, .. } = batch;
        Ok(self.store.write("write to", bytes, |db| db.apply_batch(inner))?)
    }

    /// Reads one value.
    ///
    /// # Errors
    /// [`CacheError::Damaged`].
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Value>, CacheError> {
        let value = self.store.read("read", |db| db.get(table.key(key)))?;
        Ok(value.map(Value))
    }

    /// Reads the saved document of an item.
    ///
    /// # Errors
    /// [`CacheError::Damaged`].
    pub fn doc(&self, item: &ItemId) -> Result<Option<Vec<u8>>, CacheError> {
        let Some(packed) = self.get(Table::Docs, item.as_bytes())? else {
            return Ok(None);
        };
        pack::Unpacker::default()
            .unpack(&packed)
            .map(Some)
            .ok_or_else(|| unreadable("read a document"))
    }

    /// The events of the feed from a position on, in order.
    pub fn feed(&self, from: u64) -> impl Iterator<Item = Result<Vec<u8>, CacheError>> {
        let mut unpacker = pack::Unpacker::default();
        self.scan_from(Table::Feed, &from.to_be_bytes()).map(move |pair| {
            let (_, packed) = pair?;
            let event = unpacker.unpack(&packed);
            event.ok_or_else(|| unreadable("read an event"))
        })
    }

    /// Reads the row of an item; `None` if there is none or it has another projection version, so that it
    /// must be made again.
    ///
    /// # Errors
    /// [`CacheError::Damaged`].
    pub fn row(&self, item: &ItemId) -> Result<Option<ItemView>, CacheError> {
        let value = self.get(Table::Rows, item.as_bytes())?;
        let row = value.map_or(Ok(None), |value| decode_row(*item, &value))?;
        Ok(row.map(|(_, row)| row))
    }

    /// Every row, in the order of item ids: the id, and the row, packed and unpacked, unless it must be made
    /// again.
    pub fn rows(&self) -> impl Iterator<Item = Result<(ItemId, Option<(Row, ItemView)>), CacheError>> {
        self.scan(Table::Rows, &[]).map(|found| {
            let (key, value) = found?;
            let id = <[u8; ItemId::LEN]>::try_from(key.as_slice()).map_err(|_| CacheError::Damaged {
                what: "read a row",
                why: format!("its key has {} bytes", key.len()),
            })?;
            Ok((ItemId(id), decode_row(ItemId(id), &value)?))
        })
    }

    /// Reads a number in [`Table::Meta`] or [`Table::Cursors`].
    ///
    /// # Errors
    /// [`CacheError::Damaged`].
    pub fn u64(&self, table: Table, name: &str) -> Result<Option<u64>, CacheError> {
        let Some(value) = self.get(table, name.as_bytes())? else {
            return Ok(None);
        };
        let bytes = <[u8; 8]>::try_from(&*value).map_err(|_| CacheError::Damaged {
            what: "read a number",
            why: format!("{name:?} of {} has {} bytes", table.name(), value.len()),
        })?;
        Ok(Some(u64::from_le_bytes(bytes)))
    }

    /// Every pair of a table whose key begins with `prefix`, in the order of keys; backwards with
    /// `next_back`.
    pub fn scan(&self, table: Table, prefix: &[u8]) -> Scan {
        Scan {
            pairs: self.store.db().scan_prefix(table.key(prefix)),
            db: self.store.db().clone(),
        }
    }

    /// Every pair of a table from a key on, that key included, in the order of keys.
    pub fn scan_from(&self, table: Table, key: &[u8]) -> Scan {
        let end = vec![table.tag() + 1];
        let range = (Bound::Included(table.key(key)), Bound::Excluded(end));
        Scan {
            pairs: self.store.db().range::<Vec<u8>, _>(range),
            db: self.store.db().clone(),
        }
    }

    /// Makes all writes so far survive a power cut.
    ///
    /// # Errors
    /// What the disk says; the cache is closed then.
    pub fn flush_durable(&self) -> Result<(), CacheError> {
        Ok(self.store.flush()?)
    }

    /// Empties every table. [`meta::APPLIED`] is removed first and durably, so that a process that dies
    /// half-way leaves a cache that is known to be incomplete.
    ///
    /// # Errors
    /// As [`Cache::write`] and [`Cache::flush_durable`].
    pub fn clear(&self) -> Result<(), CacheError> {
        let mut first = Batch::default();
        first.remove(Table::Meta, meta::APPLIED.as_bytes());
        self.write(first)?;
        self.flush_durable()?;
        Ok(self.store.write("clear", 0, |db| db.clear())?)
    }

    /// The size of the cache on disk in bytes.
    ///
    /// # Errors
    /// When the file system does not say.
    pub fn size_on_disk(&self) -> Result<u64, CacheError> {
        Ok(self.store.read("measure", |db| db.size_on_disk())?)
    }
}

fn unreadable(what: &'static str) -> CacheError {
    CacheError::Damaged {
        what,
        why: "it cannot be unpacked".to_owned(),
    }
}

fn decode_row(item: ItemId, value: &[u8]) -> Result<Option<(Row, ItemView)>, CacheError> {
    let damaged = |why: String| CacheError::Damaged {
        what: "read a row",
        why,
    };
    let (version, row) = value
        .split_first_chunk::<4>()
        .ok_or_else(|| damaged("it is incomplete".to_owned()))?;
    if u32::from_le_bytes(*version) != PROJECTION_VERSION {
        return Ok(None);
    }
    let row = Row::read(item, row).ok_or_else(|| damaged("it is not a valid row".to_owned()))?;
    Ok(Some(row))
}
