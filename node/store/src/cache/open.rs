//! Opens the cache in whatever state it is: repaired if possible, otherwise moved aside and replaced by an
//! empty one.
//!
//! sled 0.34.7 fails or panics on open after ordinary accidents (an incomplete snapshot of a killed process,
//! a flipped bit, a lost block). The steps here escalate, and only damage leads to the next one: a full disk,
//! a held lock or a newer format are reported and change nothing.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use towline_proto::Millis;

use super::error::CacheError;
use super::tables::Table;
use crate::home::files::{PRIVATE_MODE, sync_folder, write_atomic};
use crate::sled_store::{SledOptions, SledStore, SledStoreError};

/// The version of the cache's layout. Raise it when the layout of files changes; a change of one table raises
/// the version in its name.
pub const FORMAT: u32 = 1;
/// The file with the format version, readable without sled.
const FORMAT_FILE: &str = "format";
const FORMAT_WORDS: &str = "towline cache";
/// How sled is opened. What is read often is kept by the project, and the rest is in the system's page cache, so
/// sled's cache is small. The home's lock keeps other processes away, so whoever has the cache open is about to
/// close it.
const OPTIONS: SledOptions = SledOptions {
    cache_bytes: 4 * 1024 * 1024,
    flush_every_ms: Some(500),
    busy_timeout: Duration::from_secs(2),
};

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
            return Ok((SledStore::open(&store, &OPTIONS)?, OpenOutcome::Created));
        }
        Format::None => return replace(now, dir, "its format version is missing".to_owned()),
        Format::Older => return replace(now, dir, "it was written by an older towline".to_owned()),
    }
    let first = match SledStore::open(&store, &OPTIONS) {
        Ok(open) => return Ok((open, OpenOutcome::Intact)),
        Err(error @ SledStoreError::Damaged { .. }) => CacheError::from(error),
        Err(error) => return Err(error.into()),
    };
    // The panic in the first attempt may have left a lock in this process, which is not worth waiting for.
    let options = SledOptions {
        busy_timeout: Duration::ZERO,
        ..OPTIONS
    };
    for (removed, is_it) in REPAIRS {
        if remove_files(&store, is_it)? == 0 {
            continue;
        }
        match SledStore::open(&store, &options) {
            Ok(open) => return Ok((open, OpenOutcome::Repaired { removed })),
            Err(error @ SledStoreError::Full { .. }) => return Err(error.into()),
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
        SledStore::open(&dir.join("sled"), &OPTIONS)?,
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
