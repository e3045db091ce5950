//! The schema and the ancestry rules of the gate: each test edits an honest change so that exactly one rule is broken.

use automerge::legacy::{ElementId, Key, ObjectId, Op as RawOp, OpId, OpType};
use automerge::transaction::Transactable;
use automerge::{ObjType, ROOT, ReadDoc, ScalarValue};
use towline_crdt::gate::{self, GateError};
use towline_proto::{Op, limits};

use crate::gate_writers::{Writer, check, creation, data_at, forge, item, pass, schema_broken, wrap};

#[test]
fn an_item_id_is_derived_from_its_creation_and_an_item_is_created_once() {
    let (mut ann, doc, bytes) = item();
    let author = ann.was();
    let mut other = ann.item;
    other.0[15] ^= 1;
    assert!(matches!(
        check(&other, &bytes, &author),
        Err(GateError::Item { .. })
    ));
    assert_eq!(
        pass(Some(&doc), &ann.item, &bytes, &author).unwrap_err(),
        GateError::Known(
            gate::admit(None, &[check(&ann.item, &bytes, &author).unwrap()])
                .unwrap()
                .get_heads()[0]
        )
    );
    let rival = forge(&bytes, |change| change.time = 5);
    assert!(matches!(
        pass(Some(&doc), &ann.item, &rival, &author),
        Err(GateError::Schema(_))
    ));
    let again = ann.act(creation("again"));
    assert!(schema_broken(check(&ann.item, &again, &ann.was())));
    let silent = forge(&bytes, |change| change.operations.truncate(2));
    assert!(schema_broken(check(&ann.item, &silent, &author)));
    let half = forge(&bytes, |change| change.operations.truncate(1));
    assert!(schema_broken(check(&ann.item, &half, &author)));
    let swapped = forge(&bytes, |change| change.operations.swap(0, 1));
    assert!(schema_broken(check(&ann.item, &swapped, &author)));
    let list = forge(&bytes, |change| {
        change.operations[1].action = OpType::Make(ObjType::List)
    });
    assert!(schema_broken(check(&ann.item, &list, &author)));
}

#[test]
fn nothing_but_acts_and_edits_of_the_body_is_written() {
    let mallory = |write: &dyn Fn(&mut Writer)| {
        let (mut mallory, _, _) = item();
        write(&mut mallory);
        let bytes = mallory.commit();
        check(&mallory.item, &bytes, &mallory.was())
    };
    assert!(schema_broken(mallory(&|m| m
        .doc
        .put(ROOT, "column", "done")
        .unwrap())));
    assert!(schema_broken(mallory(&|m| drop(m.doc.put_object(
        ROOT,
        "body",
        ObjType::Text
    )))));
    assert!(schema_broken(mallory(&|m| m.doc.delete(ROOT, "acts").unwrap())));
    assert!(schema_broken(mallory(&|m| drop(m.doc.put_object(
        m.object("acts"),
        "deep",
        ObjType::Map
    )))));
    assert!(schema_broken(mallory(&|m| {
        let key = m.doc.keys(m.object("acts")).next().unwrap();
        m.doc.delete(m.object("acts"), key).unwrap();
    })));
    assert!(schema_broken(mallory(&|m| {
        let key = m.doc.keys(m.object("acts")).next().unwrap();
        m.doc.put(m.object("acts"), key, vec![1u8]).unwrap();
    })));
    assert!(schema_broken(mallory(&|m| {
        m.doc.put(m.object("acts"), "n", ScalarValue::counter(1)).unwrap();
    })));
    assert!(schema_broken(mallory(&|m| {
        m.doc
            .insert(m.object("body"), 0, ScalarValue::counter(1))
            .unwrap();
    })));
    assert!(schema_broken(mallory(&|m| drop(
        m.doc.split_block(m.object("body"), 0)
    ))));
    assert!(schema_broken(mallory(&|m| {
        let mark = automerge::marks::Mark::new("bold".into(), true, 0, 3);
        m.doc
            .mark(m.object("body"), mark, automerge::marks::ExpandMark::Both)
            .unwrap();
    })));
    assert!(matches!(
        mallory(&|m| m.doc.put(m.object("acts"), "0".repeat(32), vec![1u8]).unwrap()),
        Err(GateError::ActKey { .. })
    ));
}

