//! Computes from a peer's version vector which entries it lacks, and returns them frame by frame in log order.
//!
//! A tip of the peer's that is known here proves that the peer has everything before it: the rest of the epoch
//! and, through the `prev` of opening entries, earlier epochs. A tip beyond the end of an epoch here proves that
//! the peer has all of that epoch. An epoch that is unknown here proves nothing, so where an author's history
//! forked too much may be sent; the receiver skips what it has.
//!
//! A plan holds one cursor per (author, epoch), not one number per entry, and merges the cursors by log position,
//! which is a causal order. This module never reads an entry; it knows log positions only.

use std::collections::BTreeMap;

use towline_proto::{Epoch, NodeId, Tip, VersionVector};

use crate::author_logs::{AuthorLog, AuthorLogs, TipStatus};
use crate::fork_proofs::ForkProofs;

/// One entry that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlannedEntry {
    /// Its position in the log.
    pub(crate) position: u64,
    pub(crate) author: NodeId,
    pub(crate) epoch: Epoch,
    pub(crate) seq: u64,
    /// One past the last seq that is to be sent of this epoch.
    end: u64,
}

impl PlannedEntry {
    /// The run that it belongs to; see [`crate::frame_signatures`].
    pub(crate) const fn run(&self) -> (NodeId, Epoch) {
        (self.author, self.epoch)
    }

    fn following(&self, logs: &AuthorLogs) -> Option<Self> {
        let seq = self.seq.checked_add(1).filter(|seq| *seq < self.end)?;
        let position = logs.epoch(&self.author, self.epoch)?.position(seq)?;
        Some(Self {
            position,
            seq,
            ..*self
        })
    }
}

/// What is still to be sent to one peer.
#[derive(Debug, Default)]
pub(crate) struct SendPlan {
    /// The next entry of each (author, epoch), by its position in the log.
    cursors: BTreeMap<u64, PlannedEntry>,
}

impl SendPlan {
    /// The entries that a peer with this vector lacks.
    pub(crate) fn new(logs: &AuthorLogs, forks: &ForkProofs, theirs: &VersionVector) -> Self {
        let mut plan = Self::default();
        for (author, log) in logs.authors() {
            let tips = theirs.0.get(author).map_or(&[][..], Vec::as_slice);
            if tips != log.tips {
                plan.add_author(logs, forks, author, log, tips);
            }
        }
        plan
    }

    /// The entries of the log that prove forks, together with the entries in `forks`.
    pub(crate) fn of_proofs(logs: &AuthorLogs, forks: &ForkProofs) -> Self {
        let mut plan = Self::default();
        for proof in forks.all() {
            let end = proof.seq.saturating_add(1);
            plan.add(logs, &proof.author, proof.epoch, proof.seq, end);
        }
        plan
    }

    fn add_author(
        &mut self,
        logs: &AuthorLogs,
        forks: &ForkProofs,
        author: &NodeId,
        log: &AuthorLog,
        tips: &[Tip],
    ) {
        // For each epoch, one past the last entry that the peer has. Parents are added when an epoch is visited
        // first, so each epoch is walked once, however many tips there are.
        let mut has: BTreeMap<Epoch, u64> = BTreeMap::new();
        let mut todo: Vec<Tip> = tips.to_vec();
        while let Some(tip) = todo.pop() {
            let Some(epoch) = log.epochs.get(&tip.epoch) else {
                continue;
            };
            let end = match logs.tip_status(author, &tip) {
                TipStatus::UnknownEpoch => continue,
                TipStatus::Known => tip.seq.saturating_add(1),
                TipStatus::Ahead => {
                    // Of a forked epoch it is not known which history the peer follows. It gets the entry that
                    // proves the fork and nothing else of the epoch.
                    if let Some(proof) = forks.find(author, tip.epoch) {
                        self.add(logs, author, tip.epoch, proof.seq, proof.seq.saturating_add(1));
                    }
                    epoch.end()
                }
                TipStatus::Forked => {
                    // The entry here with that seq is the proof that the peer needs.
                    let seq = tip.seq.max(epoch.start);
                    self.add(logs, author, tip.epoch, seq, seq.saturating_add(1));
                    epoch.end()
                }
            };
            match has.get_mut(&tip.epoch) {
                Some(known) => *known = end.max(*known),
                None => {
                    has.insert(tip.epoch, end);
                    todo.extend_from_slice(&epoch.parents);
                }
            }
        }
        for (id, epoch) in &log.epochs {
            let start = has.get(id).copied().unwrap_or(epoch.start);
            self.add(logs, author, *id, start, epoch.end());
        }
    }

    fn add(&mut self, logs: &AuthorLogs, author: &NodeId, id: Epoch, seq: u64, end: u64) {
        let position = logs.epoch(author, id).and_then(|epoch| epoch.position(seq));
        if let Some(position) = position.filter(|_| seq < end) {
            let entry = PlannedEntry {
                position,
                author: *author,
                epoch: id,
                seq,
                end,
            };
            self.cursors.insert(position, entry);
        }
    }

    /// Takes the next entries out of the plan, in log order.
    pub(crate) fn take(&mut self, logs: &AuthorLogs, count: usize) -> Vec<PlannedEntry> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let Some((_, entry)) = self.cursors.pop_first() else {
                break;
            };
            if let Some(next) = entry.following(logs) {
                self.cursors.insert(next.position, next);
            }
            taken.push(entry);
        }
        taken
    }

    /// Puts back entries that were taken and not sent. They must be the last ones that were taken of each epoch.
    pub(crate) fn put_back(&mut self, logs: &AuthorLogs, entries: &[PlannedEntry]) {
        for entry in entries.iter().rev() {
            self.skip(logs, entry);
            self.cursors.insert(entry.position, *entry);
        }
    }

    /// Removes everything that follows a taken entry in its epoch.
    pub(crate) fn skip(&mut self, logs: &AuthorLogs, entry: &PlannedEntry) {
        if let Some(next) = entry.following(logs) {
            self.cursors.remove(&next.position);
        }
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.cursors.is_empty()
    }
}

/// Whether the vector names an entry that is not known here.
pub(crate) fn has_unknown(logs: &AuthorLogs, theirs: &VersionVector) -> bool {
    theirs.0.iter().any(|(author, tips)| {
        logs.tips(author) != tips.as_slice()
            && tips
                .iter()
                .any(|tip| logs.tip_status(author, tip) != TipStatus::Known)
    })
}
