//! The network of the simulated fleet.
//!
//! Direct streams are reliable and ordered until they break. Gossip is delayed, reordered, duplicated and lost.
//! Everything is derived from the fleet's seed.

use towline_proto::wire::Message;
use towline_proto::{Entry, Millis, NodeId};
use towline_sync::{Effect, GossipVerdict, Input};

use super::fleet::{Fleet, TICK_MS};

pub(super) enum Parcel {
    Direct { link: u64, bytes: Vec<u8> },
    Gossip { bytes: Vec<u8> },
}

pub(super) struct Delivery {
    from: usize,
    to: usize,
    parcel: Parcel,
}

impl Fleet {
    pub(super) fn connect_all(&mut self) {
        for a in 0..self.nodes.len() {
            for b in a + 1..self.nodes.len() {
                self.connect(a, b);
            }
        }
    }

    pub(super) fn connect(&mut self, a: usize, b: usize) {
        let pair = (a.min(b), a.max(b));
        if a == b || self.links.contains_key(&pair) {
            return;
        }
        self.serial += 1;
        self.links.insert(pair, self.serial);
        for (at, peer) in [pair, (pair.1, pair.0)] {
            let peer = self.nodes[peer].id;
            self.input(at, Input::Connected { peer });
        }
    }

    pub(super) fn disconnect(&mut self, a: usize, b: usize) {
        let pair = (a.min(b), a.max(b));
        if self.links.remove(&pair).is_none() {
            return;
        }
        for (at, peer) in [pair, (pair.1, pair.0)] {
            let peer = self.nodes[peer].id;
            self.input(at, Input::Disconnected { peer });
        }
    }

    pub(super) fn input(&mut self, who: usize, input: Input) {
        let effects = self.nodes[who].drive(Millis(self.now), input);
        self.perform(who, effects);
    }

    pub(super) fn perform(&mut self, who: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { peer, message } => self.send(who, peer, &message),
                Effect::Publish { bytes } => self.gossip(who, None, &bytes),
                Effect::Verdict { token, peer, verdict } => {
                    let bytes = self.tokens.remove(&token).expect("one verdict each");
                    if verdict == GossipVerdict::Accept {
                        self.gossip(who, Some(peer), &bytes);
                    }
                }
                Effect::Penalize { why, .. } => panic!("an honest node was blamed: {why}"),
                Effect::Fork { .. } => panic!("an honest node was accused"),
                Effect::Admit { .. } | Effect::Read { .. } => unreachable!("stay inside the node"),
            }
        }
    }

    pub(super) fn send(&mut self, from: usize, peer: NodeId, message: &Message) {
        let to = self.index(peer);
        let Some(link) = self.links.get(&(from.min(to), from.max(to))).copied() else {
            return;
        };
        match message {
            Message::Hello { .. } => self.hellos += 1,
            Message::Have { .. } | Message::Entries { .. } | Message::Got { .. } => self.others += 1,
        }
        let bytes = message.encode();
        // On a slow connection a parcel takes time, and later ones wait for it.
        let takes = self.slow.map_or(0, |rate| bytes.len() as u64 * 1_000 / rate);
        let soonest = self.now + 1 + self.rng.next() % 80 + takes;
        let last = self.arrives.get(&(from, to)).copied().unwrap_or(0);
        let at = soonest.max(last + 1 + takes);
        self.arrives.insert((from, to), at);
        self.post(at, from, to, Parcel::Direct { link, bytes });
    }

    pub(super) fn gossip(&mut self, from: usize, except: Option<NodeId>, bytes: &[u8]) {
        for to in 0..self.nodes.len() {
            let linked = self.links.contains_key(&(from.min(to), from.max(to)));
            if !linked || Some(self.nodes[to].id) == except {
                continue;
            }
            for _ in 0..1 + usize::from(self.rng.percent(10)) {
                let lost = self.rng.percent(self.loss);
                let slowest = if self.rng.percent(30) { 5_000 } else { 300 };
                let at = self.now + 1 + self.rng.next() % slowest;
                if !lost {
                    let bytes = bytes.to_vec();
                    self.post(at, from, to, Parcel::Gossip { bytes });
                }
            }
        }
    }

    pub(super) fn post(&mut self, at: u64, from: usize, to: usize, parcel: Parcel) {
        self.serial += 1;
        self.transit
            .insert((at, self.serial), Delivery { from, to, parcel });
    }

    /// Lets time pass and delivers what is due.
    pub(super) fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        loop {
            let tick = self.next_tick.max(self.now);
            let parcel = self.transit.keys().next().map(|(at, _)| *at);
            let next = parcel.map_or(tick, |at| at.min(tick));
            if next > until {
                break;
            }
            self.now = next.max(self.now);
            if parcel == Some(next) {
                let (_, delivery) = self.transit.pop_first().expect("just looked");
                self.deliver(delivery);
            } else {
                self.next_tick = self.now + TICK_MS;
                for who in 0..self.nodes.len() {
                    self.input(who, Input::Tick);
                }
            }
        }
        self.now = until;
    }

    pub(super) fn deliver(&mut self, Delivery { from, to, parcel }: Delivery) {
        let peer = self.nodes[from].id;
        let link = self.links.get(&(from.min(to), from.max(to))).copied();
        self.trace.update(&self.now.to_le_bytes());
        self.trace.update(&[from as u8, to as u8]);
        match parcel {
            Parcel::Direct { link: sent, bytes } if link == Some(sent) => {
                self.trace.update(&bytes);
                let message = Message::decode(&bytes).expect("what a replica says can be read");
                self.input(to, Input::Message { peer, message });
            }
            Parcel::Gossip { bytes } if link.is_some() => {
                self.trace.update(&bytes);
                let entry = Entry::decode(bytes.clone().into()).expect("an honest entry");
                // A duplicated message that gossipsub does not catch: its memory of them is short.
                if !self.seen[to].insert(entry.hash()) && self.rng.percent(80) {
                    return;
                }
                self.serial += 1;
                let token = self.serial;
                self.tokens.insert(token, bytes.clone());
                self.input(to, Input::Gossip { peer, token, bytes });
            }
            Parcel::Direct { .. } | Parcel::Gossip { .. } => {}
        }
    }

    pub(super) fn index(&self, id: NodeId) -> usize {
        self.nodes
            .iter()
            .position(|node| node.id == id)
            .expect("a node of this fleet")
    }
}
