//! A reliable network that keeps the order of messages and counts them.

use std::collections::VecDeque;

use towline_proto::wire::Message;
use towline_proto::{Entry, EntryHash, Epoch, Millis, NodeId};
use towline_sync::{Effect, GossipVerdict, Input};

use crate::sim::node::Node;

pub(crate) struct Net {
    pub(crate) nodes: Vec<Node>,
    pub(crate) now: u64,
    epochs: u64,
    /// Whether gossip is delivered.
    pub(crate) gossips: bool,
    links: Vec<(usize, usize)>,
    pub(crate) queue: VecDeque<(usize, usize, Message)>,
    /// Every direct message so far: sender, receiver, message.
    pub(crate) sent: Vec<(usize, usize, Message)>,
    pub(crate) penalties: Vec<(usize, String)>,
    pub(crate) forks: usize,
    /// Bytes per second of every connection; when set, each message takes time.
    pub(crate) rate: Option<u64>,
    ticked: u64,
}

impl Net {
    pub(crate) fn new(count: u8) -> Self {
        Self {
            nodes: (1..=count).map(Node::new).collect(),
            now: 1_000_000,
            epochs: 100,
            gossips: true,
            links: Vec::new(),
            queue: VecDeque::new(),
            sent: Vec::new(),
            penalties: Vec::new(),
            forks: 0,
            rate: None,
            ticked: 1_000_000,
        }
    }

    pub(crate) fn write(&mut self, who: usize, count: usize) -> Vec<Entry> {
        (0..count).map(|_| self.write_upon(who, &[], 0)).collect()
    }

    /// Writes an entry with dependencies and 32 times `filler` more bytes.
    pub(crate) fn write_upon(&mut self, who: usize, deps: &[EntryHash], filler: usize) -> Entry {
        self.epochs += 1;
        let epoch = Epoch(self.epochs);
        let (entry, effects) = self.nodes[who].write(Millis(self.now), epoch, deps, filler);
        self.perform(who, effects);
        entry
    }

    pub(crate) fn connect(&mut self, a: usize, b: usize) {
        self.links.push((a, b));
        for (at, peer) in [(a, b), (b, a)] {
            let peer = self.nodes[peer].id;
            self.input(at, Input::Connected { peer });
        }
    }

    pub(crate) fn disconnect(&mut self, a: usize, b: usize) {
        self.links.retain(|link| *link != (a, b) && *link != (b, a));
        self.queue
            .retain(|(from, to, _)| (*from, *to) != (a, b) && (*from, *to) != (b, a));
        for (at, peer) in [(a, b), (b, a)] {
            let peer = self.nodes[peer].id;
            self.input(at, Input::Disconnected { peer });
        }
    }

    pub(crate) fn input(&mut self, who: usize, input: Input) -> Vec<Effect> {
        let effects = self.nodes[who].drive(Millis(self.now), input);
        self.perform(who, effects.clone());
        effects
    }

    /// Delivers one message; returns whether there was one.
    pub(crate) fn step(&mut self) -> bool {
        let Some((from, to, message)) = self.queue.pop_front() else {
            return false;
        };
        if let Some(rate) = self.rate {
            self.cross(from, to, message.encode().len() as u64 * 1_000 / rate);
        }
        let peer = self.nodes[from].id;
        self.input(to, Input::Message { peer, message });
        true
    }

    /// Lets the time pass that a message takes, with ticks and progress reports.
    fn cross(&mut self, from: usize, to: usize, takes: u64) {
        let until = self.now + takes;
        while self.ticked + 3_000 <= until {
            self.ticked += 3_000;
            self.now = self.now.max(self.ticked);
            for (at, peer) in [(from, to), (to, from)] {
                let peer = self.nodes[peer].id;
                self.input(at, Input::Progress { peer });
            }
            for who in 0..self.nodes.len() {
                self.input(who, Input::Tick);
            }
        }
        self.now = until;
    }

    /// Delivers everything in transit, and what follows from it.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the conversation does not come to rest");
    }

    /// Lets time pass in ticks of 3 s.
    pub(crate) fn pass(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(3_000) {
            self.now += 3_000;
            for who in 0..self.nodes.len() {
                self.input(who, Input::Tick);
            }
            self.settle();
        }
    }

    pub(crate) fn gossip(&mut self, from: usize, to: usize, entry: &Entry) -> GossipVerdict {
        let bytes = entry.bytes().to_vec();
        self.gossip_bytes(from, to, bytes)
    }

    pub(crate) fn gossip_bytes(&mut self, from: usize, to: usize, bytes: Vec<u8>) -> GossipVerdict {
        let peer = self.nodes[from].id;
        let token = 1;
        let effects = self.input(to, Input::Gossip { peer, token, bytes });
        let verdicts: Vec<GossipVerdict> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Verdict { verdict, .. } => Some(*verdict),
                _ => None,
            })
            .collect();
        assert_eq!(verdicts.len(), 1, "a gossip message has one verdict");
        verdicts[0]
    }

    pub(crate) fn agree(&self) -> bool {
        let digest = self.nodes[0].replica.digest();
        self.nodes.iter().all(|node| node.replica.digest() == digest)
    }

    /// The number of entries sent from one node to another, including duplicates.
    pub(crate) fn entries(&self, from: usize, to: usize) -> usize {
        let messages = self.sent.iter().filter(|(a, b, _)| (*a, *b) == (from, to));
        messages
            .map(|(_, _, message)| match message {
                Message::Entries { entries, .. } => entries.len(),
                Message::Hello { .. } | Message::Have { .. } | Message::Got { .. } => 0,
            })
            .sum()
    }

    fn perform(&mut self, who: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { peer, message } => {
                    if let Some(to) = self.index(peer) {
                        self.sent.push((who, to, message.clone()));
                        self.queue.push_back((who, to, message));
                    }
                }
                Effect::Publish { bytes } if self.gossips => {
                    for to in 0..self.nodes.len() {
                        if self.links.contains(&(who, to)) || self.links.contains(&(to, who)) {
                            self.gossip_bytes(who, to, bytes.to_vec());
                        }
                    }
                }
                Effect::Penalize { peer, why } => {
                    let peer = self.index(peer).expect("a node of this story");
                    self.penalties.push((peer, why));
                }
                Effect::Fork { .. } => self.forks += 1,
                Effect::Publish { .. } | Effect::Verdict { .. } => {}
                Effect::Admit { .. } | Effect::Read { .. } => unreachable!("stay inside the node"),
            }
        }
    }

    fn index(&self, id: NodeId) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id)
    }
}
