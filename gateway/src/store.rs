//! The gateway's store: the outboxes of its deliveries, the chat commands that it handled, and its settings of
//! rooms.
//!
//! It is one sled database, guarded by [`SledStore`]. Every write is on the disk when it returns, and waits while
//! the disk is full. If the folder is lost, no item and no event is lost, only the record of what was delivered.
//! The relay then continues from the cursors that the projects' nodes store.
//!
//! | tree | key | value |
//! |---|---|---|
//! | `relay/1` | delivery (16) ‖ `l`, `o` or `p` ‖ seq (8, big endian) | JSON: acknowledged positions, queued message, failed message |
//! | `handled/1` | `e` ‖ event id; `n` ‖ count (8, big endian) | the count; the event id |
//! | `state/1` | a name | text |

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use towline_store::sled_store::{SledOptions, SledStore, SledStoreError};

/// Number of handled chat events that are remembered; a homeserver repeats only recent ones.
const HANDLED_EVENTS: u64 = 10_000;
/// How the database is opened. It has a few hundred small records, and each write is flushed explicitly. A gateway
/// that was stopped in this process may still be closing it.
const OPTIONS: SledOptions = SledOptions {
    cache_bytes: 4 * 1024 * 1024,
    flush_every_ms: None,
    busy_timeout: Duration::from_secs(2),
};
/// How often a write is tried again while the disk is full, in milliseconds.
const FULL_POLL_MS: u64 = 1_000;

/// Why the gateway's store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be created.
    #[error("cannot create {path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The files of the database are damaged.
    #[error(
        "the gateway's store is damaged: {0}; move the folder `gateway.sled` away to start with an empty one"
    )]
    Damaged(SledStoreError),
    /// Another gateway uses the folder.
    #[error("the gateway's store is in use: {0}; is another gateway using the same folder?")]
    Busy(SledStoreError),
    /// The database cannot be read or written.
    #[error("the gateway's store failed: {0}")]
    Database(SledStoreError),
    /// A record is not in the format of this version.
    #[error("a record of the gateway's store is invalid: {0}")]
    Record(#[from] serde_json::Error),
    /// The writing thread was stopped.
    #[error("the gateway is stopping")]
    Stopping,
}

impl From<SledStoreError> for StoreError {
    fn from(error: SledStoreError) -> Self {
        match error {
            SledStoreError::Damaged { .. } => Self::Damaged(error),
            SledStoreError::Busy { .. } => Self::Busy(error),
            SledStoreError::Io { .. } | SledStoreError::Full { .. } | SledStoreError::Closed => {
                Self::Database(error)
            }
        }
    }
}

impl StoreError {
    /// Whether the disk is full.
    pub(crate) const fn is_full(&self) -> bool {
        matches!(self, Self::Database(SledStoreError::Full { .. }))
    }
}

/// The gateway's store. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct GatewayStore {
    inner: Arc<StoreInner>,
}

#[derive(Debug)]
struct StoreInner {
    relay: sled::Tree,
    handled: sled::Tree,
    state: sled::Tree,
    handled_lock: Mutex<()>,
    db: SledStore,
}

