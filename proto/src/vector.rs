//! Version vectors: the tips of all authors' logs, which describe exactly what a replica has.
//!
//! A tip commits to everything before it in its author's log, by the chain of hashes. An epoch whose head is a
//! predecessor of a later epoch of the same author is closed and needs no row, so thousands of restarts leave one
//! row. Two rows for one author mean a fork that the author's next epoch has not joined yet
//! (docs/spec/replication.md, *The log*).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{EntryHash, Epoch, NodeId};

/// The last entry of one epoch of one author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tip {
    /// The epoch.
    #[serde(rename = "e")]
    pub epoch: Epoch,
    /// The entry's number in the author's log, from 0.
    #[serde(rename = "s")]
    pub seq: u64,
    /// The entry's hash.
    #[serde(rename = "h")]
    pub hash: EntryHash,
}

/// The tips of every author of a project, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionVector(pub BTreeMap<NodeId, Vec<Tip>>);

impl VersionVector {
    /// A hash of the whole vector: equal digests mean equal sets of entries.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("towline/vector/1");
        for (author, tips) in &self.0 {
            hasher.update(&author.0);
            hasher.update(&(tips.len() as u64).to_le_bytes());
            for tip in tips {
                hasher.update(&tip.epoch.0.to_le_bytes());
                hasher.update(&tip.seq.to_le_bytes());
                hasher.update(&tip.hash.0);
            }
        }
        *hasher.finalize().as_bytes()
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}
