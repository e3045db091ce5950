//! A bundle: the signed log of a project as one file, for use without a network.
//!
//! ```text
//! 0   8   magic `TOWBNDL` and a zero
//! 8   1   version, 1; then 7 zeros
//! 16  32  project
//! 48  8   entries, little-endian
//! 56  8   bytes of the body before compression, little-endian
//! 64  32  checksum: BLAKE3 over the hash of the body and the 64 bytes before this
//! 96  …   zstd: for each entry its length (4 bytes, little-endian) and its bytes, in log order
//! ```
//!
//! The checksum finds damage; trust comes from the signatures of the entries alone. Reading holds one
//! entry at a time and stops at the first thing that is not as the header says. Nothing here looks into
//! an entry.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use towline_proto::{ProjectId, limits};

/// What a bundle begins with.
const MAGIC: [u8; 8] = *b"TOWBNDL\0";
/// The version that this build writes and reads.
pub const VERSION: u8 = 1;
const HEADER_BYTES: usize = 96;
/// How much larger than its file a body may be: entries are mostly keys, hashes and signatures and
/// shrink two or three times, never so much.
const MAX_RATIO: u64 = 1_024;
/// What a body of any file may have, in bytes, whatever the ratio.
const SMALL_BYTES: u64 = 64 * 1024 * 1024;
/// The zstd window that is accepted, as a power of two: 8 MiB of memory.
const WINDOW_LOG: u32 = 23;
/// zstd's own middle between speed and size.
const LEVEL: i32 = 3;

/// Why a file is no bundle that can be read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file system reported an error.
    #[error("cannot read it: {0}")]
    Io(#[source] io::Error),
    /// Something else.
    #[error("not a towline bundle; create one with `towline export --to bundle -o FILE`")]
    Magic,
    /// A version that is not ours.
    #[error("the bundle has version {0}; this build reads version {VERSION}")]
    Version(u8),
    /// It ends too early.
    #[error("the bundle is truncated; copy it again")]
    Short,
    /// It is not what was written.
    #[error("the bundle is damaged ({0}); copy it again")]
    Damaged(&'static str),
}

/// The header of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whose entries it has.
    pub project: ProjectId,
    /// How many.
    pub entries: u64,
    /// How many bytes they take, lengths included.
    pub bytes: u64,
    checksum: [u8; 32],
}

impl Header {
    fn start(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8] = VERSION;
        bytes[16..48].copy_from_slice(&self.project.0);
        bytes[48..56].copy_from_slice(&self.entries.to_le_bytes());
        bytes[56..].copy_from_slice(&self.bytes.to_le_bytes());
        bytes
    }

    fn sum(&self, body: &blake3::Hasher) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("towline/bundle/1");
        hasher.update(body.finalize().as_bytes()).update(&self.start());
        *hasher.finalize().as_bytes()
    }

    fn read(reader: &mut impl Read) -> Result<Self, BundleError> {
        let mut bytes = [0; HEADER_BYTES];
        let got = fill(reader, &mut bytes).map_err(BundleError::Io)?;
        if got < MAGIC.len() || bytes[..8] != MAGIC {
            return Err(BundleError::Magic);
        }
        if got < HEADER_BYTES {
            return Err(BundleError::Short);
        }
        if bytes[8] != VERSION {
            return Err(BundleError::Version(bytes[8]));
        }
        let mut header = Self {
            project: ProjectId([0; 32]),
            entries: number(&bytes[48..56]),
            bytes: number(&bytes[56..64]),
            checksum: [0; 32],
        };
        header.project.0.copy_from_slice(&bytes[16..48]);
        header.checksum.copy_from_slice(&bytes[64..]);
        if bytes[..64] != header.start() {
            return Err(BundleError::Damaged("its header has bytes that should be zero"));
        }
        Ok(header)
    }
}

fn number(bytes: &[u8]) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(bytes);
    u64::from_le_bytes(number)
}

/// Writes a bundle entry by entry.
pub struct Writer {
    encoder: zstd::stream::write::Encoder<'static, BufWriter<File>>,
    header: Header,
    body: blake3::Hasher,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl Writer {
    /// Begins a bundle in an empty file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(file: File, project: ProjectId) -> io::Result<Self> {
        let mut file = BufWriter::new(file);
        file.write_all(&[0; HEADER_BYTES])?;
        Ok(Self {
            encoder: zstd::stream::write::Encoder::new(file, LEVEL)?,
            header: Header {
                project,
                entries: 0,
                bytes: 0,
                checksum: [0; 32],
            },
            body: blake3::Hasher::new(),
        })
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, entry: &[u8]) -> io::Result<()> {
        let length = u32::try_from(entry.len())
            .map_err(io::Error::other)?
            .to_le_bytes();
        for part in [&length[..], entry] {
            self.body.update(part);
            self.encoder.write_all(part)?;
            self.header.bytes += part.len() as u64;
        }
        self.header.entries += 1;
        Ok(())
    }

    /// Writes the header and syncs the file; how many entries there are.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> io::Result<u64> {
        let file = self.encoder.finish()?;
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&self.header.start())?;
        file.write_all(&self.header.sum(&self.body))?;
        file.sync_all()?;
        Ok(self.header.entries)
    }
}