#[test]
fn an_act_must_be_readable_and_within_its_bounds() {
    let (mut ann, _, _) = item();
    let bytes = ann.act(Op::Comment {
        text: "x".repeat(limits::NOTE_BYTES + 1),
    });
    assert!(matches!(
        check(&ann.item, &bytes, &ann.was()),
        Err(GateError::Act(_))
    ));
    let bytes = ann.act(Op::Triage);
    let garbled = forge(&bytes, |change| {
        change.operations[0].action = OpType::Put(ScalarValue::Bytes(vec![0xc1]));
    });
    assert!(matches!(
        check(&ann.item, &garbled, &ann.was()),
        Err(GateError::Act(_))
    ));
    let overwritten = forge(&bytes, |change| {
        let pred = OpId::new(3, &change.actor_id);
        change.operations[0].pred = vec![pred].into();
    });
    assert!(schema_broken(check(&ann.item, &overwritten, &ann.was())));
}

#[test]
fn extra_bytes_messages_and_odd_times_are_refused() {
    let (mut ann, _, _) = item();
    let bytes = ann.act(Op::Triage);
    let extra = forge(&bytes, |change| change.extra_bytes = vec![1, 2]);
    assert!(matches!(gate::scan(&extra), Err(GateError::Malformed(_))));
    let message = forge(&bytes, |change| change.message = Some("hello".into()));
    assert!(matches!(gate::scan(&message), Err(GateError::Schema(_))));
    for time in [-1, i64::MIN, i64::MAX] {
        let odd = forge(&bytes, |change| change.time = time);
        assert_eq!(gate::scan(&odd), Err(GateError::Time(time)));
    }
    let empty = forge(&bytes, |change| change.operations.clear());
    assert!(matches!(gate::scan(&empty), Err(GateError::Malformed(_))));
}

#[test]
fn a_wrong_checksum_or_another_encoding_of_the_same_content_is_refused() {
    let (mut ann, _, _) = item();
    let bytes = ann.act(Op::Triage);
    let mut checksum = bytes.clone();
    checksum[4] ^= 1;
    assert_eq!(
        check(&ann.item, &checksum, &ann.was()).unwrap_err(),
        GateError::NotCanonical
    );

    // The action column as a run of one instead of a literal: same operations, another hash.
    let at = data_at(&bytes);
    let literal = bytes.windows(2).rposition(|pair| pair == [0x7f, 1]).unwrap();
    let mut run = bytes.clone();
    run[literal] = 1;
    let run = wrap(&run[at..]);
    assert_eq!(gate::scan(&run).unwrap().ops, 1);
    assert_eq!(
        check(&ann.item, &run, &ann.was()).unwrap_err(),
        GateError::NotCanonical
    );
}

