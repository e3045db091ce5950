//! Catch-up: what it costs, and that it completes in spite of interruptions.

use towline_proto::limits;
use towline_proto::wire::Message;

use super::net::Net;

const ANN: usize = 0;
const BEA: usize = 1;
const CAL: usize = 2;
const DAN: usize = 3;

#[test]
fn two_nodes_that_agree_exchange_one_small_message_each() {
    for size in [1, 3_000] {
        let mut net = Net::new(2);
        net.connect(ANN, BEA);
        net.settle();
        net.gossips = false;
        net.write(ANN, size);
        net.pass(9_000);
        assert!(net.agree());
        net.disconnect(ANN, BEA);
        net.sent.clear();
        net.connect(ANN, BEA);
        net.settle();
        net.pass(9_000);
        assert_eq!(net.sent.len(), 2, "one Hello each");
        let bytes: usize = net
            .sent
            .iter()
            .map(|(_, _, message)| message.encode().len())
            .sum();
        assert!(bytes <= 300, "{bytes} bytes both ways");
        assert!(
            net.nodes
                .iter()
                .all(|node| node.replica.peers().all(|(_, peer)| peer.in_sync))
        );
    }
}

#[test]
fn a_newcomer_gets_everything_once_with_few_signatures_checked_and_one_peer_asked() {
    let mut net = Net::new(4);
    net.write(ANN, 5_000);
    for (a, b) in [(ANN, BEA), (ANN, CAL), (BEA, CAL)] {
        net.connect(a, b);
        net.settle();
    }
    for peer in [ANN, BEA, CAL] {
        net.connect(DAN, peer);
    }
    net.settle();
    assert!(net.agree());
    let dan = &net.nodes[DAN];
    assert_eq!(dan.gated, 5_000, "each entry goes through the gate once");
    assert!(dan.verified <= 5_000 / 256 + 3 * 3, "{} checks", dan.verified);
    let received: usize = [ANN, BEA, CAL].iter().map(|peer| net.entries(*peer, DAN)).sum();
    assert_eq!(received, 5_000, "nothing is sent twice");
}

#[test]
fn catch_up_resumes_after_a_broken_connection() {
    let mut net = Net::new(2);
    net.write(ANN, 3 * limits::CATCH_UP_ENTRIES);
    net.connect(ANN, BEA);
    // Hello, Hello, Have, Have, one frame and its Got: the next frame breaks off.
    while net.entries(ANN, BEA) <= limits::CATCH_UP_ENTRIES {
        assert!(net.step());
    }
    net.disconnect(ANN, BEA);
    let before = net.nodes[BEA].log.len();
    assert!(before > 500 && before < 2 * limits::CATCH_UP_ENTRIES);
    net.sent.clear();
    net.connect(ANN, BEA);
    net.settle();
    assert!(net.agree());
    assert_eq!(net.entries(ANN, BEA), net.nodes[ANN].log.len() - before);
}

#[test]
fn an_entry_too_large_for_gossip_arrives_all_the_same() {
    let mut net = Net::new(3);
    net.connect(ANN, BEA);
    net.connect(BEA, CAL);
    net.settle();
    let large = net.write_upon(ANN, &[], 3_000);
    assert!(large.bytes().len() > limits::ENTRY_GOSSIP_BYTES);
    net.settle();
    assert!(net.agree(), "Cal is told by Bea, without waiting for a tick");
}

#[test]
fn gossip_that_is_lost_altogether_costs_latency_only() {
    let mut net = Net::new(3);
    net.connect(ANN, BEA);
    net.connect(BEA, CAL);
    net.settle();
    net.gossips = false;
    net.write(ANN, 3);
    net.write(CAL, 3);
    net.pass(6_000);
    assert!(net.agree());
}

#[test]
fn an_orphan_is_kept_and_what_it_needs_is_fetched() {
    let mut net = Net::new(3);
    net.connect(ANN, BEA);
    net.connect(ANN, CAL);
    net.settle();
    net.gossips = false;
    let first = net.write(ANN, 1).remove(0);
    net.gossip(ANN, BEA, &first);
    let answer = net.write_upon(BEA, &[first.hash()], 0);
    // Cal receives the dependent entry before its dependency, through Ann.
    net.gossip(BEA, ANN, &answer);
    net.gossip(ANN, CAL, &answer);
    assert_eq!(net.nodes[CAL].replica.orphan_count(), 1);
    net.settle();
    assert_eq!(net.nodes[CAL].replica.orphan_count(), 0);
    assert!(net.agree(), "one question was enough");
}

#[test]
fn a_silent_peer_does_not_block_catch_up_from_others() {
    let mut net = Net::new(3);
    net.gossips = false;
    net.write(BEA, 10);
    net.write(CAL, 10);
    net.connect(ANN, BEA);
    // Bea's answers never come.
    while net.step() {
        net.queue.retain(|(from, _, _)| *from != BEA);
    }
    net.connect(ANN, CAL);
    net.settle();
    for _ in 0..3 {
        net.now += 3_000;
        net.input(ANN, towline_sync::Input::Tick);
        net.queue.retain(|(from, to, _)| *from != BEA && *to != BEA);
        net.settle();
    }
    assert_eq!(net.nodes[ANN].log.len(), 11, "Cal was asked");
}