/// Reads a bundle and hands over each entry. Whether it was whole is known when this returns, so a
/// bundle is read once for that alone.
///
/// # Errors
/// What is wrong with it, or the error of `take`.
pub fn read<E: From<BundleError>>(
    path: &Path,
    mut take: impl FnMut(&Header, Vec<u8>) -> Result<(), E>,
) -> Result<Header, E> {
    let file = File::open(path).map_err(BundleError::Io)?;
    let size = file.metadata().map_err(BundleError::Io)?.len();
    let mut reader = BufReader::new(file);
    let header = Header::read(&mut reader)?;
    if header.bytes > SMALL_BYTES.max(size.saturating_mul(MAX_RATIO)) {
        return Err(BundleError::Damaged("its header announces more data than the file has").into());
    }
    let mut decoder = zstd::stream::read::Decoder::with_buffer(reader).map_err(BundleError::Io)?;
    decoder.window_log_max(WINDOW_LOG).map_err(BundleError::Io)?;
    let mut body = blake3::Hasher::new();
    let mut left = header.bytes;
    for _ in 0..header.entries {
        let length = exactly(&mut decoder, 4, &mut left, &mut body)?;
        let length = usize::try_from(u32::from_le_bytes(length.try_into().unwrap_or_default()));
        let length = length.unwrap_or(usize::MAX);
        if length > limits::ENTRY_BYTES {
            return Err(BundleError::Damaged("an entry is larger than any can be").into());
        }
        take(&header, exactly(&mut decoder, length, &mut left, &mut body)?)?;
    }
    let behind = fill(&mut decoder, &mut [0; 1]).map_err(|error| broken(&error))?;
    if left > 0 || behind > 0 {
        return Err(BundleError::Damaged("its length differs from its header").into());
    }
    if header.sum(&body) != header.checksum {
        return Err(BundleError::Damaged("its checksum is wrong").into());
    }
    Ok(header)
}

fn exactly(
    reader: &mut impl Read,
    length: usize,
    left: &mut u64,
    body: &mut blake3::Hasher,
) -> Result<Vec<u8>, BundleError> {
    *left = left
        .checked_sub(length as u64)
        .ok_or(BundleError::Damaged("its length differs from its header"))?;
    let mut bytes = vec![0; length];
    if fill(reader, &mut bytes).map_err(|error| broken(&error))? < length {
        return Err(BundleError::Short);
    }
    body.update(&bytes);
    Ok(bytes)
}

/// Reads until the buffer is full or nothing more comes; how much there was.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

/// Maps an error of the decoder.
fn broken(error: &io::Error) -> BundleError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        BundleError::Short
    } else {
        BundleError::Damaged("its compressed part cannot be read")
    }
}

#[cfg(test)]
mod tests {
    use towline_proto::ids;

    use super::*;

    fn bundle(entries: &[&[u8]]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("log.bundle");
        let mut writer =
            Writer::begin(File::create(&path).expect("a file"), ProjectId([7; 32])).expect("begun");
        for entry in entries {
            writer.add(entry).expect("added");
        }
        writer.finish().expect("finished");
        (dir, path)
    }

    fn entries(path: &Path) -> Result<Vec<Vec<u8>>, BundleError> {
        let mut entries = Vec::new();
        read(path, |_, entry| {
            entries.push(entry);
            Ok::<(), BundleError>(())
        })?;
        Ok(entries)
    }

    #[test]
    fn what_was_written_is_read() {
        let (_kept, path) = bundle(&[b"one", b"", &[3; 70_000]]);
        assert_eq!(
            entries(&path).expect("whole"),
            [b"one".to_vec(), Vec::new(), vec![3; 70_000]]
        );
        let (_kept, path) = bundle(&[]);
        assert_eq!(entries(&path).expect("whole").len(), 0);
    }

    #[test]
    fn the_header_is_what_the_documents_say() {
        let (_kept, path) = bundle(&[b"one"]);
        let bytes = std::fs::read(&path).expect("a file");
        let hex = ids::to_hex(&bytes[..HEADER_BYTES]);
        let want = concat!(
            "544f57424e444c000100000000000000",
            "0707070707070707070707070707070707070707070707070707070707070707",
            "01000000000000000700000000000000",
            "c2d0723099764283778a63cd1f927fe25c84c9e2c24e773da18a20465b13ae6d"
        );
        assert_eq!(hex, want);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let (_kept, path) = bundle(&[b"one", &[9; 300], b"three"]);
        let whole = std::fs::read(&path).expect("a file");
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).expect("written");
            assert!(entries(&path).is_err(), "cut at {length}");
        }
        for at in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            std::fs::write(&path, &bytes).expect("written");
            let read = entries(&path);
            // zstd has a bit of its own that means nothing; then everything is as it was.
            assert!(
                read.is_err() || read.is_ok_and(|entries| entries.len() == 3),
                "bit {at}"
            );
        }
    }

    #[test]
    fn a_bundle_cannot_claim_more_than_it_has() {
        let (_kept, path) = bundle(&[b"one"]);
        let mut bytes = std::fs::read(&path).expect("a file");
        bytes[48..64].copy_from_slice(&[0xff; 16]);
        std::fs::write(&path, &bytes).expect("written");
        let error = entries(&path).expect_err("refused");
        assert!(
            error.to_string().contains("more data than the file has"),
            "{error}"
        );
        std::fs::write(&path, b"PK\x03\x04 something else").expect("written");
        assert!(
            entries(&path)
                .expect_err("refused")
                .to_string()
                .contains("not a towline bundle")
        );
    }
}
