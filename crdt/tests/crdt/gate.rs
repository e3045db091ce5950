//! The gate admits what honest authors write. The scan refuses decompression bombs, foreign chunks, absurd numbers and
//! forged actors before Automerge reads a byte.

use std::num::NonZeroU64;

use automerge::ReadDoc;
use towline_crdt::gate::{self, GateError};
use towline_proto::{Epoch, ItemId, Op, limits};

use crate::gate_writers::{Writer, author, check, forge, item, pass, uleb, wrap};

#[test]
fn concurrent_and_sequential_changes_are_admitted_in_either_order() {
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
            // Ann then depends on Bob's head and on her own last change, which is not a head.
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
    let first = check(&ann.item, &first, &author(1)).unwrap();
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
fn ordinals_continue_across_the_changes_of_an_entry_but_not_for_refused_ones() {
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
fn a_quintillion_operations_in_a_hundred_bytes_are_counted_and_not_expanded() {
    let mut data = vec![0, 24];
    data.extend(author(1).actor());
    data.extend([1, 1, 0, 0, 0]); // seq, start_op, time, no message, no other actors
    // Whoever expands them does not end.
    let claimed = 1_000_000_000_000_000_000;
    // Two columns: all operations insert, and all are puts. One run each.
    let flags = [uleb(0), uleb(claimed)].concat();
    let actions = [uleb(claimed), vec![1]].concat();
    data.extend([2, 52, flags.len() as u8, 66, actions.len() as u8]);
    data.extend(&flags);
    data.extend(&actions);
    let bomb = wrap(&data);
    assert!(bomb.len() < 127);
    let refused = gate::scan(&bomb);
    assert_eq!(
        refused,
        Err(GateError::TooManyOps {
            got: claimed,
            max: limits::OPS_PER_CHANGE
        })
    );
    assert!(matches!(
        check(&ItemId([0; 16]), &bomb, &author(1)),
        Err(GateError::TooManyOps { .. })
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
        Err(GateError::TooManyOps {
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
    assert_eq!(gate::scan(&deflated), Err(GateError::Compressed));
    assert_eq!(gate::scan(&ann.doc.save()), Err(GateError::ChunkKind(0)));

    // The deflate bit of the first column.
    let columns = bytes
        .windows(2)
        .position(|pair| pair == [66, 6] || pair == [66, 7] || pair[0] == 66);
    let mut flipped = bytes.clone();
    flipped[columns.unwrap()] |= 8;
    assert_eq!(gate::scan(&flipped), Err(GateError::Compressed));

    let large = vec![0; limits::CHANGE_BYTES + 1];
    assert_eq!(
        gate::scan(&large),
        Err(GateError::TooLarge {
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
        assert!(matches!(gate::scan(&killer), Err(GateError::OutOfRange { .. })));
    }
    for got in [start - 1, start + 1, i32::MAX as u64 - 9] {
        let shifted = forge(&bytes, |change| change.start_op = NonZeroU64::new(got).unwrap());
        assert_eq!(
            pass(Some(&doc), &ann.item, &shifted, &ann.was()).unwrap_err(),
            GateError::StartOp { got, want: start }
        );
    }
}

#[test]
fn nobody_can_write_under_another_actor() {
    let (mut ann, _, _) = item();
    let bytes = ann.act(Op::Triage);
    assert!(matches!(
        check(&ann.item, &bytes, &author(2)),
        Err(GateError::Actor { .. })
    ));
    let restarted = towline_proto::AuthorSeq {
        epoch: Epoch(99),
        ..ann.was()
    };
    assert!(matches!(
        check(&ann.item, &bytes, &restarted),
        Err(GateError::Actor { .. })
    ));
    // Her own actor, but the key of an act of another entry.
    let place_before = towline_proto::AuthorSeq { seq: 0, ..ann.was() };
    assert!(matches!(
        check(&ann.item, &bytes, &place_before),
        Err(GateError::ActKey { .. })
    ));
    assert!(matches!(
        gate::check(&ann.item, &bytes, &ann.was(), &mut 1),
        Err(GateError::ActKey { .. })
    ));
}

#[test]
fn dependencies_and_actors_are_counted_before_they_are_read() {
    let many = limits::DEPS_PER_CHANGE as u64 + 1;
    let deps = wrap(&uleb(many));
    assert_eq!(
        gate::scan(&deps),
        Err(GateError::TooManyDeps {
            got: many,
            max: limits::DEPS_PER_CHANGE
        })
    );
    // With the most that are allowed, the missing ones are reported.
    let most = wrap(&uleb(limits::DEPS_PER_CHANGE as u64));
    assert!(matches!(gate::scan(&most), Err(GateError::Malformed(_))));
    let mut data = vec![0, 24];
    data.extend(author(1).actor());
    data.extend([1, 1, 0, 0]); // seq, start_op, time, no message
    let claimed = u64::MAX;
    data.extend(uleb(claimed));
    assert_eq!(
        gate::scan(&wrap(&data)),
        Err(GateError::TooManyActors {
            got: claimed,
            max: limits::ACTORS_PER_CHANGE
        })
    );
    let (mut ann, _, _) = item();
    let bytes = ann.act(Op::Triage);
    let dep = gate::scan(&bytes).unwrap().deps[0];
    let twice = forge(&bytes, |change| change.deps = vec![dep, dep]);
    assert!(matches!(gate::scan(&twice), Err(GateError::Malformed(_))));
}

#[test]
fn only_missing_dependencies_are_temporary() {
    assert!(gate::GateError::Missing(Vec::new()).is_missing());
    assert!(!gate::GateError::Compressed.is_missing());
    assert!(!gate::GateError::NotCanonical.is_missing());
}
