//! The log of one project on one node: signed entries of all authors in the order in which this node admitted
//! them. It is the source of truth; everything else in the store can be rebuilt from it.
//!
//! An append is one write into preallocated space and one `fdatasync`, for any number of waiting records.
//! When [`Log::append`] returns, its records survive `kill -9` and a power cut. A failed sync is final: the
//! state of the disk is unknown then, and a retry would hide that. The log treats entries as opaque bytes.
//! `docs/storage.md` describes the bytes on disk.

mod append;
mod error;
mod head;
mod log_mark;
mod open;
mod record;
mod reserve;
mod segment;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use towline_proto::{Millis, ProjectId};

pub use error::{Damage, LogError};
pub use log_mark::LogMark;
pub use open::{OpenReport, SalvageReport, Shortened, TornTail};
pub use record::{FORMAT, RECORD_BYTES, Record};

use crate::home::files::sync_folder;
use head::{Head, HeadFile};
use record::{
    RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES, SegmentHeader, position, split_position,
};
use reserve::Reserve;
use segment::Segment;

/// Size in bytes at which a segment is closed: copied, checked and sent around in a moment.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Largest batch in bytes; with a full segment before it, offsets stay far below 32 bits.
pub const BATCH_BYTES: usize = 64 * 1024 * 1024;
/// Smallest step in bytes by which a segment grows ahead of its records.
const GROW_MIN_BYTES: u64 = 256 * 1024;
/// Largest step in bytes: one metadata sync for some 10,000 entries.
const GROW_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// How much of a record is read in the first go, in bytes: most entries are smaller.
const READ_BYTES: usize = 4 * 1024;

/// Sizes that a test makes small.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Size in bytes at which a segment is closed.
    pub segment_bytes: u64,
    /// Size in bytes of the file that is given up when the disk is full.
    pub reserve_bytes: u64,
    /// The position to start reading from; 0 for the beginning. Earlier records were read and verified
    /// before.
    pub from: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: SEGMENT_BYTES,
            reserve_bytes: reserve::RESERVE_BYTES,
            from: 0,
        }
    }
}

/// Why the log accepts no more records.
#[derive(Debug, Clone)]
enum ReadOnlyReason {
    /// A write or a sync failed: final for this process.
    Poisoned(String),
    /// Damaged: final until the log is rebuilt from what can be salvaged.
    Damaged(String),
    /// Shorter than its head file says: until the node has learnt its own head from its peers.
    Shortened(String),
}

/// The open log of one project. The lock of the home ensures that only one process opens it.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    project: ProjectId,
    options: Options,
    segments: Vec<Segment>,
    /// The preallocated end of the last segment.
    allocated: u64,
    head: Head,
    head_file: HeadFile,
    reserve: Reserve,
    entries: u64,
    closed: Option<ReadOnlyReason>,
}

impl Log {
    /// Creates the log of a new project.
    ///
    /// # Errors
    /// [`LogError::Exists`], [`LogError::Full`] or what the file system says.
    pub fn create(dir: &Path, project: ProjectId) -> Result<Self, LogError> {
        Self::create_with(dir, project, Options::default())
    }

