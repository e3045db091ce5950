//! Names of items: what people type for one, and which one they mean.
//!
//! An item's handle is its number: `42`, or `42a` and `42b` where two items share a number. A prefix of
//! its key or its whole id names it too. Relies on the index as it stands and never guesses: what
//! fits several items names none.

use towline_crdt::view::ItemView;
use towline_proto::{ItemId, text};

use super::Index;
use crate::request::{Failure, FailureCode};

/// Shortest key prefix that names an item.
const MIN_KEY: usize = 4;
/// Items named in a message about an ambiguous handle.
const NAMED: usize = 5;

impl Index {
    /// What people type for an item.
    pub(crate) fn handle(&self, row: &ItemView) -> String {
        match self.numbers.get(&row.number).map(Vec::as_slice) {
            Some(several) if several.len() > 1 => {
                let place = several.iter().position(|id| *id == row.id).unwrap_or(0);
                format!("{}{}", row.number, letters(place))
            }
            _ => row.number.to_string(),
        }
    }

    /// The shortest prefix of an item's key that no other item shares.
    pub(super) fn short_key(&self, id: &ItemId) -> String {
        let key = id.key();
        let shared = |other: Option<(&String, &ItemId)>| {
            other.map_or(0, |(other, _)| {
                other.bytes().zip(key.bytes()).take_while(|(a, b)| a == b).count()
            })
        };
        let below = shared(self.keys.range(..key.clone()).next_back());
        let above = shared(self.keys.range(format!("{key}\0")..).next());
        let digits = (below.max(above) + 1).clamp(MIN_KEY, key.len());
        key.get(..digits).unwrap_or(&key).to_owned()
    }

    /// The items that a person may mean: several only for a number that several share. One that was
    /// purged is shown to nobody.
    pub(crate) fn find(&self, wanted: &str) -> Result<Vec<ItemId>, Failure> {
        let mut found = self.named_so(wanted)?;
        let all = found.len();
        found.retain(|id| self.rows.get(id).is_some_and(|row| !row.purged));
        if found.is_empty() && all > 0 {
            return Err(purged(wanted));
        }
        Ok(found)
    }

    /// The items of a name, also those that were purged: a number that was two items' does not become the
    /// other one's.
    fn named_so(&self, wanted: &str) -> Result<Vec<ItemId>, Failure> {
        let wanted = wanted.trim().trim_start_matches('#').to_lowercase();
        let not_found = |why: &str| {
            Failure::new(
                FailureCode::NotFound,
                format!("no item {:?}: {why}", text::show(&wanted, 80)),
            )
        };
        let digits = wanted.len() - wanted.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, suffix) = wanted.split_at(digits);
        if let Some(several) = number
            .parse()
            .ok()
            .and_then(|number: u32| self.numbers.get(&number))
        {
            if suffix.is_empty() {
                return Ok(several.clone());
            }
            let named = several
                .iter()
                .enumerate()
                .find(|(place, _)| letters(*place) == suffix);
            if let Some((_, id)) = named.filter(|_| several.len() > 1) {
                return Ok(vec![*id]);
            }
        }
        if let Ok(id) = wanted.parse::<ItemId>() {
            return if self.rows.contains_key(&id) {
                Ok(vec![id])
            } else {
                Err(not_found("no such id here"))
            };
        }
        let is_hex = !wanted.is_empty() && wanted.bytes().all(|byte| byte.is_ascii_hexdigit());
        if wanted.len() < MIN_KEY || !is_hex {
            return Err(not_found(
                "type a number such as 42, or at least four digits of a key",
            ));
        }
        let mut fits = self
            .keys
            .range(wanted.clone()..)
            .take_while(|(key, _)| key.starts_with(&wanted));
        match (fits.next(), fits.next()) {
            (Some((_, id)), None) => Ok(vec![*id]),
            (Some(_), Some(_)) => Err(not_found("several keys begin so; type more digits")),
            (None, _) => Err(not_found("no number and no key fits")),
        }
    }

    /// The one item that a person means, for something that changes it: a number that two items
    /// share names neither.
    pub(crate) fn find_one(&self, wanted: &str) -> Result<&ItemView, Failure> {
        let found = self.named_so(wanted)?;
        match found.as_slice() {
            [id] => match self.rows.get(id) {
                Some(row) if row.purged => Err(purged(wanted)),
                Some(row) => Ok(row),
                None => Err(Failure::new(FailureCode::NotFound, "no such item")),
            },
            several => {
                let names: Vec<_> = several
                    .iter()
                    .take(NAMED)
                    .filter_map(|id| self.named(id))
                    .collect();
                let message = format!(
                    "{wanted} is {} items; name one: {}",
                    several.len(),
                    names.join(", ")
                );
                Err(Failure::new(FailureCode::NotFound, message))
            }
        }
    }

    fn named(&self, id: &ItemId) -> Option<String> {
        let row = self.rows.get(id)?;
        if row.purged {
            return Some(format!("{} (purged)", self.handle(row)));
        }
        Some(format!("{} ({})", self.handle(row), text::show(&row.title, 40)))
    }
}

fn purged(wanted: &str) -> Failure {
    let message = format!(
        "{} was purged: it is shown nowhere any more, and its number is not given out again",
        text::show(wanted.trim(), 80)
    );
    Failure::new(FailureCode::NotFound, message)
}

/// 0 → a, 25 → z, 26 → aa.
pub(in crate::project) fn letters(mut place: usize) -> String {
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
