//! Tests of the project's part in replication alone: what the network is told.

use towline_proto::Payload;

use super::*;
use crate::Project;
use crate::tests::pair::{BEGIN, Clock, key};

fn node(number: u8) -> NodeId {
    NodeId([number; 32])
}

/// The replication of a node that is not ann, in ann's project; with what it tells the network.
fn outsider() -> (Replication, Membership, mpsc::Receiver<NetOutput>) {
    let dir = tempfile::tempdir().unwrap();
    let genesis = Project::genesis(&key("ann"), &Clock::new(), "demo", "ann");
    let Payload::Genesis(content) = &genesis.body().payload else {
        panic!("a genesis entry");
    };
    let members = Membership::from_genesis(&genesis, content);
    let core = Replica::new(genesis.project(), node(1));
    let (orphans, _) = OrphanFile::open(dir.path());
    let mut replication = Replication::new((genesis.project(), node(1)), core, None, orphans);
    let (net, told) = mpsc::channel(16);
    replication.net = Some(net);
    (replication, members, told)
}

fn told_members(told: &mut mpsc::Receiver<NetOutput>) -> Vec<NodeId> {
    match told.try_recv() {
        Ok(NetOutput::Members { members, .. }) => members,
        other => panic!("{other:?}"),
    }
}

#[test]
fn whoever_the_inviter_named_counts_until_the_log_knows_better() {
    let (mut bo, members, mut told) = outsider();
    bo.introduce(vec![node(1), node(2)]);
    bo.publish_members(&members, BEGIN);
    let ann = members.members().next().unwrap().node;
    assert_eq!(told_members(&mut told), [ann, node(2)], "and never itself");
    bo.publish_closed();
    assert_eq!(told_members(&mut told), []);
}

#[test]
fn nodes_that_vouch_for_themselves_are_bounded_and_the_oldest_go() {
    let (mut bo, members, mut told) = outsider();
    assert!(bo.vouch(node(9)));
    assert!(!bo.vouch(node(9)), "once");
    for number in 0..limits::VOUCHED_MEMBERS {
        let mut id = [7; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        assert!(bo.vouch(NodeId(id)));
    }
    bo.publish_members(&members, BEGIN);
    let known = told_members(&mut told);
    assert_eq!(known.len(), limits::VOUCHED_MEMBERS + 1);
    assert!(!known.contains(&node(9)));
}

#[test]
fn the_network_is_told_once_that_the_members_changed() {
    let (mut bo, members, mut told) = outsider();
    bo.publish_changed_members(&members, BEGIN);
    assert!(told.try_recv().is_err());
    let genesis = Project::genesis(&key("ann"), &Clock::new(), "demo", "ann");
    bo.membership_changed(&members, &genesis);
    bo.publish_changed_members(&members, BEGIN);
    bo.publish_changed_members(&members, BEGIN);
    assert_eq!(told_members(&mut told).len(), 1);
    assert!(told.try_recv().is_err());
}

#[test]
fn loopback_addresses_are_shown_only_where_there_are_no_others() {
    let (mut bo, ..) = outsider();
    assert_eq!(bo.own_addresses().unwrap_err().code, FailureCode::Unreachable);
    let (near, far) = ("/ip4/127.0.0.1/tcp/7", "/ip4/192.0.2.1/tcp/7");
    bo.my_addresses = Arc::new(move || vec![near.to_owned(), far.to_owned()]);
    assert_eq!(bo.own_addresses().unwrap(), [far]);
    assert_eq!(bo.ticket_addresses().unwrap(), [near, far]);
    bo.my_addresses = Arc::new(move || vec![near.to_owned()]);
    assert_eq!(bo.own_addresses().unwrap(), [near]);
}
