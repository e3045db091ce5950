//! What the gate lets in, and what it keeps out, rule by rule. Every refusal is made by hand from an
//! honest change, so that exactly one rule is broken.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use automerge::legacy::{Key, ObjectId, Op as RawOp, OpId, OpType};
use automerge::transaction::Transactable;
use automerge::{Automerge, ObjType, ROOT, ReadDoc, ScalarValue};
use towline_crdt::gate::{self, Refusal};
use towline_proto::{Epoch, ItemId, Op, limits};

use crate::gate_world::{Writer, check, creation, data_at, forge, pass, place, uleb, wrap};

/// Ann made an item; this is her, its document as the gate admitted it, and the change.
fn item() -> (Writer, Automerge, Vec<u8>) {
    let mut ann = Writer::new(1);
    let bytes = ann.create("a door that opens", "Hinges.");
    let doc = pass(None, &ann.item, &bytes, &ann.was()).unwrap();
    (ann, doc, bytes)
}

fn schema_broken(result: Result<gate::Checked, Refusal>) -> bool {
    matches!(result, Err(Refusal::Schema(_)))
}

#[test]
fn what_ann_and_bob_write_apart_and_together_is_admitted_in_either_order() {
    let (mut ann, doc, first) = item();
    let mut bob = ann.joined_by(2);
    let mut history = vec![];
    for round in 0..4 {
        history.push((
            ann.act(Op::Comment {
                text: format!("round {round}"),
            }),
            ann.was(),
        ));
        history.push((ann.edit(2, 1, "née 👩‍👩‍👧 "), ann.was()));
        history.push((bob.edit(3, 2, "steel"), bob.was()));
        history.push((bob.act(Op::Triage), bob.was()));
        if round % 2 == 1 {
            // Ann then writes behind Bob's head and her own last change, which is not one.
            ann.merge(&mut bob);
            bob.merge(&mut ann);
        }
    }
    history.push((ann.act(Op::Submit), ann.was()));

    let checked: Vec<_> = history
        .iter()
        .map(|(bytes, author)| check(&ann.item, bytes, author).unwrap())
        .collect();
    let mut one_by_one = doc.clone();
    for change in &checked {
        one_by_one = gate::admit(Some(&one_by_one), std::slice::from_ref(change)).unwrap();
    }
    let at_once = gate::admit(Some(&doc), &checked).unwrap();
    assert_eq!(at_once.get_heads(), ann.doc.get_heads());
    assert_eq!(one_by_one.get_heads(), ann.doc.get_heads());
    assert_eq!(
        one_by_one.text(ann.object("body")).unwrap(),
        ann.doc.text(ann.object("body")).unwrap()
    );

    // Within a round, Bob's two changes may arrive before Ann's.
    let mut other = doc.clone();
    for index in [2, 3, 0, 1, 4, 5, 6, 7] {
        other = gate::admit(Some(&other), std::slice::from_ref(&checked[index])).unwrap();
    }
    let first = check(&ann.item, &first, &place(1)).unwrap();
    assert!(first.creates && first.edits_body && first.acts.len() == 1);
    assert!(!checked[0].edits_body && checked[1].edits_body);
}

#[test]
fn an_author_whose_own_last_change_is_no_head_still_writes_canonically() {
    let (mut ann, doc, _) = item();
    let mut bob = ann.joined_by(2);
    let mut carol = ann.joined_by(3);
    let mut changes = vec![];
    for writer in [&mut bob, &mut carol] {
        let bytes = writer.act(Op::Triage);
        changes.push(check(&writer.item, &bytes, &writer.was()).unwrap());
    }
    // Ann's only change so far is an ancestor of both heads, so Automerge names it as well.
    ann.merge(&mut bob);
    ann.merge(&mut carol);
    let bytes = ann.act(Op::Submit);
    let checked = check(&ann.item, &bytes, &ann.was()).unwrap();
    assert_eq!(checked.header.deps.len(), 3);
    changes.push(checked);
    gate::admit(Some(&doc), &changes).unwrap();
}

#[test]
fn acts_of_one_entry_count_on_over_its_changes_and_a_refused_one_does_not_count() {
    let mut ann = Writer::new(1);
    let first = ann.create("one", "");
    let author = ann.was();
    ann.author = author;
    let acts = ann.object("acts");
    ann.put(&acts, 1, Op::Triage);
    ann.put(&acts, 2, Op::Submit);
    let second = ann.commit();

    let mut ordinal = 0;
    let first = gate::check(&ann.item, &first, &author, &mut ordinal).unwrap();
    assert_eq!(ordinal, 1);
    assert!(gate::check(&ann.item, &second[..40], &author, &mut ordinal).is_err());
    assert_eq!(ordinal, 1);
    let second = gate::check(&ann.item, &second, &author, &mut ordinal).unwrap();
    assert_eq!(ordinal, 3);
    gate::admit(None, &[first, second]).unwrap();
}

