//! The simulated fleet and its network.
//!
//! Direct streams are reliable and ordered until they break; gossip is delayed, reordered, doubled
//! and lost. Nodes restart, lose what was in memory, and are put back from old backups.

use std::collections::{BTreeMap, BTreeSet};

use towline_proto::wire::Message;
use towline_proto::{Entry, EntryHash, Epoch, Millis, NodeId};
use towline_sync::{Effect, Input, Verdict};

use super::node::Node;
use super::rng::Rng;

/// How often every node gets a tick, in milliseconds.
const TICK_MS: u64 = 3_000;
/// Ticks within which a healed fleet must agree.
const HEAL_TICKS: u64 = 40;

enum Parcel {
    Direct { link: u64, bytes: Vec<u8> },
    Gossip { bytes: Vec<u8> },
}

struct Delivery {
    from: usize,
    to: usize,
    parcel: Parcel,
}

pub(crate) struct World {
    rng: Rng,
    now: u64,
    serial: u64,
    nodes: Vec<Node>,
    backups: Vec<Vec<Entry>>,
    /// The pairs that are connected, with the number of the connection.
    links: BTreeMap<(usize, usize), u64>,
    /// When the last direct parcel of a direction arrives: streams keep their order.
    arrives: BTreeMap<(usize, usize), u64>,
    transit: BTreeMap<(u64, u64), Delivery>,
    /// What each node has seen by gossip, as gossipsub does.
    seen: Vec<BTreeSet<EntryHash>>,
    tokens: BTreeMap<u64, Vec<u8>>,
    signed: BTreeSet<(NodeId, Epoch, u64)>,
    loss: u64,
    next_tick: u64,
    trace: blake3::Hasher,
    hellos: usize,
    others: usize,
    pub(crate) troubles: Troubles,
}

