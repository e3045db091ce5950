//! A sled database behind guards. The cache of a project and the store of the gateway use it.
//!
//! sled 0.34.7 has three faults that a caller must not meet. It can hang for ever on a full disk: when it finds
//! no space for a large value, it leaves the place that it reserved in its log unfinished, and the next flush,
//! also that of closing, waits for it. So every write first checks the free space ([`FREE_BYTES`]), and after a
//! failed write sled is not used again. It panics on damaged files, so panics become errors. And its `flush`
//! does not call `fdatasync`, so [`SledStore::flush`] syncs the data file too.

use std::any::Any;
use std::fmt;
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::home::files::{self, is_full};

/// Free space that a write must leave on the disk, in bytes: what sled may write on its own.
pub const FREE_BYTES: u64 = 2 * 1024 * 1024;
/// Free space that opening needs, in bytes: one segment of sled's log.
const OPEN_BYTES: u64 = 512 * 1024;
/// How often a locked database is tried again.
const BUSY_POLL: Duration = Duration::from_millis(5);

/// How a database is opened.
#[derive(Debug, Clone, Copy)]
pub struct SledOptions {
    /// Size of sled's page cache, in bytes.
    pub cache_bytes: u64,
    /// How often sled flushes on its own, in milliseconds; `None` for never.
    pub flush_every_ms: Option<u64>,
    /// How long to wait for a locked database. A database that was just closed in this process stays locked until
    /// a thread of sled has finished.
    pub busy_timeout: Duration,
}

/// Why a database cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum SledStoreError {
    /// The file system returned an error.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system returned.
        source: io::Error,
    },
    /// The disk is full. If the check before a write found this, nothing happened, and a later write may succeed.
    #[error("the disk is full: cannot {what} the database; free some space and try again")]
    Full {
        /// What was tried.
        what: &'static str,
    },
    /// The files are damaged.
    #[error("the database is damaged: cannot {what} it: {why}")]
    Damaged {
        /// What was tried.
        what: &'static str,
        /// The error or the panic message of sled.
        why: String,
    },
    /// An earlier write or flush failed, and the database accepts no more writes in this process.
    #[error("the database accepts no more writes, because an earlier write failed; restart the program")]
    Closed,
    /// The database is open in another process, or in another part of this one.
    #[error("the database is open elsewhere: {why}")]
    Busy {
        /// The error of sled.
        why: String,
    },
}

impl SledStoreError {
    /// Adds what was tried to an error of the file system; a full disk becomes [`SledStoreError::Full`].
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            if is_full(&source) {
                return Self::Full { what };
            }
            let path = path.to_owned();
            Self::Io { what, path, source }
        }
    }

    fn sled(what: &'static str, error: sled::Error) -> Self {
        match error {
            sled::Error::Io(source) if is_full(&source) => Self::Full { what },
            // sled has no error variant for a held lock, only this text.
            sled::Error::Io(source) if source.to_string().contains("could not acquire lock") => Self::Busy {
                why: source.to_string(),
            },
            error => Self::Damaged {
                what,
                why: error.to_string(),
            },
        }
    }
}

