//! A log mark: tells without reading the log whether it is still the same log and still ends where it ended
//! when the mark was taken.
//!
//! Files that are derived from a whole log carry a mark. Checking it reads a few headers, takes no lock and
//! changes nothing; anything unreadable means that the mark is not current. A position alone is not enough,
//! because a restored and continued log may end at the same byte.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::Log;
use super::head;
use super::record::{RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES, SegmentHeader, split_position, u64_at};
use super::segment::segment_path;

/// Where a log ended, and the record that identifies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogMark {
    end: u64,
    /// The position of a record, and its header: the checksum in it covers position, time and bytes.
    last: u64,
    header: [u8; RECORD_HEADER_BYTES],
}

impl LogMark {
    /// Length of its bytes.
    pub const LEN: usize = 32;

    /// The bytes to store with the derived file.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.end.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.last.to_le_bytes());
        bytes[16..].copy_from_slice(&self.header);
        bytes
    }

    /// The mark in these bytes.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Self {
        let mut header = [0; RECORD_HEADER_BYTES];
        header.copy_from_slice(&bytes[16..]);
        Self {
            end: u64_at(bytes, 0),
            last: u64_at(bytes, 8),
            header,
        }
    }

    /// Whether the log in a folder is the marked one and has neither grown nor shrunk. A process that appends
    /// concurrently has not replied to anybody yet when this still returns true.
    pub fn is_current(&self, dir: &Path) -> bool {
        self.check(dir).unwrap_or(false)
    }

    fn check(&self, dir: &Path) -> io::Result<bool> {
        // A lagging head file is usual after a power cut; one that is ahead means that the log lost its end.
        if head::peek(&dir.join("head"))?.is_some_and(|head| head.end > self.end) {
            return Ok(false);
        }
        let (segment, offset) = split_position(self.last);
        let Some(file) = open_valid_segment(dir, segment)? else {
            return Ok(false);
        };
        let mut header = [0; RECORD_HEADER_BYTES];
        file.read_exact_at(&mut header, offset)?;
        if header != self.header {
            return Ok(false);
        }
        let (segment, offset) = split_position(self.end);
        let Some(file) = open_valid_segment(dir, segment)? else {
            return Ok(false);
        };
        let mut behind = [0; RECORD_HEADER_BYTES];
        let got = file.read_at(&mut behind, offset)?;
        let ends = file.metadata()?.len() >= offset && behind[..got].iter().all(|byte| *byte == 0);
        Ok(ends && !segment_path(dir, segment.saturating_add(1)).try_exists()?)
    }
}

/// Opens a segment whose header is of this format and not damaged.
fn open_valid_segment(dir: &Path, segment: u32) -> io::Result<Option<File>> {
    let file = File::open(segment_path(dir, segment))?;
    let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
    file.read_exact_at(&mut bytes, 0)?;
    let header = SegmentHeader::decode(&bytes);
    Ok(header
        .is_ok_and(|header| header.segment == segment)
        .then_some(file))
}

impl Log {
    /// A mark of the log's end, identified by the record at `last`; `None` for a closed log, whose contents
    /// are in doubt.
    pub fn mark(&self, last: u64) -> Option<LogMark> {
        if self.closed.is_some() {
            return None;
        }
        let (number, offset) = split_position(last);
        let segment = self.segments.iter().find(|segment| segment.number == number)?;
        let mut header = [0; RECORD_HEADER_BYTES];
        segment.file.read_exact_at(&mut header, offset).ok()?;
        Some(LogMark {
            end: self.end(),
            last,
            header,
        })
    }
}
