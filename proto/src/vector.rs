//! Version vectors: what a replica of a project holds, summed up exactly by the tips of its
//! authors' logs.
//!
//! A tip commits to everything before it in its author's log, through the chain of hashes. An epoch
//! whose head is named by a later epoch of the same author is closed and needs no row of its own,
//! so thousands of restarts leave one row. Two rows for one author mean a fork that its next epoch
//! has not joined yet (replication spec, *The log*).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{EntryHash, Epoch, NodeId};

/// The last entry of one epoch of one author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tip {
    /// Which run of the author.
    #[serde(rename = "e")]
    pub epoch: Epoch,
    /// The entry's place in the author's log, from 0.
    #[serde(rename = "s")]
    pub seq: u64,
    /// Its hash.
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

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}
