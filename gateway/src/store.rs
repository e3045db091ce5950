//! The gateway's store: the outboxes of its deliveries, the chat commands that it handled, and its settings of
//! rooms.
//!
//! It is one sled database. Every write is on the disk when it returns: sled's own flush does not call
//! `fdatasync`, so the database file is synced here as well. If the folder is lost, no item and no event is
//! lost, only the record of what was delivered. The relay then continues from the cursors that the projects'
//! nodes store.
//!
//! | tree | key | value |
//! |---|---|---|
//! | `relay/1` | delivery (16) ‖ `l`, `o` or `p` ‖ seq (8, big endian) | JSON: acknowledged positions, queued message, failed message |
//! | `handled/1` | `e` ‖ event id; `n` ‖ count (8, big endian) | the count; the event id |
//! | `state/1` | a name | text |

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use towline_node::home::files::room;

/// Number of handled chat events that are remembered; a homeserver repeats only recent ones.
const HANDLED_EVENTS: u64 = 10_000;
/// Size of sled's cache, in bytes; the store has a few hundred small records.
const CACHE_BYTES: u64 = 4 * 1024 * 1024;

/// Free disk space that is required for opening and for each write, in bytes.
const FREE_BYTES: u64 = 2 * 1024 * 1024;
/// How often to check for free space on a full disk, in milliseconds.
const FREE_POLL_MS: u64 = 1_000;

/// Why the gateway's store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be created or read.
    #[error("cannot use {path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The disk is full. sled must not be opened then, because it may hang.
    #[error("the disk is full; free some space and try again")]
    Full,
    /// sled panicked.
    #[error(
        "the gateway's store is damaged: {0}; move the folder `gateway.sled` away to start with an empty one"
    )]
    Damaged(String),
    /// sled failed.
    #[error("the gateway's store failed: {0}; is another gateway using the same folder?")]
    Sled(#[from] sled::Error),
    /// A record is not in the format of this version.
    #[error("a record of the gateway's store is invalid: {0}")]
    Record(#[from] serde_json::Error),
    /// Syncing failed, so the last writes may not be on the disk.
    #[error("cannot sync the gateway's store to the disk: {0}")]
    Sync(#[source] std::io::Error),
    /// The writing thread was stopped.
    #[error("the gateway is stopping")]
    Stopping,
}

/// The gateway's store. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct GatewayStore {
    inner: Arc<StoreInner>,
}

#[derive(Debug)]
struct StoreInner {
    db: sled::Db,
    dir: PathBuf,
    relay: sled::Tree,
    handled: sled::Tree,
    state: sled::Tree,
    file: File,
    handled_lock: Mutex<()>,
}

impl GatewayStore {
    /// Opens the store in a folder, or creates it.
    ///
    /// # Errors
    /// When the folder cannot be used, or another process uses it.
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        let folder = |source| StoreError::Folder {
            path: dir.to_owned(),
            source,
        };
        std::fs::create_dir_all(dir).map_err(folder)?;
        let path = dir.join("gateway.sled");
        if room(dir).map_err(folder)? < FREE_BYTES {
            return Err(StoreError::Full);
        }
        let config = sled::Config::new()
            .path(&path)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None);
        // sled panics when its file is damaged.
        let db = catch_unwind(AssertUnwindSafe(|| config.open())).map_err(|panic| {
            let message = panic.downcast_ref::<String>().cloned();
            StoreError::Damaged(message.unwrap_or_else(|| "it cannot be read".to_owned()))
        })??;
        let file = File::open(path.join("db")).map_err(folder)?;
        Ok(Self {
            inner: Arc::new(StoreInner {
                relay: db.open_tree("relay/1")?,
                handled: db.open_tree("handled/1")?,
                state: db.open_tree("state/1")?,
                db,
                dir: dir.to_owned(),
                file,
                handled_lock: Mutex::new(()),
            }),
        })
    }

    /// The relay's records whose keys start with `prefix`, in key order.
    pub(crate) fn relay<T: DeserializeOwned>(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
        self.inner
            .relay
            .scan_prefix(prefix)
            .map(|pair| {
                let (key, value) = pair?;
                Ok((key.to_vec(), serde_json::from_slice(&value)?))
            })
            .collect()
    }

    /// Writes records of the relay, all or none. They are on the disk when this returns.
    pub(crate) async fn write_relay(&self, batch: RelayBatch) -> Result<(), StoreError> {
        self.write_durably(move |inner| inner.relay.apply_batch(batch.0))
            .await
    }

    /// Records a chat event as handled; `false` if it was recorded before.
    ///
    /// # Errors
    /// When the store fails. The event must not be handled then.
    pub(crate) async fn record_handled(&self, event: &str) -> Result<bool, StoreError> {
        // Events of two rooms may arrive at the same time, and the count is read before it is written.
        let _guard = self.inner.handled_lock.lock().await;
        let key = [b"e", event.as_bytes()].concat();
        if self.inner.handled.contains_key(&key)? {
            return Ok(false);
        }
        let count = |key: sled::IVec| {
            let digits = key.get(1..).and_then(|digits| <[u8; 8]>::try_from(digits).ok());
            digits.map_or(0, u64::from_be_bytes)
        };
        let last = self.inner.handled.scan_prefix(b"n").next_back();
        let next = last.transpose()?.map_or(0, |(key, _)| count(key) + 1);
        let mut batch = sled::Batch::default();
        batch.insert(key, &next.to_be_bytes());
        batch.insert(count_key(next), event.as_bytes());
        if let Some(old) = next.checked_sub(HANDLED_EVENTS)
            && let Some(event) = self.inner.handled.get(count_key(old))?
        {
            batch.remove([b"e", event.as_ref()].concat());
            batch.remove(count_key(old));
        }
        self.write_durably(move |inner| inner.handled.apply_batch(batch))
            .await?;
        Ok(true)
    }

    /// A stored setting.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn state(&self, name: &str) -> Result<Option<String>, StoreError> {
        let value = self.inner.state.get(name)?;
        Ok(value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Stores a setting. It is on the disk when this returns.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn set_state(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write_durably(move |inner| inner.state.insert(name, value.as_bytes()).map(|_| ()))
            .await
    }

    /// Waits until the disk has space for a write. A delivery that waits loses nothing; one that ended would
    /// not resume when there is space again.
    async fn wait_for_space(&self) -> Result<(), StoreError> {
        let dir = &self.inner.dir;
        let mut logged = false;
        loop {
            let free = room(dir).map_err(|source| StoreError::Folder {
                path: dir.clone(),
                source,
            })?;
            if free >= FREE_BYTES {
                return Ok(());
            }
            if !logged {
                tracing::error!(dir = %dir.display(), "the disk is full; the relay waits until there is free space");
                logged = true;
            }
            tokio::time::sleep(Duration::from_millis(FREE_POLL_MS)).await;
        }
    }

    async fn write_durably(
        &self,
        write: impl FnOnce(&StoreInner) -> Result<(), sled::Error> + Send + 'static,
    ) -> Result<(), StoreError> {
        self.wait_for_space().await?;
        let inner = Arc::clone(&self.inner);
        let work = tokio::task::spawn_blocking(move || {
            write(&inner)?;
            inner.db.flush()?;
            inner.file.sync_data().map_err(StoreError::Sync)
        });
        work.await.map_err(|_| StoreError::Stopping)?
    }
}

