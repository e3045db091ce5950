//! Entries that are carried in: from members, in any state, and from nobody.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use serde_json::json;
use towline_api::request::{Administration, Query, Reply, Request};
use towline_api::types::EntryImportReport;
use towline_proto::{Entry, EntryBody, Epoch, NodeId, Origin, OriginKind, Payload, ProjectId, Tip};

use super::store::Store;
use crate::tiny_disk::TinyDisk;

fn hand_in(store: &mut Store, project: ProjectId, records: &[Vec<u8>]) -> EntryImportReport {
    let records = records.iter().map(|record| STANDARD.encode(record)).collect();
    let Reply::EntriesImported(arrived) = store.ask(Request::Administration(Administration::ImportEntries {
        project,
        records,
    })) else {
        panic!("arrived")
    };
    arrived
}

#[test]
fn what_is_carried_both_ways_is_the_same_on_both_sides() {
    let mut ann = Store::new(7);
    ann.create("story", "Both know it", json!({}));
    let mut bob = ann.twin(7);
    ann.create("story", "Ann's", json!({}));
    bob.create("story", "Bob's", json!({}));
    assert_ne!(ann.export(), bob.export());
    let (project, records) = ann.records();
    let arrived = hand_in(&mut bob, project, &records);
    assert_eq!((arrived.new, arrived.refused), (1, 0), "{arrived:?}");
    assert_eq!(arrived.known, records.len() - 1);
    ann.take_from(&mut bob);
    assert_eq!(ann.export(), bob.export());
    let (project, records) = bob.records();
    let again = hand_in(&mut bob, project, &records);
    assert_eq!((again.new, again.known), (0, records.len()));
    ann.is_sound();
    bob.reopened(7).is_sound();
}

#[test]
fn what_came_too_early_waits_and_what_is_forged_is_refused() {
    let mut ann = Store::new(7);
    let mut bob = ann.twin(7);
    for title in ["One", "Two", "Three"] {
        ann.create("story", title, json!({}));
    }
    let (project, records) = ann.records();
    let late = hand_in(&mut bob, project, &records[3..]);
    assert_eq!((late.new, late.waiting), (0, 1), "{late:?}");
    let mut forged = records[1].clone();
    forged[20] ^= 1;
    let garbage = hand_in(&mut bob, project, &[forged, b"garbage".to_vec(), Vec::new()]);
    assert_eq!((garbage.new, garbage.refused), (0, 3), "{garbage:?}");
    assert_eq!(garbage.reasons.len(), 3);
    let rest = hand_in(&mut bob, project, &records[1..3]);
    assert_eq!(rest.new, 2, "{rest:?}");
    assert_eq!(ann.export(), bob.export(), "what waited came in with it");
    bob.is_sound();
}

#[test]
fn another_project_and_a_stranger_get_nothing_in() {
    let mut ann = Store::new(7);
    let mut eve = Store::new(9);
    eve.create("story", "Eve's", json!({}));
    let before = ann.export();
    let (project, records) = eve.records();
    let origin = Origin::new(OriginKind::User, "ann").unwrap();
    let encoded = records.iter().map(|record| STANDARD.encode(record)).collect();
    let refused = ann.project.request(
        Some(&origin),
        Request::Administration(Administration::ImportEntries {
            project,
            records: encoded,
        }),
    );
    assert!(
        refused
            .unwrap_err()
            .message
            .contains("these entries belong to project")
    );
    // Under the name of Ann's project they are found out one by one.
    let id = ann.project.id();
    let arrived = hand_in(&mut ann, id, &records);
    assert_eq!((arrived.new, arrived.refused), (0, records.len()), "{arrived:?}");
    assert_eq!(ann.export(), before);
    ann.is_sound();
}

