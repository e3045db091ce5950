//! What a peer lacks, worked out from its vector, and handed out in log order a frame at a time.
//!
//! A tip of the peer's that is known here proves that it has everything before that tip: the rest
//! of the epoch and, through what openings name, the epochs before. A tip that lies beyond our end
//! of an epoch proves that it has all we have of it. An epoch that is not known here proves nothing,
//! so too much may be sent where an author's history forked; the receiver passes over what it has.
//!
//! A plan holds one cursor per (author, epoch), not one number per entry, and gives out the
//! cursors' entries merged by their place in the log, which is a causal order. This file never
//! reads an entry: it knows places only.

use std::collections::BTreeMap;

use towline_proto::{Epoch, NodeId, Tip, VersionVector};

use crate::author_logs::{AuthorLog, AuthorLogs, TipStatus};
use crate::fork_proofs::ForkProofs;

/// One entry that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlannedEntry {
    /// Where it is in the log.
    pub(crate) position: u64,
    pub(crate) author: NodeId,
    pub(crate) epoch: Epoch,
    pub(crate) seq: u64,
    /// One past the last seq that is to be sent of this epoch.
    end: u64,
}

impl PlannedEntry {
    /// What a run of entries has in common.
    pub(crate) const fn run(&self) -> (NodeId, Epoch) {
        (self.author, self.epoch)
    }

    fn following(&self, chain: &AuthorLogs) -> Option<Self> {
        let seq = self.seq.checked_add(1).filter(|seq| *seq < self.end)?;
        let position = chain.epoch(&self.author, self.epoch)?.position(seq)?;
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
    /// The next entry of each (author, epoch), by its place in the log.
    cursors: BTreeMap<u64, PlannedEntry>,
}

impl SendPlan {
    /// What a peer with this vector lacks.
    pub(crate) fn new(chain: &AuthorLogs, forks: &ForkProofs, theirs: &VersionVector) -> Self {
        let mut plan = Self::default();
        for (author, log) in chain.authors() {
            let tips = theirs.0.get(author).map_or(&[][..], Vec::as_slice);
            if tips != log.tips {
                plan.add_author(chain, forks, author, log, tips);
            }
        }
        plan
    }

    /// The entries of ours that prove forks together with what is kept beside the log.
    pub(crate) fn of_proofs(chain: &AuthorLogs, forks: &ForkProofs) -> Self {
        let mut plan = Self::default();
        for proof in forks.all() {
            let end = proof.seq.saturating_add(1);
            plan.add(chain, &proof.author, proof.epoch, proof.seq, end);
        }
        plan
    }

    fn add_author(
        &mut self,
        chain: &AuthorLogs,
        forks: &ForkProofs,
        author: &NodeId,
        log: &AuthorLog,
        tips: &[Tip],
    ) {
        // Per epoch: one past the last entry that the peer has. Parents are looked at when an
        // epoch is met first, so each epoch is walked once however many tips there are.
        let mut has: BTreeMap<Epoch, u64> = BTreeMap::new();
        let mut todo: Vec<Tip> = tips.to_vec();
        while let Some(tip) = todo.pop() {
            let Some(epoch) = log.epochs.get(&tip.epoch) else {
                continue;
            };
            let end = match chain.standing(author, &tip) {
                TipStatus::Unknown => continue,
                TipStatus::Here => tip.seq.saturating_add(1),
                TipStatus::Beyond => {
                    // With a proof we cannot tell which history the peer follows: it gets the
                    // entry that shows the fork and nothing else of the epoch.
                    if let Some(proof) = forks.find(author, tip.epoch) {
                        self.add(chain, author, tip.epoch, proof.seq, proof.seq.saturating_add(1));
                    }
                    epoch.end()
                }
                TipStatus::Contradicted => {
                    // Our entry in that place is the proof that the peer needs.
                    let seq = tip.seq.max(epoch.start);
                    self.add(chain, author, tip.epoch, seq, seq.saturating_add(1));
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
            self.add(chain, author, *id, start, epoch.end());
        }
    }

    fn add(&mut self, chain: &AuthorLogs, author: &NodeId, id: Epoch, seq: u64, end: u64) {
        let position = chain.epoch(author, id).and_then(|epoch| epoch.position(seq));
        if let Some(position) = position.filter(|_| seq < end) {
            let slot = PlannedEntry {
                position,
                author: *author,
                epoch: id,
                seq,
                end,
            };
            self.cursors.insert(position, slot);
        }
    }

    /// Takes the next entries out of the plan, in log order.
    pub(crate) fn take(&mut self, chain: &AuthorLogs, count: usize) -> Vec<PlannedEntry> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let Some((_, slot)) = self.cursors.pop_first() else {
                break;
            };
            if let Some(next) = slot.following(chain) {
                self.cursors.insert(next.position, next);
            }
            taken.push(slot);
        }
        taken
    }

    /// Puts entries back that were taken last and not sent. Of each epoch they must be the last
    /// that were taken.
    pub(crate) fn put_back(&mut self, chain: &AuthorLogs, slots: &[PlannedEntry]) {
        for slot in slots.iter().rev() {
            self.skip(chain, slot);
            self.cursors.insert(slot.position, *slot);
        }
    }

    /// Forgets everything that follows a taken entry in its epoch.
    pub(crate) fn skip(&mut self, chain: &AuthorLogs, slot: &PlannedEntry) {
        if let Some(next) = slot.following(chain) {
            self.cursors.remove(&next.position);
        }
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.cursors.is_empty()
    }
}

/// Whether the vector names anything that is not here.
pub(crate) fn has_news(chain: &AuthorLogs, theirs: &VersionVector) -> bool {
    theirs.0.iter().any(|(author, tips)| {
        chain.tips(author) != tips.as_slice()
            && tips
                .iter()
                .any(|tip| chain.standing(author, tip) != TipStatus::Here)
    })
}
