//! The messages Hello, Have, Entries and Got with each peer, and the tick.
//!
//! Both sides send [`Message::Hello`] when they connect. A node that finds the digests different sends a request:
//! its whole vector in [`Message::Have`]. A request is answered by at least one [`Message::Entries`] frame; the
//! frame without `more` ends the answer. Each frame is acknowledged by [`Message::Got`] once the gate has handled
//! all of its entries, which is the only back-pressure.
//!
//! The exchange always ends: a Hello is sent only when the digest has changed since the last one to that peer (or
//! after [`HELLO_MS`]). A request that brought nothing is not repeated while both digests stay the same. And one
//! peer at a time is asked, so that a new node does not receive the same history from everybody. Entries are
//! handled in `admission`; this module never looks into one.

use std::collections::BTreeMap;

use towline_proto::wire::Message;
use towline_proto::{Millis, NodeId, Tip, VersionVector, limits};

use crate::Effect;
use crate::admission::penalty;
use crate::peer_session::{OpenRequest, OutgoingStep, PeerSession};
use crate::replica::Replica;
use crate::send_plan::{self, SendPlan};

/// How often idle peers compare digests, in milliseconds. Lost gossip that left no gap is noticed then at the
/// latest.
const HELLO_MS: u64 = 30_000;
/// A request or transfer without any progress for so long is abandoned, in milliseconds.
const STALL_MS: u64 = 60_000;
/// Another peer is asked as well when an answer has brought no entry for so long, in milliseconds.
const SLOW_MS: u64 = 5_000;
/// Another peer is asked as well when an answer has taken so long, in milliseconds: a peer that sends one entry
/// every few seconds must not keep a node from all others.
const TURN_MS: u64 = 30_000;
/// A request that brought nothing is repeated after so long even if nothing changed, in milliseconds: the peer may
/// have repaired a record.
const FRUITLESS_MS: u64 = 600_000;
/// The most tips of one author in a vector that is sent. Honest forks leave a handful. When a tip is left out, the
/// peer sends entries that are known already.
const TIPS_PER_AUTHOR: usize = 64;

impl Replica {
    pub(crate) fn connected(&mut self, now: Millis, peer: NodeId, out: &mut Vec<Effect>) {
        let before = self.peers.remove(&peer);
        self.frame_lost(peer, before.as_ref());
        let known = before.is_some();
        if peer == self.me || (!known && self.peers.len() >= limits::PEERS) {
            return;
        }
        self.peers.insert(peer, PeerSession::new(now));
        self.say_hello(now, peer, out);
    }

    pub(crate) fn disconnected(&mut self, now: Millis, peer: &NodeId, out: &mut Vec<Effect>) {
        let before = self.peers.remove(peer);
        self.frame_lost(*peer, before.as_ref());
        self.ask_next(now, out);
    }

    /// Makes the next frame to a peer smaller when it disconnected before it acknowledged one.
    fn frame_lost(&mut self, peer: NodeId, before: Option<&PeerSession>) {
        let outgoing = before.and_then(|before| before.outgoing.as_ref());
        if outgoing.is_some_and(|outgoing| matches!(outgoing.step, OutgoingStep::Sent { .. })) {
            self.frame_sizes.lost_frame(peer);
        }
    }

    /// Part of a long message was sent or received: the peer has not stalled.
    pub(crate) fn progress(&mut self, now: Millis, peer: &NodeId) {
        if let Some(state) = self.peers.get_mut(peer) {
            state.last_seen = now;
            if let Some(request) = state.open_request.as_mut() {
                request.last_frame_at = now;
            }
            if let Some(outgoing) = state.outgoing.as_mut() {
                outgoing.at = now;
            }
        }
    }

