//! Scans a table pair by pair, without keeping it in memory.
//!
//! Relies on sled's iterators. A damaged page gives an error, not a panic.

use std::fmt;

use super::Value;
use super::error::CacheError;
use crate::sled_store::guard;

/// The pairs of one table, keys without the table's tag.
///
/// Scans read every key twice, because sled evicts pages only after about 16,000 page requests and a scan
/// requests each page once: one pass over a hundred thousand rows kept all of them in memory, whatever the
/// configured cache size.
pub struct Scan {
    pub(super) pairs: sled::Iter,
    pub(super) db: sled::Db,
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").finish_non_exhaustive()
    }
}

/// A key without its table's tag, and its value.
pub type Pair = (Vec<u8>, Value);

impl Scan {
    fn pair(&mut self, from: StepFn) -> Option<Result<Pair, CacheError>> {
        let found = guard("read", || {
            let found = from(&mut self.pairs).transpose()?;
            if let Some((key, _)) = &found {
                self.db.contains_key(key)?;
            }
            Ok(found)
        });
        let pair = found.transpose()?;
        let pair = pair.map(|(key, value)| (key.get(1..).unwrap_or_default().to_vec(), Value(value)));
        Some(pair.map_err(CacheError::from))
    }
}

/// One step of the iterator, from the front or from the back.
type StepFn = fn(&mut sled::Iter) -> Option<sled::Result<(sled::IVec, sled::IVec)>>;

impl Iterator for Scan {
    type Item = Result<Pair, CacheError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.pair(sled::Iter::next)
    }
}

impl DoubleEndedIterator for Scan {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.pair(sled::Iter::next_back)
    }
}
