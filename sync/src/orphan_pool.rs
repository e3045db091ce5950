//! Entries that came too early: a predecessor or a dependency of theirs is not here yet.
//!
//! Bounded in all and per author, in bytes and in number. When there is no room, the entry furthest
//! ahead (highest seq) of the author that takes most goes, because it would be of use last; that is
//! counted, and the replica asks for it again by catch-up. This file never decides whether an entry
//! is ready: `chain` and the shell's gate do.

use std::collections::BTreeMap;

use towline_proto::{Entry, EntryHash, Epoch, NodeId, limits};

/// An entry that waits. Its signature, or that of a later one of its run, was good.
#[derive(Debug, Clone)]
pub(crate) struct Orphan {
    pub(crate) entry: Entry,
    pub(crate) peer: Option<NodeId>,
    pub(crate) verified: bool,
    pub(crate) live: bool,
    /// Set once the gate found something missing: what is worth another try when. An entry without
    /// it waits for a predecessor, whose coming is noticed at once.
    pub(crate) tried: Option<GateAttempts>,
}

/// How a held entry fared at the gate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GateAttempts {
    /// How often.
    pub(crate) times: u32,
    /// How many entries the project had stored in all at the last try.
    pub(crate) at: u64,
}

impl GateAttempts {
    /// Whether another try is worth it: at first after the very next stored entry, later after
    /// every 64th, so that a thousand entries whose dependency nobody has do not cost a thousand
    /// gate runs for each entry that comes. A tick tries whatever has not been tried since.
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
    held: BTreeMap<Key, Orphan>,
}

/// All that waits in one project.
#[derive(Debug, Default)]
pub(crate) struct OrphanPool {
    authors: BTreeMap<NodeId, AuthorOrphans>,
    bytes: usize,
    entries: usize,
    /// How many of them the gate has tried.
    tried: usize,
    dropped: u64,
}

impl OrphanPool {
    /// Keeps an entry. Returns what had to go for it, which may be the entry itself.
    pub(crate) fn insert(&mut self, held: Orphan) -> Vec<Orphan> {
        let author = held.entry.body().author;
        let size = held.entry.bytes().len();
        self.take_same(&held.entry);
        let room = self.authors.entry(author).or_default();
        self.tried += usize::from(held.tried.is_some());
        room.held.insert(key(&held.entry), held);
        room.bytes += size;
        self.bytes += size;
        self.entries += 1;
        let mut gone = Vec::new();
        while let Some(full) = self.full(author) {
            let last = self
                .authors
                .get(&full)
                .and_then(|room| room.held.keys().next_back());
            let Some(held) = last.copied().and_then(|(seq, hash)| self.take(&full, seq, &hash)) else {
                break;
            };
            self.dropped = self.dropped.saturating_add(1);
            gone.push(held);
        }
        gone
    }

    /// Who has to give something up, if anybody.
    fn full(&self, author: NodeId) -> Option<NodeId> {
        let room = self.authors.get(&author)?;
        if room.bytes > limits::ORPHANS_AUTHOR_BYTES || room.held.len() > limits::ORPHANS_AUTHOR_ENTRIES {
            return Some(author);
        }
        if self.bytes <= limits::ORPHANS_BYTES {
            return None;
        }
        let largest = self.authors.iter().max_by_key(|(_, room)| room.bytes);
        largest.map(|(author, _)| *author)
    }

    pub(crate) fn take(&mut self, author: &NodeId, seq: u64, hash: &EntryHash) -> Option<Orphan> {
        let room = self.authors.get_mut(author)?;
        let held = room.held.remove(&(seq, *hash))?;
        let size = held.entry.bytes().len();
        room.bytes = room.bytes.saturating_sub(size);
        self.bytes = self.bytes.saturating_sub(size);
        self.entries = self.entries.saturating_sub(1);
        self.tried = self.tried.saturating_sub(usize::from(held.tried.is_some()));
        if room.held.is_empty() {
            self.authors.remove(author);
        }
        Some(held)
    }

    pub(crate) fn take_same(&mut self, entry: &Entry) -> Option<Orphan> {
        self.take(&entry.body().author, entry.body().seq, &entry.hash())
    }

    pub(crate) fn contains(&self, entry: &Entry) -> bool {
        let room = self.authors.get(&entry.body().author);
        room.is_some_and(|room| room.held.contains_key(&key(entry)))
    }

    /// The author's entries that name this one as a predecessor, lowest seq first.
    pub(crate) fn followers(&self, author: &NodeId, hash: &EntryHash) -> Vec<Entry> {
        let held = self
            .authors
            .get(author)
            .into_iter()
            .flat_map(|room| room.held.values());
        held.map(|held| &held.entry)
            .filter(|entry| entry.body().prev.iter().any(|tip| tip.hash == *hash))
            .cloned()
            .collect()
    }

    /// Entries that are worth another try now that `stored` entries have been stored in all.
    pub(crate) fn due(&self, stored: u64, tick: bool, count: usize) -> Vec<Entry> {
        if self.tried == 0 {
            return Vec::new();
        }
        let all = self.authors.values().flat_map(|room| room.held.values());
        all.filter(|held| held.tried.is_some_and(|tried| tried.is_due(stored, tick)))
            .map(|held| held.entry.clone())
            .take(count)
            .collect()
    }

    /// Gives up what waits of one run of an author.
    pub(crate) fn forget_epoch(&mut self, author: &NodeId, epoch: Epoch) {
        let room = self.authors.get(author);
        let gone: Vec<Key> = room
            .into_iter()
            .flat_map(|room| &room.held)
            .filter(|(_, held)| held.entry.body().epoch == epoch)
            .map(|(key, _)| *key)
            .collect();
        for (seq, hash) in gone {
            self.take(author, seq, &hash);
        }
    }

    /// Entries that no peer sent, those of one author together, lowest seq first.
    pub(crate) fn without_peer(&self) -> impl Iterator<Item = &Entry> {
        let all = self.authors.values().flat_map(|room| room.held.values());
        all.filter(|held| held.peer.is_none()).map(|held| &held.entry)
    }

    /// How many entries wait.
    pub(crate) const fn len(&self) -> usize {
        self.entries
    }

    /// How many bytes they have.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many had to go since the start.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

fn key(entry: &Entry) -> Key {
    (entry.body().seq, entry.hash())
}
