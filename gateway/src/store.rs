//! The gateway's own memory: what was planned, what was handled, where a sync stands.
//!
//! One sled database. Every write is on the disk when it returns: sled's own flush does not call
//! `fdatasync`, so the database file is synced here as well. Losing this folder loses no work item
//! and no event, only the knowledge of what was told: the relay then goes on from the cursors that
//! the projects' nodes keep.
//!
//! | tree | key | value |
//! |---|---|---|
//! | `relay/1` | lane (16) ‖ `l`, `o` or `p` ‖ seq (8, big endian) | JSON: ledger, outbox line, parked line |
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

/// Commands that are remembered as handled; a homeserver repeats only recent ones.
const HANDLED: u64 = 10_000;
/// Cache of the database, in bytes: it holds a few hundred small records.
const CACHE_BYTES: u64 = 4 * 1024 * 1024;

/// Room in bytes that must be on the disk for a write, or for opening.
const ROOM_BYTES: u64 = 2 * 1024 * 1024;
/// How often it is looked whether there is room again, in milliseconds.
const ROOM_POLL_MS: u64 = 1_000;

/// Why the gateway's memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made or read.
    #[error("cannot use {path}: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The disk is full, and sled must never meet that: it may wait for ever then.
    #[error("the disk is full; free some room")]
    Full,
    /// The database panicked.
    #[error("the gateway's store is damaged: {0}; move its folder `gateway.sled` away to begin a new one")]
    Damaged(String),
    /// The database refuses.
    #[error("the gateway's store failed: {0}; is another gateway using the same folder?")]
    Sled(#[from] sled::Error),
    /// What is stored is not what this version stores.
    #[error("a record of the gateway's store is not readable: {0}")]
    Record(#[from] serde_json::Error),
    /// Syncing to the disk failed; what is in memory may not be on the disk.
    #[error("the gateway's store cannot be synced: {0}")]
    Sync(#[source] std::io::Error),
    /// The thread that writes was ended.
    #[error("the gateway is ending")]
    Ending,
}

/// The gateway's own memory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: sled::Db,
    dir: PathBuf,
    relay: sled::Tree,
    handled: sled::Tree,
    state: sled::Tree,
    file: File,
    counting: Mutex<()>,
}

impl Store {
    /// Opens or makes the store in a folder.
    ///
    /// # Errors
    /// When the folder cannot be used or another process uses it.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let folder = |source| StoreError::Folder {
            path: dir.to_owned(),
            source,
        };
        std::fs::create_dir_all(dir).map_err(folder)?;
        let path = dir.join("gateway.sled");
        if room(dir).map_err(folder)? < ROOM_BYTES {
            return Err(StoreError::Full);
        }
        let config = sled::Config::new()
            .path(&path)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None);
        // A flipped bit in its file makes it panic.
        let db = catch_unwind(AssertUnwindSafe(|| config.open())).map_err(|panic| {
            let said = panic.downcast_ref::<String>().cloned();
            StoreError::Damaged(said.unwrap_or_else(|| "it cannot be read".to_owned()))
        })??;
        let file = File::open(path.join("db")).map_err(folder)?;
        Ok(Self {
            inner: Arc::new(Inner {
                relay: db.open_tree("relay/1")?,
                handled: db.open_tree("handled/1")?,
                state: db.open_tree("state/1")?,
                db,
                dir: dir.to_owned(),
                file,
                counting: Mutex::new(()),
            }),
        })
    }

    /// Records of the relay whose keys begin so, in order of their keys.
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

    /// Changes records of the relay, all or none; on the disk when this returns.
    pub(crate) async fn change_relay(&self, change: Change) -> Result<(), StoreError> {
        self.durably(move |inner| inner.relay.apply_batch(change.0)).await
    }

    /// Whether a chat event was handled already; if not, it is from now on.
    ///
    /// # Errors
    /// When the store fails; the event is then not to be acted upon.
    pub async fn first_time(&self, event: &str) -> Result<bool, StoreError> {
        // Two rooms' events may arrive together, and the count is read before it is written.
        let _guard = self.inner.counting.lock().await;
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
        batch.insert(numbered(next), event.as_bytes());
        if let Some(old) = next.checked_sub(HANDLED)
            && let Some(event) = self.inner.handled.get(numbered(old))?
        {
            batch.remove([b"e", event.as_ref()].concat());
            batch.remove(numbered(old));
        }
        self.durably(move |inner| inner.handled.apply_batch(batch))
            .await?;
        Ok(true)
    }

    /// A remembered text.
    ///
    /// # Errors
    /// When the store fails.
    pub fn state(&self, name: &str) -> Result<Option<String>, StoreError> {
        let value = self.inner.state.get(name)?;
        Ok(value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Remembers a text; on the disk when this returns.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn set_state(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.durably(move |inner| inner.state.insert(name, value.as_bytes()).map(|_| ()))
            .await
    }

    /// Waits until there is room for a write: a lane that stands still loses nothing, one that ends does.
    async fn until_there_is_room(&self) -> Result<(), StoreError> {
        let dir = &self.inner.dir;
        let mut told = false;
        loop {
            let room = room(dir).map_err(|source| StoreError::Folder {
                path: dir.clone(),
                source,
            })?;
            if room >= ROOM_BYTES {
                return Ok(());
            }
            if !told {
                tracing::error!(dir = %dir.display(), "the disk is full: the relay waits until there is room");
                told = true;
            }
            tokio::time::sleep(Duration::from_millis(ROOM_POLL_MS)).await;
        }
    }

    async fn durably(
        &self,
        write: impl FnOnce(&Inner) -> Result<(), sled::Error> + Send + 'static,
    ) -> Result<(), StoreError> {
        self.until_there_is_room().await?;
        let inner = Arc::clone(&self.inner);
        let work = tokio::task::spawn_blocking(move || {
            write(&inner)?;
            inner.db.flush()?;
            inner.file.sync_data().map_err(StoreError::Sync)
        });
        work.await.map_err(|_| StoreError::Ending)?
    }
}

fn numbered(count: u64) -> Vec<u8> {
    [b"n".as_slice(), &count.to_be_bytes()].concat()
}

/// Changes of the relay's records that belong together.
#[derive(Debug, Default)]
pub(crate) struct Change(sled::Batch);

impl Change {
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
    async fn an_event_is_new_only_once_even_after_a_restart() {
        let dir = tempfile::tempdir().expect("a folder");
        {
            let store = Store::open(dir.path()).expect("open");
            assert!(store.first_time("$a").await.expect("write"));
            assert!(!store.first_time("$a").await.expect("read"));
            store.set_state("since", "s1").await.expect("write");
        }
        let store = Store::open(dir.path()).expect("open again");
        assert!(!store.first_time("$a").await.expect("read"));
        assert!(store.first_time("$b").await.expect("write"));
        assert_eq!(store.state("since").expect("read").as_deref(), Some("s1"));
    }

    #[tokio::test]
    async fn two_gateways_cannot_share_a_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        let _first = Store::open(dir.path()).expect("open");
        assert!(matches!(Store::open(dir.path()), Err(StoreError::Sled(_))));
    }
}
