//! The disk reserve: a file of zeros that is deleted when the disk is full, so that cleaning up and
//! restarting still work.
//!
//! While the reserve is gone the log accepts nothing: the freed space is for the cache and for cleaning up,
//! not for a few more entries.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::home::files::temporary_beside;

/// Size of the reserve in bytes: two segments of sled, what opening the cache asks for.
pub(crate) const RESERVE_BYTES: u64 = 1024 * 1024;
const BLOCK_BYTES: usize = 64 * 1024;

/// The reserve of one log.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    bytes: u64,
    held: bool,
}

impl Reserve {
    /// Checks whether the reserve exists; creates nothing.
    pub(crate) fn new(path: PathBuf, bytes: u64) -> Self {
        let held = fs::metadata(&path).is_ok_and(|meta| meta.len() >= bytes);
        Self { path, bytes, held }
    }

    /// Creates the reserve if it does not exist.
    pub(crate) fn fill(&mut self) -> io::Result<()> {
        if self.held {
            return Ok(());
        }
        let temporary = temporary_beside(&self.path);
        let made = write_zeros(&temporary, self.bytes).and_then(|()| fs::rename(&temporary, &self.path));
        if made.is_err() {
            // Half a reserve would only make the disk fuller.
            let _ = fs::remove_file(&temporary);
        }
        self.held = made.is_ok();
        made
    }

    /// Deletes the reserve.
    pub(crate) fn release(&mut self) {
        self.held = false;
        // If even this fails, nothing more can be done.
        let _ = fs::remove_file(&self.path);
    }
}

fn write_zeros(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    let block = [0u8; BLOCK_BYTES];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(BLOCK_BYTES as u64);
        file.write_all(&block[..now as usize])?;
        left -= now;
    }
    // File systems that allocate late would otherwise hold nothing in reserve.
    file.sync_all()
}
