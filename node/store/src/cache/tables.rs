//! The tables of the cache: what each holds, under which key, in which shape and version.
//!
//! All tables are in one tree of sled, distinguished by the first byte of the key, because a batch of sled is
//! atomic inside one tree only. Raising the version in a name makes every older cache be replaced and rebuilt
//! from the log.

/// One table.
///
/// | table | name | key | value |
/// |---|---|---|---|
/// | `Docs` | `docs/2` | item id, 16 bytes | a saved Automerge document, packed, see `pack.rs` |
/// | `Rows` | `rows/3` | item id, 16 bytes | projection version, u32 le; a packed row, see `row.rs` |
/// | `Bodies` | `bodies/1` | item id, 16 bytes | the body in small letters, UTF-8; none for an item that never had one |
/// | `Feed` | `feed/3` | position, u64 be | one event, as the project's thread encodes it, packed |
/// | `Cursors` | `cursors/1` | subscriber's name, UTF-8 | feed position, u64 le |
/// | `Meta` | `meta/1` | name, UTF-8 | small values, as their owner encodes them |
/// | `Quarantine` | `quarantine/1` | entry hash, 32 bytes | attempts and reason, as their owner encodes them |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Saved Automerge documents.
    Docs,
    /// Rows of the index.
    Rows,
    /// Bodies in the form that search uses.
    Bodies,
    /// The feed of events.
    Feed,
    /// The feed position of each subscriber.
    Cursors,
    /// Small values: the applied log position, the feed's head.
    Meta,
    /// Quarantined entries.
    Quarantine,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Docs,
        Self::Rows,
        Self::Bodies,
        Self::Feed,
        Self::Cursors,
        Self::Meta,
        Self::Quarantine,
    ];

    /// Its name with the version of its format.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docs => "docs/2",
            Self::Rows => "rows/3",
            Self::Bodies => "bodies/1",
            Self::Feed => "feed/3",
            Self::Cursors => "cursors/1",
            Self::Meta => "meta/1",
            Self::Quarantine => "quarantine/1",
        }
    }

    /// The first byte of its keys.
    pub(crate) const fn tag(self) -> u8 {
        match self {
            Self::Docs => b'd',
            Self::Rows => b'r',
            Self::Bodies => b'b',
            Self::Feed => b'f',
            Self::Cursors => b'c',
            Self::Meta => b'm',
            Self::Quarantine => b'q',
        }
    }

    /// A key of the tree: the tag and the table's own key.
    pub(crate) fn key(self, key: &[u8]) -> Vec<u8> {
        let mut whole = Vec::with_capacity(1 + key.len());
        whole.push(self.tag());
        whole.extend_from_slice(key);
        whole
    }
}

/// Names of the values in [`Table::Meta`] that the cache itself knows.
pub mod meta {
    /// The log position up to which the cache reflects the log, u64 le. Absent in a cache that must be
    /// rebuilt from the beginning.
    pub const APPLIED: &str = "applied";
    /// The position of the last event of the feed, u64 le.
    pub const FEED_HEAD: &str = "feed-head";
    /// The digest of the roles that the rows were folded with, u64 le.
    pub const RANKS: &str = "ranks";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_tables_share_a_tag_or_a_name() {
        let tags: BTreeSet<u8> = Table::ALL.into_iter().map(Table::tag).collect();
        let names: BTreeSet<&str> = Table::ALL.into_iter().map(Table::name).collect();
        assert_eq!((tags.len(), names.len()), (Table::ALL.len(), Table::ALL.len()));
    }
}