impl GatewayStore {
    /// Opens the store in a folder, or creates it.
    ///
    /// # Errors
    /// When the folder cannot be used, the disk is full, or another process uses the store.
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(dir).map_err(|source| StoreError::Folder {
            path: dir.to_owned(),
            source,
        })?;
        let db = SledStore::open(&dir.join("gateway.sled"), &OPTIONS)?;
        Ok(Self {
            inner: Arc::new(StoreInner {
                relay: db.tree("relay/1")?,
                handled: db.tree("handled/1")?,
                state: db.tree("state/1")?,
                handled_lock: Mutex::new(()),
                db,
            }),
        })
    }

    /// The relay's records whose keys start with `prefix`, in key order.
    pub(crate) fn relay<T: DeserializeOwned>(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
        let records = self.read(|inner| {
            let records = inner.relay.scan_prefix(prefix);
            records.collect::<sled::Result<Vec<_>>>()
        })?;
        records
            .into_iter()
            .map(|(key, value)| Ok((key.to_vec(), serde_json::from_slice(&value)?)))
            .collect()
    }

    /// Writes records of the relay, all or none. They are on the disk when this returns.
    pub(crate) async fn write_relay(&self, batch: StoreBatch) -> Result<(), StoreError> {
        self.write(|inner| &inner.relay, batch).await
    }

    /// Records a chat event as handled; `false` if it was recorded before.
    ///
    /// # Errors
    /// When the store fails. The event must not be handled then.
    pub(crate) async fn record_handled(&self, event: &str) -> Result<bool, StoreError> {
        // Events of two rooms may arrive at the same time, and the count is read before it is written.
        let _guard = self.inner.handled_lock.lock().await;
        let key = [b"e", event.as_bytes()].concat();
        if self.read(|inner| inner.handled.contains_key(&key))? {
            return Ok(false);
        }
        let count = |key: sled::IVec| {
            let digits = key.get(1..).and_then(|digits| <[u8; 8]>::try_from(digits).ok());
            digits.map_or(0, u64::from_be_bytes)
        };
        let last = self.read(|inner| inner.handled.scan_prefix(b"n").next_back().transpose())?;
        let next = last.map_or(0, |(key, _)| count(key) + 1);
        let mut batch = StoreBatch::default();
        batch.insert(key, next.to_be_bytes().to_vec());
        batch.insert(count_key(next), event.as_bytes().to_vec());
        if let Some(old) = next.checked_sub(HANDLED_EVENTS)
            && let Some(event) = self.read(|inner| inner.handled.get(count_key(old)))?
        {
            batch.remove([b"e", event.as_ref()].concat());
            batch.remove(count_key(old));
        }
        self.write(|inner| &inner.handled, batch).await?;
        Ok(true)
    }

    /// A stored setting.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn state(&self, name: &str) -> Result<Option<String>, StoreError> {
        let value = self.read(|inner| inner.state.get(name))?;
        Ok(value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Stores a setting. It is on the disk when this returns.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn set_state(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let mut batch = StoreBatch::default();
        batch.insert(name.as_bytes().to_vec(), value.as_bytes().to_vec());
        self.write(|inner| &inner.state, batch).await
    }

    fn read<T>(&self, read: impl FnOnce(&StoreInner) -> sled::Result<T>) -> Result<T, StoreError> {
        Ok(self.inner.db.read("read", |_| read(&self.inner))?)
    }

    /// Writes a batch and makes it durable. While the disk is full it waits: a delivery that waits loses nothing,
    /// but one that ended would not resume when there is space again.
    async fn write(&self, tree: fn(&StoreInner) -> &sled::Tree, batch: StoreBatch) -> Result<(), StoreError> {
        let mut logged = false;
        loop {
            match self.try_write(tree, batch.clone()).await {
                Err(error) if error.is_full() => {}
                result => return result,
            }
            if !logged {
                tracing::error!("the disk is full; the relay waits until there is free space");
                logged = true;
            }
            tokio::time::sleep(Duration::from_millis(FULL_POLL_MS)).await;
        }
    }

    /// Writes a batch and makes it durable, unless the disk is full.
    async fn try_write(
        &self,
        tree: fn(&StoreInner) -> &sled::Tree,
        batch: StoreBatch,
    ) -> Result<(), StoreError> {
        let inner = Arc::clone(&self.inner);
        let work = tokio::task::spawn_blocking(move || {
            let StoreBatch { writes, bytes } = batch;
            inner
                .db
                .write("write to", bytes, |_| tree(&inner).apply_batch(writes))?;
            inner.db.flush()
        });
        Ok(work.await.map_err(|_| StoreError::Stopping)??)
    }
}

fn count_key(count: u64) -> Vec<u8> {
    [b"n".as_slice(), &count.to_be_bytes()].concat()
}

/// Writes to one tree that are made together or not at all.
#[derive(Debug, Default, Clone)]
pub(crate) struct StoreBatch {
    writes: sled::Batch,
    bytes: u64,
}

impl StoreBatch {
    /// Sets a key to a value as JSON.
    pub(crate) fn put<T: Serialize>(&mut self, key: Vec<u8>, value: &T) -> Result<(), StoreError> {
        self.insert(key, serde_json::to_vec(value)?);
        Ok(())
    }

    fn insert(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += (key.len() + value.len()) as u64;
        self.writes.insert(key, value);
    }

    /// Removes a key.
    pub(crate) fn remove(&mut self, key: Vec<u8>) {
        self.writes.remove(key);
    }
}

#[cfg(test)]
mod tests;
