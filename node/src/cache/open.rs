//! Opens the cache in whatever state it is: repaired if possible, otherwise moved aside and replaced by an
//! empty one.
//!
//! sled 0.34.7 fails or panics on open after ordinary accidents (an incomplete snapshot of a killed process,
//! a flipped bit, a lost block). The steps here escalate, and only damage leads to the next one: a full disk,
//! a held lock or a newer format are reported and change nothing.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use towline_proto::Millis;

use super::error::{CacheError, guard};
use super::tables::Table;
use crate::home::files::{self, PRIVATE_MODE, sync_folder, write_atomic};

/// The version of the cache's layout. Raise it when the layout of files changes; a change of one table raises
/// the version in its name.
pub const FORMAT: u32 = 1;
/// The file with the format version, readable without sled.
const FORMAT_FILE: &str = "format";
const FORMAT_WORDS: &str = "towline cache";
/// How much of the tree sled keeps in memory, in bytes: the project keeps what is read often, and the rest is
/// in the system's page cache.
const MEMORY_BYTES: u64 = 4 * 1024 * 1024;
/// Free bytes that opening needs: one segment of sled's log.
const OPENING_BYTES: u64 = 512 * 1024;
/// How long sled may take to release its lock after it was closed. The home's lock keeps other processes
/// away, so whoever has the cache open is about to close it.
const CLOSING: Duration = Duration::from_secs(2);
/// The interval between retries.
const CLOSING_POLL: Duration = Duration::from_millis(5);
/// How often sled syncs on its own, in milliseconds.
const FLUSH_MS: u64 = 500;

/// The state in which the cache was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenOutcome {
    /// There was none; an empty one was created.
    Created,
    /// It was intact.
    Intact,
    /// It could only be opened after this was removed; its contents are intact.
    Repaired {
        /// What was removed.
        removed: &'static str,
    },
    /// It was moved aside and replaced by an empty one.
    Replaced {
        /// The folder of the old one.
        aside: PathBuf,
        /// Why it was replaced.
        why: String,
    },
}

impl OpenOutcome {
    /// Whether everything must be rebuilt from the log.
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Created | Self::Replaced { .. })
    }
}

/// An open sled.
#[derive(Debug)]
pub(crate) struct SledStore {
    pub(crate) db: sled::Db,
    /// sled's own data file: its `flush` asks the disk for nothing that survives a power cut.
    pub(crate) data: File,
}

pub(crate) fn open(now: Millis, dir: &Path) -> Result<(SledStore, OpenOutcome), CacheError> {
    let store = dir.join("sled");
    match read_format(dir)? {
        Format::This => {}
        Format::Newer(found) => {
            return Err(CacheError::Newer {
                path: dir.to_owned(),
                found,
                known: FORMAT,
            });
        }
        Format::None if !store.exists() => {
            make(dir)?;
            return Ok((open_sled(&store)?, OpenOutcome::Created));
        }
        Format::None => return replace(now, dir, "its format version is missing".to_owned()),
        Format::Older => return replace(now, dir, "it was written by an older towline".to_owned()),
    }
    let deadline = Instant::now() + CLOSING;
    let first = loop {
        match open_sled(&store) {
            Ok(open) => return Ok((open, OpenOutcome::Intact)),
            Err(error) if error.is_damage() => break error,
            // A cache that was just dropped is still open: a thread of sled closes it.
            Err(CacheError::Busy { .. }) if Instant::now() < deadline => thread::sleep(CLOSING_POLL),
            Err(error) => return Err(error),
        }
    };
    for (removed, is_it) in REPAIRS {
        if remove_files(&store, is_it)? == 0 {
            continue;
        }
        match open_sled(&store) {
            Ok(open) => return Ok((open, OpenOutcome::Repaired { removed })),
            Err(error @ CacheError::Full { .. }) => return Err(error),
            // This includes a lock that the panic of the previous attempt left in this process.
            Err(_) => {}
        }
    }
    replace(now, dir, first.to_string())
}

/// Selects files by name.
type IsIt = fn(&str) -> bool;

