//! Entries that were carried here and wait for what they build on, on disk: no peer is asked for them again,
//! so they have to outlive the process.
//!
//! One file, appended to as entries come and made anew or removed when a store is opened and what waits has
//! become less. Relies on the replication core for what waits, which is bounded; an entry proves itself by
//! its signature, so a torn end costs what is torn. Never decides what is taken.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use towline_proto::{Entry, EntryHash, limits};

use crate::home::files;

/// The file's name in the project's folder.
const NAME: &str = "waiting";
/// Bytes after which the file is made anew rather than appended to: all that can wait, twice.
const MAX_BYTES: u64 = 2 * limits::ORPHANS_BYTES as u64;
/// Bytes of a length before each entry.
const LENGTH_BYTES: usize = 4;

/// What is kept of one project.
#[derive(Debug)]
pub(super) struct OrphanFile {
    path: PathBuf,
    hashes: BTreeSet<EntryHash>,
    bytes: u64,
}

impl OrphanFile {
    /// What an earlier process has left, in the order in which it came.
    pub(super) fn open(dir: &Path) -> (Self, Vec<Entry>) {
        let path = dir.join(NAME);
        let entries = match read(&path) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(%error, "entries that waited cannot be read; import their bundle again");
                Vec::new()
            }
        };
        let file = Self {
            path,
            hashes: entries.iter().map(Entry::hash).collect(),
            bytes: entries.iter().map(size).sum(),
        };
        (file, entries)
    }

    /// Keeps what waits now; durable when this returns. What waits no more is left in the file until that is
    /// made anew, which `tidy` asks for.
    ///
    /// # Errors
    /// When the file system refuses; what was kept before is kept.
    pub(super) fn save<'a>(
        &mut self,
        waiting: impl Iterator<Item = &'a Entry>,
        tidy: bool,
    ) -> io::Result<()> {
        let waiting: Vec<&Entry> = waiting.collect();
        let new: Vec<&Entry> = waiting
            .iter()
            .copied()
            .filter(|entry| !self.hashes.contains(&entry.hash()))
            .collect();
        let more: u64 = new.iter().copied().map(size).sum();
        let has_less = waiting.len() < self.hashes.len() + new.len();
        if waiting.is_empty() && !self.hashes.is_empty() {
            return self.replace(&[]);
        }
        if has_less && tidy || self.bytes + more > MAX_BYTES {
            return self.replace(&waiting);
        }
        if new.is_empty() {
            return Ok(());
        }
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(files::PRIVATE_MODE)
            .open(&self.path)?;
        file.write_all(&encoded(&new))?;
        file.sync_all()?;
        if self.hashes.is_empty()
            && let Some(dir) = self.path.parent()
        {
            files::sync_folder(dir)?;
        }
        self.hashes.extend(new.iter().map(|entry| entry.hash()));
        self.bytes += more;
        Ok(())
    }

    fn replace(&mut self, waiting: &[&Entry]) -> io::Result<()> {
        if waiting.is_empty() {
            match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        } else {
            files::write_atomic(&self.path, &encoded(waiting), files::PRIVATE_MODE)?;
        }
        self.hashes = waiting.iter().map(|entry| entry.hash()).collect();
        self.bytes = waiting.iter().copied().map(size).sum();
        Ok(())
    }
}

fn size(entry: &Entry) -> u64 {
    (LENGTH_BYTES + entry.bytes().len()) as u64
}

fn encoded(entries: &[&Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u32::try_from(entry.bytes().len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(entry.bytes());
    }
    bytes
}

/// The entries of a file, up to the first that is none.
fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(MAX_BYTES).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut entries = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((length, behind)) = rest.split_first_chunk::<LENGTH_BYTES>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((entry, behind)) = behind.split_at_checked(length) else {
            break;
        };
        let Ok(entry) = Entry::decode(entry.to_vec().into()) else {
            break;
        };
        entries.push(entry);
        rest = behind;
    }
    Ok(entries)
}
