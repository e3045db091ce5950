//! Tests of the author alone: places, epochs and what is never signed.

use towline_proto::{ItemChange, ItemId};

use super::*;
use crate::Project;
use crate::tests::pair::{Clock, key};

fn author(clock: &Clock) -> (Author, Replica) {
    let genesis = Project::genesis(&key("ann"), clock, "demo", "ann");
    let author = Author::new(genesis.project(), key("ann"), None);
    let mut core = Replica::new(genesis.project(), author.node);
    assert!(core.replay(&genesis, 0));
    (author, core)
}

fn change(bytes: usize) -> Payload {
    Payload::Changes(vec![ItemChange {
        item: ItemId([1; ItemId::LEN]),
        change: vec![0; bytes],
    }])
}

#[test]
fn a_process_opens_one_epoch_and_continues_it() {
    let clock = Clock::new();
    let (mut ann, core) = author(&clock);
    let first = ann.next_place(&clock, &core);
    assert_eq!((first.0.seq, first.1.len()), (1, 1), "behind the genesis entry");
    let entry = ann.sign(first, Vec::new(), clock.now(), change(1)).unwrap();
    let (second, prev) = ann.next_place(&clock, &core);
    assert_eq!((second.seq, prev), (2, vec![entry.tip()]));
    assert_eq!(second.epoch, entry.body().epoch);
    assert!(entry.verify().is_ok());
    assert_eq!(Entry::decode(entry.bytes().clone()).unwrap(), entry);
}

#[test]
fn after_a_rollback_the_place_is_given_again() {
    let clock = Clock::new();
    let (mut ann, core) = author(&clock);
    let place = ann.next_place(&clock, &core);
    ann.sign(place, Vec::new(), clock.now(), change(1)).unwrap();
    let last = ann.last();
    let place = ann.next_place(&clock, &core);
    ann.sign(place.clone(), Vec::new(), clock.now(), change(2))
        .unwrap();
    ann.roll_back(last);
    assert_eq!(ann.next_place(&clock, &core), place);
}

#[test]
fn an_entry_that_no_node_could_read_is_not_signed() {
    let clock = Clock::new();
    let (mut ann, core) = author(&clock);
    let place = ann.next_place(&clock, &core);
    let large = change(limits::ENTRY_BYTES);
    let refused = ann
        .sign(place.clone(), Vec::new(), clock.now(), large)
        .unwrap_err();
    assert_eq!(refused.code, FailureCode::Usage, "{refused}");
    let one = ItemChange {
        item: ItemId([1; ItemId::LEN]),
        change: Vec::new(),
    };
    let many = Payload::Changes(vec![one; limits::CHANGES_PER_ENTRY + 1]);
    let refused = ann
        .sign(place.clone(), Vec::new(), clock.now(), many)
        .unwrap_err();
    assert!(refused.message.contains("nothing was written"), "{refused}");
    assert_eq!(ann.next_place(&clock, &core).0.seq, place.0.seq);
}

#[test]
fn a_log_without_the_last_entry_of_its_node_is_noticed_until_it_is_back() {
    let clock = Clock::new();
    let (mut ann, mut core) = author(&clock);
    let place = ann.next_place(&clock, &core);
    let lost = ann.sign(place, Vec::new(), clock.now(), change(1)).unwrap();
    let again = Author::new(lost.project(), key("ann"), Some(lost.tip()));
    assert!(again.lacks_own_entry(&core));
    assert!(core.replay(&lost, 1));
    assert!(!again.lacks_own_entry(&core));
}
