//! Bounds: every buffer is limited, and entries that do not fit are fetched later.

use towline_proto::wire::Message;
use towline_proto::{Entry, limits};
use towline_sync::GossipVerdict;

use super::net::Net;

const ANN: usize = 0;
const BEA: usize = 1;
const CAL: usize = 2;

/// Entries that Ann wrote while Bea was offline; the first one is lost.
fn away(count: usize, filler: usize) -> (Net, Vec<Entry>) {
    let mut net = Net::new(2);
    net.connect(ANN, BEA);
    net.settle();
    net.gossips = false;
    let entries = (0..count).map(|_| net.write_upon(ANN, &[], filler)).collect();
    (net, entries)
}

fn flood(net: &mut Net, entries: &[Entry]) {
    for entry in entries.iter().skip(1) {
        net.now += 1_000 / u64::from(limits::PEER_ENTRIES_PER_S);
        assert_eq!(net.gossip(ANN, BEA, entry), GossipVerdict::Ignore);
        // Bea's requests do not reach Ann yet.
    }
}

#[test]
fn orphans_are_bounded_in_number_and_requested_again() {
    let (mut net, entries) = away(limits::ORPHANS_AUTHOR_ENTRIES + 200, 0);
    flood(&mut net, &entries);
    let bea = &net.nodes[BEA].replica;
    assert_eq!(bea.orphan_count(), limits::ORPHANS_AUTHOR_ENTRIES);
    assert_eq!(
        bea.orphans_dropped(),
        199,
        "all but the first came, and a thousand wait"
    );
    let asked = net
        .sent
        .iter()
        .filter(|(from, _, message)| *from == BEA && matches!(message, Message::Have { .. }));
    assert_eq!(asked.count(), 1, "one question is in flight");
    net.settle();
    net.pass(6_000);
    assert!(net.agree());
    assert_eq!(net.nodes[BEA].replica.orphan_count(), 0);
    assert_eq!(net.nodes[BEA].gated, entries.len());
}

#[test]
fn orphans_are_bounded_in_bytes() {
    // 300 entries of 60 KB are 18 MB, over the 16 MiB of one author.
    let (mut net, entries) = away(300, 60 * 1024 / 32);
    flood(&mut net, &entries);
    let bea = &net.nodes[BEA].replica;
    assert!(bea.orphan_bytes() <= limits::ORPHANS_AUTHOR_BYTES);
    assert!(bea.orphan_bytes() > limits::ORPHANS_AUTHOR_BYTES / 2);
    assert!(bea.orphans_dropped() > 0);
    net.settle();
    net.pass(6_000);
    assert!(net.agree());
}

#[test]
fn a_burst_over_the_rate_is_ignored_and_fetched() {
    let (mut net, entries) = away(600, 0);
    let verdicts: Vec<GossipVerdict> = entries.iter().map(|entry| net.gossip(ANN, BEA, entry)).collect();
    let accepted = verdicts
        .iter()
        .filter(|verdict| **verdict == GossipVerdict::Accept)
        .count();
    assert_eq!(accepted, limits::PEER_ENTRIES_BURST as usize);
    assert!(net.penalties.is_empty(), "an import is no offence");
    net.settle();
    assert!(net.agree());
}

#[test]
fn orphans_are_admitted_as_soon_as_their_predecessor_is_stored() {
    let (mut net, entries) = away(4, 0);
    flood(&mut net, &entries);
    assert_eq!(net.nodes[BEA].replica.orphan_count(), 3);
    // No catch-up is possible: nothing arrives on the direct stream.
    net.queue.clear();
    assert_eq!(net.gossip(ANN, BEA, &entries[0]), GossipVerdict::Accept);
    assert_eq!(net.nodes[BEA].log.len(), 1 + 4);
    assert_eq!(net.nodes[BEA].replica.orphan_count(), 0);
}

#[test]
fn orphans_are_admitted_as_soon_as_their_dependency_is_stored() {
    let mut net = Net::new(3);
    net.connect(ANN, BEA);
    net.settle();
    net.gossips = false;
    // Each entry of Cal depends on one of Ann, and Bea receives Cal's first.
    let anns = net.write(ANN, 3);
    net.connect(ANN, CAL);
    net.settle();
    let cals: Vec<Entry> = anns
        .iter()
        .map(|entry| net.write_upon(CAL, &[entry.hash()], 0))
        .collect();
    for entry in &cals {
        assert_eq!(net.gossip(ANN, BEA, entry), GossipVerdict::Ignore);
    }
    net.queue.clear();
    for (stored, entry) in anns.iter().enumerate() {
        assert_eq!(net.nodes[BEA].log.len(), 1 + 2 * stored);
        assert_eq!(net.gossip(ANN, BEA, entry), GossipVerdict::Accept);
    }
    assert_eq!(net.nodes[BEA].log.len(), 1 + 6);
    assert_eq!(net.nodes[BEA].replica.orphan_count(), 0);
}
