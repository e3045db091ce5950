//! Hostile peers: messages that an honest peer does not send.

use std::collections::BTreeMap;

use towline_proto::wire::{EntryBytes, Message};
use towline_proto::{Entry, EntryHash, Epoch, Millis, NodeId, ProjectId, Tip, VersionVector};
use towline_sync::{Effect, GossipVerdict, Input};

use super::net::Net;
use crate::sim::rng::Rng;

const ANN: usize = 0;
const BEA: usize = 1;
const CAL: usize = 2;

/// The same entry with a signature that is wrong.
fn spoiled(entry: &Entry) -> EntryBytes {
    let mut bytes = entry.bytes().to_vec();
    bytes[10] ^= 1;
    EntryBytes(bytes.into())
}

fn whole(entry: &Entry) -> EntryBytes {
    EntryBytes(entry.bytes().clone())
}

fn frame(net: &mut Net, from: usize, to: usize, entries: Vec<EntryBytes>) {
    let peer = net.nodes[from].id;
    let message = Message::Entries {
        project: net.nodes[to].replica.project(),
        entries,
        more: false,
    };
    net.input(to, Input::Message { peer, message });
}

#[test]
fn a_run_with_a_wrong_last_signature_is_refused_whole_and_others_in_its_frame_are_not() {
    let mut net = Net::new(3);
    let anns = net.write(ANN, 3);
    let cals = net.write(CAL, 3);
    net.connect(CAL, BEA);
    net.queue.clear();
    let mut entries: Vec<EntryBytes> = cals.iter().map(whole).collect();
    entries.extend([whole(&anns[0]), whole(&anns[1]), spoiled(&anns[2])]);
    frame(&mut net, CAL, BEA, entries);
    assert_eq!(net.nodes[BEA].log.len(), 1 + 3, "Cal's, and none of Ann's");
    assert_eq!(
        net.penalties,
        vec![(CAL, "sent entries with a wrong signature".to_owned())]
    );
    // The correct entries are still accepted.
    frame(&mut net, CAL, BEA, anns.iter().map(whole).collect());
    assert_eq!(net.nodes[BEA].log.len(), 1 + 3 + 3);
}

#[test]
fn damaged_signatures_inside_a_run_do_not_stop_it() {
    let mut net = Net::new(3);
    let entries = net.write(ANN, 700);
    net.connect(ANN, BEA);
    net.queue.clear();
    // Every signature but those that are checked is wrong.
    let damaged = entries
        .iter()
        .enumerate()
        .map(|(at, entry)| match (at + 1) % 256 == 0 || at == 699 {
            true => whole(entry),
            false => spoiled(entry),
        });
    frame(&mut net, ANN, BEA, damaged.collect());
    assert_eq!(net.nodes[BEA].log.len(), 701);
    assert!(net.penalties.is_empty());
    net.disconnect(ANN, BEA);
    // Cal has some of the entries, so frames and runs begin at other entries.
    net.connect(ANN, CAL);
    net.queue.clear();
    frame(&mut net, ANN, CAL, entries.iter().take(100).map(whole).collect());
    net.disconnect(ANN, CAL);
    net.connect(BEA, CAL);
    net.settle();
    assert_eq!(net.nodes[CAL].log.len(), 701);
    assert!(net.penalties.is_empty(), "{:?}", net.penalties);
}

#[test]
fn gossip_with_a_wrong_signature_is_rejected_before_the_gate_sees_it() {
    let mut net = Net::new(2);
    let entry = net.write(ANN, 1).remove(0);
    net.connect(ANN, BEA);
    net.queue.clear();
    assert_eq!(
        net.gossip_bytes(ANN, BEA, spoiled(&entry).0.to_vec()),
        GossipVerdict::Reject
    );
    assert_eq!(net.nodes[BEA].gated, 0);
    assert_eq!(net.penalties.len(), 1);
    assert_eq!(net.gossip(ANN, BEA, &entry), GossipVerdict::Accept);
    assert_eq!(net.gossip(ANN, BEA, &entry), GossipVerdict::Ignore);
}

#[test]
fn entries_that_follow_a_refused_one_are_refused() {
    let mut net = Net::new(2);
    let entries = net.write(ANN, 5);
    net.nodes[BEA].refuses = Some(entries[2].hash());
    net.connect(ANN, BEA);
    net.settle();
    net.pass(30_000);
    let bea = &net.nodes[BEA];
    assert_eq!(bea.log.len(), 1 + 2);
    assert_eq!(bea.replica.orphan_count(), 0);
    assert!(net.penalties.iter().all(|(who, _)| *who == ANN));
    assert_eq!(net.penalties.len(), 1, "judged once");
}