#[test]
fn a_hundred_million_operations_in_a_hundred_bytes_are_counted_and_not_expanded() {
    let mut data = vec![0, 24];
    data.extend(place(1).actor());
    data.extend([1, 1, 0, 0, 0]); // seq, start_op, time, no message, no other actors
    let claimed = 100_000_000;
    // Two columns: all operations insert, and all are puts. One run each.
    let flags = [uleb(0), uleb(claimed)].concat();
    let actions = [uleb(claimed), vec![1]].concat();
    data.extend([2, 52, flags.len() as u8, 66, actions.len() as u8]);
    data.extend(&flags);
    data.extend(&actions);
    let bomb = wrap(&data);
    assert!(bomb.len() < 127);
    let began = Instant::now();
    let refused = gate::scan(&bomb);
    assert!(began.elapsed() < Duration::from_millis(50));
    assert_eq!(
        refused,
        Err(Refusal::TooManyOps {
            got: claimed,
            max: limits::OPS_PER_CHANGE
        })
    );
    assert!(matches!(
        check(&ItemId([0; 16]), &bomb, &place(1)),
        Err(Refusal::TooManyOps { .. })
    ));
}

#[test]
fn an_honest_change_of_too_many_operations_is_refused_and_the_largest_allowed_is_admitted() {
    let limit = usize::try_from(limits::OPS_PER_CHANGE).unwrap();
    let mut ann = Writer::new(1);
    let bytes = ann.create("long", &"x".repeat(limit - 3));
    pass(None, &ann.item, &bytes, &ann.was()).unwrap();
    let mut ann = Writer::new(1);
    let bytes = ann.create("longer", &"x".repeat(limit - 2));
    assert_eq!(
        gate::scan(&bytes),
        Err(Refusal::TooManyOps {
            got: limits::OPS_PER_CHANGE + 1,
            max: limits::OPS_PER_CHANGE
        })
    );
}

