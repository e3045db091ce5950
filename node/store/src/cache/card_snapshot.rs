//! The card snapshot, `rows.snap`: a cold `list` is answered from it instead of opening the store.
//!
//! Cards are in board order, in blocks of one column each that are compressed separately, so that a reader
//! decodes only what it shows. It is a copy: a reader checks with its [`LogMark`] whether the log is
//! unchanged, and a file that is damaged, missing or of another version is ignored. It relies on its
//! checksums alone and is therefore not synced.

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use towline_api::types::ItemCard;
use towline_crdt::view::PROJECTION_VERSION;
use towline_proto::Column;

use super::packed;
use super::stored_card::PackedCard;
use crate::home::files::{self, PRIVATE_MODE, temporary_beside};
use crate::log::LogMark;

const MAGIC: [u8; 8] = *b"TOWLROWS";
/// The version of this file format; the projection has one of its own.
const FORMAT: u32 = 3;
/// Raise when cards change for the same rows; a snapshot of another version is ignored.
const CARDS_VERSION: u32 = 4;
const HEADER_BYTES: usize = 64;
/// Length of a block's entry in the table after the header.
const LINE_BYTES: usize = 20;
/// The most cards in a block: small enough that a short list decodes little.
pub const BLOCK_CARDS: usize = 512;
/// Bytes of cards after which a block ends.
const BLOCK_BYTES: usize = 512 * 1024;
/// The most bytes of an uncompressed block: its last card may be a large one.
const BLOCK_MAX_BYTES: usize = 16 * 1024 * 1024;
/// The most blocks in a file: room for about 200 million cards.
const MAX_BLOCKS: usize = 400_000;
/// Level of compression: the fastest; cards shrink to a sixth.
const ZSTD_LEVEL: i32 = 1;
/// Free bytes that must remain on the disk for more important files.
const ROOM_BYTES: u64 = 16 * 1024 * 1024;

/// The table entry of a block.
#[derive(Debug, Clone, Copy)]
struct Block {
    deleted: bool,
    column: Column,
    cards: u32,
    /// Bytes in the file, compressed.
    len: u32,
    raw_len: u32,
    crc: u32,
}

/// Builds a snapshot. Cards must be pushed in board order, the trash last.
#[derive(Default)]
pub struct SnapshotWriter {
    table: Vec<u8>,
    blocks: Vec<u8>,
    cards: u32,
    raw: Vec<u8>,
    group: Option<(bool, Column)>,
}

impl std::fmt::Debug for SnapshotWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("bytes", &self.blocks.len())
            .finish_non_exhaustive()
    }
}

impl SnapshotWriter {
    /// Adds a card.
    pub fn push(&mut self, card: ItemCard) -> io::Result<()> {
        let group = Some((card.deleted, card.column));
        if self.group != group || self.cards as usize >= BLOCK_CARDS || self.raw.len() >= BLOCK_BYTES {
            self.end_block()?;
            self.group = group;
        }
        packed::append(&mut self.raw, &PackedCard(card)).map_err(io::Error::other)?;
        self.cards += 1;
        Ok(())
    }

    fn end_block(&mut self) -> io::Result<()> {
        let Some((deleted, column)) = self.group.filter(|_| self.cards > 0) else {
            return Ok(());
        };
        if self.raw.len() > BLOCK_MAX_BYTES || self.table.len() >= MAX_BLOCKS * LINE_BYTES {
            return Err(io::Error::other("the cards are too large for a snapshot"));
        }
        let packed = zstd::bulk::compress(&self.raw, ZSTD_LEVEL)?;
        let size = |len: usize| u32::try_from(len).map_err(io::Error::other);
        let place = Column::ALL.iter().position(|known| *known == column);
        let line = [
            u32::from_le_bytes([u8::from(deleted), place.unwrap_or(usize::MAX) as u8, 0, 0]),
            self.cards,
            size(packed.len())?,
            size(self.raw.len())?,
            crc32fast::hash(&packed),
        ];
        self.table
            .extend(line.iter().flat_map(|field| field.to_le_bytes()));
        self.blocks.extend_from_slice(&packed);
        self.raw.clear();
        self.cards = 0;
        Ok(())
    }

    /// The bytes of the file, for the log at a mark.
    pub fn finish(mut self, mark: &LogMark) -> io::Result<Vec<u8>> {
        self.end_block()?;
        let mut file = vec![0u8; HEADER_BYTES];
        file.extend_from_slice(&self.table);
        let blocks = u32::try_from(self.table.len() / LINE_BYTES).map_err(io::Error::other)?;
        file[..20].copy_from_slice(&versions());
        file[20..24].copy_from_slice(&program().to_le_bytes());
        file[24..28].copy_from_slice(&blocks.to_le_bytes());
        file[32..64].copy_from_slice(&mark.encode());
        let crc = checksum(&file);
        file[28..32].copy_from_slice(&crc.to_le_bytes());
        file.append(&mut self.blocks);
        Ok(file)
    }
}

