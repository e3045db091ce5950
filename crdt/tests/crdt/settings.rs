//! The document of a project's settings: its pinned first change, who may write it, and conflicts.

use std::collections::BTreeMap;

use towline_crdt::compose::{BodyEdit, Composed, Draft, compose};
use towline_crdt::doc::ItemDoc;
use towline_crdt::fold::{ActOutcome, fold};
use towline_crdt::gate::{self, CheckedChange, GateError};
use towline_crdt::reasons::RefusalReason;
use towline_crdt::settings::{check_document, first_act, initial_document};
use towline_proto::ids::to_hex;
use towline_proto::{
    AuthorSeq, Epoch, ItemId, Millis, NodeId, Op, Origin, OriginKind, ProjectId, Register, Rule,
};

use crate::actors::{Actor, test_members};

fn id() -> ItemId {
    ItemId::settings(&ProjectId([9; 32]))
}

fn set(key: &str, value: &str) -> Op {
    Op::Set {
        key: key.to_owned(),
        value: (!value.is_empty()).then(|| value.to_owned()),
    }
}

/// A member with a copy of the initial document.
fn member(name: &'static str, byte: u8) -> Actor {
    Actor {
        doc: Some(initial_document(id()).unwrap()),
        ..Actor::new(name, byte)
    }
}

fn values(actor: &Actor) -> BTreeMap<String, Option<String>> {
    let (doc, cast) = (actor.doc.as_ref().unwrap(), test_members());
    let folded = fold(doc.id(), doc.acts(), &cast).unwrap();
    let settings = folded.settings().into_iter();
    settings
        .map(|(key, act)| (key.to_owned(), folded.setting(&act)))
        .collect()
}

fn of(pairs: &[(&str, &str)]) -> BTreeMap<String, Option<String>> {
    let value = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    pairs
        .iter()
        .map(|(key, it)| ((*key).to_owned(), value(it)))
        .collect()
}

#[test]
fn every_replica_begins_with_the_same_bytes() {
    let doc = initial_document(id()).unwrap();
    let changes = doc.automerge().get_changes(&[]);
    assert_eq!(changes.len(), 1);
    assert_eq!(
        to_hex(&changes[0].hash().0),
        include_str!("settings_begin.hex").trim(),
        "another beginning parts this version from all others for good"
    );
    assert_eq!(doc.acts().keys().copied().collect::<Vec<_>>(), [first_act()]);
    let loaded = ItemDoc::load(id(), &doc.save()).unwrap();
    assert_eq!((loaded.heads(), loaded.acts()), (doc.heads(), doc.acts()));
}

#[test]
fn concurrent_settings_conflict_until_one_that_saw_both() {
    let (mut ann, mut dot) = (member("ann", 1), member("dot", 4));
    ann.does(set("promote", "auto"));
    ann.does(set("retry_limit", "3"));
    dot.does(set("promote", "manual"));
    dot.does(set("a setting of later", "kept"));
    ann.receives(&dot);
    dot.receives(&ann);
    assert_eq!(ann.view(), dot.view());
    // Ann is the owner.
    let all = [
        ("a setting of later", "kept"),
        ("promote", "auto"),
        ("retry_limit", "3"),
    ];
    assert_eq!(values(&ann), of(&all));
    let conflicts = ann.view().conflicts;
    let [conflict] = conflicts.as_slice() else {
        panic!("{conflicts:?}")
    };
    assert_eq!(conflict.register, Register::Setting("promote".into()));
    assert_eq!(conflict.rule, Rule::Field);
    let keep = conflict.losers[0];
    dot.does(Op::Resolve {
        over: conflict.register.clone(),
        keep,
    });
    assert_eq!(values(&dot)["promote"].as_deref(), Some("manual"));
    ann.does(set("promote", ""));
    ann.receives(&dot);
    assert_eq!(
        values(&ann)["promote"],
        None,
        "the owner's, and again in conflict"
    );
    assert_eq!(ann.view().conflicts.len(), 1);
    ann.does(set("promote", "manual"));
    assert_eq!(
        (values(&ann)["promote"].as_deref(), ann.view().conflicts.len()),
        (Some("manual"), 0)
    );
}

#[test]
fn settings_and_resolutions_of_a_writer_never_take_effect() {
    let (mut ann, mut bo, mut dot) = (member("ann", 1), member("bo", 2), member("dot", 4));
    bo.does(set("promote", "auto"));
    let view = bo.view();
    assert_eq!(view.refused.len(), 1);
    assert_eq!(view.refused[0].why, RefusalReason::NotMaintainer, "{view:?}");
    assert_eq!(values(&bo), of(&[]));
    ann.does(set("promote", "auto"));
    dot.does(set("promote", "manual"));
    bo.receives(&ann);
    bo.receives(&dot);
    let conflict = bo.view().conflicts[0].clone();
    bo.does(Op::Resolve {
        over: conflict.register.clone(),
        keep: conflict.losers[0],
    });
    assert_eq!(bo.view().conflicts, [conflict]);
    let (doc, cast) = (bo.doc.as_ref().unwrap(), test_members());
    let folded = fold(doc.id(), doc.acts(), &cast).unwrap();
    let refused = folded
        .acts
        .values()
        .filter(|act| matches!(act.outcome, ActOutcome::Refused(_)));
    assert_eq!(refused.count(), 2);
}

fn checked(doc: &ItemDoc, ops: Vec<Op>, body: Option<&str>) -> Vec<CheckedChange> {
    let author = AuthorSeq {
        node: NodeId([1; 32]),
        epoch: Epoch(1),
        seq: 5,
    };
    let origin = Origin::new(OriginKind::User, "ann").unwrap();
    let drafts = ops.into_iter().map(|op| Draft {
        op,
        origin: origin.clone(),
        at: Millis(7),
        request: None,
    });
    let body = body.map(|text| BodyEdit {
        base: None,
        text: text.to_owned(),
    });
    let Composed { changes, .. } = compose(
        Some(doc),
        doc.id(),
        &author,
        &mut 0,
        &test_members(),
        drafts.collect(),
        body,
    )
    .unwrap();
    let mut ordinal = 0;
    let check = |change: &Vec<u8>| gate::check(&doc.id(), change, &author, &mut ordinal).unwrap();
    changes.iter().map(check).collect()
}

#[test]
fn settings_and_items_keep_to_their_own_documents() {
    let settings = initial_document(id()).unwrap();
    let mut ann = Actor::new("ann", 1);
    ann.create(towline_proto::Qa::Agent);
    let item = ann.doc.unwrap();
    let right = |is_settings, changes: &[CheckedChange]| {
        changes
            .iter()
            .all(|change| check_document(is_settings, change).is_ok())
    };
    assert!(right(
        true,
        &checked(&settings, vec![set("promote", "auto")], None)
    ));
    assert!(right(false, &checked(&item, vec![Op::Freeze], None)));
    let alien = checked(&item, vec![set("promote", "auto")], None);
    assert!(matches!(
        check_document(false, &alien[0]),
        Err(GateError::Schema(_))
    ));
    for op in [
        Op::Freeze,
        Op::Comment { text: "hm".into() },
        Op::SetTitle { title: "x".into() },
    ] {
        let alien = checked(&settings, vec![set("promote", "auto"), op], None);
        assert!(!right(true, &alien));
    }
    assert!(!right(true, &checked(&settings, vec![], Some("a body"))));
}
