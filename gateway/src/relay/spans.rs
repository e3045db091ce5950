//! Which feed positions are dealt with, beyond the last one before which all are.
//!
//! Lines of different items are sent as they fall due, so position 7 may be told before position 5.
//! A cursor alone would tell 7 again after a crash; a ledger remembers both.

use serde::{Deserialize, Serialize};

/// Disjoint inclusive ranges of positions, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spans(Vec<(u64, u64)>);

impl Spans {
    /// Adds a range; neighbours become one.
    pub(crate) fn insert(&mut self, first: u64, last: u64) {
        let (mut first, mut last) = (first.min(last), last.max(first));
        self.0.retain(|&(from, to)| {
            let touches = from <= last.saturating_add(1) && first <= to.saturating_add(1);
            if touches {
                first = first.min(from);
                last = last.max(to);
            }
            !touches
        });
        let place = self.0.partition_point(|&(from, _)| from < first);
        self.0.insert(place, (first, last));
    }

    /// Adds every range of another.
    pub(crate) fn extend(&mut self, other: &Self) {
        for &(first, last) in &other.0 {
            self.insert(first, last);
        }
    }

    /// Whether a position is in one of the ranges.
    pub(crate) fn contains(&self, position: u64) -> bool {
        self.0
            .iter()
            .any(|&(first, last)| (first..=last).contains(&position))
    }

    /// The smallest position.
    pub(crate) fn first(&self) -> Option<u64> {
        self.0.first().map(|&(first, _)| first)
    }
}

/// How far a lane of deliveries is: every position up to `through`, and some beyond.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    /// Everything up to here is dealt with.
    pub(crate) through: u64,
    /// What is dealt with beyond that.
    pub(crate) beyond: Spans,
}

impl Ledger {
    /// A ledger that begins after a position.
    pub(crate) fn new(through: u64) -> Self {
        Self {
            through,
            beyond: Spans::default(),
        }
    }

    /// Whether a position is dealt with.
    pub(crate) fn has(&self, position: u64) -> bool {
        position <= self.through || self.beyond.contains(position)
    }

    /// Marks positions as dealt with.
    pub(crate) fn settle(&mut self, spans: &Spans) {
        self.beyond.extend(spans);
        while let Some(&(first, last)) = self.beyond.0.first() {
            if first > self.through.saturating_add(1) {
                break;
            }
            self.through = self.through.max(last);
            self.beyond.0.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_become_one() {
        let mut spans = Spans::default();
        for (first, last) in [(5, 5), (1, 2), (8, 9), (3, 4), (6, 7)] {
            spans.insert(first, last);
        }
        assert_eq!(spans, Spans(vec![(1, 9)]));
        assert!(spans.contains(9) && !spans.contains(10));
    }

    #[test]
    fn a_ledger_moves_on_only_when_the_gap_is_closed() {
        let mut ledger = Ledger::new(4);
        let mut seven = Spans::default();
        seven.insert(7, 7);
        ledger.settle(&seven);
        assert_eq!(ledger.through, 4);
        assert!(ledger.has(7) && !ledger.has(6));
        let mut gap = Spans::default();
        gap.insert(5, 6);
        ledger.settle(&gap);
        assert_eq!(ledger, Ledger::new(7));
    }
}
