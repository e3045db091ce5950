//! Handles entries that cannot go to the gate now: orphans, entries that follow a refused one, and entries that
//! prove a fork.
//!
//! Relies on [`crate::orphan_pool`] for keeping orphans and on [`crate::fork_proofs`] for keeping proofs. Nothing is
//! dropped silently: an orphan that does not fit is requested again from the peer that sent it.

use towline_proto::{Entry, EntryHash, Epoch};

use crate::admission::penalty;
use crate::author_logs::Placement;
use crate::orphan_pool::Orphan;
use crate::peer_session::AdmissionSource;
use crate::replica::{FORKED, PendingAdmission, Replica};
use crate::{Effect, ForkProof};

/// The most orphans that are tried again at once, which bounds the effects of one input.
const RETRIES: usize = 256;

impl Replica {
    /// Admits the orphans that waited for this entry, and the orphans that waited for those, and so on.
    pub(crate) fn admit_followers(&mut self, entry: &Entry, out: &mut Vec<Effect>) {
        let mut todo = vec![entry.clone()];
        while let Some(entry) = todo.pop() {
            for follower in self.orphans.followers(&entry.body().author, &entry.hash()) {
                if self.placement(&follower) == Placement::Next && self.admit_orphan(&follower, out) {
                    todo.push(follower);
                }
            }
        }
    }

    fn admit_orphan(&mut self, entry: &Entry, out: &mut Vec<Effect>) -> bool {
        let Some(orphan) = self.orphans.take_same(entry) else {
            return false;
        };
        self.admit(
            PendingAdmission {
                entry: orphan.entry,
                source: AdmissionSource::Orphan { peer: orphan.peer },
                verified: orphan.verified,
                live: orphan.live,
                attempts: orphan.attempts,
            },
            out,
        );
        true
    }

    /// Tries orphans again when the gate is idle and something has been stored.
    pub(crate) fn retry(&mut self, tick: bool, out: &mut Vec<Effect>) {
        if !self.pending_admissions.is_empty() || (!tick && self.retried_at == Some(self.stored)) {
            return;
        }
        let due = self.orphans.due(self.stored, tick, RETRIES);
        if due.is_empty() {
            self.retried_at = Some(self.stored);
        }
        for entry in due {
            match self.placement(&entry) {
                Placement::Next => {
                    self.admit_orphan(&entry, out);
                }
                // An entry of the other history of a fork has been stored meanwhile.
                Placement::Forked(epoch, seq) => {
                    self.record_fork(&entry, epoch, seq, out);
                    self.orphans.take_same(&entry);
                }
                Placement::Known | Placement::Gap | Placement::Invalid(_) => {
                    self.orphans.take_same(&entry);
                }
            }
        }
    }

    /// Adds an entry to the pool. Entries that are dropped for it are requested again from their senders.
    pub(crate) fn add_orphan(&mut self, orphan: Orphan) {
        let body = orphan.entry.body();
        if let Some(before) = body.prev.iter().find(|tip| self.refused.contains(&tip.hash)) {
            let why = reason_of_follower(&before.hash);
            self.refuse(orphan.entry, &why);
            return;
        }
        // Nothing of a forked epoch is admitted after the fork.
        if self.is_forked(&body.author, body.epoch) {
            return;
        }
        for gone in self.orphans.insert(orphan) {
            if let Some(peer) = gone.peer {
                self.ask_later(&peer);
            }
        }
    }

    /// Marks an entry as refused, with every orphan that follows it.
    pub(crate) fn refuse(&mut self, entry: Entry, why: &str) {
        let mut todo = vec![(entry, why.to_owned())];
        while let Some((entry, why)) = todo.pop() {
            self.refused.insert(entry.hash(), &why);
            for follower in self.orphans.followers(&entry.body().author, &entry.hash()) {
                self.orphans.take_same(&follower);
                todo.push((follower, reason_of_follower(&entry.hash())));
            }
        }
    }

    /// Records that an author signed two histories; returns whether that was not known before. Only an entry
    /// whose own signature is good is accepted as proof.
    pub(crate) fn record_fork(
        &mut self,
        entry: &Entry,
        epoch: Epoch,
        seq: u64,
        out: &mut Vec<Effect>,
    ) -> bool {
        if entry.verify().is_err() {
            return false;
        }
        self.refuse(entry.clone(), FORKED);
        let author = entry.body().author;
        let kept = self
            .logs
            .epoch(&author, epoch)
            .and_then(|epoch| epoch.position(seq));
        let proof = ForkProof {
            author,
            epoch,
            seq,
            kept,
            other: entry.clone(),
        };
        let is_new = self.forks.add(proof.clone());
        if is_new {
            self.orphans.forget_epoch(&author, epoch);
            out.push(Effect::Fork { proof });
            for peer in self.peers.values_mut() {
                peer.owes_proofs = true;
            }
            // Only the author itself is penalised; other peers may have been deceived.
            if self.peers.contains_key(&author) {
                out.push(penalty(author, "signed two histories"));
            }
        }
        is_new
    }
}

fn reason_of_follower(before: &EntryHash) -> String {
    format!("it follows entry {}, which was refused", before.short())
}
