//! Cycle changes: for any sequence of rows they lead from the cycles before to those after.

use std::collections::BTreeSet;

use crate::test_row::item;
use proptest::prelude::*;
use towline_proto::{Closing, Column};

use super::super::Index;
use super::{DependencyEdge, MAX_EDGES};

fn suspended(index: &Index) -> BTreeSet<DependencyEdge> {
    index.suspended().copied().collect()
}

/// An item that waits for others, is done, or was superseded by the first of them.
fn row(number: u32, on: &[u32], fate: u8) -> towline_crdt::view::ItemView {
    let mut row = item(number);
    row.depends_on = on.iter().map(|to| item(*to).id).collect();
    row.depends_on.sort_unstable();
    row.depends_on.dedup();
    match (fate, on.first()) {
        (0, _) => row.column = Column::Done,
        (1, Some(by)) => {
            row.column = Column::Closed;
            row.closing = Some(Closing::Superseded { by: item(*by).id });
        }
        _ => {}
    }
    row
}

proptest! {
    /// Comparing the whole project for each row would be too expensive; visiting the surroundings must give
    /// the same result.
    #[test]
    fn the_changes_of_a_row_are_the_difference_in_the_whole_project(
        rows in proptest::collection::vec(
            (0u32..7, proptest::collection::vec(0u32..7, 0..4), 0u8..8),
            1..24,
        ),
    ) {
        let mut index = Index::default();
        for (number, on, fate) in rows {
            let before = suspended(&index);
            index.put(row(number, &on, fate));
            let after = suspended(&index);
            let changes = index.take_cycle_changes();
            let edges = |is: bool| -> BTreeSet<DependencyEdge> {
                let changes = changes.values().filter(|change| change.is_suspended == is);
                changes.map(|change| change.edge).collect()
            };
            prop_assert_eq!(edges(true), &after - &before);
            prop_assert_eq!(edges(false), &before - &after);
            for change in changes.values() {
                let (last, rest) = change.cycle.split_last().unwrap();
                prop_assert_eq!((last.0, last.1), change.edge);
                let mut at = change.edge.1;
                for (from, on, _) in rest {
                    prop_assert_eq!(*from, at);
                    at = *on;
                }
                prop_assert_eq!(at, change.edge.0, "it leads back");
            }
            for number in 0..7 {
                let id = item(number).id;
                prop_assert_eq!(index.is_in_cycle(&id), !index.suspended_at(&id).is_empty());
            }
        }
    }
}

#[test]
fn changes_that_cancel_out_are_not_reported() {
    let mut index = Index::default();
    index.put(row(1, &[2], 9));
    index.put(row(2, &[1], 9));
    assert_eq!(index.take_cycle_changes().len(), 1);
    index.put(row(2, &[], 9));
    index.put(row(2, &[1], 9));
    assert!(index.take_cycle_changes().is_empty(), "it is as it was");
    index.load(row(1, &[], 9));
    assert!(index.take_cycle_changes().is_empty(), "what is loaded is no news");
}

#[test]
fn a_net_of_thousands_is_not_judged_with_each_row() {
    let mut index = Index::default();
    let all: Vec<u32> = (0..50).collect();
    for number in 0..50 {
        index.load(row(number, &all, 9));
    }
    assert!(index.suspended().count() > 0 && 50 * 50 > MAX_EDGES);
    index.put(row(0, &[], 9));
    assert!(
        index.take_cycle_changes().is_empty(),
        "it is listed and not reported"
    );
}
