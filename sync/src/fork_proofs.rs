//! Proofs that an author signed two histories under one (author, epoch, seq).
//!
//! An honest node cannot do that, because every process draws a new epoch before it writes, also after a restore.
//! So a proof means that a key was copied or a running machine was cloned. The history that arrived first stays,
//! and nothing of the other one is admitted. A proof is evidence against the author, never against a peer that
//! relayed it. What counts as a fork is decided in `author_logs`.

use towline_proto::{Entry, Epoch, NodeId};

/// The most proofs per project, one per (author, epoch). Each can hold an entry of up to a mebibyte.
const FORK_PROOFS: usize = 16;

/// Two histories of one author in one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkProof {
    /// Who signed both.
    pub author: NodeId,
    /// In which epoch.
    pub epoch: Epoch,
    /// The seq at which they differ, or a later one.
    pub seq: u64,
    /// The log position of the entry that is kept for this seq, when it is in the log already.
    pub kept: Option<u64>,
    /// The contradicting entry: a different one with this seq, or one that names a different predecessor. Its
    /// signature has been checked.
    pub other: Entry,
}

/// The proofs of one project, bounded.
#[derive(Debug, Default)]
pub(crate) struct ForkProofs(Vec<ForkProof>);

impl ForkProofs {
    /// Keeps a proof; returns whether it is new.
    pub(crate) fn add(&mut self, proof: ForkProof) -> bool {
        let is_new = self.0.len() < FORK_PROOFS && self.find(&proof.author, proof.epoch).is_none();
        if is_new {
            self.0.push(proof);
        }
        is_new
    }

    /// The proof for one epoch of an author.
    pub(crate) fn find(&self, author: &NodeId, epoch: Epoch) -> Option<&ForkProof> {
        self.0
            .iter()
            .find(|proof| proof.author == *author && proof.epoch == epoch)
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[ForkProof] {
        &self.0
    }
}