#[test]
fn compressed_and_foreign_chunks_are_refused_unread() {
    let mut ann = Writer::new(1);
    let bytes = ann.create("big enough to be deflated", &"the same again ".repeat(60));
    let mut change = ann.doc.get_last_local_change().unwrap();
    let deflated = change.bytes().to_vec();
    assert_eq!(deflated[8], 2);
    assert_eq!(gate::scan(&deflated), Err(Refusal::Compressed));
    assert_eq!(gate::scan(&ann.doc.save()), Err(Refusal::ChunkKind(0)));

    // The deflate bit of the first column.
    let columns = bytes
        .windows(2)
        .position(|pair| pair == [66, 6] || pair == [66, 7] || pair[0] == 66);
    let mut flipped = bytes.clone();
    flipped[columns.unwrap()] |= 8;
    assert_eq!(gate::scan(&flipped), Err(Refusal::Compressed));

    let large = vec![0; limits::CHANGE_BYTES + 1];
    assert_eq!(
        gate::scan(&large),
        Err(Refusal::TooLarge {
            got: large.len(),
            max: limits::CHANGE_BYTES
        })
    );
    for cut in 0..bytes.len() {
        assert!(gate::scan(&bytes[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn an_absurd_start_is_refused_before_anything_adds_to_it() {
    let (mut ann, doc, _) = item();
    let bytes = ann.act(Op::Triage);
    let start = gate::scan(&bytes).unwrap().start_op;
    for absurd in [
        u64::from(u32::MAX),
        u64::from(u32::MAX) + 9,
        i32::MAX as u64 + 1,
        u64::MAX,
    ] {
        let killer = forge(&bytes, |change| {
            change.start_op = NonZeroU64::new(absurd).unwrap()
        });
        assert!(matches!(gate::scan(&killer), Err(Refusal::OutOfRange { .. })));
    }
    for got in [start - 1, start + 1, i32::MAX as u64 - 9] {
        let shifted = forge(&bytes, |change| change.start_op = NonZeroU64::new(got).unwrap());
        assert_eq!(
            pass(Some(&doc), &ann.item, &shifted, &ann.was()).unwrap_err(),
            Refusal::StartOp { got, want: start }
        );
    }
}

#[test]
fn nobody_writes_as_somebody_else() {
    let (mut ann, _, _) = item();
    let bytes = ann.act(Op::Triage);
    assert!(matches!(
        check(&ann.item, &bytes, &place(2)),
        Err(Refusal::Actor { .. })
    ));
    let restarted = towline_proto::Author {
        epoch: Epoch(99),
        ..ann.was()
    };
    assert!(matches!(
        check(&ann.item, &bytes, &restarted),
        Err(Refusal::Actor { .. })
    ));
    // Her own actor, but an act under the place of another entry.
    let place_before = towline_proto::Author { seq: 0, ..ann.was() };
    assert!(matches!(
        check(&ann.item, &bytes, &place_before),
        Err(Refusal::Place { .. })
    ));
    assert!(matches!(
        gate::check(&ann.item, &bytes, &ann.was(), &mut 1),
        Err(Refusal::Place { .. })
    ));
}

#[test]
fn an_item_belongs_to_the_place_that_made_it_and_is_made_once() {
    let (mut ann, doc, bytes) = item();
    let author = ann.was();
    let mut other = ann.item;
    other.0[15] ^= 1;
    assert!(matches!(
        check(&other, &bytes, &author),
        Err(Refusal::Item { .. })
    ));
    assert_eq!(
        pass(Some(&doc), &ann.item, &bytes, &author).unwrap_err(),
        Refusal::Known(
            gate::admit(None, &[check(&ann.item, &bytes, &author).unwrap()])
                .unwrap()
                .get_heads()[0]
        )
    );
    let rival = forge(&bytes, |change| change.time = 5);
    assert!(matches!(
        pass(Some(&doc), &ann.item, &rival, &author),
        Err(Refusal::Schema(_))
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
        Err(Refusal::Place { .. })
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
        Err(Refusal::Act(_))
    ));
    let bytes = ann.act(Op::Triage);
    let garbled = forge(&bytes, |change| {
        change.operations[0].action = OpType::Put(ScalarValue::Bytes(vec![0xc1]));
    });
    assert!(matches!(
        check(&ann.item, &garbled, &ann.was()),
        Err(Refusal::Act(_))
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
    assert!(matches!(gate::scan(&extra), Err(Refusal::Malformed(_))));
    let message = forge(&bytes, |change| change.message = Some("hello".into()));
    assert!(matches!(gate::scan(&message), Err(Refusal::Schema(_))));
    for time in [-1, i64::MIN, i64::MAX] {
        let odd = forge(&bytes, |change| change.time = time);
        assert_eq!(gate::scan(&odd), Err(Refusal::Time(time)));
    }
    let empty = forge(&bytes, |change| change.operations.clear());
    assert!(matches!(gate::scan(&empty), Err(Refusal::Malformed(_))));
}

#[test]
fn a_wrong_checksum_or_another_encoding_of_the_same_content_is_refused() {
    let (mut ann, _, _) = item();
    let bytes = ann.act(Op::Triage);
    let mut checksum = bytes.clone();
    checksum[4] ^= 1;
    assert_eq!(
        check(&ann.item, &checksum, &ann.was()).unwrap_err(),
        Refusal::NotCanonical
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
        Refusal::NotCanonical
    );
}

#[test]
fn a_change_ahead_of_its_dependencies_waits_and_one_out_of_turn_is_refused() {
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
    assert_eq!(refused, Refusal::Seq { got: 2, want: 3 });
    for seq in [3, 1_000] {
        let skipped = forge(&first, |change| change.seq = seq);
        let refused = pass(Some(&doc), &ann.item, &skipped, &first_at).unwrap_err();
        assert_eq!(refused, Refusal::Seq { got: seq, want: 2 });
    }
    // The next number, but beside the change before it: both would give out the same operations.
    let beside = forge(&first, |change| change.seq = 3);
    let refused = pass(Some(&with_first), &ann.item, &beside, &first_at).unwrap_err();
    assert!(matches!(refused, Refusal::Lineage(_)), "{refused}");
}

#[test]
fn what_a_change_names_must_be_among_its_ancestors_whatever_else_is_there() {
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
    // Bob's letter, which Ann's change does not build on: known here, unknown at a node that has
    // not heard of Bob, and both must refuse.
    let peeking = forge(&bytes, |change| {
        let stolen = OpId::new(change.start_op.get() - 1, bob.doc.get_actor());
        let insert = change.operations.last_mut().unwrap();
        insert.key = Key::Seq(automerge::legacy::ElementId::Id(stolen));
    });
    for (doc, known) in [(&doc, false), (&with_bob, true)] {
        let refused = pass(Some(doc), &ann.item, &peeking, &ann.was()).unwrap_err();
        assert!(
            matches!(refused, Refusal::Lineage(_)),
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
        Err(Refusal::Schema(_))
    ));

    // An edit next to something that is no letter, in this change or before it.
    let edit_at = |counter: u64| {
        forge(&bytes, |change| {
            let id = OpId::new(counter, &change.actor_id);
            let insert: &mut RawOp = change.operations.last_mut().unwrap();
            insert.key = Key::Seq(automerge::legacy::ElementId::Id(id));
        })
    };
    let start = gate::scan(&bytes).unwrap().start_op;
    for counter in [1, 2, start, start + 1, start + 50] {
        assert!(
            schema_broken(check(&ann.item, &edit_at(counter), &ann.was())),
            "{counter}"
        );
    }
    let on_an_act = pass(Some(&doc), &ann.item, &edit_at(3), &ann.was());
    assert!(matches!(on_an_act, Err(Refusal::Panicked(_))));
}
