//! The orphans that were imported without a network, on disk. No peer is asked for them again, so they have
//! to survive the process.
//!
//! One file. Entries are appended as they arrive; the file is rewritten or removed when a store is opened and
//! fewer entries wait than it contains. The replication core bounds the number of orphans. Every entry is
//! verified by its signature, so a torn end of the file loses only the torn entry. Nothing here decides which
//! entries are admitted.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use towline_proto::{Entry, EntryHash, limits};
use towline_store::home::files;

/// The file's name in the project's folder.
const NAME: &str = "waiting";
/// Bytes after which the file is rewritten instead of appended to: twice the bound of all orphans.
const MAX_BYTES: u64 = 2 * limits::ORPHANS_BYTES as u64;
/// Bytes of the length prefix of each entry.
const LENGTH_BYTES: usize = 4;

/// The orphan file of one project.
#[derive(Debug)]
pub(super) struct OrphanFile {
    path: PathBuf,
    hashes: BTreeSet<EntryHash>,
    bytes: u64,
}

impl OrphanFile {
    /// Opens the file and reads what an earlier process left, in order of arrival.
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

    /// Stores the current orphans; they are durable when this returns. Entries that wait no more stay in the
    /// file until it is rewritten, which `tidy` requests.
    ///
    /// # Errors
    /// When the file cannot be written; its earlier content is unchanged.
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

/// The entries of a file, up to the first invalid one.
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
