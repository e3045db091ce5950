//! Handles of items: what people type for one, and which item they mean.
//!
//! An item's handle is its number: `42`, or `42a` and `42b` if two items share a number. A prefix of its key
//! or its full id works too, unless it reads as a number: `2300` and `2300a` are numbers or nothing, because
//! an item may get that number tomorrow. The id in another tracker works with the tracker's prefix
//! (`beads:bd-7`) or without (`bd-7`), if it reads as nothing else. An ambiguous text refers to no item;
//! nothing is guessed.

use std::collections::BTreeSet;
use std::ops::{Bound, RangeInclusive};

use towline_crdt::view::ItemView;
use towline_interchange::import::{TRACKERS, backlog};
use towline_proto::{ItemId, text};

use super::{IDS, Index};
use crate::errors::ItemError;

/// The shortest key prefix that is a handle.
const MIN_KEY: usize = 4;
/// The most letters behind a shared number: enough for 18,278 items.
const LETTERS: usize = 3;
/// Bits of a hex digit.
const DIGIT_BITS: u32 = 4;
/// The most items in a message about an ambiguous handle.
const NAMED: usize = 5;

impl Index {
    fn with_number(&self, number: u32) -> impl Iterator<Item = ItemId> {
        let range = (number, IDS.0)..=(number, IDS.1);
        self.numbers.range(range).map(|(_, id)| *id)
    }

    /// The items that share a number, the oldest first.
    pub(crate) fn numbered(&self, number: u32) -> Vec<ItemId> {
        let mut items: Vec<ItemId> = self.with_number(number).collect();
        items.sort_by_key(|id| (self.rows.get(id).map(|row| row.created_at), *id));
        items
    }

    /// The handle of an item.
    pub(crate) fn handle(&self, row: &ItemView) -> String {
        self.handle_of(row.number, &row.id)
    }

    /// The handle of the item with a number and an id.
    pub(super) fn handle_of(&self, number: u32, id: &ItemId) -> String {
        if self.with_number(number).nth(1).is_none() {
            return number.to_string();
        }
        let several = self.numbered(number);
        let place = several.iter().position(|other| other == id).unwrap_or(0);
        format!("{number}{}", letters(place))
    }

    /// The shortest prefix of an item's key that no other item shares and that is no item's number.
    pub(super) fn short_key(&self, id: &ItemId) -> String {
        let digits = id.key();
        let own = number(&digits);
        let shared = |other: Option<(&u64, &ItemId)>| {
            other.map_or(0, |(other, _)| {
                ((own ^ other).leading_zeros() / DIGIT_BITS) as usize
            })
        };
        let below = shared(self.keys.range(..own).next_back());
        let above = shared(self.keys.range((Bound::Excluded(own), Bound::Unbounded)).next());
        let length = (below.max(above) + 1).clamp(MIN_KEY, digits.len());
        let mut prefixes = (length..digits.len()).filter_map(|length| digits.get(..length));
        let short = prefixes.find(|prefix| as_number(prefix).is_none());
        short.map(str::to_owned).unwrap_or(digits)
    }

    /// The items that a handle may refer to: several only for a shared number. Purged items are not found.
    pub(crate) fn find(&self, wanted: &str) -> Result<Vec<ItemId>, ItemError> {
        let mut found = self.resolve(wanted)?;
        let all = found.len();
        found.retain(|id| self.rows.get(id).is_some_and(|row| !row.purged));
        if found.is_empty() && all > 0 {
            return Err(purged(wanted));
        }
        Ok(found)
    }

    /// The items of a handle, purged ones included: a number that two items shared does not become the handle
    /// of the other one.
    fn resolve(&self, wanted: &str) -> Result<Vec<ItemId>, ItemError> {
        let written = wanted.trim();
        let wanted = written.trim_start_matches('#').to_lowercase();
        if let Some((number, suffix)) = as_number(&wanted) {
            let several = self.numbered(number);
            if suffix.is_empty() && !several.is_empty() {
                return Ok(several);
            }
            let named = several
                .iter()
                .enumerate()
                .find(|(place, _)| letters(*place) == suffix);
            if let Some((_, id)) = named.filter(|_| several.len() > 1) {
                return Ok(vec![*id]);
            }
            return Err(match several.as_slice() {
                [] => {
                    let wanted = wanted.clone();
                    ItemError::NoNumber { wanted }
                }
                [_] => {
                    let wanted = wanted.clone();
                    ItemError::NotShared { wanted, number }
                }
                [.., last] => {
                    let last = self.rows.get(last).map(|row| self.handle_of(row.number, last));
                    let (wanted, last) = (wanted.clone(), last.unwrap_or_default());
                    ItemError::NoSuchLetter { wanted, number, last }
                }
            });
        }
        if let Ok(id) = wanted.parse::<ItemId>() {
            return if self.rows.contains_key(&id) {
                Ok(vec![id])
            } else {
                Err(ItemError::NoId { wanted })
            };
        }
        let elsewhere = self.by_foreign_id(written);
        let is_hex = !wanted.is_empty() && wanted.bytes().all(|byte| byte.is_ascii_hexdigit());
        let keys = key_range(&wanted).filter(|_| is_hex && wanted.len() >= MIN_KEY);
        let keys: Vec<ItemId> = keys
            .into_iter()
            .flat_map(|keys| self.keys.range(keys).map(|(_, id)| *id).take(2))
            .collect();
        match (keys.as_slice(), elsewhere.as_slice()) {
            ([id], []) | ([], [id]) => Ok(vec![*id]),
            ([key], [other]) if key == other => Ok(vec![*key]),
            ([_, _, ..], []) => Err(ItemError::SeveralKeys { wanted }),
            ([], []) if is_hex && wanted.len() >= MIN_KEY => Err(ItemError::NoKey { wanted }),
            ([], []) => Err(ItemError::NotAHandle { wanted }),
            (keys, others) => {
                let mut names: Vec<String> = others
                    .iter()
                    .filter_map(|id| self.named(id))
                    .take(NAMED)
                    .collect();
                if let [key, ..] = keys {
                    let name = self.named(key).unwrap_or_default();
                    names.insert(0, format!("{name} (by its key)"));
                }
                let names = names.join(", ");
                Err(ItemError::SeveralMatch { wanted, names })
            }
        }
    }

