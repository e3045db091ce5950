//! From foreign bytes to [`Effect::Admit`], and from its outcome onwards.
//!
//! The order is cheapest first: size, rate, decoding, project, seen before, signature, place. An
//! entry that passes all of it goes to the shell's gate; one that came too early waits. Entries of
//! one run are sent to the gate together, each relying on the one before it, so that the shell can
//! make them durable with one sync. This file never judges what is inside an entry.

use towline_proto::codec::DecodeError;
use towline_proto::entry::EntryError;
use towline_proto::wire::EntryBytes;
use towline_proto::{Entry, EntryHash, Millis, NodeId, limits};

use crate::author_logs::Placement;
use crate::frame_signatures::{self, CheckedEntry};
use crate::orphan_pool::{GateAttempts, Orphan};
use crate::peer_session::{IncomingTransfer, Source};
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
        if let Some(verdict) = self.judge_gossip(now, peer, token, bytes, out) {
            out.push(Effect::Verdict { token, peer, verdict });
        }
    }

    /// The verdict, or none while the gate is asked.
    fn judge_gossip(
        &mut self,
        now: Millis,
        peer: NodeId,
        token: u64,
        bytes: Vec<u8>,
        out: &mut Vec<Effect>,
    ) -> Option<GossipVerdict> {
        // Gossip can arrive before the direct stream is open. What it brought comes by catch-up.
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
            // A peer that runs a newer version is not to blame for it.
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
        match self.place(&entry) {
            Placement::Known => Some(GossipVerdict::Ignore),
            Placement::Next => {
                self.admit(
                    PendingAdmission {
                        entry,
                        source: Source::Gossip { peer, token },
                        verified: true,
                        live: true,
                        tried: None,
                    },
                    out,
                );
                None
            }
            Placement::Gap => {
                self.hold(Orphan {
                    entry,
                    peer: Some(peer),
                    verified: true,
                    live: true,
                    tried: None,
                });
                self.ask(now, peer, out);
                Some(GossipVerdict::Ignore)
            }
            // Everybody should see a proof, once.
            Placement::Forked(epoch, seq) if self.accuse(&entry, epoch, seq, out) => {
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
        if state.taking.is_some() {
            out.push(penalty(peer, "sent a frame before the last one was answered"));
            return;
        }
        if let Some(asked) = state.asked.as_mut() {
            asked.heard_at = now;
        }
        state.taking = Some(IncomingTransfer { frame, open: 0, more });
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
            .and_then(|state| state.taking.as_ref())
            .is_some_and(|taking| taking.open == 0)
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
        match self.place(&entry) {
            Placement::Known => {}
            Placement::Next => {
                // It may have waited here since gossip brought it.
                let held = self.waiting.take_same(&entry);
                if let Some(taking) = self.peers.get_mut(&peer).and_then(|state| state.taking.as_mut()) {
                    taking.open += 1;
                }
                self.admit(
                    PendingAdmission {
                        entry,
                        source: Source::Frame { peer, frame },
                        verified: verified || held.as_ref().is_some_and(|held| held.verified),
                        live: held.as_ref().is_some_and(|held| held.live),
                        tried: held.and_then(|held| held.tried),
                    },
                    out,
                );
            }
            Placement::Gap if self.waiting.contains(&entry) => {}
            Placement::Gap => self.hold(Orphan {
                entry,
                peer: Some(peer),
                verified,
                live: false,
                tried: None,
            }),
            Placement::Forked(epoch, seq) => {
                self.accuse(&entry, epoch, seq, out);
            }
            Placement::Invalid(why) => out.push(penalty(peer, why)),
        }
    }

    /// An entry of ours that is durable.
    pub(crate) fn written(&mut self, now: Millis, entry: &Entry, position: u64, out: &mut Vec<Effect>) {
        let placed = self.chain.append(entry, position);
        debug_assert!(placed, "the shell signs only what follows its own heads");
        self.stored += 1;
        self.admit_followers(entry, out);
        if entry.bytes().len() <= limits::ENTRY_GOSSIP_BYTES {
            out.push(Effect::Publish {
                bytes: entry.bytes().clone(),
            });
        } else {
            self.tell_all(now, out);
        }
    }

    /// The gate's answer.
    pub(crate) fn outcome(
        &mut self,
        now: Millis,
        hash: EntryHash,
        outcome: AdmissionOutcome,
        out: &mut Vec<Effect>,
    ) {
        let at = self.flights.iter().position(|flight| flight.entry.hash() == hash);
        let Some(flight) = at.and_then(|at| self.flights.remove(at)) else {
            return;
        };
        self.pending.remove(&flight.entry);
        let source = flight.source;
        let verdict = match outcome {
            AdmissionOutcome::Stored { position } => {
                self.stored(now, &flight, position, out);
                GossipVerdict::Accept
            }
            AdmissionOutcome::Missing => {
                self.missing(now, flight, out);
                GossipVerdict::Ignore
            }
            AdmissionOutcome::Refused { why, blame } => {
                self.refuse(flight.entry, &why);
                match source.peer().filter(|_| blame) {
                    Some(peer) => reject(peer, &why, out),
                    None => GossipVerdict::Ignore,
                }
            }
        };
        match source {
            Source::Gossip { peer, token } => out.push(Effect::Verdict { token, peer, verdict }),
            Source::Frame { peer, frame } => self.landed(now, peer, frame, out),
            Source::Orphan { .. } => {}
        }
    }

    fn stored(&mut self, now: Millis, flight: &PendingAdmission, position: u64, out: &mut Vec<Effect>) {
        let placed = self.chain.append(&flight.entry, position);
        debug_assert!(placed, "the shell keeps the rule of AdmissionBatch");
        self.stored += 1;
        if let Source::Frame { peer, .. } = flight.source
            && let Some(state) = self.peers.get_mut(&peer)
        {
            state.stored += 1;
            if let Some(asked) = state.asked.as_mut() {
                asked.progress_at = now;
            }
        }
        self.admit_followers(&flight.entry, out);
    }

    fn missing(&mut self, now: Millis, flight: PendingAdmission, out: &mut Vec<Effect>) {
        let times = flight.tried.map_or(0, |tried| tried.times).saturating_add(1);
        // Without its predecessor it waits for that one, and the gate has not judged it.
        let tried = (self.place(&flight.entry) == Placement::Next).then_some(GateAttempts {
            times,
            at: self.stored,
        });
        let peer = flight.source.peer();
        self.hold(Orphan {
            entry: flight.entry,
            peer,
            verified: flight.verified,
            live: flight.live,
            tried,
        });
        if let Source::Gossip { peer, .. } = flight.source {
            self.ask(now, peer, out);
        }
    }

    /// One entry of a frame is dealt with.
    fn landed(&mut self, now: Millis, peer: NodeId, frame: u64, out: &mut Vec<Effect>) {
        let taking = self.peers.get_mut(&peer).and_then(|state| state.taking.as_mut());
        let Some(taking) = taking.filter(|taking| taking.frame == frame) else {
            return;
        };
        taking.open = taking.open.saturating_sub(1);
        if taking.open == 0 {
            self.frame_done(now, peer, out);
        }
    }

    /// Whether nothing new can be learned from the entry.
    pub(crate) fn is_seen(&self, entry: &Entry) -> bool {
        self.contains(&entry.body().author, &entry.tip())
            || self.pending.contains(entry)
            || self.waiting.contains(entry)
            || self.refused.contains(&entry.hash())
    }

    pub(crate) fn admit(&mut self, flight: PendingAdmission, out: &mut Vec<Effect>) {
        out.push(Effect::Admit {
            entry: flight.entry.clone(),
            peer: flight.source.peer(),
            verified: flight.verified,
            live: flight.live,
        });
        self.pending.insert(&flight.entry);
        self.flights.push_back(flight);
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
