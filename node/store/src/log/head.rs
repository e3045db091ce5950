//! The `head` file: what this node has written, stored separately from the log.
//!
//! A log that lost its end (a restored backup, lost blocks) looks intact by itself. If the node continued to
//! write, it would assign sequence numbers twice. The head file says where the log must at least end. It is
//! written after each sync of the log, alternately into one of two slots, so that a torn write leaves the
//! other one. It is not synced itself: after a power cut it may lag behind the log, and it is never ahead of
//! it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use towline_proto::{EntryHash, Epoch, Tip};

use super::record::{u32_at, u64_at};
use crate::home::files::PRIVATE_MODE;

const MAGIC: [u8; 8] = *b"TOWLHED\x01";
/// A slot has a sector of its own, the unit that a disk writes whole.
const SLOT_BYTES: u64 = 512;
const CONTENT_BYTES: usize = 88;

/// What the head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Head {
    /// The position at which the synced log ends.
    pub(crate) end: u64,
    /// The last entry of this node's own.
    pub(crate) own: Option<Tip>,
}

/// The open file.
#[derive(Debug)]
pub(crate) struct HeadFile {
    file: File,
    turn: u64,
}

impl HeadFile {
    /// Opens the file or makes it, and reads the newer of its two slots.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Option<Head>)> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE_MODE)
            .open(path)?;
        let newest = newest(&file);
        let turn = newest.map_or(0, |(turn, _)| turn);
        Ok((Self { file, turn }, newest.map(|(_, head)| head)))
    }

    /// Writes the head over the older slot. Not synced, on purpose.
    pub(crate) fn write(&mut self, head: &Head) -> io::Result<()> {
        let turn = self.turn + 1;
        self.file
            .write_all_at(&encode(turn, head), (turn % 2) * SLOT_BYTES)?;
        self.turn = turn;
        Ok(())
    }

    /// Makes what was written durable; for a file that was just made.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// Reads the newer slot of a head file and changes nothing.
pub(crate) fn peek(path: &Path) -> io::Result<Option<Head>> {
    Ok(newest(&File::open(path)?).map(|(_, head)| head))
}

fn newest(file: &File) -> Option<(u64, Head)> {
    [0, SLOT_BYTES]
        .into_iter()
        .filter_map(|at| {
            let mut bytes = [0u8; CONTENT_BYTES];
            file.read_exact_at(&mut bytes, at).ok()?;
            decode(&bytes)
        })
        .max_by_key(|(turn, _)| *turn)
}

fn encode(turn: u64, head: &Head) -> [u8; CONTENT_BYTES] {
    let mut bytes = [0u8; CONTENT_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..16].copy_from_slice(&turn.to_le_bytes());
    bytes[16..24].copy_from_slice(&head.end.to_le_bytes());
    if let Some(own) = &head.own {
        bytes[24] = 1;
        bytes[32..40].copy_from_slice(&own.epoch.0.to_le_bytes());
        bytes[40..48].copy_from_slice(&own.seq.to_le_bytes());
        bytes[48..80].copy_from_slice(&own.hash.0);
    }
    let crc = crc32fast::hash(&bytes[..84]);
    bytes[84..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8; CONTENT_BYTES]) -> Option<(u64, Head)> {
    if bytes[..8] != MAGIC || u32_at(bytes, 84) != crc32fast::hash(&bytes[..84]) {
        return None;
    }
    let mut hash = [0u8; 32];
    hash.copy_from_slice(&bytes[48..80]);
    let own = (bytes[24] == 1).then(|| Tip {
        epoch: Epoch(u64_at(bytes, 32)),
        seq: u64_at(bytes, 40),
        hash: EntryHash(hash),
    });
    let end = u64_at(bytes, 16);
    Some((u64_at(bytes, 8), Head { end, own }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_write_leaves_the_head_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head");
        let own = Tip {
            epoch: Epoch(7),
            seq: 3,
            hash: EntryHash([9; 32]),
        };
        let (mut file, none) = HeadFile::open(&path).unwrap();
        assert_eq!(none, None);
        for end in 1..=3 {
            file.write(&Head { end, own: Some(own) }).unwrap();
        }
        let (mut file, head) = HeadFile::open(&path).unwrap();
        assert_eq!(
            head,
            Some(Head {
                end: 3,
                own: Some(own)
            })
        );
        file.write(&Head { end: 4, own: None }).unwrap();
        // The fourth write went to the first slot; tear it.
        file.file.write_all_at(&[0xff], 20).unwrap();
        let (_, head) = HeadFile::open(&path).unwrap();
        assert_eq!(
            head,
            Some(Head {
                end: 3,
                own: Some(own)
            })
        );
    }
}
