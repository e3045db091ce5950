//! A node in memory: a replica, a log, and a gate (the real one, or a simple one).
//!
//! With the simple gate, the changes of an entry are hashes of entries that it depends on. The gate answers `Missing`
//! while one of those is not in the log, as the real one does for Automerge dependencies. The log checks that it stays
//! causally closed.

use std::collections::{BTreeMap, VecDeque};

use ed25519_dalek::SigningKey;
use towline_proto::member::Genesis;
use towline_proto::wire::EntryBytes;
use towline_proto::{
    AuthorSeq, Entry, EntryBody, EntryHash, Epoch, ItemChange, ItemId, Millis, NodeId, Payload, ProjectId,
    Tip, limits,
};
use towline_sync::{AdmissionBatch, AdmissionOutcome, Effect, Input, Replica};

use super::items::{GateAnswer, Items};

pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

pub(crate) fn id_of(key: &SigningKey) -> NodeId {
    NodeId(key.verifying_key().to_bytes())
}

/// The first entry of the project, by the node with key 1.
pub(crate) fn genesis() -> Entry {
    let key = key(1);
    let body = EntryBody {
        project: ProjectId([0; 32]),
        author: id_of(&key),
        epoch: Epoch(1),
        seq: 0,
        prev: Vec::new(),
        members: Vec::new(),
        at: Millis(0),
        payload: Payload::Genesis(Genesis {
            name: "harbour".to_owned(),
            node_name: "one".to_owned(),
            nonce: vec![7; 16],
        }),
    };
    Entry::sign(body, &key)
}

pub(crate) fn payload(deps: &[EntryHash], filler: usize) -> Payload {
    let mut change: Vec<u8> = deps.iter().flat_map(|dep| dep.0).collect();
    change.resize(change.len() + filler * EntryHash::LEN, 0);
    Payload::Changes(vec![ItemChange {
        item: ItemId([9; 16]),
        change,
    }])
}

fn deps(entry: &Entry) -> Vec<EntryHash> {
    let Payload::Changes(changes) = &entry.body().payload else {
        return Vec::new();
    };
    let hashes = changes.iter().flat_map(|one| one.change.chunks_exact(32));
    hashes
        .filter(|hash| hash.iter().any(|byte| *byte != 0))
        .map(|hash| EntryHash(hash.try_into().expect("chunks of 32 bytes")))
        .collect()
}

pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) key: SigningKey,
    pub(crate) replica: Replica,
    pub(crate) log: Vec<Entry>,
    pub(crate) known: BTreeMap<EntryHash, usize>,
    epoch: Option<Epoch>,
    /// The documents of a node that works on real items.
    pub(crate) items: Option<Items>,
    /// The number of gate runs.
    pub(crate) gated: usize,
    /// Admissions whose own signature was checked.
    pub(crate) verified: usize,
    /// How often the gate reported something missing.
    pub(crate) missed: usize,
    /// An entry that the gate refuses.
    pub(crate) refuses: Option<EntryHash>,
    /// Records that cannot be read.
    pub(crate) damaged: Vec<u64>,
}

impl Node {
    pub(crate) fn new(number: u8) -> Self {
        let key = key(number);
        let mut node = Self {
            id: id_of(&key),
            replica: Replica::new(genesis().project(), id_of(&key)),
            key,
            log: Vec::new(),
            known: BTreeMap::new(),
            epoch: None,
            items: None,
            gated: 0,
            verified: 0,
            missed: 0,
            refuses: None,
            damaged: Vec::new(),
        };
        node.start(vec![genesis()]);
        node
    }

    /// A node whose entries are about real items.
    pub(crate) fn with_items(number: u8) -> Self {
        Self {
            items: Some(Items::default()),
            ..Self::new(number)
        }
    }

    /// Starts the process with this log.
    pub(crate) fn start(&mut self, log: Vec<Entry>) {
        // The documents follow from the log.
        let same = log.iter().map(Entry::hash).eq(self.log.iter().map(Entry::hash));
        if let Some(items) = self.items.as_mut().filter(|_| !same) {
            *items = Items::default();
            for entry in &log {
                assert!(
                    matches!(items.take(entry), GateAnswer::Stored),
                    "a log can be replayed"
                );
            }
        }
        self.replica = Replica::new(genesis().project(), self.id);
        self.log.clear();
        self.known.clear();
        self.epoch = None;
        for entry in log {
            let position = self.append(&entry);
            assert!(self.replica.replay(&entry, position), "a log follows itself");
        }
    }

    /// The next write opens a new epoch, as after a restart.
    pub(crate) fn restart(&mut self) {
        self.epoch = None;
    }

    /// Signs an entry that depends on `deps`, stores it and hands it to the replica.
    pub(crate) fn write(
        &mut self,
        now: Millis,
        fresh: Epoch,
        deps: &[EntryHash],
        filler: usize,
    ) -> (Entry, Vec<Effect>) {
        let (place, prev) = self.place(fresh);
        self.sign(now, place, prev, payload(deps, filler))
    }

    /// The number of the next entry, and its predecessors.
    pub(crate) fn place(&mut self, fresh: Epoch) -> (AuthorSeq, Vec<Tip>) {
        let epoch = *self.epoch.get_or_insert(fresh);
        let heads = self.replica.heads_of(&self.id);
        let (seq, prev) = match heads.iter().find(|tip| tip.epoch == epoch) {
            Some(tip) => (tip.seq + 1, vec![*tip]),
            None => self.replica.opening(&self.id),
        };
        let node = self.id;
        (AuthorSeq { node, epoch, seq }, prev)
    }

