//! Cycles: the rule on small graphs, large ones, and random ones.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use towline_proto::ItemId;

use super::{Cycles, DependencyEdge, WaitKind, rank};

fn item(number: u32) -> ItemId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    ItemId(id)
}

fn judge(edges: &[(u32, u32)]) -> Cycles {
    let edges = edges
        .iter()
        .map(|(from, on)| (item(*from), item(*on), WaitKind::Dependency));
    Cycles::of(edges)
}

fn suspended(cycles: &Cycles) -> BTreeSet<DependencyEdge> {
    cycles.suspended().copied().collect()
}

/// Whether `to` is reached from `from`.
fn reaches(edges: &BTreeSet<DependencyEdge>, from: ItemId, to: ItemId) -> bool {
    let mut next: BTreeMap<ItemId, Vec<ItemId>> = BTreeMap::new();
    for (from, on) in edges {
        next.entry(*from).or_default().push(*on);
    }
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(next.get(&at).into_iter().flatten());
        }
    }
    false
}

#[test]
fn of_two_that_wait_for_each_other_the_larger_hash_is_suspended() {
    let cycles = judge(&[(1, 2), (2, 1), (3, 1), (2, 4)]);
    let (ab, ba) = ((item(1), item(2)), (item(2), item(1)));
    let larger = if rank(&ab.0, &ab.1) > rank(&ba.0, &ba.1) {
        ab
    } else {
        ba
    };
    assert_eq!(suspended(&cycles), BTreeSet::from([larger]));
    assert_eq!(cycles.suspended_at(&item(1)), [larger]);
    assert_eq!(cycles.suspended_at(&item(2)), [larger]);
    assert!(
        cycles.suspended_at(&item(3)).is_empty(),
        "it only waits for one of them"
    );
    assert_eq!(
        cycles.path_back(&larger),
        [(larger.1, larger.0, WaitKind::Dependency)]
    );
    assert!(cycles.in_same_component(&item(1), &item(2)) && !cycles.in_same_component(&item(3), &item(1)));
}

#[test]
fn an_item_that_waits_for_itself_does_not_wait() {
    let cycles = judge(&[(1, 1), (1, 2)]);
    assert_eq!(suspended(&cycles), BTreeSet::from([(item(1), item(1))]));
    assert!(cycles.path_back(&(item(1), item(1))).is_empty());
}

#[test]
fn a_successor_is_part_of_a_cycle_and_never_suspended() {
    let edges = [
        (item(1), item(2), WaitKind::Dependency),
        (item(2), item(3), WaitKind::Successor),
        (item(3), item(1), WaitKind::Dependency),
    ];
    let cycles = Cycles::of(edges);
    let suspended = suspended(&cycles);
    assert_eq!(suspended.len(), 1);
    assert!(!suspended.contains(&(item(2), item(3))));
    let rest = cycles.path_back(suspended.first().unwrap());
    assert_eq!(rest.len(), 2);
    assert!(rest.contains(&edges[1]));
}

#[test]
fn a_cycle_of_a_thousand_loses_one_edge_and_a_long_chain_none() {
    const LENGTH: u32 = 1_000;
    let ring: Vec<_> = (0..LENGTH).map(|at| (at, (at + 1) % LENGTH)).collect();
    let cycles = judge(&ring);
    let suspended = suspended(&cycles);
    assert_eq!(suspended.len(), 1);
    assert_eq!(cycles.path_back(suspended.first().unwrap()).len(), 999);
    let largest = ring
        .iter()
        .map(|(a, b)| (item(*a), item(*b)))
        .max_by_key(|(a, b)| rank(a, b));
    assert_eq!(suspended.first().copied(), largest);
    // A look at everything for each edge would be a million steps.
    assert!(cycles.steps < 50 * u64::from(LENGTH), "{} steps", cycles.steps);
    let chain: Vec<_> = (0..100_000).map(|at| (at, at + 1)).collect();
    let cycles = judge(&chain);
    assert_eq!((cycles.suspended().count(), cycles.steps), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// The added edges have no cycle, every suspended edge would close one, and the order of the input makes
    /// no difference.
    #[test]
    fn the_rule_holds_for_any_graph(
        edges in prop::collection::vec((0u32..12, 0u32..12), 0..60),
        turn in 0usize..60,
    ) {
        let cycles = judge(&edges);
        let lost = suspended(&cycles);
        let all: BTreeSet<DependencyEdge> = edges.iter().map(|(a, b)| (item(*a), item(*b))).collect();
        let taken: BTreeSet<DependencyEdge> = all.difference(&lost).copied().collect();
        for (from, on) in &taken {
            prop_assert!(!reaches(&taken, *on, *from), "the added edges have no cycle");
        }
        for (from, on) in &lost {
            prop_assert!(reaches(&taken, *on, *from), "{from:?} {on:?} closes none");
            let smaller: BTreeSet<DependencyEdge> = taken
                .iter()
                .filter(|(a, b)| rank(a, b) < rank(from, on))
                .copied()
                .collect();
            prop_assert!(reaches(&smaller, *on, *from), "it is the largest edge of some cycle");
            let rest = cycles.path_back(&(*from, *on));
            prop_assert!(rest.iter().all(|(a, b, _)| taken.contains(&(*a, *b))));
            prop_assert_eq!(rest.last().map_or(*on, |(_, at, _)| *at), *from);
        }
        let mut turned = edges.clone();
        turned.reverse();
        let by = turn.min(turned.len());
        turned.rotate_left(by);
        prop_assert_eq!(suspended(&judge(&turned)), lost);
    }
}
