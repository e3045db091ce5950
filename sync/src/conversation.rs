//! Hello, Have, Entries, Got: the conversation with each peer, and the tick.
//!
//! Both sides say [`Message::Hello`] on connecting. Whoever finds the digests different asks, by
//! sending its whole vector ([`Message::Have`]). A question is answered by at least one
//! [`Message::Entries`] frame; the one without `more` ends it. A frame is answered by
//! [`Message::Got`] once the gate has dealt with all of it, which is all the back-pressure there is.
//!
//! It always comes to rest: a Hello is sent only when the digest is another one than we last told
//! that peer (or after [`HELLO_MS`]), a question that brought nothing is not put again while both
//! digests stay what they were, and one peer at a time is asked, so that a newcomer does not get the
//! same history from everybody. Entries are `admission`'s; this file never looks into one.

use std::collections::BTreeMap;

use towline_proto::wire::Message;
use towline_proto::{Millis, NodeId, Tip, VersionVector, limits};

use crate::Effect;
use crate::admission::penalty;
use crate::peer_session::{OpenRequest, OutgoingStep, PeerSession};
use crate::replica::Replica;
use crate::send_plan::{self, SendPlan};

/// How often peers that talk about nothing else compare digests, in milliseconds. Gossip that was
/// lost without leaving a gap is noticed then at the latest.
const HELLO_MS: u64 = 30_000;
/// A peer that has said nothing for so long is given up waiting for, in milliseconds.
const STALL_MS: u64 = 60_000;
/// Others are asked beside a peer whose answer has brought nothing for so long, in milliseconds.
const SLOW_MS: u64 = 5_000;
/// Others are asked beside a peer that has been answering for so long, in milliseconds: a member
/// who trickles one entry every few seconds must not keep a node from everybody else.
const TURN_MS: u64 = 30_000;
/// A question that brought nothing is put again after so long even if nothing changed, in
/// milliseconds: the peer may have repaired a record.
const BARREN_MS: u64 = 600_000;
/// Tips of one author in a vector that is sent. Honest forks leave a handful; leaving one out costs
/// that entries come which are here already.
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

    /// The next frame to a peer is smaller where one was out when it left.
    fn frame_lost(&mut self, peer: NodeId, before: Option<&PeerSession>) {
        let giving = before.and_then(|before| before.giving.as_ref());
        if giving.is_some_and(|giving| matches!(giving.step, OutgoingStep::Sent { .. })) {
            self.paces.broke_off(peer);
        }
    }

    /// What is under way with a peer is long, and goes on.
    pub(crate) fn progress(&mut self, now: Millis, peer: &NodeId) {
        if let Some(state) = self.peers.get_mut(peer) {
            state.last_seen = now;
            if let Some(asked) = state.asked.as_mut() {
                asked.heard_at = now;
            }
            if let Some(giving) = state.giving.as_mut() {
                giving.at = now;
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
            // It may not know yet that what it told of is here.
            self.tell(now, peer, out);
        } else {
            self.ask_if_useful(now, peer, out);
        }
    }

    fn have(&mut self, now: Millis, peer: NodeId, vector: &VersionVector, out: &mut Vec<Effect>) {
        let equal = self.compare(peer, vector.digest());
        if !equal && send_plan::has_news(&self.chain, vector) {
            self.ask_if_useful(now, peer, out);
        }
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        let plan = SendPlan::new(&self.chain, &self.forks, vector);
        match state.giving.as_mut() {
            None => self.give(now, peer, plan, out),
            // It asks while a frame is out, or is being read. What it needs now goes on from
            // there; the entries of that frame may come twice.
            Some(giving) => {
                giving.plan = plan;
                if let OutgoingStep::Sent { last, .. } = &mut giving.step {
                    *last = false;
                }
            }
        }
    }

    /// Notes what the peer holds; says whether it is the same as here.
    fn compare(&mut self, peer: NodeId, theirs: [u8; 32]) -> bool {
        let ours = self.digest();
        if let Some(state) = self.peers.get_mut(&peer) {
            state.theirs = Some(theirs);
            state.want &= theirs != ours;
        }
        theirs == ours
    }

    /// All of a received frame has been dealt with.
    pub(crate) fn frame_done(&mut self, now: Millis, peer: NodeId, out: &mut Vec<Effect>) {
        let (project, ours) = (self.project, self.digest());
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        let Some(taking) = state.taking.take() else {
            return;
        };
        out.push(Effect::Send {
            peer,
            message: Message::Got { project },
        });
        if taking.more {
            return;
        }
        let stored = std::mem::take(&mut state.stored);
        let asked = state.asked.take().is_some();
        if let Some(theirs) = state.theirs
            && asked
            && stored == 0
            && theirs != ours
        {
            state.barren = Some((ours, theirs, now));
        }
        self.tell(now, peer, out);
        if stored > 0 {
            // These came by catch-up, so nobody may have gossiped them to the others.
            self.tell_all(now, out);
        }
        self.ask_next(now, out);
    }

    /// Gossip showed that the peer has, or can get, something that is not here.
    pub(crate) fn ask(&mut self, now: Millis, peer: NodeId, out: &mut Vec<Effect>) {
        if let Some(state) = self.peers.get_mut(&peer) {
            state.theirs = None;
        }
        self.ask_if_useful(now, peer, out);
    }

    /// Asks the peer as soon as that is possible.
    pub(crate) fn want(&mut self, peer: &NodeId) {
        if let Some(state) = self.peers.get_mut(peer) {
            state.want = true;
        }
    }

    fn ask_if_useful(&mut self, now: Millis, peer: NodeId, out: &mut Vec<Effect>) {
        let ours = self.digest();
        let busy = self.peers.iter().any(|(id, other)| {
            *id != peer
                && other.asked.as_ref().is_some_and(|asked| {
                    now.since(asked.progress_at) < SLOW_MS && now.since(asked.at) < TURN_MS
                })
        });
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        if busy || state.asked.is_some() {
            state.want = true;
            return;
        }
        state.want = false;
        if let Some(theirs) = state.theirs {
            let barren = state
                .barren
                .is_some_and(|(us, them, at)| (us, them) == (ours, theirs) && now.since(at) < BARREN_MS);
            if barren || theirs == ours {
                return;
            }
        }
        state.asked = Some(OpenRequest {
            at: now,
            heard_at: now,
            progress_at: now,
        });
        state.told = Some(ours);
        state.told_at = now;
        let (project, vector) = (self.project, bounded(self.vector()));
        out.push(Effect::Send {
            peer,
            message: Message::Have { project, vector },
        });
    }

    fn ask_next(&mut self, now: Millis, out: &mut Vec<Effect>) {
        for peer in self.ids(|peer| peer.want) {
            self.ask_if_useful(now, peer, out);
        }
    }

    /// Says Hello unless the peer knows what is here already, or will learn it when what is under
    /// way with it ends.
    pub(crate) fn tell(&mut self, now: Millis, peer: NodeId, out: &mut Vec<Effect>) {
        let ours = self.digest();
        let state = self.peers.get(&peer);
        if state.is_some_and(|state| state.is_idle() && state.told != Some(ours)) {
            self.say_hello(now, peer, out);
        }
    }

    pub(crate) fn tell_all(&mut self, now: Millis, out: &mut Vec<Effect>) {
        for peer in self.ids(PeerSession::is_idle) {
            self.tell(now, peer, out);
        }
    }

    fn say_hello(&mut self, now: Millis, peer: NodeId, out: &mut Vec<Effect>) {
        let (project, digest) = (self.project, self.digest());
        if let Some(state) = self.peers.get_mut(&peer) {
            state.told = Some(digest);
            state.told_at = now;
            out.push(Effect::Send {
                peer,
                message: Message::Hello { project, digest },
            });
        }
    }

    pub(crate) fn tick(&mut self, now: Millis, out: &mut Vec<Effect>) {
        self.retry(true, out);
        for state in self.peers.values_mut().filter(|state| state.taking.is_none()) {
            let silent = |since: Millis| now.since(since) >= STALL_MS;
            if state.asked.as_ref().is_some_and(|asked| silent(asked.heard_at)) {
                state.asked = None;
            }
        }
        let stalled = |peer: &PeerSession| {
            let giving = peer.giving.as_ref();
            peer.taking.is_none() && giving.is_some_and(|giving| now.since(giving.at) >= STALL_MS)
        };
        for peer in self.ids(stalled) {
            if let Some(state) = self.peers.get_mut(&peer)
                && let Some(giving) = state.giving.take()
                && matches!(giving.step, OutgoingStep::Sent { .. })
            {
                self.paces.broke_off(peer);
            }
        }
        // While entries pour in, gossip does the work and digests differ all the time without any
        // need to talk. Peers are told once a tick went by without news.
        let ours = self.digest();
        if self.ticked.replace(ours) == Some(ours) {
            self.tell_all(now, out);
        }
        for peer in self.ids(|peer| peer.is_idle() && now.since(peer.told_at) >= HELLO_MS) {
            self.say_hello(now, peer, out);
        }
        self.ask_next(now, out);
    }

    pub(crate) fn ids(&self, which: impl Fn(&PeerSession) -> bool) -> Vec<NodeId> {
        let peers = self.peers.iter();
        peers.filter(|(_, peer)| which(peer)).map(|(id, _)| *id).collect()
    }
}

/// The vector as it is sent: within the limits of the wire. A row that is left out only makes the
/// peer send what is here already.
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