/// What happened in a run, so that a simulation that no longer tests anything is noticed.
#[derive(Default, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Troubles {
    /// Entries that the gate sent back because a dependency was missing.
    pub(crate) missed: usize,
    /// Entries that waited, summed up over every step and node.
    pub(crate) waited: usize,
    /// Restores that put a node's own log behind what others had of it.
    pub(crate) rolled_back: usize,
    /// Entries that open an epoch and join two heads.
    pub(crate) joined: usize,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let count = 3 + rng.below(3);
        let nodes: Vec<Node> = (0..count).map(|number| Node::new(number as u8 + 1)).collect();
        let mut world = Self {
            backups: nodes.iter().map(|node| node.log.clone()).collect(),
            seen: vec![BTreeSet::new(); count],
            nodes,
            rng,
            now: 1_000_000,
            serial: 0,
            links: BTreeMap::new(),
            arrives: BTreeMap::new(),
            transit: BTreeMap::new(),
            tokens: BTreeMap::new(),
            signed: BTreeSet::new(),
            loss: 0,
            next_tick: 0,
            trace: blake3::Hasher::new(),
            hellos: 0,
            others: 0,
            troubles: Troubles::default(),
        };
        world.loss = world.rng.next() % 70;
        world.connect_all();
        world
    }

    pub(crate) fn trace(&self) -> [u8; 32] {
        *self.trace.finalize().as_bytes()
    }

    /// Phase one: work and faults.
    pub(crate) fn misbehave(&mut self) {
        for _ in 0..80 {
            let longest = if self.rng.percent(15) { 6_000 } else { 300 };
            let pause = self.rng.next() % longest;
            self.pass(pause);
            let who = self.rng.below(self.nodes.len());
            let waiting = self.nodes.iter().map(|node| node.replica.waiting());
            self.troubles.waited += waiting.sum::<usize>();
            match self.rng.below(100) {
                0..60 => self.write(who),
                60..74 => self.cut_or_join(who),
                74..76 => self.isolate(who),
                76..88 => self.restart(who, None),
                88..93 => self.backups[who] = self.nodes[who].log.clone(),
                _ => {
                    let backup = self.backups[who].clone();
                    self.restart(who, Some(backup));
                }
            }
        }
    }

    /// Phase two: everybody is connected, nothing is lost, and all must agree soon.
    pub(crate) fn heal(&mut self) {
        self.loss = 0;
        let hoped: BTreeSet<EntryHash> = self
            .nodes
            .iter()
            .flat_map(|node| node.known.keys().copied())
            .collect();
        self.connect_all();
        for _ in 0..HEAL_TICKS {
            self.pass(TICK_MS);
            let digest = self.nodes[0].replica.digest();
            if self.nodes.iter().all(|node| node.replica.digest() == digest) {
                break;
            }
        }
        for node in &self.nodes {
            let has: BTreeSet<EntryHash> = node.known.keys().copied().collect();
            // More may have been under way still, of a node that was put back meanwhile.
            assert!(
                has.is_superset(&hoped),
                "everything that anybody held is everywhere"
            );
            assert!(
                has.iter().eq(self.nodes[0].known.keys()),
                "equal digests, equal logs"
            );
            assert_eq!(node.replica.vector(), self.nodes[0].replica.vector());
            assert_eq!(node.replica.vector().digest(), node.replica.digest());
            assert!(node.replica.forks().is_empty(), "nobody forked");
        }
    }

    /// Phase three: nobody writes, so after a while there is nothing to say but Hello.
    pub(crate) fn rest(&mut self) {
        self.pass(70_000);
        (self.hellos, self.others) = (0, 0);
        self.pass(300_000);
        // A restore can take back entries that nobody else had, while gossip about what followed
        // them is on its way: that waits for good.
        let all_there = self.signed.len() + 1 == self.nodes[0].log.len();
        let directions = self.links.len() * 2;
        assert_eq!(self.others, 0, "a fleet that agrees says nothing but Hello");
        assert!(self.hellos <= directions * 11, "one Hello in 30 s and direction");
        for node in &self.nodes {
            self.troubles.missed += node.missed;
            assert!(node.replica.waiting() == 0 || !all_there, "nothing waits in vain");
            assert!(node.replica.peers().all(|(_, peer)| peer.in_sync));
        }
    }

    fn write(&mut self, who: usize) {
        let known: Vec<EntryHash> = self.nodes[who].log.iter().map(Entry::hash).collect();
        for _ in 0..=self.rng.below(3) {
            // Mostly upon recent entries, so that dependencies cross authors.
            let deps: Vec<EntryHash> = (0..1 + self.rng.below(2))
                .map(|_| known[known.len() - 1 - self.rng.below(known.len().min(3))])
                .collect();
            let filler = if self.rng.percent(2) { 2_100 } else { 0 };
            let fresh = Epoch(self.rng.next());
            let (entry, effects) = self.nodes[who].write(Millis(self.now), fresh, &deps, filler);
            let place = entry.body().place();
            assert!(
                self.signed.insert((place.node, place.epoch, place.seq)),
                "nobody signs one place twice"
            );
            self.seen[who].insert(entry.hash());
            self.troubles.joined += usize::from(entry.body().prev.len() > 1);
            self.perform(who, effects);
        }
    }

    fn restart(&mut self, who: usize, backup: Option<Vec<Entry>>) {
        for other in 0..self.nodes.len() {
            self.disconnect(who, other);
        }
        let log = backup.unwrap_or_else(|| self.nodes[who].log.clone());
        let id = self.nodes[who].id;
        let own = |log: &[Entry]| log.iter().filter(|entry| entry.body().author == id).count();
        let others = self.nodes.iter().enumerate().filter(|(other, _)| *other != who);
        let most = others.map(|(_, node)| own(&node.log)).max();
        self.troubles.rolled_back += usize::from(most > Some(own(&log)));
        self.nodes[who].start(log);
        self.seen[who].clear();
        for other in 0..self.nodes.len() {
            if self.rng.percent(60) {
                self.connect(who, other);
            }
        }
    }

    fn cut_or_join(&mut self, who: usize) {
        let other = self.rng.below(self.nodes.len());
        let pair = (who.min(other), who.max(other));
        match self.links.contains_key(&pair) {
            true => self.disconnect(who, other),
            false => self.connect(who, other),
        }
    }

    fn isolate(&mut self, who: usize) {
        for other in 0..self.nodes.len() {
            self.disconnect(who, other);
        }
    }

    fn connect_all(&mut self) {
        for a in 0..self.nodes.len() {
            for b in a + 1..self.nodes.len() {
                self.connect(a, b);
            }
        }
    }

    fn connect(&mut self, a: usize, b: usize) {
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

    fn disconnect(&mut self, a: usize, b: usize) {
        let pair = (a.min(b), a.max(b));
        if self.links.remove(&pair).is_none() {
            return;
        }
        for (at, peer) in [pair, (pair.1, pair.0)] {
            let peer = self.nodes[peer].id;
            self.input(at, Input::Disconnected { peer });
        }
    }

    fn input(&mut self, who: usize, input: Input) {
        let effects = self.nodes[who].drive(Millis(self.now), input);
        self.perform(who, effects);
    }

    fn perform(&mut self, who: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { peer, message } => self.send(who, peer, &message),
                Effect::Publish { bytes } => self.gossip(who, None, &bytes),
                Effect::Verdict { token, peer, verdict } => {
                    let bytes = self.tokens.remove(&token).expect("one verdict each");
                    if verdict == Verdict::Accept {
                        self.gossip(who, Some(peer), &bytes);
                    }
                }
                Effect::Penalize { why, .. } => panic!("an honest node was blamed: {why}"),
                Effect::Fork { .. } => panic!("an honest node was accused"),
                Effect::Admit { .. } | Effect::Read { .. } => unreachable!("stay inside the node"),
            }
        }
    }

    fn send(&mut self, from: usize, peer: NodeId, message: &Message) {
        let to = self.index(peer);
        let Some(link) = self.links.get(&(from.min(to), from.max(to))).copied() else {
            return;
        };
        match message {
            Message::Hello { .. } => self.hellos += 1,
            Message::Have { .. } | Message::Entries { .. } | Message::Got { .. } => self.others += 1,
        }
        let bytes = message.encode();
        let soonest = self.now + 1 + self.rng.next() % 80;
        let last = self.arrives.get(&(from, to)).copied().unwrap_or(0);
        let at = soonest.max(last + 1);
        self.arrives.insert((from, to), at);
        self.post(at, from, to, Parcel::Direct { link, bytes });
    }

    fn gossip(&mut self, from: usize, except: Option<NodeId>, bytes: &[u8]) {
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

    fn post(&mut self, at: u64, from: usize, to: usize, parcel: Parcel) {
        self.serial += 1;
        self.transit
            .insert((at, self.serial), Delivery { from, to, parcel });
    }

    /// Lets time go by, with everything that happens in it.
    fn pass(&mut self, ms: u64) {
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

    fn deliver(&mut self, Delivery { from, to, parcel }: Delivery) {
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
                // A doubled message that gossipsub does not catch: its memory of them is short.
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

    fn index(&self, id: NodeId) -> usize {
        self.nodes
            .iter()
            .position(|node| node.id == id)
            .expect("a node of this world")
    }
}
