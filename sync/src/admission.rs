//! Admission of entries from peers: from their bytes to [`Effect::Admit`], and what follows from its outcome.
//!
//! The checks are ordered from cheap to expensive: size, rate, decoding, project, known entries, signature,
//! placement. An entry that passes them goes to the shell's gate; one that arrived too early becomes an orphan.
//! Entries of one run go to the gate together, each relying on the one before it, so that the shell can make them
//! durable with one sync. This module does not check what is inside an entry.

use towline_proto::codec::DecodeError;
use towline_proto::entry::EntryError;
use towline_proto::wire::EntryBytes;
use towline_proto::{Entry, EntryHash, Millis, NodeId, limits};

use crate::author_logs::Placement;
use crate::frame_signatures::{self, CheckedEntry};
use crate::orphan_pool::{GateAttempts, Orphan};
use crate::peer_session::{AdmissionSource, IncomingTransfer};
use crate::replica::{PendingAdmission, Replica};
use crate::{AdmissionOutcome, Effect, GossipVerdict};

impl Replica {
    pub(crate) fn gossip(
        &mut self,
        now: Millis,
        peer: NodeId,
        token: u64,
        bytes: Vec<u8>,
        out: &mut Vec<Effect>,
    ) {
        if let Some(verdict) = self.check_gossip(now, peer, token, bytes, out) {
            out.push(Effect::Verdict { token, peer, verdict });
        }
    }

    /// The verdict, or `None` while the entry is at the gate.
    fn check_gossip(
        &mut self,
        now: Millis,
        peer: NodeId,
        token: u64,
        bytes: Vec<u8>,
        out: &mut Vec<Effect>,
    ) -> Option<GossipVerdict> {
        // Gossip can arrive before the direct stream is open. Its entry will come by catch-up.
        let Some(state) = self.peers.get_mut(&peer) else {
            return Some(GossipVerdict::Ignore);
        };
        state.last_seen = now;
        if bytes.len() > limits::ENTRY_GOSSIP_BYTES {
            return Some(reject(peer, "gossiped an entry over the size limit", out));
        }
        if !state.bucket.take(now) {
            self.ask(now, peer, out);
            return Some(GossipVerdict::Ignore);
        }
        let entry = match Entry::decode(bytes.into()) {
            Ok(entry) => entry,
            // A peer with a newer version is not penalised.
            Err(EntryError::Decode(DecodeError::Version { .. })) => return Some(GossipVerdict::Ignore),
            Err(error) => return Some(reject(peer, &format!("gossiped garbage: {error}"), out)),
        };
        if entry.project() != self.project {
            return Some(reject(peer, "gossiped an entry of another project", out));
        }
        if self.is_seen(&entry) {
            return Some(GossipVerdict::Ignore);
        }
        if entry.verify().is_err() {
            return Some(reject(peer, "gossiped an entry with a wrong signature", out));
        }
        match self.placement(&entry) {
            Placement::Known => Some(GossipVerdict::Ignore),
            Placement::Next => {
                self.admit(
                    PendingAdmission {
                        entry,
                        source: AdmissionSource::Gossip { peer, token },
                        verified: true,
                        live: true,
                        attempts: None,
                    },
                    out,
                );
                None
            }
            Placement::Gap => {
                self.add_orphan(Orphan {
                    entry,
                    peer: Some(peer),
                    verified: true,
                    live: true,
                    attempts: None,
                });
                self.ask(now, peer, out);
                Some(GossipVerdict::Ignore)
            }
            // A fork proof is forwarded once, so that every node gets it.
            Placement::Forked(epoch, seq) if self.record_fork(&entry, epoch, seq, out) => {
                Some(GossipVerdict::Accept)
            }
            Placement::Forked(..) => Some(GossipVerdict::Ignore),
            Placement::Invalid(why) => Some(reject(peer, why, out)),
        }
    }