/// What is removed before the next attempt, in order. Both are copies of data in sled's main file, and have
/// been seen to prevent it from opening.
const REPAIRS: [(&str, IsIt); 2] = [
    ("a snapshot that was in the making", |name| {
        name.starts_with("snap.") && name.ends_with(".generating")
    }),
    ("the snapshot", |name| name.starts_with("snap.")),
];

/// Removes the selected files of sled; returns how many there were.
fn remove_files(store: &Path, is_it: IsIt) -> Result<usize, CacheError> {
    let io = |error| CacheError::io("mend", store)(error);
    let mut removed = 0;
    for entry in fs::read_dir(store).map_err(io)? {
        let entry = entry.map_err(io)?;
        if entry.file_name().to_str().is_some_and(is_it) {
            fs::remove_file(entry.path()).map_err(io)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The free space on the disk of a folder that may not exist yet.
fn room(folder: &Path) -> io::Result<u64> {
    let there = folder.ancestors().find(|folder| folder.exists());
    files::room(there.unwrap_or(folder))
}

fn open_sled(store: &Path) -> Result<SledStore, CacheError> {
    let config = sled::Config::new()
        .path(store)
        .cache_capacity(MEMORY_BYTES)
        .flush_every_ms(Some(FLUSH_MS));
    // sled writes when it is opened, and on a full disk it may wait for ever.
    if room(store).is_ok_and(|room| room < OPENING_BYTES) {
        return Err(CacheError::Full { what: "open" });
    }
    let db = guard("open", || config.open())?;
    let path = store.join("db");
    let data = File::open(&path).map_err(CacheError::io("open", &path))?;
    Ok(SledStore { db, data })
}

/// Creates the folder of a new cache, its format file first.
fn make(dir: &Path) -> Result<(), CacheError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(CacheError::io("make", dir))?;
    let path = dir.join(FORMAT_FILE);
    write_atomic(&path, format_text().as_bytes(), PRIVATE_MODE).map_err(CacheError::io("write", &path))?;
    if let Some(parent) = dir.parent() {
        sync_folder(parent).map_err(CacheError::io("sync", parent))?;
    }
    Ok(())
}

/// Moves the cache aside and creates an empty one.
pub(crate) fn replace(now: Millis, dir: &Path, why: String) -> Result<(SledStore, OpenOutcome), CacheError> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let prefix = format!("{name}.damaged-");
    let parent = dir.parent().unwrap_or(Path::new("."));
    // One old cache is kept for diagnosis; a disk that damages a cache every day must not be filled with
    // them.
    for entry in fs::read_dir(parent).map_err(CacheError::io("list", parent))? {
        let entry = entry.map_err(CacheError::io("list", parent))?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            fs::remove_dir_all(entry.path()).map_err(CacheError::io("remove", &entry.path()))?;
        }
    }
    let aside = dir.with_file_name(format!("{prefix}{}", now.0));
    fs::rename(dir, &aside).map_err(CacheError::io("move aside", dir))?;
    make(dir)?;
    Ok((
        open_sled(&dir.join("sled"))?,
        OpenOutcome::Replaced { aside, why },
    ))
}

/// What the format file says.
enum Format {
    This,
    Older,
    Newer(u32),
    None,
}

fn format_text() -> String {
    let tables: Vec<&str> = Table::ALL.into_iter().map(Table::name).collect();
    format!("{FORMAT_WORDS} {FORMAT}\n{}\n", tables.join(" "))
}

fn read_format(dir: &Path) -> Result<Format, CacheError> {
    let path = dir.join(FORMAT_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
            return Ok(Format::None);
        }
        Err(error) => return Err(CacheError::io("read", &path)(error)),
    };
    if text == format_text() {
        return Ok(Format::This);
    }
    let version = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix(FORMAT_WORDS))
        .and_then(|version| version.trim().parse::<u32>().ok());
    Ok(match version {
        Some(found) if found > FORMAT => Format::Newer(found),
        Some(_) => Format::Older,
        None => Format::None,
    })
}
