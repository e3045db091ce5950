//! The snapshot of all rows, `rows.snap`: what a cold `list` reads instead of opening sled.
//!
//! It is a copy: whoever reads it compares the log position with the log's end, and a file that is
//! damaged, missing or of another version is simply not there. Written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use towline_crdt::view::{ItemView, PROJECTION_VERSION};

use super::error::CacheError;
use crate::home::files::{PRIVATE_MODE, write_atomic};

const MAGIC: [u8; 8] = *b"TOWLROWS";
/// The version of this file's shape; the projection has one of its own.
const FORMAT: u32 = 1;
const HEADER_BYTES: usize = 36;
/// Level of compression: the fastest; rows shrink to a fifth.
const ZSTD_LEVEL: i32 = 1;
/// Rows for which room is made before they were read.
const ROOM: u64 = 1024 * 1024;

/// Writes all rows as they were at a log position.
///
/// # Errors
/// [`CacheError::Full`] or what the file system says; the old file stays then.
pub fn write_rows<'a>(
    path: &Path,
    position: u64,
    rows: impl Iterator<Item = &'a ItemView>,
) -> Result<(), CacheError> {
    let io = |error| CacheError::io("write", path)(error);
    let mut file = vec![0u8; HEADER_BYTES];
    let mut body = zstd::stream::Encoder::new(&mut file, ZSTD_LEVEL).map_err(io)?;
    let mut count = 0u64;
    for row in rows {
        row.serialize(&mut rmp_serde::Serializer::new(&mut body).with_struct_map())
            .map_err(|error| io(io::Error::other(error)))?;
        count += 1;
    }
    body.flush().and_then(|()| body.finish().map(drop)).map_err(io)?;
    file[..8].copy_from_slice(&MAGIC);
    file[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    file[12..16].copy_from_slice(&PROJECTION_VERSION.to_le_bytes());
    file[16..24].copy_from_slice(&position.to_le_bytes());
    file[24..32].copy_from_slice(&count.to_le_bytes());
    let crc = checksum(&file);
    file[32..36].copy_from_slice(&crc.to_le_bytes());
    write_atomic(path, &file, PRIVATE_MODE).map_err(io)
}

/// Reads all rows and the log position at which they were so; none when the file is missing,
/// damaged, or of another version.
///
/// # Errors
/// When the file is there and the file system does not let it be read.
pub fn read_rows(path: &Path) -> Result<Option<(u64, Vec<ItemView>)>, CacheError> {
    let io = |error| CacheError::io("read", path)(error);
    match fs::read(path) {
        Ok(file) => Ok(decode(&file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io(error)),
    }
}

/// The log position of the snapshot, from its header alone, without a check of what follows.
///
/// # Errors
/// When the file is there and the file system does not let it be read.
pub fn rows_position(path: &Path) -> Result<Option<u64>, CacheError> {
    let mut header = [0u8; HEADER_BYTES];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    match read {
        Ok(()) => Ok(position_of(&header)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(CacheError::io("read", path)(error)),
    }
}

fn position_of(header: &[u8]) -> Option<u64> {
    let versions = [FORMAT.to_le_bytes(), PROJECTION_VERSION.to_le_bytes()].concat();
    (header.get(..8)? == MAGIC && header.get(8..16)? == versions)
        .then_some(())
        .and_then(|()| number(header, 16))
}

fn decode(file: &[u8]) -> Option<(u64, Vec<ItemView>)> {
    let position = position_of(file)?;
    let count = number(file, 24)?;
    if file.get(32..HEADER_BYTES)? != checksum(file).to_le_bytes() {
        return None;
    }
    let body = zstd::stream::decode_all(file.get(HEADER_BYTES..)?).ok()?;
    let mut rest = rmp_serde::Deserializer::from_read_ref(body.as_slice());
    let mut rows = Vec::with_capacity(usize::try_from(count.min(ROOM)).ok()?);
    for _ in 0..count {
        rows.push(ItemView::deserialize(&mut rest).ok()?);
    }
    Some((position, rows))
}

/// The checksum over everything but its own four bytes.
fn checksum(file: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&file[..32]);
    hasher.update(&file[HEADER_BYTES..]);
    hasher.finalize()
}

fn number(file: &[u8], at: usize) -> Option<u64> {
    let bytes = file.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*bytes))
}