    /// A catch-up frame.
    pub(crate) fn entries(
        &mut self,
        now: Millis,
        peer: NodeId,
        records: Vec<EntryBytes>,
        more: bool,
        out: &mut Vec<Effect>,
    ) {
        let frame = self.next_serial();
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        if state.incoming.is_some() {
            out.push(penalty(peer, "sent a frame before the last one was answered"));
            return;
        }
        if let Some(request) = state.open_request.as_mut() {
            request.last_frame_at = now;
        }
        state.incoming = Some(IncomingTransfer { frame, open: 0, more });
        if records.len() > limits::CATCH_UP_ENTRIES {
            out.push(penalty(peer, "sent a frame with too many entries"));
            self.frame_done(now, peer, out);
            return;
        }
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            match Entry::decode(record.0) {
                Ok(entry) if entry.project() == self.project => entries.push(entry),
                Ok(_) => out.push(penalty(peer, "sent an entry of another project")),
                Err(EntryError::Decode(DecodeError::Version { .. })) => {}
                Err(error) => out.push(penalty(peer, &format!("sent garbage: {error}"))),
            }
        }
        let (checked, bad) = frame_signatures::check(entries, |entry| self.is_seen(entry));
        if bad > 0 {
            out.push(penalty(peer, "sent entries with a wrong signature"));
        }
        for one in checked {
            self.take_from_frame(peer, frame, one, out);
        }
        if self
            .peers
            .get(&peer)
            .and_then(|state| state.incoming.as_ref())
            .is_some_and(|incoming| incoming.open == 0)
        {
            self.frame_done(now, peer, out);
        }
    }

    fn take_from_frame(
        &mut self,
        peer: NodeId,
        frame: u64,
        CheckedEntry { entry, verified }: CheckedEntry,
        out: &mut Vec<Effect>,
    ) {
        if self.refused.contains(&entry.hash()) {
            return;
        }
        match self.placement(&entry) {
            Placement::Known => {}
            Placement::Next => {
                // It may be an orphan that came by gossip earlier.
                let orphan = self.orphans.take_same(&entry);
                if let Some(incoming) = self
                    .peers
                    .get_mut(&peer)
                    .and_then(|state| state.incoming.as_mut())
                {
                    incoming.open += 1;
                }
                self.admit(
                    PendingAdmission {
                        entry,
                        source: AdmissionSource::Frame { peer, frame },
                        verified: verified || orphan.as_ref().is_some_and(|orphan| orphan.verified),
                        live: orphan.as_ref().is_some_and(|orphan| orphan.live),
                        attempts: orphan.and_then(|orphan| orphan.attempts),
                    },
                    out,
                );
            }
            Placement::Gap if self.orphans.contains(&entry) => {}
            Placement::Gap => self.add_orphan(Orphan {
                entry,
                peer: Some(peer),
                verified,
                live: false,
                attempts: None,
            }),
            Placement::Forked(epoch, seq) => {
                self.record_fork(&entry, epoch, seq, out);
            }
            Placement::Invalid(why) => out.push(penalty(peer, why)),
        }
    }

    /// An entry that this node wrote is durable.
    pub(crate) fn written(&mut self, now: Millis, entry: &Entry, position: u64, out: &mut Vec<Effect>) {
        let placed = self.logs.append(entry, position);
        debug_assert!(placed, "the shell signs only what follows its own heads");
        self.stored += 1;
        self.admit_followers(entry, out);
        if entry.bytes().len() <= limits::ENTRY_GOSSIP_BYTES {
            out.push(Effect::Publish {
                bytes: entry.bytes().clone(),
            });
        } else {
            self.announce_to_all(now, out);
        }
    }

    /// The outcome of an admission.
    pub(crate) fn admission_outcome(
        &mut self,
        now: Millis,
        hash: EntryHash,
        outcome: AdmissionOutcome,
        out: &mut Vec<Effect>,
    ) {
        let at = self
            .pending_admissions
            .iter()
            .position(|admission| admission.entry.hash() == hash);
        let Some(admission) = at.and_then(|at| self.pending_admissions.remove(at)) else {
            return;
        };
        self.pending.remove(&admission.entry);
        let source = admission.source;
        let verdict = match outcome {
            AdmissionOutcome::Stored { position } => {
                self.stored(now, &admission, position, out);
                GossipVerdict::Accept
            }
            AdmissionOutcome::Missing => {
                self.missing(now, admission, out);
                GossipVerdict::Ignore
            }
            AdmissionOutcome::Refused { why, blame } => {
                self.refuse(admission.entry, &why);
                match source.peer().filter(|_| blame) {
                    Some(peer) => reject(peer, &why, out),
                    None => GossipVerdict::Ignore,
                }
            }
        };
        match source {
            AdmissionSource::Gossip { peer, token } => out.push(Effect::Verdict { token, peer, verdict }),
            AdmissionSource::Frame { peer, frame } => self.frame_entry_done(now, peer, frame, out),
            AdmissionSource::Orphan { .. } => {}
        }
    }

    fn stored(&mut self, now: Millis, admission: &PendingAdmission, position: u64, out: &mut Vec<Effect>) {
        let placed = self.logs.append(&admission.entry, position);
        debug_assert!(placed, "the shell keeps the rule of AdmissionBatch");
        self.stored += 1;
        if let AdmissionSource::Frame { peer, .. } = admission.source
            && let Some(state) = self.peers.get_mut(&peer)
        {
            state.stored += 1;
            if let Some(request) = state.open_request.as_mut() {
                request.progress_at = now;
            }
        }
        self.admit_followers(&admission.entry, out);
    }

    fn missing(&mut self, now: Millis, admission: PendingAdmission, out: &mut Vec<Effect>) {
        let times = admission
            .attempts
            .map_or(0, |attempts| attempts.times)
            .saturating_add(1);
        // Without its predecessor it waits for that, and has not been at the gate.
        let attempts = (self.placement(&admission.entry) == Placement::Next).then_some(GateAttempts {
            times,
            at: self.stored,
        });
        let peer = admission.source.peer();
        self.add_orphan(Orphan {
            entry: admission.entry,
            peer,
            verified: admission.verified,
            live: admission.live,
            attempts,
        });
        if let AdmissionSource::Gossip { peer, .. } = admission.source {
            self.ask(now, peer, out);
        }
    }

    /// One entry of a frame has its outcome.
    fn frame_entry_done(&mut self, now: Millis, peer: NodeId, frame: u64, out: &mut Vec<Effect>) {
        let incoming = self
            .peers
            .get_mut(&peer)
            .and_then(|state| state.incoming.as_mut());
        let Some(incoming) = incoming.filter(|incoming| incoming.frame == frame) else {
            return;
        };
        incoming.open = incoming.open.saturating_sub(1);
        if incoming.open == 0 {
            self.frame_done(now, peer, out);
        }
    }

    /// Whether the entry is known, at the gate, an orphan, or refused.
    pub(crate) fn is_seen(&self, entry: &Entry) -> bool {
        self.contains(&entry.body().author, &entry.tip())
            || self.pending.contains(entry)
            || self.orphans.contains(entry)
            || self.refused.contains(&entry.hash())
    }

    pub(crate) fn admit(&mut self, admission: PendingAdmission, out: &mut Vec<Effect>) {
        out.push(Effect::Admit {
            entry: admission.entry.clone(),
            peer: admission.source.peer(),
            verified: admission.verified,
            live: admission.live,
        });
        self.pending.insert(&admission.entry);
        self.pending_admissions.push_back(admission);
    }
}

pub(crate) fn penalty(peer: NodeId, why: &str) -> Effect {
    Effect::Penalize {
        peer,
        why: why.to_owned(),
    }
}

fn reject(peer: NodeId, why: &str, out: &mut Vec<Effect>) -> GossipVerdict {
    out.push(penalty(peer, why));
    GossipVerdict::Reject
}