    /// Signs an entry with this number, stores it and hands it to the replica.
    pub(crate) fn sign(
        &mut self,
        now: Millis,
        place: AuthorSeq,
        prev: Vec<Tip>,
        payload: Payload,
    ) -> (Entry, Vec<Effect>) {
        let body = EntryBody {
            project: self.replica.project(),
            author: place.node,
            epoch: place.epoch,
            seq: place.seq,
            prev,
            members: Vec::new(),
            at: now,
            payload,
        };
        let entry = Entry::sign(body, &self.key);
        if let Some(items) = &mut self.items {
            assert!(
                matches!(items.take(&entry), GateAnswer::Stored),
                "what is composed is admitted"
            );
        }
        let position = self.append(&entry);
        let written = Input::Written {
            entry: entry.clone(),
            position,
        };
        (entry, self.drive(now, written))
    }

    /// Hands in one input and performs the effects; returns those that leave the node.
    pub(crate) fn drive(&mut self, now: Millis, input: Input) -> Vec<Effect> {
        let mut effects: VecDeque<Effect> = self.replica.handle(now, input).into();
        let mut answers: VecDeque<(EntryHash, AdmissionOutcome)> = VecDeque::new();
        let mut batch = AdmissionBatch::default();
        let mut out = Vec::new();
        loop {
            if answers.is_empty() {
                batch = AdmissionBatch::default();
            }
            // One disk sync would come where the effects run out.
            while let Some(effect) = effects.pop_front() {
                match effect {
                    Effect::Admit { entry, verified, .. } => {
                        self.verified += usize::from(verified);
                        answers.push_back((entry.hash(), self.gate(&entry, &mut batch)));
                    }
                    Effect::Read {
                        peer,
                        request,
                        positions,
                        bytes,
                    } => {
                        let entries = self.records(&positions, bytes);
                        let read = Input::Read {
                            peer,
                            request,
                            entries,
                        };
                        effects.extend(self.replica.handle(now, read));
                    }
                    other @ (Effect::Send { .. }
                    | Effect::Publish { .. }
                    | Effect::Verdict { .. }
                    | Effect::Penalize { .. }
                    | Effect::Fork { .. }) => out.push(other),
                }
            }
            let Some((hash, outcome)) = answers.pop_front() else {
                return out;
            };
            effects.extend(
                self.replica
                    .handle(now, Input::AdmissionOutcome { hash, outcome }),
            );
        }
    }

    fn gate(&mut self, entry: &Entry, batch: &mut AdmissionBatch) -> AdmissionOutcome {
        self.gated += 1;
        if self.refuses == Some(entry.hash()) {
            batch.not_stored(entry);
            return AdmissionOutcome::Refused {
                why: "no honest node makes this".to_owned(),
                blame: true,
            };
        }
        let taken = match &mut self.items {
            Some(items) if batch.allows(entry) => items.take(entry),
            Some(_) => GateAnswer::Missing,
            None => GateAnswer::Stored,
        };
        match taken {
            GateAnswer::Stored => {}
            GateAnswer::Refused(why) => panic!("an honest entry was refused: {why}"),
            GateAnswer::Missing => {
                self.missed += 1;
                batch.not_stored(entry);
                return AdmissionOutcome::Missing;
            }
        }
        if !batch.allows(entry) || self.deps(entry).iter().any(|dep| !self.known.contains_key(dep)) {
            self.missed += 1;
            batch.not_stored(entry);
            return AdmissionOutcome::Missing;
        }
        AdmissionOutcome::Stored {
            position: self.append(entry),
        }
    }

    /// The dependencies of an entry whose changes are hashes.
    fn deps(&self, entry: &Entry) -> Vec<EntryHash> {
        match self.items {
            Some(_) => Vec::new(),
            None => deps(entry),
        }
    }

    fn append(&mut self, entry: &Entry) -> u64 {
        for tip in &entry.body().prev {
            assert!(
                self.known.contains_key(&tip.hash),
                "a log holds what its entries follow"
            );
        }
        for dep in self.deps(entry) {
            assert!(
                self.known.contains_key(&dep),
                "a log holds what its entries build on"
            );
        }
        let at = self.log.len();
        assert!(
            self.known.insert(entry.hash(), at).is_none(),
            "a log holds an entry once"
        );
        self.log.push(entry.clone());
        at as u64
    }

    fn records(&self, positions: &[u64], enough: usize) -> Vec<EntryBytes> {
        assert!(enough <= limits::CATCH_UP_BYTES);
        assert!(positions.len() <= limits::CATCH_UP_ENTRIES);
        assert!(
            positions.is_sorted_by(|a, b| a < b),
            "log order is a causal order"
        );
        let mut bytes = 0;
        let mut records = Vec::new();
        for position in positions {
            if bytes >= enough {
                break;
            }
            let record = match self.damaged.contains(position) {
                true => Vec::new().into(),
                false => self.log[*position as usize].bytes().clone(),
            };
            bytes += record.len();
            records.push(EntryBytes(record));
        }
        records
    }
}
