//! Which entries are here, which may follow, and the version vector that sums them up.
//!
//! Per author and epoch: 24 bytes an entry (half its hash and its place in the log) and the tips
//! that the epoch's opening entry followed. The vector's rows and its digest are kept up to date
//! with each entry, so neither costs more as a project grows. This file never sees a signature or
//! an unplaced entry's content beyond its chain fields, and nothing in an entry can make it panic.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use towline_proto::{Entry, EntryHash, Epoch, NodeId, Payload, Tip, VersionVector};

/// Half a hash tells two entries of one place apart; a false match takes 2^128 tries.
type Prefix = [u8; 16];

/// One run of an author.
#[derive(Debug)]
pub(crate) struct EpochLog {
    /// The seq of its opening entry.
    pub(crate) start: u64,
    hashes: Vec<Prefix>,
    positions: Vec<u64>,
    /// What its opening entry follows.
    pub(crate) parents: Vec<Tip>,
    head: EntryHash,
    /// Seqs of this epoch that openings of later ones name. The epoch is closed while its head is
    /// among them; it opens again when entries come that the later one had not seen (a restored
    /// backup).
    named: BTreeSet<u64>,
}

impl EpochLog {
    /// One past the seq of the last entry.
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.hashes.len() as u64)
    }

    fn index(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.start)?).ok()
    }

    /// Where the entry at `seq` is in the log.
    pub(crate) fn position(&self, seq: u64) -> Option<u64> {
        self.positions.get(self.index(seq)?).copied()
    }

    fn has(&self, seq: u64, hash: &EntryHash) -> Option<bool> {
        let known = self.hashes.get(self.index(seq)?)?;
        Some(*known == prefix(hash))
    }
}

/// All runs of an author.
#[derive(Debug, Default)]
pub(crate) struct AuthorLog {
    /// By epoch.
    pub(crate) epochs: BTreeMap<Epoch, EpochLog>,
    /// The heads of the epochs that are not closed, sorted by epoch.
    pub(crate) tips: Vec<Tip>,
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// It is here.
    Known,
    /// It follows what is here.
    Next,
    /// Something before it is not here.
    Gap,
    /// Its author signed another history; this is the place at which that shows.
    Forked(Epoch, u64),
    /// No honest author makes such an entry.
    Invalid(&'static str),
}

/// How a tip stands to what is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TipStatus {
    /// It is here.
    Here,
    /// Its epoch is here, but not so far.
    Beyond,
    /// Its epoch is not here.
    Unknown,
    /// Another entry is in its place.
    Contradicted,
}

/// Entries on their way through the shell's gate, which the next ones of a run rely on.
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
    /// Where an entry stands, given what is on its way already.
    pub(crate) fn place(&self, entry: &Entry, pending: &PendingEntries) -> Placement {
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
        match self.standing(&body.author, &entry.tip()) {
            TipStatus::Here => return Placement::Known,
            TipStatus::Contradicted => return Placement::Forked(body.epoch, body.seq),
            TipStatus::Beyond if !inside => return Placement::Forked(body.epoch, body.seq),
            TipStatus::Beyond | TipStatus::Unknown => {}
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
            match self.standing(&body.author, tip) {
                TipStatus::Here => {}
                TipStatus::Contradicted => return Placement::Forked(tip.epoch, tip.seq),
                TipStatus::Beyond | TipStatus::Unknown => {
                    gap |= pending.at(body.author, tip.epoch, tip.seq) != Some(tip.hash);
                }
            }
        }
        if gap { Placement::Gap } else { Placement::Next }
    }

    /// How an author's tip stands to what is here.
    pub(crate) fn standing(&self, author: &NodeId, tip: &Tip) -> TipStatus {
        let Some(epoch) = self.epoch(author, tip.epoch) else {
            return TipStatus::Unknown;
        };
        match epoch.has(tip.seq, &tip.hash) {
            Some(true) => TipStatus::Here,
            Some(false) => TipStatus::Contradicted,
            None if tip.seq < epoch.start => TipStatus::Contradicted,
            None => TipStatus::Beyond,
        }
    }

    /// Adds an entry that is in the log at `position`; says no when it does not follow.
    pub(crate) fn append(&mut self, entry: &Entry, position: u64) -> bool {
        if self.place(entry, &PendingEntries::default()) != Placement::Next {
            return false;
        }
        let body = entry.body();
        let author = self.authors.entry(body.author).or_default();
        if !author.epochs.contains_key(&body.epoch) {
            for parent in &body.prev {
                if let Some(epoch) = author.epochs.get_mut(&parent.epoch) {
                    epoch.named.insert(parent.seq);
                    if epoch.named.contains(&epoch.end().saturating_sub(1)) {
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
            named: BTreeSet::new(),
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

    /// The heads of an author that nothing of its own follows yet.
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