#[test]
fn an_unreadable_record_affects_its_own_author_only() {
    let mut net = Net::new(3);
    net.write(ANN, 10);
    net.connect(ANN, BEA);
    net.settle();
    net.write(BEA, 10);
    net.settle();
    // Ann's disk lost one of her own entries; Bea has it still.
    net.nodes[ANN].damaged.push(5);
    net.connect(ANN, CAL);
    net.settle();
    assert_eq!(
        net.nodes[CAL].log.len(),
        1 + 4 + 10,
        "the genesis, some of Ann's, all of Bea's"
    );
    net.connect(BEA, CAL);
    net.settle();
    assert!(net.agree());
}

#[test]
fn a_thousand_restarts_leave_one_row_in_the_vector() {
    let mut net = Net::new(2);
    for _ in 0..1_000 {
        net.write(ANN, 1);
        net.nodes[ANN].restart();
    }
    net.connect(ANN, BEA);
    net.settle();
    assert!(net.agree());
    assert_eq!(net.nodes[BEA].replica.vector().rows(), 1);
    let haves = net
        .sent
        .iter()
        .filter(|(_, _, message)| matches!(message, Message::Have { .. }));
    assert!(haves.count() <= 2);
}

#[test]
fn a_silent_peer_is_not_in_sync_with_later_entries() {
    let mut net = Net::new(2);
    net.write(ANN, 3);
    net.connect(ANN, BEA);
    net.settle();
    net.pass(9_000);
    let in_sync = |net: &Net, who: usize| net.nodes[who].replica.peers().all(|(_, peer)| peer.in_sync);
    assert!(in_sync(&net, ANN) && in_sync(&net, BEA));
    // Gossip delivers it to Bea at once, and Ann does not know that until Bea announces it.
    net.write(ANN, 1);
    assert!(net.agree() && !in_sync(&net, ANN));
    // Asked now, Bea answers at once and does not wait for her next Hello.
    for _ in 0..2 {
        net.input(ANN, towline_sync::Input::Tick);
    }
    net.settle();
    assert!(in_sync(&net, ANN));
}

/// The sizes of the frames sent so far, in bytes of entries.
fn frames(net: &Net) -> Vec<usize> {
    let messages = net.sent.iter().map(|(_, _, message)| message);
    messages
        .filter_map(|message| match message {
            Message::Entries { entries, .. } => Some(entries.iter().map(|entry| entry.0.len()).sum()),
            Message::Hello { .. } | Message::Have { .. } | Message::Got { .. } => None,
        })
        .filter(|bytes| *bytes > 0)
        .collect()
}

#[test]
fn a_slow_connection_that_breaks_every_minute_makes_progress_each_time() {
    let mut net = Net::new(2);
    net.gossips = false;
    for _ in 0..700 {
        net.write_upon(ANN, &[], 24);
    }
    let whole: usize = net.nodes[ANN].log.iter().map(|entry| entry.bytes().len()).sum();
    assert!(whole > 600_000, "{whole}");
    // At 50 kbit/s the whole transfer takes two minutes.
    net.rate = Some(6_250);
    let mut minutes = 0;
    while !net.agree() {
        let before = net.nodes[BEA].log.len();
        net.connect(ANN, BEA);
        let until = net.now + 60_000;
        while net.now < until && net.step() {}
        net.disconnect(ANN, BEA);
        assert!(
            net.nodes[BEA].log.len() > before,
            "nothing was stored in a whole minute"
        );
        minutes += 1;
    }
    assert!(
        minutes <= 4,
        "{minutes} minutes: the line was idle, or things came twice"
    );
    assert_eq!(
        net.nodes[BEA].gated,
        net.nodes[BEA].log.len() - 1,
        "nothing came twice"
    );
    assert!(
        frames(&net).iter().all(|bytes| *bytes <= 40_000),
        "{:?}",
        frames(&net)
    );
    assert!(net.penalties.is_empty());
}

#[test]
fn an_entry_that_takes_minutes_is_not_sent_twice() {
    let mut net = Net::new(2);
    net.gossips = false;
    net.write_upon(ANN, &[], 20_000);
    net.write(ANN, 3);
    net.rate = Some(3_000);
    net.connect(ANN, BEA);
    net.settle();
    assert!(net.agree());
    assert_eq!(net.entries(ANN, BEA), 4);
}

#[test]
fn on_a_fast_connection_frames_grow_to_their_full_size() {
    let mut net = Net::new(2);
    net.gossips = false;
    for _ in 0..2_000 {
        net.write_upon(ANN, &[], 24);
    }
    net.connect(ANN, BEA);
    net.settle();
    assert!(net.agree());
    let largest = frames(&net).into_iter().max();
    assert!(
        largest.is_some_and(|bytes| bytes >= limits::CATCH_UP_BYTES),
        "{largest:?}"
    );
    assert!(frames(&net).len() < 12, "{:?}", frames(&net));
}