/// An open database.
pub struct SledStore {
    db: sled::Db,
    data: File,
    folder: PathBuf,
    /// A write or flush failed, so sled is not used again.
    failed: AtomicBool,
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl SledStore {
    /// Opens the database in a folder, or creates it. Waits for a locked database for at most
    /// [`SledOptions::busy_timeout`].
    ///
    /// # Errors
    /// [`SledStoreError::Full`], [`SledStoreError::Busy`], [`SledStoreError::Damaged`], or what the file system
    /// returns.
    pub fn open(folder: &Path, options: &SledOptions) -> Result<Self, SledStoreError> {
        let deadline = Instant::now() + options.busy_timeout;
        loop {
            match Self::try_open(folder, options) {
                Err(SledStoreError::Busy { .. }) if Instant::now() < deadline => thread::sleep(BUSY_POLL),
                result => return result,
            }
        }
    }

    fn try_open(folder: &Path, options: &SledOptions) -> Result<Self, SledStoreError> {
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(options.cache_bytes)
            .flush_every_ms(options.flush_every_ms);
        // Opening writes too.
        if free_space(folder).is_ok_and(|free| free < OPEN_BYTES) {
            return Err(SledStoreError::Full { what: "open" });
        }
        let db = guard("open", || config.open())?;
        let path = folder.join("db");
        let data = File::open(&path).map_err(SledStoreError::io("open", &path))?;
        Ok(Self {
            db,
            data,
            folder: folder.to_owned(),
            failed: AtomicBool::new(false),
        })
    }

    /// Opens a tree, or creates it.
    ///
    /// # Errors
    /// As [`SledStore::write`] if the tree does not exist yet, otherwise as [`SledStore::read`].
    pub fn tree(&self, name: &str) -> Result<sled::Tree, SledStoreError> {
        if self.db.tree_names().iter().any(|known| known == name.as_bytes()) {
            return self.read("read", |db| db.open_tree(name));
        }
        self.write("write to", 0, |db| db.open_tree(name))
    }

    /// Reads from the database.
    ///
    /// # Errors
    /// [`SledStoreError::Damaged`].
    pub fn read<T>(
        &self,
        what: &'static str,
        read: impl FnOnce(&sled::Db) -> sled::Result<T>,
    ) -> Result<T, SledStoreError> {
        guard(what, || read(&self.db))
    }

    /// Writes `bytes` to the database, if the disk has space for them.
    ///
    /// # Errors
    /// [`SledStoreError::Full`] if the disk has too little space: nothing was written then, and the database stays
    /// usable. After any other error it accepts no more writes.
    pub fn write<T>(
        &self,
        what: &'static str,
        bytes: u64,
        write: impl FnOnce(&sled::Db) -> sled::Result<T>,
    ) -> Result<T, SledStoreError> {
        let free = free_space(&self.folder).map_err(SledStoreError::io("measure", &self.folder))?;
        if free < FREE_BYTES.saturating_add(bytes) {
            return Err(SledStoreError::Full { what });
        }
        self.change(|| guard(what, || write(&self.db)))
    }

    /// Makes all writes so far survive a power loss.
    ///
    /// # Errors
    /// What the disk returns. The error is final: the database accepts no more writes.
    pub fn flush(&self) -> Result<(), SledStoreError> {
        self.change(|| {
            guard("flush", || self.db.flush())?;
            self.data
                .sync_data()
                .map_err(SledStoreError::io("sync", &self.folder))
        })
    }

    /// The database, for iterators; each of their steps must run in [`guard`].
    pub(crate) const fn db(&self) -> &sled::Db {
        &self.db
    }

    /// Runs something that writes. If it fails, it is the last one.
    fn change<T>(&self, run: impl FnOnce() -> Result<T, SledStoreError>) -> Result<T, SledStoreError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(SledStoreError::Closed);
        }
        let result = run();
        if result.is_err() {
            self.failed.store(true, Ordering::Release);
        }
        result
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        if self.failed.load(Ordering::Acquire) {
            // sled flushes when its last handle is dropped, and could hang. So one handle is never dropped.
            std::mem::forget(self.db.clone());
        }
    }
}

/// Runs a call of sled and turns its panics into errors. sled panics on damaged files when it opens and reads them.
pub(crate) fn guard<T>(
    what: &'static str,
    run: impl FnOnce() -> sled::Result<T>,
) -> Result<T, SledStoreError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| SledStoreError::sled(what, error)),
        Err(panic) => {
            let why = panic_message(panic.as_ref());
            // sled unwraps some results of the file system, so only their text is left.
            if why.contains("No space left on device") || why.contains("StorageFull") {
                return Err(SledStoreError::Full { what });
            }
            Err(SledStoreError::Damaged { what, why })
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    text.chars().take(300).collect()
}

/// The free space on the disk of a folder, which may not exist yet.
fn free_space(folder: &Path) -> io::Result<u64> {
    let existing = folder.ancestors().find(|folder| folder.exists());
    files::room(existing.unwrap_or(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: SledOptions = SledOptions {
        cache_bytes: 1024 * 1024,
        flush_every_ms: None,
        busy_timeout: Duration::ZERO,
    };

    fn store(folder: &Path) -> SledStore {
        SledStore::open(folder, &OPTIONS).unwrap()
    }

    #[test]
    fn an_open_database_is_busy_and_a_closed_one_is_opened_within_the_timeout() {
        let folder = tempfile::tempdir().unwrap();
        let first = store(folder.path());
        let second = SledStore::open(folder.path(), &OPTIONS);
        assert!(matches!(second, Err(SledStoreError::Busy { .. })), "{second:?}");
        let patient = SledOptions {
            busy_timeout: Duration::from_secs(20),
            ..OPTIONS
        };
        drop(first);
        SledStore::open(folder.path(), &patient).unwrap();
    }

    #[test]
    fn a_write_larger_than_the_free_space_is_refused_and_the_next_one_succeeds() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let refused = store.write("write to", u64::MAX, |db| db.insert("a", "b"));
        assert!(matches!(refused, Err(SledStoreError::Full { .. })), "{refused:?}");
        store.write("write to", 2, |db| db.insert("a", "c")).unwrap();
        store.flush().unwrap();
        assert_eq!(store.read("read", |db| db.get("a")).unwrap().unwrap(), "c");
    }

    #[test]
    fn a_panic_is_an_error_and_after_a_failed_write_the_database_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let read = store.read("read", |_| -> sled::Result<()> { panic!("a bad page") });
        assert!(
            matches!(&read, Err(SledStoreError::Damaged { why, .. }) if why == "a bad page"),
            "{read:?}"
        );
        let failed = store.write("write to", 0, |_| -> sled::Result<()> {
            panic!("No space left on device")
        });
        assert!(matches!(failed, Err(SledStoreError::Full { .. })), "{failed:?}");
        let next = store.write("write to", 0, |db| db.insert("a", "b"));
        assert!(matches!(next, Err(SledStoreError::Closed)), "{next:?}");
        assert!(matches!(store.flush(), Err(SledStoreError::Closed)));
        assert!(store.read("read", |db| db.get("a")).unwrap().is_none());
    }
}