#[test]
fn a_change_without_its_dependencies_is_missing_and_a_wrong_number_is_refused() {
    let (mut ann, doc, _) = item();
    let first = ann.act(Op::Triage);
    let first_at = ann.was();
    let second = ann.act(Op::Submit);
    let early = pass(Some(&doc), &ann.item, &second, &ann.was()).unwrap_err();
    assert!(early.is_missing());
    assert!(
        pass(None, &ann.item, &second, &ann.was())
            .unwrap_err()
            .is_missing()
    );
    let with_first = pass(Some(&doc), &ann.item, &first, &first_at).unwrap();
    pass(Some(&with_first), &ann.item, &second, &ann.was()).unwrap();

    // The same number twice, with another content: the third writer's changes must not suffer.
    let twin = forge(&first, |change| change.time = 7);
    let refused = pass(Some(&with_first), &ann.item, &twin, &first_at).unwrap_err();
    assert_eq!(refused, GateError::Seq { got: 2, want: 3 });
    for seq in [3, 1_000] {
        let skipped = forge(&first, |change| change.seq = seq);
        let refused = pass(Some(&doc), &ann.item, &skipped, &first_at).unwrap_err();
        assert_eq!(refused, GateError::Seq { got: seq, want: 2 });
    }
    // The next number, but concurrent to the change before it: both would use the same operation numbers.
    let beside = forge(&first, |change| change.seq = 3);
    let refused = pass(Some(&with_first), &ann.item, &beside, &first_at).unwrap_err();
    assert!(matches!(refused, GateError::Lineage(_)), "{refused}");
}

#[test]
fn references_must_be_to_ancestors() {
    let (mut ann, doc, _) = item();
    let mut bob = ann.joined_by(2);
    let by_bob = bob.edit(0, 0, "ab");
    let with_bob = pass(Some(&doc), &ann.item, &by_bob, &bob.was()).unwrap();
    let before = ann.act(Op::Comment {
        text: "first, second, third".into(),
    });
    let (doc, with_bob) = [&doc, &with_bob]
        .map(|doc| pass(Some(doc), &ann.item, &before, &ann.was()).unwrap())
        .into();
    let bytes = ann.edit(0, 0, "z");
    // Bob's character is not in an ancestor of Ann's change. It is known here and unknown on a node without Bob's
    // change, and both must refuse.
    let peeking = forge(&bytes, |change| {
        let stolen = OpId::new(change.start_op.get() - 1, bob.doc.get_actor());
        let insert = change.operations.last_mut().unwrap();
        insert.key = Key::Seq(ElementId::Id(stolen));
    });
    for (doc, known) in [(&doc, false), (&with_bob, true)] {
        let refused = pass(Some(doc), &ann.item, &peeking, &ann.was()).unwrap_err();
        assert!(
            matches!(refused, GateError::Lineage(_)),
            "Bob known: {known}, {refused}"
        );
    }
    let foreign = forge(&bytes, |change| {
        for op in &mut change.operations {
            if let ObjectId::Id(id) = &op.obj {
                op.obj = ObjectId::Id(OpId::new(id.counter(), bob.doc.get_actor()));
            }
        }
    });
    assert!(matches!(
        pass(Some(&with_bob), &ann.item, &foreign, &ann.was()),
        Err(GateError::Schema(_))
    ));

    // An edit next to something that is no character, in this change or before it.
    let edit_at = |counter: u64| {
        forge(&bytes, |change| {
            let id = OpId::new(counter, &change.actor_id);
            let insert: &mut RawOp = change.operations.last_mut().unwrap();
            insert.key = Key::Seq(ElementId::Id(id));
        })
    };
    let start = gate::scan(&bytes).unwrap().start_op;
    for counter in [1, 2, start, start + 1, start + 50] {
        assert!(
            schema_broken(check(&ann.item, &edit_at(counter), &ann.was())),
            "{counter}"
        );
    }
    // The operation number of an act instead of a character: Automerge panics, and the guard catches it.
    let on_an_act = pass(Some(&doc), &ann.item, &edit_at(3), &ann.was());
    assert!(matches!(on_an_act, Err(GateError::Panicked(_))));
}

#[test]
fn an_element_is_deleted_once() {
    let (mut ann, doc, _) = item();
    let bytes = ann.edit(0, 2, "");
    pass(Some(&doc), &ann.item, &bytes, &ann.was()).unwrap();
    let twice = forge(&bytes, |change| {
        let delete = change.operations[1].clone();
        change.operations[2] = delete;
    });
    assert!(schema_broken(check(&ann.item, &twice, &ann.was())));
}