#[test]
fn one_signature_vouches_for_a_bounded_run_only() {
    let mut net = Net::new(2);
    let entries = net.write(ANN, 700);
    net.connect(ANN, BEA);
    net.queue.clear();
    // Only the last signature is good: a node that stored this could not send parts of it.
    let mut damaged: Vec<EntryBytes> = entries.iter().take(699).map(spoiled).collect();
    damaged.push(whole(&entries[699]));
    frame(&mut net, ANN, BEA, damaged);
    assert_eq!(net.nodes[BEA].log.len(), 1);
    assert_eq!(net.penalties.len(), 1);
}

#[test]
fn a_second_frame_before_the_acknowledgement_is_penalised() {
    let mut net = Net::new(2);
    let entries = net.write(ANN, 2);
    net.connect(ANN, BEA);
    net.queue.clear();
    let peer = net.nodes[ANN].id;
    let project = net.nodes[BEA].replica.project();
    // The gate has not answered the first frame yet.
    let effects: Vec<Vec<Effect>> = entries
        .iter()
        .map(|entry| Message::Entries {
            project,
            entries: vec![whole(entry)],
            more: true,
        })
        .map(|message| {
            let input = Input::Message { peer, message };
            net.nodes[BEA].replica.handle(Millis(net.now), input)
        })
        .collect();
    assert!(matches!(
        effects[0].as_slice(),
        [Effect::Admit { verified: true, .. }]
    ));
    assert!(matches!(effects[1].as_slice(), [Effect::Penalize { .. }]));
}

#[test]
fn a_message_about_another_project_is_penalised() {
    let mut net = Net::new(2);
    net.connect(ANN, BEA);
    net.settle();
    let peer = net.nodes[ANN].id;
    let message = Message::Hello {
        project: ProjectId([1; 32]),
        digest: [0; 32],
    };
    net.input(BEA, Input::Message { peer, message });
    assert_eq!(net.penalties.len(), 1);
}

#[test]
fn no_message_makes_a_node_panic_or_exchange_messages_for_ever() {
    for seed in 0..30 {
        let mut rng = Rng(seed);
        let mut net = Net::new(3);
        let entries = net.write(ANN, 20);
        net.write(CAL, 5);
        net.connect(ANN, BEA);
        net.connect(CAL, BEA);
        for _ in 0..200 {
            let peer = net.nodes[if rng.percent(50) { ANN } else { CAL }].id;
            let input = match rng.below(8) {
                0 => Input::Gossip {
                    peer,
                    token: 1,
                    bytes: garbled(&mut rng, &entries),
                },
                1 => Input::Tick,
                _ => Input::Message {
                    peer,
                    message: nonsense(&mut rng, &net, &entries),
                },
            };
            net.now += rng.next() % 2_000;
            net.input(BEA, input);
            net.settle();
        }
        net.disconnect(ANN, BEA);
        net.disconnect(CAL, BEA);
        net.connect(ANN, BEA);
        net.connect(CAL, BEA);
        net.pass(30_000);
        assert!(
            net.agree(),
            "an honest peer is heard after all that (seed {seed})"
        );
    }
}

fn garbled(rng: &mut Rng, entries: &[Entry]) -> Vec<u8> {
    let mut bytes = entries[rng.below(entries.len())].bytes().to_vec();
    for _ in 0..rng.below(3) {
        let at = rng.below(bytes.len());
        bytes[at] = rng.next() as u8;
    }
    bytes.truncate(if rng.percent(10) {
        rng.below(bytes.len())
    } else {
        bytes.len()
    });
    bytes
}

fn nonsense(rng: &mut Rng, net: &Net, entries: &[Entry]) -> Message {
    let project = net.nodes[BEA].replica.project();
    match rng.below(4) {
        0 => Message::Hello {
            project,
            digest: [rng.next() as u8; 32],
        },
        1 => Message::Have {
            project,
            vector: vector(rng, net),
        },
        2 => Message::Entries {
            project,
            entries: (0..rng.below(30))
                .map(|_| EntryBytes(garbled(rng, entries).into()))
                .collect(),
            more: rng.percent(50),
        },
        _ => Message::Got { project },
    }
}

fn vector(rng: &mut Rng, net: &Net) -> VersionVector {
    let real = net.nodes[rng.below(net.nodes.len())].replica.vector();
    let mut rows: BTreeMap<NodeId, Vec<Tip>> = real.0;
    for _ in 0..rng.below(4) {
        let who = net.nodes[rng.below(net.nodes.len())].id;
        let tips = rows.entry(who).or_default();
        let tip = Tip {
            epoch: tips
                .first()
                .filter(|_| rng.percent(70))
                .map_or(Epoch(rng.next()), |tip| tip.epoch),
            seq: [0, 3, 7, 40, u64::MAX][rng.below(5)],
            hash: EntryHash([rng.next() as u8; 32]),
        };
        tips.push(tip);
    }
    VersionVector(rows)
}
