//! Forks: honest ones after a restore, and dishonest ones.

use towline_proto::{Entry, Epoch, NodeId};
use towline_sync::GossipVerdict;

use super::net::Net;
use crate::sim::node::{Node, payload};

const ANN: usize = 0;
const BEA: usize = 1;
const CAL: usize = 2;
const DAN: usize = 3;

#[test]
fn a_restored_backup_loses_nothing_and_the_next_epoch_joins_both_heads() {
    let mut net = Net::new(2);
    net.write(ANN, 5);
    let backup = net.nodes[ANN].log.clone();
    net.connect(ANN, BEA);
    net.settle();
    net.write(ANN, 5);
    net.disconnect(ANN, BEA);
    // The disk fails. Ann continues from the backup and writes before she connects to anybody.
    net.nodes[ANN].start(backup);
    net.write(ANN, 3);
    net.connect(ANN, BEA);
    net.settle();
    assert!(net.agree());
    assert_eq!(net.nodes[ANN].log.len(), 1 + 5 + 5 + 3);
    let ann = net.nodes[ANN].id;
    assert_eq!(net.nodes[BEA].replica.heads_of(&ann).len(), 2);
    // Her next process joins the two.
    let log = net.nodes[ANN].log.clone();
    net.nodes[ANN].start(log);
    let joined = net.write_upon(ANN, &[], 0);
    assert_eq!(joined.body().prev.len(), 2);
    net.disconnect(ANN, BEA);
    net.connect(ANN, BEA);
    net.settle();
    assert!(net.agree());
    assert_eq!(net.nodes[BEA].replica.heads_of(&ann), vec![joined.tip()]);
    assert!(net.penalties.is_empty() && net.forks == 0);
}

/// Mallory has copied Cal's key and memory: two histories in one epoch.
fn two_histories() -> (Net, Vec<Entry>, Vec<Entry>) {
    let mut net = Net::new(4);
    net.write(CAL, 2);
    let common = net.nodes[CAL].log.clone();
    let ours = net.write(CAL, 3);
    let cal: NodeId = net.nodes[CAL].id;
    let mut twin = Node::new(3);
    twin.start(common);
    let mut theirs = Vec::new();
    let mut last = twin.replica.heads_of(&cal)[0];
    for _ in 0..5 {
        let mut body = ours[0].body().clone();
        body.epoch = last.epoch;
        body.seq = last.seq + 1;
        body.prev = vec![last];
        body.payload = payload(&[], 1);
        let entry = Entry::sign(body, &twin.key);
        last = entry.tip();
        theirs.push(entry);
    }
    (net, ours, theirs)
}

#[test]
fn a_dishonest_fork_is_proved_on_every_node_and_blamed_on_its_author_alone() {
    let (mut net, ours, theirs) = two_histories();
    net.connect(CAL, ANN);
    net.settle();
    net.disconnect(CAL, ANN);
    // Dan has what Ann has and connects to nobody else.
    net.connect(ANN, DAN);
    net.settle();
    // Bea has connected to the twin only.
    net.connect(CAL, BEA);
    net.queue.clear();
    let common = net.nodes[CAL].log.clone();
    for entry in common.iter().skip(1).take(2).chain(&theirs) {
        assert_eq!(net.gossip(CAL, BEA, entry), GossipVerdict::Accept);
    }
    net.queue.clear();
    net.disconnect(CAL, BEA);
    net.connect(ANN, BEA);
    net.settle();
    net.pass(120_000);
    for who in [ANN, BEA, DAN] {
        let proofs = net.nodes[who].replica.forks();
        assert_eq!(proofs.len(), 1, "one proof per author and epoch");
        assert_eq!(proofs[0].author, net.nodes[CAL].id);
        assert!(proofs[0].other.verify().is_ok());
        assert!(proofs[0].kept.is_some());
    }
    assert!(
        net.nodes[ANN].known.contains_key(&ours[2].hash()),
        "what came first stays"
    );
    assert!(net.nodes[BEA].known.contains_key(&theirs[4].hash()));
    assert!(
        net.penalties.is_empty(),
        "Ann and Bea are innocent: {:?}",
        net.penalties
    );
    // The others keep replicating, although these two digests can never be equal.
    net.write(ANN, 3);
    net.write(BEA, 3);
    net.pass(6_000);
    for author in [ANN, BEA] {
        let author = net.nodes[author].id;
        let heads = [ANN, BEA, DAN].map(|who| net.nodes[who].replica.heads_of(&author));
        assert!(heads[0] == heads[1] && heads[1] == heads[2] && heads[0].len() == 1);
    }
}

#[test]
fn after_a_fork_peers_fall_silent_again() {
    let (mut net, _, theirs) = two_histories();
    net.connect(CAL, ANN);
    net.settle();
    for entry in &theirs {
        net.gossip(CAL, ANN, entry);
    }
    assert_eq!(net.nodes[ANN].replica.forks().len(), 1);
    net.settle();
    net.pass(60_000);
    net.sent.clear();
    net.pass(300_000);
    assert!(net.sent.len() <= 2 * 11, "only Hello goes on: {}", net.sent.len());
}

#[test]
fn an_author_that_lost_its_log_may_start_a_new_one() {
    let mut net = Net::new(2);
    net.write(BEA, 2);
    net.connect(ANN, BEA);
    net.settle();
    net.disconnect(ANN, BEA);
    let genesis = net.nodes[BEA].log[0].clone();
    net.nodes[BEA].start(vec![genesis]);
    let again = net.write_upon(BEA, &[], 0);
    assert_eq!((again.body().seq, again.body().prev.len()), (0, 0));
    assert_ne!(again.body().epoch, Epoch(0));
    net.connect(ANN, BEA);
    net.settle();
    assert!(net.agree());
    assert_eq!(net.nodes[BEA].log.len(), 1 + 2 + 1);
    assert!(net.penalties.is_empty());
}