fn count_key(count: u64) -> Vec<u8> {
    [b"n".as_slice(), &count.to_be_bytes()].concat()
}

/// Writes of the relay's records that are made together.
#[derive(Debug, Default)]
pub(crate) struct RelayBatch(sled::Batch);

impl RelayBatch {
    pub(crate) fn put<T: Serialize>(&mut self, key: Vec<u8>, value: &T) -> Result<(), StoreError> {
        self.0.insert(key, serde_json::to_vec(value)?);
        Ok(())
    }

    pub(crate) fn remove(&mut self, key: Vec<u8>) {
        self.0.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_event_is_recorded_only_once_even_after_a_restart() {
        let dir = tempfile::tempdir().expect("a folder");
        {
            let store = GatewayStore::open(dir.path()).expect("open");
            assert!(store.record_handled("$a").await.expect("write"));
            assert!(!store.record_handled("$a").await.expect("read"));
            store.set_state("since", "s1").await.expect("write");
        }
        let store = GatewayStore::open(dir.path()).expect("open again");
        assert!(!store.record_handled("$a").await.expect("read"));
        assert!(store.record_handled("$b").await.expect("write"));
        assert_eq!(store.state("since").expect("read").as_deref(), Some("s1"));
    }

    #[tokio::test]
    async fn two_gateways_cannot_share_a_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        let _first = GatewayStore::open(dir.path()).expect("open");
        assert!(matches!(GatewayStore::open(dir.path()), Err(StoreError::Sled(_))));
    }
}
