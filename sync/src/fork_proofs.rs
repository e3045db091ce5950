//! Proofs that an author signed two histories under one (author, epoch, seq).
//!
//! An honest node cannot: every process draws a fresh epoch before it writes, also after a restore.
//! So a proof means a copied key or a running machine that was cloned. The history that came first
//! stays; nothing of the other one is admitted. A proof accuses the author and nobody who passed it
//! on. This file never decides what is a fork: `chain` does.

use towline_proto::{Entry, Epoch, NodeId};

/// Proofs kept per project. One per (author, epoch) is all that anybody needs to act, and each may
/// hold an entry of up to a mebibyte.
const FORK_PROOFS: usize = 16;

/// Two histories of one author in one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkProof {
    /// Who signed both.
    pub author: NodeId,
    /// In which run.
    pub epoch: Epoch,
    /// The place at which they part, or one after it.
    pub seq: u64,
    /// Where the entry that stands at that place is in the log, when it is there already.
    pub kept: Option<u64>,
    /// The entry that contradicts it, by being another one at that place or by naming another one
    /// as its predecessor. Its signature has been checked.
    pub other: Entry,
}

/// The proofs of one project, bounded.
#[derive(Debug, Default)]
pub(crate) struct ForkProofs(Vec<ForkProof>);

impl ForkProofs {
    /// Keeps a proof and says whether it is news.
    pub(crate) fn add(&mut self, proof: ForkProof) -> bool {
        let news = self.0.len() < FORK_PROOFS && self.find(&proof.author, proof.epoch).is_none();
        if news {
            self.0.push(proof);
        }
        news
    }

    /// The proof against one run of an author.
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