    /// The items with this id in another tracker. If several nodes imported one record, or several issues had
    /// one id, all that are not in the trash.
    fn by_foreign_id(&self, written: &str) -> Vec<ItemId> {
        let mut found = Vec::new();
        for reference in references(written) {
            found.extend(self.all_by_external(&reference).map(|row| (row.deleted, row.id)));
        }
        found.sort_unstable();
        found.dedup();
        let is_living = found.iter().any(|(deleted, _)| !deleted);
        found.retain(|(deleted, _)| !is_living || !deleted);
        let purged = |id: &ItemId| self.rows.get(id).is_some_and(|row| row.purged);
        if found.iter().any(|(_, id)| !purged(id)) {
            found.retain(|(_, id)| !purged(id));
        }
        found.into_iter().map(|(_, id)| id).collect()
    }

    /// The one item that a handle refers to, for a change: a number that two items share is refused.
    pub(crate) fn find_one(&self, wanted: &str) -> Result<ItemView, ItemError> {
        let found = self.resolve(wanted)?;
        match found.as_slice() {
            [id] => match self.get(id) {
                Some(row) if row.purged => Err(purged(wanted)),
                Some(row) => Ok(row),
                None => Err(ItemError::NoRow),
            },
            several => {
                let names: Vec<_> = several
                    .iter()
                    .take(NAMED)
                    .filter_map(|id| self.named(id))
                    .collect();
                Err(ItemError::Ambiguous {
                    wanted: wanted.to_owned(),
                    count: several.len(),
                    names: names.join(", "),
                })
            }
        }
    }

    fn named(&self, id: &ItemId) -> Option<String> {
        let row = self.rows.get(id)?;
        let handle = self.handle_of(row.number, id);
        if row.purged {
            return Some(format!("{handle} (purged)"));
        }
        Some(format!("{handle} ({})", text::show(row.title(), 40)))
    }
}

/// The references that the id of another tracker may stand for: as typed, in the form in which that tracker
/// compares ids, and each with the tracker's prefix.
fn references(written: &str) -> BTreeSet<String> {
    let mut references = BTreeSet::from([written.to_owned(), written.to_lowercase()]);
    let bare = match written.split_once(':') {
        Some((tracker, id)) if tracker.eq_ignore_ascii_case("backlog") => {
            references.insert(backlog::external(id));
            return references;
        }
        Some(_) => return references,
        None => written,
    };
    references.insert(backlog::external(bare));
    for tracker in TRACKERS {
        references.insert(format!("{tracker}{bare}"));
        references.insert(format!("{tracker}{}", bare.to_lowercase()));
    }
    references
}

/// Parses an item's number: digits, and letters if two items share it.
fn as_number(wanted: &str) -> Option<(u32, &str)> {
    let digits = wanted.len() - wanted.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, suffix) = wanted.split_at(digits);
    let lettered = suffix.len() <= LETTERS && suffix.bytes().all(|byte| byte.is_ascii_lowercase());
    number
        .parse()
        .ok()
        .filter(|_| lettered)
        .map(|number| (number, suffix))
}

/// A key as a number.
pub(super) fn key(id: &ItemId) -> u64 {
    number(&id.key())
}

/// The hash of a reference. Two may share one, so lookups compare the references too.
pub(super) fn hash(reference: &str) -> u64 {
    let hash = blake3::hash(reference.as_bytes());
    hash.as_bytes()
        .first_chunk()
        .map_or(0, |first| u64::from_le_bytes(*first))
}

/// Hex digits as a number; keys consist of hex digits.
fn number(digits: &str) -> u64 {
    u64::from_str_radix(digits, 16).unwrap_or_default()
}

/// The range of keys that begin with some hex digits; `None` if there are more digits than a key has.
fn key_range(digits: &str) -> Option<RangeInclusive<u64>> {
    let missing = u32::try_from(ItemId::KEY_DIGITS.checked_sub(digits.len())?).ok()? * DIGIT_BITS;
    let first = number(digits).checked_shl(missing)?;
    Some(first..=first | 1u64.checked_shl(missing)?.wrapping_sub(1))
}

fn purged(wanted: &str) -> ItemError {
    let wanted = wanted.to_owned();
    ItemError::Purged { wanted }
}

/// 0 → a, 25 → z, 26 → aa.
pub(crate) fn letters(mut place: usize) -> String {
    let mut letters = String::new();
    loop {
        letters.insert(0, char::from(b'a' + u8::try_from(place % 26).unwrap_or(0)));
        place /= 26;
        if place == 0 {
            return letters;
        }
        place -= 1;
    }
}
