//! One segment file: creates it, reads its records in order, and finds the next intact record after a bad
//! one.
//!
//! [`super::open`] decides what a bad record means (a crash, or damage).

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use towline_proto::ProjectId;

use super::error::{Damage, LogError};
use super::record::{
    FORMAT, HeaderError, RECORD_HEADER_BYTES, Record, RecordHeader, SEGMENT_HEADER_BYTES, SegmentHeader,
    position,
};
use crate::home::files::{PRIVATE_MODE, sync_folder, temporary_beside};

/// How many bytes are read at once when a segment is read from its beginning to its end.
const READ_BYTES: usize = 1024 * 1024;
/// How many bytes the search for an intact record may checksum: bytes from a peer can look like a record
/// header at every fourth place.
const SEARCH_BYTES: u64 = 1024 * 1024 * 1024;
/// Block of zeros that preallocation writes.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// An open segment file.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    /// Where its records end; in the last segment preallocated zeros follow.
    pub(crate) end: u64,
}

/// How reading a segment ended.
#[derive(Debug)]
pub(crate) enum WalkEnd {
    /// At the end of the file or at a record of length 0.
    End(u64),
    /// At something that is not a record.
    Bad(u64, String),
}

/// The result of the search for an intact record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SearchResult {
    /// One at this offset.
    At(u64),
    /// None.
    Nothing,
    /// The search was cut off; there may be one.
    GaveUp,
}

/// The file of a segment.
pub(crate) fn segment_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.seg"))
}

