//! The index of every author's log: which entries are known, which entry may come next, and the version vector.
//!
//! Takes 24 bytes per entry (half of its hash and its log position), plus the tips that each epoch's opening entry
//! follows. The rows of the vector and its digest are kept current with each entry, so neither costs more as a
//! project grows. This module checks no signature and looks at nothing in an entry but its position and
//! predecessors, and nothing in an entry can make it panic.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use towline_proto::{Entry, EntryHash, Epoch, NodeId, Payload, Tip, VersionVector};

/// Half of a hash distinguishes two entries with one (author, epoch, seq): a false match takes 2^128 tries.
type Prefix = [u8; 16];

/// The entries of one epoch of an author.
#[derive(Debug)]
pub(crate) struct EpochLog {
    /// The seq of its opening entry.
    pub(crate) start: u64,
    hashes: Vec<Prefix>,
    positions: Vec<u64>,
    /// The tips that its opening entry follows.
    pub(crate) parents: Vec<Tip>,
    head: EntryHash,
    /// The seqs of this epoch that opening entries of later epochs follow. The epoch is closed while its head is
    /// one of them. It opens again when entries arrive that the later epoch had not seen (a restored backup).
    followed: BTreeSet<u64>,
}

impl EpochLog {
    /// One past the seq of the last entry.
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.hashes.len() as u64)
    }

    fn index(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.start)?).ok()
    }

    /// The log position of the entry at `seq`.
    pub(crate) fn position(&self, seq: u64) -> Option<u64> {
        self.positions.get(self.index(seq)?).copied()
    }

    fn has(&self, seq: u64, hash: &EntryHash) -> Option<bool> {
        let known = self.hashes.get(self.index(seq)?)?;
        Some(*known == prefix(hash))
    }
}

/// All epochs of an author.
#[derive(Debug, Default)]
pub(crate) struct AuthorLog {
    /// By epoch.
    pub(crate) epochs: BTreeMap<Epoch, EpochLog>,
    /// The heads of the epochs that are not closed, sorted by epoch.
    pub(crate) tips: Vec<Tip>,
}

/// How a new entry relates to the entries that are known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// It is known.
    Known,
    /// All its predecessors are known, so it can be admitted.
    Next,
    /// A predecessor is missing.
    Gap,
    /// Its author signed two histories, which differ at this epoch and seq.
    Forked(Epoch, u64),
    /// It breaks a rule that every honest author keeps.
    Invalid(&'static str),
}

/// How a tip relates to the entries that are known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TipStatus {
    /// It is known.
    Known,
    /// Its epoch is known, but only up to an earlier entry.
    Ahead,
    /// Its epoch is unknown.
    UnknownEpoch,
    /// A different entry with its epoch and seq is known.
    Forked,
}

/// Entries that are at the shell's gate. The following entries of their authors rely on them.
#[derive(Debug, Default)]
pub(crate) struct PendingEntries(BTreeMap<(NodeId, Epoch), BTreeMap<u64, EntryHash>>);

impl PendingEntries {
    pub(crate) fn insert(&mut self, entry: &Entry) {
        let body = entry.body();
        let run = self.0.entry((body.author, body.epoch)).or_default();
        run.insert(body.seq, entry.hash());
    }

    pub(crate) fn remove(&mut self, entry: &Entry) {
        let body = entry.body();
        let key = (body.author, body.epoch);
        if let Some(run) = self.0.get_mut(&key) {
            run.remove(&body.seq);
            if run.is_empty() {
                self.0.remove(&key);
            }
        }
    }

    fn at(&self, author: NodeId, epoch: Epoch, seq: u64) -> Option<EntryHash> {
        self.0.get(&(author, epoch))?.get(&seq).copied()
    }

    pub(crate) fn contains(&self, entry: &Entry) -> bool {
        let body = entry.body();
        self.at(body.author, body.epoch, body.seq) == Some(entry.hash())
    }

    fn opens(&self, author: NodeId, epoch: Epoch) -> bool {
        self.0.contains_key(&(author, epoch))
    }
}

/// Every author's log.
#[derive(Debug, Default)]
pub(crate) struct AuthorLogs {
    authors: BTreeMap<NodeId, AuthorLog>,
    digest: OnceCell<[u8; 32]>,
}

