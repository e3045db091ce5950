//! Repairs a project whose log is damaged.
//!
//! The damaged log is moved aside, never deleted. A new log is made from every intact entry that still
//! follows from the entries kept before it; each passes the gate as if a peer had sent it. The new log is
//! built in a separate folder and replaces the old one when it is complete, so an interrupted repair can be
//! run again. Missing entries come back from peers by catch-up. Damaged entries that only this node had
//! remain in the folder of the old log and nowhere else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use towline_proto::{Entry, Millis, Payload, ProjectId};
use towline_store::home::files::sync_folder;
use towline_store::log::Log;
use towline_sync::AdmissionBatch;

use super::{Project, ProjectOptions};

/// The subfolder in which the new log is built.
const WORK_FOLDER: &str = "mending";
/// Entries per sync while they are written again.
const BATCH: usize = 512;

/// The result of a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairReport {
    /// Entries in the new log.
    pub kept: usize,
    /// Intact entries that could not be kept because an entry that they depend on is damaged.
    pub left_out: usize,
    /// Damaged places in the old log.
    pub gaps: usize,
    /// The folder of the old log.
    pub old_log: PathBuf,
}

impl Project {
    /// Repairs a project's store. The caller holds the lock, and the store is not open.
    ///
    /// # Errors
    /// When the project's first entry is damaged, or files cannot be written. The damaged log is then in its
    /// place or moved aside.
    pub fn repair(mut options: ProjectOptions, id: ProjectId) -> anyhow::Result<RepairReport> {
        let home = options.dir.clone();
        let (log, workshop) = (home.join("log"), home.join(WORK_FOLDER));
        if !log.exists() && workshop.join("log").exists() {
            // A repair was interrupted between the two renames below: the new log is complete but not in its
            // place.
            fs::rename(workshop.join("log"), &log).context("putting the new log in its place")?;
            sync_folder(&home)?;
        }
        remove_folder(&workshop)?;
        let mut entries: Vec<(Millis, Entry)> = Vec::new();
        let mut unreadable = 0;
        let salvaged = Log::salvage(&log, id, |record| {
            match Entry::decode(record.bytes) {
                Ok(entry) => entries.push((record.seen_at, entry)),
                Err(_) => unreadable += 1,
            }
            Ok::<(), std::convert::Infallible>(())
        })?;
        let genesis = entries
            .first()
            .map(|(_, entry)| entry.clone())
            .filter(|entry| matches!(entry.body().payload, Payload::Genesis(_)) && entry.project() == id)
            .context("the project's first entry is damaged; join the project again from another member")?;
        let now = options.env.now();
        options.dir.clone_from(&workshop);
        let mut project = Self::create(options, &genesis)?;
        let (kept, left_out) = project.readmit(entries.split_off(1))?;
        project.close();
        // The cache is removed first: a cache of the old log must never be used with the new one.
        remove_folder(&home.join("cache"))?;
        let old_log = Log::move_aside(now, &log)?;
        fs::rename(workshop.join("log"), &log).context("putting the new log in its place")?;
        sync_folder(&home)?;
        remove_folder(&workshop)?;
        Ok(RepairReport {
            kept: kept + 1,
            left_out: left_out + unreadable,
            gaps: salvaged.gaps.len(),
            old_log,
        })
    }

    fn readmit(&mut self, entries: Vec<(Millis, Entry)>) -> anyhow::Result<(usize, usize)> {
        let (mut kept, mut left_out) = (0, 0);
        let mut batch = AdmissionBatch::default();
        let mut waiting: Vec<(Millis, Entry)> = Vec::new();
        for (seen_at, entry) in entries {
            // The replica refuses entries that follow a missing one: it does not take an entry without its
            // predecessor.
            let admitted = batch.allows(&entry)
                && self
                    .replication
                    .core
                    .replay(&entry, self.store.log.end().saturating_add(waiting.len() as u64))
                && self.try_admit(&entry, false).is_ok();
            if admitted {
                kept += 1;
                waiting.push((seen_at, entry));
            } else {
                batch.not_stored(&entry);
                left_out += 1;
            }
            if waiting.len() >= BATCH {
                self.append_batch(&mut waiting)?;
            }
        }
        self.append_batch(&mut waiting)?;
        Ok((kept, left_out))
    }

    fn append_batch(&mut self, waiting: &mut Vec<(Millis, Entry)>) -> anyhow::Result<()> {
        let mine = waiting
            .iter()
            .rev()
            .find(|(_, entry)| entry.body().author == self.author.node);
        let own = mine.map(|(_, entry)| entry.tip());
        let records: Vec<(Millis, Arc<[u8]>)> = waiting
            .drain(..)
            .map(|(seen_at, entry)| (seen_at, entry.bytes().clone()))
            .collect();
        let positions = self.store.log.append(&records, own)?;
        self.store
            .applied(positions.last().copied(), self.batch.take_events());
        self.store.save(&self.index).map_err(anyhow::Error::from)
    }
}

/// Removes a folder if it exists.
fn remove_folder(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
