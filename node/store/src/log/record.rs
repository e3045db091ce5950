//! The bytes of a segment: its header and its records. `docs/storage.md` has the tables.
//!
//! Pure: converts between bytes and records and never touches a file. The checksum of a record covers its own
//! position, so a block that the disk wrote to the wrong place is detected.

use std::sync::Arc;

use towline_proto::{Millis, ProjectId, limits};

/// The version of the segment format that this build writes and reads.
pub const FORMAT: u8 = 1;
/// What a segment begins with.
pub(crate) const MAGIC: [u8; 8] = *b"TOWLSEG\0";
/// Length of a segment's header in bytes.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 64;
/// Length of a record's header in bytes.
pub(crate) const RECORD_HEADER_BYTES: usize = 16;
/// Largest record in bytes: the largest entry there is.
pub const RECORD_BYTES: usize = limits::ENTRY_BYTES;
/// The bit of a record's length that means "the first of its batch". The writer syncs a batch before it
/// begins the next, so everything before such a record was synced. That distinguishes damage from a torn
/// batch.
const FIRST_OF_BATCH: u32 = 1 << 31;

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its position: segment number << 32 | offset in the file.
    pub position: u64,
    /// When this node admitted the entry, by its own clock.
    pub seen_at: Millis,
    /// The exact bytes of the entry.
    pub bytes: Arc<[u8]>,
}

/// The position of an offset in a segment.
pub(crate) const fn position(segment: u32, offset: u64) -> u64 {
    ((segment as u64) << 32) | (offset & 0xffff_ffff)
}

/// The segment and the offset of a position.
pub(crate) const fn split_position(position: u64) -> (u32, u64) {
    ((position >> 32) as u32, position & 0xffff_ffff)
}

/// The header of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The project of the log.
    pub(crate) project: ProjectId,
    /// Its number, from 1.
    pub(crate) segment: u32,
    /// Where the previous segment ends, so that a tail lost between two records is noticed; 0 in the first.
    pub(crate) before_end: u64,
}

/// Why bytes are not a segment header that this build can read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// Of a newer format.
    Newer(u8),
    /// Not a header.
    Damaged(&'static str),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES as usize] {
        let mut bytes = [0u8; SEGMENT_HEADER_BYTES as usize];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8] = FORMAT;
        bytes[12..16].copy_from_slice(&self.segment.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.project.0);
        bytes[48..56].copy_from_slice(&self.before_end.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES as usize]) -> Result<Self, HeaderError> {
        if bytes[..8] != MAGIC {
            return Err(HeaderError::Damaged(
                "the file does not start with a segment header",
            ));
        }
        // The version is read before the checksum: a newer format may keep it elsewhere.
        if bytes[8] > FORMAT {
            return Err(HeaderError::Newer(bytes[8]));
        }
        if u32_at(bytes, 60) != crc32fast::hash(&bytes[..60]) {
            return Err(HeaderError::Damaged(
                "the checksum of the segment's header is wrong",
            ));
        }
        let mut project = [0u8; 32];
        project.copy_from_slice(&bytes[16..48]);
        Ok(Self {
            project: ProjectId(project),
            segment: u32_at(bytes, 12),
            before_end: u64_at(bytes, 48),
        })
    }
}

/// The header of a record, not yet checked against its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) len: usize,
    pub(crate) first_of_batch: bool,
    pub(crate) seen_at: Millis,
    raw_len: u32,
    crc: u32,
}

impl RecordHeader {
    pub(crate) fn decode(bytes: &[u8; RECORD_HEADER_BYTES]) -> Self {
        let raw_len = u32_at(bytes, 0);
        Self {
            len: (raw_len & !FIRST_OF_BATCH) as usize,
            first_of_batch: raw_len & FIRST_OF_BATCH != 0,
            seen_at: Millis(u64_at(bytes, 8)),
            raw_len,
            crc: u32_at(bytes, 4),
        }
    }

    /// Whether it can be the header of a record.
    pub(crate) const fn is_plausible(&self) -> bool {
        self.len >= 1 && self.len <= RECORD_BYTES
    }

    /// Whether `bytes` are the record's, at this place.
    pub(crate) fn fits(&self, position: u64, bytes: &[u8]) -> bool {
        self.crc == checksum(position, self.raw_len, self.seen_at, bytes)
    }
}

/// Appends one record to a batch that will be written at its position.
pub(crate) fn encode_record(batch: &mut Vec<u8>, position: u64, first: bool, seen_at: Millis, bytes: &[u8]) {
    // The caller has checked the length against RECORD_BYTES, which is far below the flag.
    let raw_len = (bytes.len() as u32) | if first { FIRST_OF_BATCH } else { 0 };
    batch.extend_from_slice(&raw_len.to_le_bytes());
    batch.extend_from_slice(&checksum(position, raw_len, seen_at, bytes).to_le_bytes());
    batch.extend_from_slice(&seen_at.0.to_le_bytes());
    batch.extend_from_slice(bytes);
}

fn checksum(position: u64, raw_len: u32, seen_at: Millis, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&position.to_le_bytes());
    hasher.update(&raw_len.to_le_bytes());
    hasher.update(&seen_at.0.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// Reads four little-endian bytes; the callers' slices are long enough.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut value = [0u8; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(value)
}

/// Reads eight little-endian bytes; the callers' slices are long enough.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0u8; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_segment_stay_what_they_are() {
        let header = SegmentHeader {
            project: ProjectId([0xab; 32]),
            segment: 2,
            before_end: 0x1234,
        };
        let mut bytes = header.encode().to_vec();
        encode_record(
            &mut bytes,
            position(2, 64),
            true,
            Millis(1_700_000_000_000),
            b"entry",
        );
        insta::assert_snapshot!(towline_proto::ids::to_hex(&bytes), @"544f574c534547000100000002000000abababababababababababababababababababababababababababababababab3412000000000000000000000f3c49fb050000803b23daf50068e5cf8b010000656e747279");
        let head: [u8; 64] = bytes[..64].try_into().unwrap();
        assert_eq!(SegmentHeader::decode(&head), Ok(header));
    }

    #[test]
    fn a_record_at_another_place_does_not_fit() {
        let mut bytes = Vec::new();
        encode_record(&mut bytes, position(1, 64), false, Millis(5), b"entry");
        let header = RecordHeader::decode(bytes[..16].try_into().unwrap());
        assert!(header.is_plausible() && !header.first_of_batch);
        assert!(header.fits(position(1, 64), b"entry"));
        assert!(!header.fits(position(1, 65), b"entry"));
        assert!(!header.fits(position(1, 64), b"entrz"));
    }
}
