//! The simulated fleet: a phase of work with faults, a phase of healing, and a phase of rest.
//!
//! Nodes restart, lose their memory, and are restored from old backups. The faults of the network are in
//! [`super::network`].

use std::collections::{BTreeMap, BTreeSet};

use towline_proto::{AuthorSeq, Entry, EntryHash, Epoch, Millis, NodeId, Payload, Tip};
use towline_sync::Effect;

use super::items::Items;
use super::network::Delivery;
use super::node::Node;
use super::rng::Rng;

/// How often every node gets a tick, in milliseconds.
pub(super) const TICK_MS: u64 = 3_000;
/// Ticks within which a healed fleet must agree.
const HEAL_TICKS: u64 = 40;
/// Bytes per second of a slow connection, which every fifth fleet has: 25 kbit/s.
const SLOW_BYTES: u64 = 3_000;
/// Steps of the first phase.
pub(crate) const STEPS: u64 = 80;
/// The most resolving acts after which no conflict may be open.
const RESOLUTIONS: usize = 60;

pub(crate) struct Fleet {
    pub(super) rng: Rng,
    pub(super) now: u64,
    pub(super) serial: u64,
    pub(super) nodes: Vec<Node>,
    pub(super) backups: Vec<Vec<Entry>>,
    /// The pairs that are connected, with the number of the connection.
    pub(super) links: BTreeMap<(usize, usize), u64>,
    /// When the last direct parcel of a direction arrives: streams keep their order.
    pub(super) arrives: BTreeMap<(usize, usize), u64>,
    pub(super) transit: BTreeMap<(u64, u64), Delivery>,
    /// What each node has seen by gossip, as gossipsub does.
    pub(super) seen: Vec<BTreeSet<EntryHash>>,
    pub(super) tokens: BTreeMap<u64, Vec<u8>>,
    pub(super) signed: BTreeSet<(NodeId, Epoch, u64)>,
    pub(super) loss: u64,
    /// Bytes per second of each slow direct connection.
    pub(super) slow: Option<u64>,
    pub(super) next_tick: u64,
    pub(super) trace: blake3::Hasher,
    pub(super) hellos: usize,
    pub(super) others: usize,
    /// What happened, one line per step.
    pub(crate) story: Vec<String>,
    pub(crate) troubles: Troubles,
}

/// What happened in a run, so that a simulation that no longer tests anything is noticed.
#[derive(Default, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Troubles {
    /// Entries for which the gate reported a missing dependency.
    pub(crate) missed: usize,
    /// The orphans, added up over every step and node.
    pub(crate) waited: usize,
    /// Restores after which other nodes had more of a node's log than itself.
    pub(crate) rolled_back: usize,
    /// Entries that open an epoch and join two heads.
    pub(crate) joined: usize,
    /// Conflicts among real items when the fleet had healed.
    pub(crate) conflicts: usize,
    /// Acts that were refused by the fold.
    pub(crate) refused: usize,
}

impl Fleet {
    /// A fleet whose entries are hashes, or one that works on real items.
    pub(crate) fn new(seed: u64, items: bool) -> Self {
        let mut rng = Rng(seed);
        let count = 3 + rng.below(3);
        let make = if items { Node::with_items } else { Node::new };
        let nodes: Vec<Node> = (0..count).map(|number| make(number as u8 + 1)).collect();
        let mut fleet = Self {
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
            slow: (seed % 5 == 3).then_some(SLOW_BYTES),
            next_tick: 0,
            trace: blake3::Hasher::new(),
            hellos: 0,
            others: 0,
            story: Vec::new(),
            troubles: Troubles::default(),
        };
        fleet.loss = fleet.rng.next() % 70;
        fleet.connect_all();
        fleet
    }

    pub(crate) fn trace(&self) -> [u8; 32] {
        *self.trace.finalize().as_bytes()
    }

    /// Phase one: work and faults. Each step has a random source of its own, so that a failing run still fails when
    /// unrelated steps are left out.
    pub(crate) fn misbehave(&mut self, seed: u64, without: &BTreeSet<u64>) {
        for step in (0..STEPS).filter(|step| !without.contains(step)) {
            self.rng = Rng(Rng(seed).next() ^ Rng(step).next());
            let longest = if self.rng.percent(15) { 6_000 } else { 300 };
            let pause = self.rng.next() % longest;
            self.pass(pause);
            let who = self.rng.below(self.nodes.len());
            let waiting = self.nodes.iter().map(|node| node.replica.orphan_count());
            self.troubles.waited += waiting.sum::<usize>();
            match self.rng.below(100) {
                0..60 if self.nodes[who].items.is_some() => self.work(who),
                0..60 => self.write(who),
                60..74 => self.cut_or_join(who),
                74..76 => self.isolate(who),
                76..88 => self.restart(who, None),
                88..93 => {
                    self.tell(who, "is backed up");
                    self.backups[who] = self.nodes[who].log.clone();
                }
                _ => {
                    let backup = self.backups[who].clone();
                    self.restart(who, Some(backup));
                }
            }
        }
    }