/// The numbers of the segments in a folder, sorted. Removes an incomplete segment that a crash left.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.ends_with(".seg.new") {
            fs::remove_file(entry.path())?;
        } else if let Some(number) = name.strip_suffix(".seg").filter(|digits| digits.len() == 8) {
            numbers.extend(number.parse::<u32>());
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

impl Segment {
    /// Creates a segment with `size` preallocated bytes, atomically.
    pub(crate) fn create(dir: &Path, header: &SegmentHeader, size: u64) -> Result<Self, LogError> {
        let path = segment_path(dir, header.segment);
        let temporary = temporary_beside(&path);
        let made = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(PRIVATE_MODE)
            .open(&temporary)
            .and_then(|file| {
                file.write_all_at(&header.encode(), 0)?;
                write_zeros(&file, SEGMENT_HEADER_BYTES, size)?;
                file.sync_all()?;
                fs::rename(&temporary, &path)?;
                sync_folder(dir)?;
                Ok(file)
            });
        match made {
            Ok(file) => Ok(Self {
                number: header.segment,
                path,
                file,
                end: SEGMENT_HEADER_BYTES,
            }),
            Err(error) => {
                let _ = fs::remove_file(&temporary);
                Err(LogError::io("make", &path)(error))
            }
        }
    }

    /// Opens a segment and reads its header; damage is a value, everything else an error.
    pub(crate) fn open(
        dir: &Path,
        number: u32,
        project: ProjectId,
    ) -> Result<(Self, Result<SegmentHeader, Damage>), LogError> {
        let path = segment_path(dir, number);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(LogError::io("open", &path))?;
        let damage = |why: &str| Damage {
            segment: number,
            offset: 0,
            why: why.to_owned(),
        };
        let mut bytes = [0u8; SEGMENT_HEADER_BYTES as usize];
        let header = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => match SegmentHeader::decode(&bytes) {
                Ok(header) if header.project != project => {
                    return Err(LogError::Foreign {
                        path,
                        found: header.project,
                        wanted: project,
                    });
                }
                Ok(header) if header.segment != number => {
                    Err(damage("the header belongs to another segment"))
                }
                Ok(header) => Ok(header),
                Err(HeaderError::Newer(found)) => {
                    return Err(LogError::Newer {
                        path,
                        found,
                        known: FORMAT,
                    });
                }
                Err(HeaderError::Damaged(why)) => Err(damage(why)),
            },
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(damage("the file is shorter than a segment header"))
            }
            Err(error) => return Err(LogError::io("read", &path)(error)),
        };
        let segment = Self {
            number,
            path,
            file,
            end: SEGMENT_HEADER_BYTES,
        };
        Ok((segment, header))
    }

    /// Passes every record from `from` on to `each` and returns where and how that ended.
    pub(crate) fn walk(
        &self,
        from: u64,
        each: &mut dyn FnMut(Record) -> Result<(), LogError>,
    ) -> Result<WalkEnd, LogError> {
        let io = |error| LogError::io("read", &self.path)(error);
        let mut reader = BufReader::with_capacity(READ_BYTES, &self.file);
        reader.seek(SeekFrom::Start(from)).map_err(io)?;
        let mut offset = from;
        let mut body = Vec::new();
        loop {
            let mut head = [0u8; RECORD_HEADER_BYTES];
            let got = read_up_to(&mut reader, &mut head).map_err(io)?;
            if head[..got.min(4)].iter().all(|byte| *byte == 0) {
                return Ok(WalkEnd::End(offset));
            }
            let header = RecordHeader::decode(&head);
            if got < RECORD_HEADER_BYTES {
                return Ok(WalkEnd::Bad(
                    offset,
                    "the header of the record is incomplete".to_owned(),
                ));
            }
            if !header.is_plausible() {
                let why = format!("a record cannot have {} bytes", header.len);
                return Ok(WalkEnd::Bad(offset, why));
            }
            body.resize(header.len, 0);
            if read_up_to(&mut reader, &mut body).map_err(io)? < header.len {
                return Ok(WalkEnd::Bad(offset, "the record is incomplete".to_owned()));
            }
            let position = position(self.number, offset);
            if !header.fits(position, &body) {
                let why = "the checksum of the record is wrong".to_owned();
                return Ok(WalkEnd::Bad(offset, why));
            }
            each(Record {
                position,
                seen_at: header.seen_at,
                bytes: body.as_slice().into(),
            })?;
            offset += (RECORD_HEADER_BYTES + header.len) as u64;
        }
    }

    /// Searches the first intact record at `from` or later; with `first_of_batch`, only one that begins a
    /// batch.
    pub(crate) fn find(&self, from: u64, first_of_batch: bool) -> Result<SearchResult, LogError> {
        let mut rest = Vec::new();
        let mut file = &self.file;
        file.seek(SeekFrom::Start(from))
            .and_then(|_| file.read_to_end(&mut rest))
            .map_err(LogError::io("read", &self.path))?;
        let mut budget = SEARCH_BYTES;
        for (at, head) in rest.windows(RECORD_HEADER_BYTES).enumerate() {
            let Some(header) = head.first_chunk().map(RecordHeader::decode) else {
                break;
            };
            if !header.is_plausible() || (first_of_batch && !header.first_of_batch) {
                continue;
            }
            let body = at + RECORD_HEADER_BYTES;
            let Some(body) = rest.get(body..body + header.len) else {
                continue;
            };
            budget = match budget.checked_sub(header.len as u64) {
                Some(left) => left,
                None => return Ok(SearchResult::GaveUp),
            };
            let offset = from + at as u64;
            if header.fits(position(self.number, offset), body) {
                return Ok(SearchResult::At(offset));
            }
        }
        Ok(SearchResult::Nothing)
    }

    /// Whether nothing but zeros follows `from`.
    pub(crate) fn is_zero_after(&self, from: u64) -> Result<bool, LogError> {
        let mut block = vec![0u8; ZEROS.len()];
        let mut at = from;
        loop {
            let got = self
                .file
                .read_at(&mut block, at)
                .map_err(LogError::io("read", &self.path))?;
            if got == 0 {
                return Ok(true);
            }
            if block[..got] != ZEROS[..got] {
                return Ok(false);
            }
            at += got as u64;
        }
    }

    /// The size of the file in bytes.
    pub(crate) fn size(&self) -> Result<u64, LogError> {
        let meta = self
            .file
            .metadata()
            .map_err(LogError::io("inspect", &self.path))?;
        Ok(meta.len())
    }

    /// Drops everything from `end` on.
    pub(crate) fn truncate(&self, end: u64) -> io::Result<()> {
        self.file.set_len(end)?;
        self.file.sync_all()
    }
}

/// Writes zeros from one offset to another, so that a later write there changes no metadata.
pub(crate) fn write_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    let mut at = from;
    while at < to {
        let now = (to - at).min(ZEROS.len() as u64);
        file.write_all_at(&ZEROS[..now as usize], at)?;
        at += now;
    }
    Ok(())
}

/// Fills as much of `out` as there is to read.
fn read_up_to(reader: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < out.len() {
        match reader.read(&mut out[got..]) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
