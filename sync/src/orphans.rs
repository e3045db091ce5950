//! What becomes of entries that cannot go to the gate at once: those that wait, those that never
//! will be here, and those that prove a fork.
//!
//! It relies on [`crate::orphan_pool`] for room and on [`crate::fork_proofs`] for keeping proofs. Nothing is
//! ever dropped silently: what has no room is wanted again from whoever sent it.

use towline_proto::{Entry, EntryHash, Epoch};

use crate::admission::penalty;
use crate::author_logs::Placement;
use crate::orphan_pool::Orphan;
use crate::peer_session::Source;
use crate::replica::{FORKED, PendingAdmission, Replica};
use crate::{Effect, ForkProof};

/// Orphan entries that are tried again at once: a bound for the effects of one input.
const RETRIES: usize = 256;

impl Replica {
    /// Sends on what waited for this entry, and what waited for that, and so on.
    pub(crate) fn admit_followers(&mut self, entry: &Entry, out: &mut Vec<Effect>) {
        let mut todo = vec![entry.clone()];
        while let Some(entry) = todo.pop() {
            for follower in self.waiting.followers(&entry.body().author, &entry.hash()) {
                if self.place(&follower) == Placement::Next && self.admit_held(&follower, out) {
                    todo.push(follower);
                }
            }
        }
    }

    fn admit_held(&mut self, entry: &Entry, out: &mut Vec<Effect>) -> bool {
        let Some(held) = self.waiting.take_same(entry) else {
            return false;
        };
        self.admit(
            PendingAdmission {
                entry: held.entry,
                source: Source::Orphan { peer: held.peer },
                verified: held.verified,
                live: held.live,
                tried: held.tried,
            },
            out,
        );
        true
    }

    /// Tries held entries again once the gate has nothing left to do and something was stored.
    pub(crate) fn retry(&mut self, tick: bool, out: &mut Vec<Effect>) {
        if !self.flights.is_empty() || (!tick && self.settled_at == Some(self.stored)) {
            return;
        }
        let due = self.waiting.due(self.stored, tick, RETRIES);
        if due.is_empty() {
            self.settled_at = Some(self.stored);
        }
        for entry in due {
            match self.place(&entry) {
                Placement::Next => {
                    self.admit_held(&entry, out);
                }
                // Its place was taken meanwhile, by the other history of a fork.
                Placement::Forked(epoch, seq) => {
                    self.accuse(&entry, epoch, seq, out);
                    self.waiting.take_same(&entry);
                }
                Placement::Known | Placement::Gap | Placement::Invalid(_) => {
                    self.waiting.take_same(&entry);
                }
            }
        }
    }

    /// Lets an entry wait. What has no room is wanted again from whoever sent it.
    pub(crate) fn hold(&mut self, held: Orphan) {
        let body = held.entry.body();
        if let Some(before) = body.prev.iter().find(|tip| self.refused.contains(&tip.hash)) {
            let why = follows(&before.hash);
            self.refuse(held.entry, &why);
            return;
        }
        // Behind the cut of a fork nothing follows any more.
        if self.is_forked(&body.author, body.epoch) {
            return;
        }
        for gone in self.waiting.insert(held) {
            if let Some(peer) = gone.peer {
                self.want(&peer);
            }
        }
    }

    /// An entry will never be here, and neither will what follows it.
    pub(crate) fn refuse(&mut self, entry: Entry, why: &str) {
        let mut todo = vec![(entry, why.to_owned())];
        while let Some((entry, why)) = todo.pop() {
            self.refused.insert(entry.hash(), &why);
            for follower in self.waiting.followers(&entry.body().author, &entry.hash()) {
                self.waiting.take_same(&follower);
                todo.push((follower, follows(&entry.hash())));
            }
        }
    }

    /// Records that an author signed two histories; says whether that is news. Only an entry whose
    /// own signature is good accuses anybody.
    pub(crate) fn accuse(&mut self, entry: &Entry, epoch: Epoch, seq: u64, out: &mut Vec<Effect>) -> bool {
        if entry.verify().is_err() {
            return false;
        }
        self.refuse(entry.clone(), FORKED);
        let author = entry.body().author;
        let kept = self
            .chain
            .epoch(&author, epoch)
            .and_then(|epoch| epoch.position(seq));
        let proof = ForkProof {
            author,
            epoch,
            seq,
            kept,
            other: entry.clone(),
        };
        let news = self.forks.add(proof.clone());
        if news {
            self.waiting.forget_epoch(&author, epoch);
            out.push(Effect::Fork { proof });
            for peer in self.peers.values_mut() {
                peer.owed_proofs = true;
            }
            // The author itself is the one peer who cannot have been deceived.
            if self.peers.contains_key(&author) {
                out.push(penalty(author, "signed two histories"));
            }
        }
        news
    }
}

fn follows(before: &EntryHash) -> String {
    format!("it follows entry {}, which was refused", before.short())
}