    pub(crate) fn message(&mut self, now: Millis, peer: NodeId, message: Message, out: &mut Vec<Effect>) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        state.last_seen = now;
        if message.project() != self.project {
            out.push(penalty(peer, "spoke about another project"));
            return;
        }
        match message {
            Message::Hello { digest, .. } => self.hello(now, peer, digest, out),
            Message::Have { vector, .. } => self.have(now, peer, &vector, out),
            Message::Entries { entries, more, .. } => self.entries(now, peer, entries, more, out),
            Message::Got { .. } => self.got(now, peer, out),
        }
    }

    fn hello(&mut self, now: Millis, peer: NodeId, digest: [u8; 32], out: &mut Vec<Effect>) {
        if self.compare(peer, digest) {
            // It may not know yet that this node has the same entries.
            self.announce(now, peer, out);
        } else {
            self.ask_if_useful(now, peer, out);
        }
    }

    fn have(&mut self, now: Millis, peer: NodeId, vector: &VersionVector, out: &mut Vec<Effect>) {
        let equal = self.compare(peer, vector.digest());
        if !equal && send_plan::has_unknown(&self.logs, vector) {
            self.ask_if_useful(now, peer, out);
        }
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        let plan = SendPlan::new(&self.logs, &self.forks, vector);
        match state.outgoing.as_mut() {
            None => self.send_next(now, peer, plan, out),
            // It sends a request while a frame is being read or sent. The transfer continues with the new plan;
            // the entries of that frame may be sent twice.
            Some(outgoing) => {
                outgoing.plan = plan;
                if let OutgoingStep::Sent { last, .. } = &mut outgoing.step {
                    *last = false;
                }
            }
        }
    }

    /// Records the digest that the peer announced; returns whether it equals the digest of this node.
    fn compare(&mut self, peer: NodeId, theirs: [u8; 32]) -> bool {
        let ours = self.digest();
        if let Some(state) = self.peers.get_mut(&peer) {
            state.their_digest = Some(theirs);
            state.ask_soon &= theirs != ours;
        }
        theirs == ours
    }

    /// All entries of a received frame have an outcome.
    pub(crate) fn frame_done(&mut self, now: Millis, peer: NodeId, out: &mut Vec<Effect>) {
        let (project, ours) = (self.project, self.digest());
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        let Some(incoming) = state.incoming.take() else {
            return;
        };
        out.push(Effect::Send {
            peer,
            message: Message::Got { project },
        });
        if incoming.more {
            return;
        }
        let stored = std::mem::take(&mut state.stored);
        let had_request = state.open_request.take().is_some();
        if let Some(theirs) = state.their_digest
            && had_request
            && stored == 0
            && theirs != ours
        {
            state.fruitless = Some((ours, theirs, now));
        }
        self.announce(now, peer, out);
        if stored > 0 {
            // These entries came by catch-up, so nobody may have gossiped them to the other peers.
            self.announce_to_all(now, out);
        }
        self.ask_next(now, out);
    }

    /// Gossip showed that the peer has, or can get, an entry that is missing here.
    pub(crate) fn ask(&mut self, now: Millis, peer: NodeId, out: &mut Vec<Effect>) {
        if let Some(state) = self.peers.get_mut(&peer) {
            state.their_digest = None;
        }
        self.ask_if_useful(now, peer, out);
    }

    /// Sends the peer a request as soon as possible.
    pub(crate) fn ask_later(&mut self, peer: &NodeId) {
        if let Some(state) = self.peers.get_mut(peer) {
            state.ask_soon = true;
        }
    }

    fn ask_if_useful(&mut self, now: Millis, peer: NodeId, out: &mut Vec<Effect>) {
        let ours = self.digest();
        let busy = self.peers.iter().any(|(id, other)| {
            *id != peer
                && other.open_request.as_ref().is_some_and(|request| {
                    now.since(request.progress_at) < SLOW_MS && now.since(request.at) < TURN_MS
                })
        });
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        if busy || state.open_request.is_some() {
            state.ask_soon = true;
            return;
        }
        state.ask_soon = false;
        if let Some(theirs) = state.their_digest {
            let is_fruitless = state
                .fruitless
                .is_some_and(|(us, them, at)| (us, them) == (ours, theirs) && now.since(at) < FRUITLESS_MS);
            if is_fruitless || theirs == ours {
                return;
            }
        }
        state.open_request = Some(OpenRequest {
            at: now,
            last_frame_at: now,
            progress_at: now,
        });
        state.announced = Some(ours);
        state.announced_at = now;
        let (project, vector) = (self.project, bounded(self.vector()));
        out.push(Effect::Send {
            peer,
            message: Message::Have { project, vector },
        });
    }

    fn ask_next(&mut self, now: Millis, out: &mut Vec<Effect>) {
        for peer in self.ids(|peer| peer.ask_soon) {
            self.ask_if_useful(now, peer, out);
        }
    }

    /// Sends Hello unless the peer knows the current digest, or will learn it when the exchange in progress ends.
    pub(crate) fn announce(&mut self, now: Millis, peer: NodeId, out: &mut Vec<Effect>) {
        let ours = self.digest();
        let state = self.peers.get(&peer);
        if state.is_some_and(|state| state.is_idle() && state.announced != Some(ours)) {
            self.say_hello(now, peer, out);
        }
    }

    pub(crate) fn announce_to_all(&mut self, now: Millis, out: &mut Vec<Effect>) {
        for peer in self.ids(PeerSession::is_idle) {
            self.announce(now, peer, out);
        }
    }

    fn say_hello(&mut self, now: Millis, peer: NodeId, out: &mut Vec<Effect>) {
        let (project, digest) = (self.project, self.digest());
        if let Some(state) = self.peers.get_mut(&peer) {
            state.announced = Some(digest);
            state.announced_at = now;
            out.push(Effect::Send {
                peer,
                message: Message::Hello { project, digest },
            });
        }
    }

    pub(crate) fn tick(&mut self, now: Millis, out: &mut Vec<Effect>) {
        self.retry(true, out);
        for state in self.peers.values_mut().filter(|state| state.incoming.is_none()) {
            let silent = |since: Millis| now.since(since) >= STALL_MS;
            if state
                .open_request
                .as_ref()
                .is_some_and(|request| silent(request.last_frame_at))
            {
                state.open_request = None;
            }
        }
        let stalled = |peer: &PeerSession| {
            let outgoing = peer.outgoing.as_ref();
            peer.incoming.is_none() && outgoing.is_some_and(|outgoing| now.since(outgoing.at) >= STALL_MS)
        };
        for peer in self.ids(stalled) {
            if let Some(state) = self.peers.get_mut(&peer)
                && let Some(outgoing) = state.outgoing.take()
                && matches!(outgoing.step, OutgoingStep::Sent { .. })
            {
                self.frame_sizes.lost_frame(peer);
            }
        }
        // While many entries arrive, gossip delivers them, and digests differ all the time without any need for
        // messages. So peers get a Hello once the digest has not changed for a tick.
        let ours = self.digest();
        if self.ticked.replace(ours) == Some(ours) {
            self.announce_to_all(now, out);
        }
        for peer in self.ids(|peer| peer.is_idle() && now.since(peer.announced_at) >= HELLO_MS) {
            self.say_hello(now, peer, out);
        }
        self.ask_next(now, out);
    }

    pub(crate) fn ids(&self, which: impl Fn(&PeerSession) -> bool) -> Vec<NodeId> {
        let peers = self.peers.iter();
        peers.filter(|(_, peer)| which(peer)).map(|(id, _)| *id).collect()
    }
}

/// The vector within the limits of the wire. When a row is left out, the peer sends entries that are known already.
fn bounded(vector: VersionVector) -> VersionVector {
    let mut room = limits::VECTOR_ROWS;
    let mut rows = BTreeMap::new();
    for (author, mut tips) in vector.0 {
        if tips.len() > TIPS_PER_AUTHOR {
            tips.sort_by_key(|tip: &Tip| std::cmp::Reverse(tip.seq));
        }
        tips.truncate(TIPS_PER_AUTHOR.min(room));
        tips.sort();
        room -= tips.len();
        if !tips.is_empty() {
            rows.insert(author, tips);
        }
    }
    VersionVector(rows)
}