/// Replaces the snapshot atomically. It is not synced: after a power cut its checksum may be wrong, and then
/// it is ignored.
pub fn publish(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if files::room(folder)? < ROOM_BYTES.saturating_add(bytes.len() as u64) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let temporary = temporary_beside(path);
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(PRIVATE_MODE)
        .open(&temporary)
        .and_then(|file| file.write_all_at(bytes, 0))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The leftover is useless, and the first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// An open snapshot. It does not change when another one replaces it.
#[derive(Debug)]
pub struct Snapshot {
    file: File,
    mark: LogMark,
    blocks: Vec<Block>,
}

impl Snapshot {
    /// Opens a snapshot; `None` if the file is missing, damaged, or of another version.
    pub fn open(path: &Path) -> Option<Self> {
        let mut file = File::open(path).ok()?;
        let mut table = vec![0u8; HEADER_BYTES];
        file.read_exact(&mut table).ok()?;
        if table[..20] != versions() || number(&table, 20)? != program() {
            return None;
        }
        let count = usize::try_from(number(&table, 24)?).ok()?;
        if count > MAX_BLOCKS {
            return None;
        }
        table.resize(HEADER_BYTES + count * LINE_BYTES, 0);
        file.read_exact(table.get_mut(HEADER_BYTES..)?).ok()?;
        if number(&table, 28)? != checksum(&table) {
            return None;
        }
        let (header, lines) = table.split_at_checked(HEADER_BYTES)?;
        let mark = LogMark::decode(header.get(32..)?.first_chunk()?);
        let blocks = lines.chunks_exact(LINE_BYTES).map(block);
        Some(Self {
            file,
            mark,
            blocks: blocks.collect::<Option<_>>()?,
        })
    }

    /// The mark of the log for which the snapshot was made.
    pub fn mark(&self) -> &LogMark {
        &self.mark
    }

    /// Passes the cards of the wanted columns, of the trash or not, in board order to `each` until it returns
    /// `Break`; `None` if damage is found.
    pub fn cards(
        &self,
        wanted: impl Fn(bool, Column) -> bool,
        mut each: impl FnMut(ItemCard) -> ControlFlow<()>,
    ) -> Option<()> {
        let mut at = (HEADER_BYTES + self.blocks.len() * LINE_BYTES) as u64;
        let mut packed = Vec::new();
        for block in &self.blocks {
            if wanted(block.deleted, block.column) {
                packed.resize(block.len as usize, 0);
                self.file.read_exact_at(&mut packed, at).ok()?;
                if block.decode(&packed, &mut each)?.is_break() {
                    break;
                }
            }
            at += u64::from(block.len);
        }
        Some(())
    }
}

impl Block {
    fn decode(
        &self,
        packed: &[u8],
        each: &mut dyn FnMut(ItemCard) -> ControlFlow<()>,
    ) -> Option<ControlFlow<()>> {
        if crc32fast::hash(packed) != self.crc {
            return None;
        }
        let raw = zstd::bulk::decompress(packed, self.raw_len as usize).ok()?;
        let mut rest = raw.as_slice();
        for _ in 0..self.cards {
            let (PackedCard(card), behind) = packed::read(rest)?;
            rest = behind;
            if each(card).is_break() {
                return Some(ControlFlow::Break(()));
            }
        }
        Some(ControlFlow::Continue(()))
    }
}

fn block(line: &[u8]) -> Option<Block> {
    let block = Block {
        deleted: *line.first()? != 0,
        column: *Column::ALL.get(usize::from(*line.get(1)?))?,
        cards: number(line, 4)?,
        len: number(line, 8)?,
        raw_len: number(line, 12)?,
        crc: number(line, 16)?,
    };
    let sound = block.cards as usize <= BLOCK_CARDS
        && block.raw_len as usize <= BLOCK_MAX_BYTES
        && block.len as usize <= BLOCK_MAX_BYTES;
    sound.then_some(block)
}

/// The first bytes of a file of this build.
fn versions() -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&MAGIC);
    for (at, version) in [FORMAT, PROJECTION_VERSION, CARDS_VERSION]
        .into_iter()
        .enumerate()
    {
        bytes[8 + at * 4..12 + at * 4].copy_from_slice(&version.to_le_bytes());
    }
    bytes
}

/// The writing program: another release may have other rules for legal verbs, which are in the cards.
fn program() -> u32 {
    crc32fast::hash(env!("CARGO_PKG_VERSION").as_bytes())
}

/// The checksum over header and table, without its own four bytes.
fn checksum(table: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&table[..28]);
    hasher.update(&table[32..]);
    hasher.finalize()
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