    /// [`Log::create`] with other sizes.
    ///
    /// # Errors
    /// As [`Log::create`].
    pub fn create_with(dir: &Path, project: ProjectId, options: Options) -> Result<Self, LogError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(LogError::io("make", dir))?;
        if !segment::list(dir).map_err(LogError::io("list", dir))?.is_empty() {
            return Err(LogError::Exists { dir: dir.to_owned() });
        }
        let mut reserve = Reserve::new(dir.join("reserve"), options.reserve_bytes);
        reserve.fill().map_err(LogError::io("reserve space in", dir))?;
        let path = dir.join("head");
        // A head without a log is left of a log that was moved aside; it says nothing about this one.
        let _ = fs::remove_file(&path);
        let (mut head_file, _) = HeadFile::open(&path).map_err(LogError::io("make", &path))?;
        let head = Head::default();
        head_file
            .write(&head)
            .and_then(|()| head_file.sync())
            .map_err(LogError::io("write", &path))?;
        let header = SegmentHeader {
            project,
            segment: 1,
            before_end: 0,
        };
        let first = Segment::create(dir, &header, GROW_MIN_BYTES)?;
        if let Some(parent) = dir.parent() {
            sync_folder(parent).map_err(LogError::io("sync", parent))?;
        }
        Ok(Self {
            dir: dir.to_owned(),
            project,
            options,
            segments: vec![first],
            allocated: GROW_MIN_BYTES,
            head,
            head_file,
            reserve,
            entries: 0,
            closed: None,
        })
    }

    /// Opens a log and passes every record, in order, to `each`. Damage is reported in [`OpenReport`], not as
    /// an error, so that the node can start and be repaired; the log is then read-only.
    ///
    /// # Errors
    /// [`LogError::Missing`], [`LogError::Newer`], [`LogError::Foreign`], [`LogError::Refused`] when
    /// `each` does not take a record, or what the file system says. A full disk is none.
    pub fn open<E: Into<Box<dyn Error + Send + Sync>>>(
        dir: &Path,
        project: ProjectId,
        each: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(Self, OpenReport), LogError> {
        Self::open_with(dir, project, Options::default(), each)
    }

    /// [`Log::open`] with other sizes, or from a position that an earlier opening has reached
    /// ([`Options::from`]). If such a position is not valid, the log looks damaged or shortened: open it
    /// again from 0 before believing so.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_with<E: Into<Box<dyn Error + Send + Sync>>>(
        dir: &Path,
        project: ProjectId,
        options: Options,
        mut each: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(Self, OpenReport), LogError> {
        let mut entries = 0;
        let parts = open::read(dir, project, options.from, &mut |record| {
            entries += 1;
            take(&mut each, record)
        })?;
        let closed = match (&parts.opened.damage, parts.opened.shortened) {
            (Some(damage), _) => Some(ReadOnlyReason::Damaged(damage.to_string())),
            (None, Some(Shortened { recorded, found })) => Some(ReadOnlyReason::Shortened(format!(
                "it ends at {found:#x} and this node had written up to {recorded:#x}; connect to a peer that has the rest"
            ))),
            (None, None) => None,
        };
        let mut reserve = Reserve::new(dir.join("reserve"), options.reserve_bytes);
        if closed.is_none() {
            // On a full disk the log opens without a reserve and takes nothing until there is room.
            let _ = reserve.fill();
        }
        let allocated = parts.segments.last().map_or(Ok(0), Segment::size)?;
        let log = Self {
            dir: dir.to_owned(),
            project,
            options,
            segments: parts.segments,
            allocated,
            head: parts.head,
            head_file: parts.head_file,
            reserve,
            entries,
            closed,
        };
        Ok((log, parts.opened))
    }

    /// Passes every intact record of a damaged log to `each`, skipping the gaps and changing nothing on disk.
    /// To repair a log: salvage it, [`Log::move_aside`] the old one, create a new one, and admit the salvaged
    /// entries as if they came from a peer.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn salvage<E: Into<Box<dyn Error + Send + Sync>>>(
        dir: &Path,
        project: ProjectId,
        mut each: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<SalvageReport, LogError> {
        open::salvage(dir, project, &mut |record| take(&mut each, record))
    }

    /// Renames the folder of a log to `<name>.damaged-<now in ms>`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn move_aside(now: Millis, dir: &Path) -> Result<PathBuf, LogError> {
        let mut name = dir.file_name().unwrap_or_default().to_owned();
        name.push(format!(".damaged-{}", now.0));
        let aside = dir.with_file_name(name);
        fs::rename(dir, &aside).map_err(LogError::io("move aside", dir))?;
        if let Some(parent) = dir.parent() {
            sync_folder(parent).map_err(LogError::io("sync", parent))?;
        }
        Ok(aside)
    }

    /// Reads and verifies one record.
    ///
    /// # Errors
    /// [`LogError::Position`] when there is none, [`LogError::Damaged`] when it is not what was
    /// written.
    pub fn read(&self, at: u64) -> Result<Record, LogError> {
        let (number, offset) = split_position(at);
        let end = self.end();
        let segment = number
            .checked_sub(1)
            .and_then(|index| self.segments.get(index as usize))
            .filter(|segment| offset >= SEGMENT_HEADER_BYTES && offset < segment.end)
            .ok_or(LogError::Position { position: at, end })?;
        let io = |error| LogError::io("read", &segment.path)(error);
        let damage = |why: &str| {
            LogError::Damaged(Damage {
                segment: number,
                offset,
                why: why.to_owned(),
            })
        };
        let mut first = [0u8; READ_BYTES];
        let got = segment.file.read_at(&mut first, offset).map_err(io)?;
        let Some((head, beginning)) = first[..got].split_first_chunk::<RECORD_HEADER_BYTES>() else {
            return Err(damage("the header of the record is incomplete"));
        };
        let header = RecordHeader::decode(head);
        let after = offset + (RECORD_HEADER_BYTES + header.len) as u64;
        if !header.is_plausible() || after > segment.end {
            return Err(damage("no record begins here"));
        }
        let bytes: Arc<[u8]> = if let Some(whole) = beginning.get(..header.len) {
            whole.into()
        } else {
            let mut body = vec![0u8; header.len];
            body[..beginning.len()].copy_from_slice(beginning);
            segment
                .file
                .read_exact_at(&mut body[beginning.len()..], offset + got as u64)
                .map_err(io)?;
            body.into()
        };
        if !header.fits(at, &bytes) {
            return Err(damage("the checksum of the record is wrong"));
        }
        Ok(Record {
            position: at,
            seen_at: header.seen_at,
            bytes,
        })
    }

    /// The record at a position, or the first one after it if a segment ends there or `at` is 0, with the
    /// position after the record; `None` at the end.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub fn read_next(&self, at: u64) -> Result<Option<(Record, u64)>, LogError> {
        let (mut number, mut offset) = split_position(at);
        if at == 0 {
            (number, offset) = (1, SEGMENT_HEADER_BYTES);
        }
        while let Some(segment) = number
            .checked_sub(1)
            .and_then(|index| self.segments.get(index as usize))
        {
            if offset < segment.end {
                let record = self.read(position(number, offset))?;
                let behind = offset + (RECORD_HEADER_BYTES + record.bytes.len()) as u64;
                return Ok(Some((record, position(number, behind))));
            }
            (number, offset) = (number + 1, SEGMENT_HEADER_BYTES);
        }
        Ok(None)
    }

    /// The project of the log.
    pub const fn project(&self) -> ProjectId {
        self.project
    }

    /// The number of records read on opening and appended since.
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// The bytes of all records, headers included.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.end).sum()
    }

    /// The position of the next record, unless a new segment begins there.
    pub fn end(&self) -> u64 {
        self.segments
            .last()
            .map_or(0, |last| position(last.number, last.end))
    }

    /// The files of the log and how many bytes of each are records, for backups.
    pub fn files(&self) -> impl Iterator<Item = (&Path, u64)> {
        self.segments
            .iter()
            .map(|segment| (segment.path.as_path(), segment.end))
    }

    /// Allows writing to a log that is shorter than its head file: the caller has learnt this node's own head
    /// from a peer, or the owner confirms that there is nobody to ask.
    pub fn trust_end(&mut self) {
        if let Some(ReadOnlyReason::Shortened(_)) = self.closed {
            self.closed = None;
        }
    }

    /// Frees the reserve on a full disk, so that the cache can be opened or the disk be cleaned up. The log
    /// accepts nothing until there is room for a reserve again.
    pub fn release_reserve(&mut self) {
        self.reserve.release();
    }

    /// [`Log::release_reserve`] of a log that is not open: the cache is opened before it.
    pub fn release_reserve_of(dir: &Path) {
        Reserve::new(dir.join("reserve"), reserve::RESERVE_BYTES).release();
    }

    /// Where the log is damaged, if it is.
    pub fn damage(&self) -> Option<&str> {
        match &self.closed {
            Some(ReadOnlyReason::Damaged(why)) => Some(why),
            Some(ReadOnlyReason::Poisoned(_) | ReadOnlyReason::Shortened(_)) | None => None,
        }
    }
}

/// Gives a record to the caller's function.
fn take<E: Into<Box<dyn Error + Send + Sync>>>(
    each: &mut impl FnMut(Record) -> Result<(), E>,
    record: Record,
) -> Result<(), LogError> {
    let position = record.position;
    each(record).map_err(|error| LogError::Rejected {
        position,
        source: error.into(),
    })
}