#[test]
fn a_full_disk_is_said_and_what_was_carried_comes_in_when_there_is_room() {
    let disk = TinyDisk::mount(16 * 1024 * 1024);
    let mut ann = Store::new(7);
    ann.create("story", "Much is said about it", json!({}));
    for _ in 0..100 {
        let text = "x".repeat(30_000);
        ann.does(json!({ "request": "comment", "item": "1", "text": text }));
    }
    let mut bob = ann.twin_in(7, tempfile::tempdir_in(disk.path()).unwrap());
    let before = bob.export();
    let ballast = disk.fill();
    let (project, records) = ann.records();
    let encoded = records.iter().map(|record| STANDARD.encode(record)).collect();
    let carried = Request::Administration(Administration::ImportEntries {
        project,
        records: encoded,
    });
    let origin = Origin::new(OriginKind::User, "ann").unwrap();
    let refused = bob.project.request(Some(&origin), carried).unwrap_err();
    assert!(refused.message.contains("the disk is full"), "{refused}");
    assert!(refused.message.contains("import the bundle again"), "{refused}");
    assert_eq!(bob.export(), before, "what was not stored is not shown");
    std::fs::remove_file(ballast).unwrap();
    let arrived = hand_in(&mut bob, project, &records);
    assert_eq!((arrived.waiting, arrived.refused), (0, 0), "{arrived:?}");
    assert_eq!(ann.export(), bob.export());
    bob.is_sound();
}

#[test]
fn what_waits_outlives_the_process_and_comes_in_when_its_time_has_come() {
    let mut ann = Store::new(7);
    let bob = ann.twin(7);
    for title in ["One", "Two", "Three"] {
        ann.create("story", title, json!({}));
    }
    let (project, records) = ann.records();
    let mut bob = bob;
    for late in [&records[3..], &records[2..3]] {
        let arrived = hand_in(&mut bob, project, late);
        assert_eq!((arrived.new, arrived.waiting), (0, 1), "{arrived:?}");
        bob = bob.reopened(7);
    }
    let Reply::Status(status) = bob.ask(Request::Query(Query::Status)) else {
        panic!("status")
    };
    assert_eq!(status.waiting, 2);
    // An end that is torn, as by a power cut, costs what is torn.
    let file = bob.folder().join("waiting");
    let mut torn = std::fs::read(&file).unwrap();
    torn.extend([0, 0, 1, 0, 7, 7]);
    std::fs::write(&file, torn).unwrap();
    bob = bob.reopened(7);
    let rest = hand_in(&mut bob, project, &records[1..2]);
    assert_eq!((rest.new, rest.waiting), (1, 0), "{rest:?}");
    assert_eq!(ann.export(), bob.export());
    assert!(!file.exists(), "nothing waits any more");
    bob.reopened(7).is_sound();
}

#[test]
fn a_refusal_gives_the_reason_of_the_gate() {
    let mut ann = Store::new(7);
    let (project, records) = ann.records();
    let genesis = Entry::decode(records[0].clone().into()).unwrap();
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let entry = |seq: u64, prev: Vec<Tip>, payload: Payload| {
        let body = EntryBody {
            project,
            author: NodeId(stranger.verifying_key().to_bytes()),
            epoch: Epoch(4),
            seq,
            prev,
            members: vec![genesis.hash()],
            at: genesis.body().at,
            payload,
        };
        Entry::sign(body, &stranger)
    };
    let first = entry(0, Vec::new(), Payload::Changes(Vec::new()));
    let second = entry(1, vec![first.tip()], Payload::Changes(Vec::new()));
    let odd = entry(5, Vec::new(), Payload::Changes(Vec::new()));
    let carried: Vec<Vec<u8>> = [&first, &second, &odd]
        .map(|entry| entry.bytes().to_vec())
        .to_vec();
    for _ in 0..2 {
        let arrived = hand_in(&mut ann, project, &carried);
        assert_eq!(
            (arrived.new, arrived.waiting, arrived.refused),
            (0, 0, 3),
            "{arrived:?}"
        );
        for (reason, words) in arrived
            .reasons
            .iter()
            .zip(["may not write", "which was refused", "seq"])
        {
            assert!(reason.contains(words), "{words}: {reason}");
        }
    }
    ann.is_sound();
}
