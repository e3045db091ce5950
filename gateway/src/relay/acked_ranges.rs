//! Which positions of a feed are acknowledged: everything up to one position, and ranges beyond it.
//!
//! A position is acknowledged when its message is stored in the outbox, or when no message is wanted for
//! it. Messages about different items are sent as they become due, so position 7 may be acknowledged
//! before position 5. A cursor alone would process 7 again after a crash; [`AckedPositions`] remembers both.

use serde::{Deserialize, Serialize};

/// Disjoint, sorted, inclusive ranges of feed positions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PositionRanges(Vec<(u64, u64)>);

impl PositionRanges {
    /// Adds a range and merges it with the ranges that it touches.
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
        let index = self.0.partition_point(|&(from, _)| from < first);
        self.0.insert(index, (first, last));
    }

    /// Adds all ranges of another set.
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

/// The acknowledged positions of one delivery: all up to `through`, and ranges beyond it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AckedPositions {
    /// Every position up to and including this one is acknowledged.
    pub(crate) through: u64,
    /// The acknowledged positions after `through`.
    pub(crate) beyond: PositionRanges,
}

impl AckedPositions {
    /// Acknowledges every position up to `through`.
    pub(crate) fn new(through: u64) -> Self {
        Self {
            through,
            beyond: PositionRanges::default(),
        }
    }

    /// Whether a position is acknowledged.
    pub(crate) fn contains(&self, position: u64) -> bool {
        position <= self.through || self.beyond.contains(position)
    }

    /// Acknowledges positions.
    pub(crate) fn ack(&mut self, ranges: &PositionRanges) {
        self.beyond.extend(ranges);
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
    fn adjacent_ranges_are_merged() {
        let mut ranges = PositionRanges::default();
        for (first, last) in [(5, 5), (1, 2), (8, 9), (3, 4), (6, 7)] {
            ranges.insert(first, last);
        }
        assert_eq!(ranges, PositionRanges(vec![(1, 9)]));
        assert!(ranges.contains(9) && !ranges.contains(10));
    }

    #[test]
    fn through_advances_only_when_the_gap_before_it_is_closed() {
        let mut acked = AckedPositions::new(4);
        let mut seven = PositionRanges::default();
        seven.insert(7, 7);
        acked.ack(&seven);
        assert_eq!(acked.through, 4);
        assert!(acked.contains(7) && !acked.contains(6));
        let mut gap = PositionRanges::default();
        gap.insert(5, 6);
        acked.ack(&gap);
        assert_eq!(acked, AckedPositions::new(7));
    }
}