impl AuthorLogs {
    /// How an entry relates to the known entries and to those at the gate.
    pub(crate) fn placement(&self, entry: &Entry, pending: &PendingEntries) -> Placement {
        let body = entry.body();
        let genesis = matches!(body.payload, Payload::Genesis(_));
        if genesis && (body.seq != 0 || !body.prev.is_empty()) {
            return Placement::Invalid("a genesis entry follows nothing");
        }
        let inside = body.prev.iter().any(|tip| tip.epoch == body.epoch);
        if inside && body.prev.len() != 1 {
            return Placement::Invalid("inside an epoch an entry follows exactly one");
        }
        let follows = body.prev.iter().map(|tip| tip.seq).max();
        if follows.map_or(Some(0), |seq| seq.checked_add(1)) != Some(body.seq) {
            return Placement::Invalid("the seq is not one past its predecessors'");
        }
        match self.tip_status(&body.author, &entry.tip()) {
            TipStatus::Known => return Placement::Known,
            TipStatus::Forked => return Placement::Forked(body.epoch, body.seq),
            TipStatus::Ahead if !inside => return Placement::Forked(body.epoch, body.seq),
            TipStatus::Ahead | TipStatus::UnknownEpoch => {}
        }
        match pending.at(body.author, body.epoch, body.seq) {
            Some(hash) if hash == entry.hash() => return Placement::Known,
            Some(_) => return Placement::Forked(body.epoch, body.seq),
            None if !inside && pending.opens(body.author, body.epoch) => {
                return Placement::Forked(body.epoch, body.seq);
            }
            None => {}
        }
        if !genesis && self.authors.is_empty() && pending.0.is_empty() {
            return Placement::Gap;
        }
        let mut gap = false;
        for tip in &body.prev {
            match self.tip_status(&body.author, tip) {
                TipStatus::Known => {}
                TipStatus::Forked => return Placement::Forked(tip.epoch, tip.seq),
                TipStatus::Ahead | TipStatus::UnknownEpoch => {
                    gap |= pending.at(body.author, tip.epoch, tip.seq) != Some(tip.hash);
                }
            }
        }
        if gap { Placement::Gap } else { Placement::Next }
    }

    /// How an author's tip relates to the known entries.
    pub(crate) fn tip_status(&self, author: &NodeId, tip: &Tip) -> TipStatus {
        let Some(epoch) = self.epoch(author, tip.epoch) else {
            return TipStatus::UnknownEpoch;
        };
        match epoch.has(tip.seq, &tip.hash) {
            Some(true) => TipStatus::Known,
            Some(false) => TipStatus::Forked,
            None if tip.seq < epoch.start => TipStatus::Forked,
            None => TipStatus::Ahead,
        }
    }

    /// Adds an entry that is in the log at `position`; returns false when a predecessor is missing.
    pub(crate) fn append(&mut self, entry: &Entry, position: u64) -> bool {
        if self.placement(entry, &PendingEntries::default()) != Placement::Next {
            return false;
        }
        let body = entry.body();
        let author = self.authors.entry(body.author).or_default();
        if !author.epochs.contains_key(&body.epoch) {
            for parent in &body.prev {
                if let Some(epoch) = author.epochs.get_mut(&parent.epoch) {
                    epoch.followed.insert(parent.seq);
                    if epoch.followed.contains(&epoch.end().saturating_sub(1)) {
                        author.tips.retain(|tip| tip.epoch != parent.epoch);
                    }
                }
            }
        }
        let epoch = author.epochs.entry(body.epoch).or_insert_with(|| EpochLog {
            start: body.seq,
            hashes: Vec::new(),
            positions: Vec::new(),
            parents: body.prev.clone(),
            head: entry.hash(),
            followed: BTreeSet::new(),
        });
        epoch.hashes.push(prefix(&entry.hash()));
        epoch.positions.push(position);
        epoch.head = entry.hash();
        let tip = entry.tip();
        match author.tips.binary_search_by_key(&tip.epoch, |tip| tip.epoch) {
            Ok(at) => {
                if let Some(row) = author.tips.get_mut(at) {
                    *row = tip;
                }
            }
            Err(at) => author.tips.insert(at, tip),
        }
        self.digest.take();
        true
    }

    pub(crate) fn authors(&self) -> &BTreeMap<NodeId, AuthorLog> {
        &self.authors
    }

    pub(crate) fn epoch(&self, author: &NodeId, epoch: Epoch) -> Option<&EpochLog> {
        self.authors.get(author)?.epochs.get(&epoch)
    }

    /// The heads of an author: entries that no other entry of the author follows yet.
    pub(crate) fn tips(&self, author: &NodeId) -> &[Tip] {
        self.authors.get(author).map_or(&[], |log| &log.tips)
    }

    pub(crate) fn vector(&self) -> VersionVector {
        let rows = self.authors.iter();
        VersionVector(rows.map(|(author, log)| (*author, log.tips.clone())).collect())
    }

    /// The digest of the vector; computed once after each change.
    pub(crate) fn digest(&self) -> [u8; 32] {
        *self.digest.get_or_init(|| self.vector().digest())
    }
}

fn prefix(hash: &EntryHash) -> Prefix {
    let mut half = Prefix::default();
    for (to, from) in half.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    half
}
