//! The pool of orphans: entries that arrived before a predecessor or a dependency of theirs.
//!
//! The pool is bounded in bytes and in number, in total and per author. When it is full, it drops the entry with
//! the highest seq of the author that uses most space, because that entry would be useful last. Drops are counted,
//! and the replica requests the entries again by catch-up. Whether an orphan can be admitted is decided by
//! `author_logs` and the shell's gate.

use std::collections::BTreeMap;

use towline_proto::{Entry, EntryHash, Epoch, NodeId, limits};

/// An entry that waits for another. Its own signature was good, or that of a later entry of its run.
#[derive(Debug, Clone)]
pub(crate) struct Orphan {
    pub(crate) entry: Entry,
    pub(crate) peer: Option<NodeId>,
    pub(crate) verified: bool,
    pub(crate) live: bool,
    /// Set when the gate reported something missing. An entry without it waits for a predecessor, and is admitted
    /// as soon as that arrives.
    pub(crate) attempts: Option<GateAttempts>,
}

/// How often and when an orphan was tried at the gate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GateAttempts {
    /// How many times.
    pub(crate) times: u32,
    /// How many entries the replica had stored at the last attempt.
    pub(crate) at: u64,
}

impl GateAttempts {
    /// Whether to try again: at first after the next stored entry, later after every 64th, so that a thousand
    /// entries whose dependency nobody has do not cost a thousand gate runs for each stored entry. A tick tries
    /// every entry again when something has been stored since.
    fn is_due(self, stored: u64, tick: bool) -> bool {
        let pause = if tick {
            1
        } else {
            1 << self.times.saturating_sub(1).min(6)
        };
        stored >= self.at.saturating_add(pause)
    }
}

type Key = (u64, EntryHash);

#[derive(Debug, Default)]
struct AuthorOrphans {
    bytes: usize,
    orphans: BTreeMap<Key, Orphan>,
}

/// The orphans of one project.
#[derive(Debug, Default)]
pub(crate) struct OrphanPool {
    authors: BTreeMap<NodeId, AuthorOrphans>,
    bytes: usize,
    entries: usize,
    /// How many of them have been at the gate.
    attempted: usize,
    dropped: u64,
}

impl OrphanPool {
    /// Adds an entry. Returns the entries that were dropped for it, which may include the entry itself.
    pub(crate) fn insert(&mut self, orphan: Orphan) -> Vec<Orphan> {
        let author = orphan.entry.body().author;
        let size = orphan.entry.bytes().len();
        self.take_same(&orphan.entry);
        let own = self.authors.entry(author).or_default();
        self.attempted += usize::from(orphan.attempts.is_some());
        own.orphans.insert(key(&orphan.entry), orphan);
        own.bytes += size;
        self.bytes += size;
        self.entries += 1;
        let mut gone = Vec::new();
        while let Some(full) = self.full(author) {
            let last = self
                .authors
                .get(&full)
                .and_then(|own| own.orphans.keys().next_back());
            let Some(orphan) = last.copied().and_then(|(seq, hash)| self.take(&full, seq, &hash)) else {
                break;
            };
            self.dropped = self.dropped.saturating_add(1);
            gone.push(orphan);
        }
        gone
    }

    /// The author of which an orphan must be dropped, if the pool is too full.
    fn full(&self, author: NodeId) -> Option<NodeId> {
        let own = self.authors.get(&author)?;
        if own.bytes > limits::ORPHANS_AUTHOR_BYTES || own.orphans.len() > limits::ORPHANS_AUTHOR_ENTRIES {
            return Some(author);
        }
        if self.bytes <= limits::ORPHANS_BYTES {
            return None;
        }
        let largest = self.authors.iter().max_by_key(|(_, own)| own.bytes);
        largest.map(|(author, _)| *author)
    }

    pub(crate) fn take(&mut self, author: &NodeId, seq: u64, hash: &EntryHash) -> Option<Orphan> {
        let own = self.authors.get_mut(author)?;
        let orphan = own.orphans.remove(&(seq, *hash))?;
        let size = orphan.entry.bytes().len();
        own.bytes = own.bytes.saturating_sub(size);
        self.bytes = self.bytes.saturating_sub(size);
        self.entries = self.entries.saturating_sub(1);
        self.attempted = self
            .attempted
            .saturating_sub(usize::from(orphan.attempts.is_some()));
        if own.orphans.is_empty() {
            self.authors.remove(author);
        }
        Some(orphan)
    }

    pub(crate) fn take_same(&mut self, entry: &Entry) -> Option<Orphan> {
        self.take(&entry.body().author, entry.body().seq, &entry.hash())
    }

    pub(crate) fn contains(&self, entry: &Entry) -> bool {
        let own = self.authors.get(&entry.body().author);
        own.is_some_and(|own| own.orphans.contains_key(&key(entry)))
    }

    /// The author's entries that name this one as a predecessor, lowest seq first.
    pub(crate) fn followers(&self, author: &NodeId, hash: &EntryHash) -> Vec<Entry> {
        let all = self
            .authors
            .get(author)
            .into_iter()
            .flat_map(|own| own.orphans.values());
        all.map(|orphan| &orphan.entry)
            .filter(|entry| entry.body().prev.iter().any(|tip| tip.hash == *hash))
            .cloned()
            .collect()
    }

    /// The orphans to try again, now that `stored` entries have been stored in total.
    pub(crate) fn due(&self, stored: u64, tick: bool, count: usize) -> Vec<Entry> {
        if self.attempted == 0 {
            return Vec::new();
        }
        let all = self.authors.values().flat_map(|own| own.orphans.values());
        all.filter(|orphan| {
            orphan
                .attempts
                .is_some_and(|attempts| attempts.is_due(stored, tick))
        })
        .map(|orphan| orphan.entry.clone())
        .take(count)
        .collect()
    }

    /// Drops the orphans of one epoch of an author.
    pub(crate) fn forget_epoch(&mut self, author: &NodeId, epoch: Epoch) {
        let own = self.authors.get(author);
        let gone: Vec<Key> = own
            .into_iter()
            .flat_map(|own| &own.orphans)
            .filter(|(_, orphan)| orphan.entry.body().epoch == epoch)
            .map(|(key, _)| *key)
            .collect();
        for (seq, hash) in gone {
            self.take(author, seq, &hash);
        }
    }

    /// The offline entries among the orphans, grouped by author, lowest seq first.
    pub(crate) fn without_peer(&self) -> impl Iterator<Item = &Entry> {
        let all = self.authors.values().flat_map(|own| own.orphans.values());
        all.filter(|orphan| orphan.peer.is_none())
            .map(|orphan| &orphan.entry)
    }

    /// The number of orphans.
    pub(crate) const fn len(&self) -> usize {
        self.entries
    }

    /// Their size in bytes.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many have been dropped since the start.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

fn key(entry: &Entry) -> Key {
    (entry.body().seq, entry.hash())
}