    /// Phase two: all nodes are connected, nothing is lost, and all must converge soon.
    pub(crate) fn heal(&mut self) {
        self.tell(0, "and all others are connected");
        self.loss = 0;
        let hoped: BTreeSet<EntryHash> = self
            .nodes
            .iter()
            .flat_map(|node| node.known.keys().copied())
            .collect();
        self.connect_all();
        self.agree();
        for node in &self.nodes {
            let has: BTreeSet<EntryHash> = node.known.keys().copied().collect();
            // Entries of a node that was restored meanwhile may still be in transit.
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
        self.compare_items();
    }

    /// Lets time pass until all nodes have the same entries.
    fn agree(&mut self) {
        for _ in 0..HEAL_TICKS {
            self.pass(TICK_MS);
            let digest = self.nodes[0].replica.digest();
            if self.nodes.iter().all(|node| node.replica.digest() == digest) {
                break;
            }
        }
    }

    /// Checks that all nodes have the same rows, and that the rows are valid.
    fn compare_items(&mut self) {
        let Some(items) = &self.nodes[0].items else { return };
        let rows = items.rows();
        items.check();
        for node in &self.nodes {
            let items = node.items.as_ref().expect("a fleet of one kind");
            assert_eq!(items.rows(), rows, "equal logs, equal rows");
        }
        self.troubles.conflicts += rows.iter().map(|(row, _)| row.conflicts.len()).sum::<usize>();
        self.troubles.refused += rows.iter().map(|(row, _)| row.refused.len()).sum::<usize>();
    }

    /// A phase for fleets with items: one node resolves all conflicts, and then none may be open. Entries of a restored
    /// node that are still in transit can add competing acts.
    pub(crate) fn settle(&mut self) {
        if self.nodes[0].items.is_none() {
            return;
        }
        for _ in 0..RESOLUTIONS {
            let fresh = Epoch(self.rng.next());
            let (place, prev) = self.nodes[0].place(fresh);
            match self.items(0).resolution(&place, Millis(self.now)) {
                Some((payload, said)) => {
                    self.tell(0, &said);
                    self.publish(0, place, prev, payload);
                }
                None => {
                    self.agree();
                    if self.items(0).open() == 0 {
                        break;
                    }
                }
            }
        }
        self.compare_items();
        assert_eq!(self.items(0).open(), 0, "whoever sees all contenders can settle");
    }

    fn items(&self, who: usize) -> &Items {
        self.nodes[who].items.as_ref().expect("a fleet with items")
    }

    fn tell(&mut self, who: usize, what: &str) {
        self.story
            .push(format!("{:>9} ms  node {} {what}", self.now, who + 1));
    }

    /// Writes an act on a real item.
    fn work(&mut self, who: usize) {
        for _ in 0..=self.rng.below(3) {
            let fresh = Epoch(self.rng.next());
            let (place, prev) = self.nodes[who].place(fresh);
            let mut rng = self.rng.clone();
            let work = self.items(who).work(&place, Millis(self.now), &mut rng);
            self.rng = rng;
            let Some((payload, said)) = work else { continue };
            self.tell(who, &said);
            self.publish(who, place, prev, payload);
        }
    }

    fn publish(&mut self, who: usize, place: AuthorSeq, prev: Vec<Tip>, payload: Payload) {
        let (entry, effects) = self.nodes[who].sign(Millis(self.now), place, prev, payload);
        self.signed(who, &entry, effects);
    }

    fn signed(&mut self, who: usize, entry: &Entry, effects: Vec<Effect>) {
        let place = entry.body().author_seq();
        assert!(
            self.signed.insert((place.node, place.epoch, place.seq)),
            "nobody signs one place twice"
        );
        self.seen[who].insert(entry.hash());
        self.troubles.joined += usize::from(entry.body().prev.len() > 1);
        self.perform(who, effects);
    }

    /// Phase three: nobody writes, so after a while only Hello messages are sent.
    pub(crate) fn rest(&mut self) {
        self.pass(70_000);
        (self.hellos, self.others) = (0, 0);
        self.pass(300_000);
        // A restore can lose entries that nobody else had, while gossip about later ones is in transit: those stay
        // orphans.
        let all_there = self.signed.len() + 1 == self.nodes[0].log.len();
        let directions = self.links.len() * 2;
        assert_eq!(self.others, 0, "a fleet that agrees says nothing but Hello");
        assert!(self.hellos <= directions * 11, "one Hello in 30 s and direction");
        for node in &self.nodes {
            self.troubles.missed += node.missed;
            assert!(
                node.replica.orphan_count() == 0 || !all_there,
                "nothing waits in vain"
            );
            assert!(node.replica.peers().all(|(_, peer)| peer.in_sync));
        }
    }

    fn write(&mut self, who: usize) {
        let known: Vec<EntryHash> = self.nodes[who].log.iter().map(Entry::hash).collect();
        for _ in 0..=self.rng.below(3) {
            // Mostly with recent dependencies, so that they cross authors.
            let deps: Vec<EntryHash> = (0..1 + self.rng.below(2))
                .map(|_| known[known.len() - 1 - self.rng.below(known.len().min(3))])
                .collect();
            let filler = if self.rng.percent(2) { 2_100 } else { 0 };
            let fresh = Epoch(self.rng.next());
            let (entry, effects) = self.nodes[who].write(Millis(self.now), fresh, &deps, filler);
            self.tell(who, "writes");
            self.signed(who, &entry, effects);
        }
    }

    fn restart(&mut self, who: usize, backup: Option<Vec<Entry>>) {
        let how = if backup.is_some() {
            "is put back from its backup"
        } else {
            "restarts"
        };
        self.tell(who, how);
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
        let how = if self.links.contains_key(&pair) {
            "loses"
        } else {
            "meets"
        };
        self.tell(who, &format!("{how} node {}", other + 1));
        match self.links.contains_key(&pair) {
            true => self.disconnect(who, other),
            false => self.connect(who, other),
        }
    }

    fn isolate(&mut self, who: usize) {
        self.tell(who, "is alone");
        for other in 0..self.nodes.len() {
            self.disconnect(who, other);
        }
    }
}
