//! Admitting changes as a group gives the same result and the same document as admitting them one by one.
//!
//! The inputs are histories of three authors with one damaged change. Later changes name the damaged one by its new
//! hash, so a difference can only come from the handling of groups.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};

use automerge::legacy::{ElementId, Key, OpId, OpType};
use automerge::{ActorId, Automerge, ChangeHash, ExpandedChange, ReadDoc, ScalarValue};
use proptest::prelude::*;
use towline_crdt::gate::{self, CheckedChange, GateError};
use towline_proto::{AuthorSeq, Op};

use crate::gate_fuzz::silence_panics;
use crate::gate_writers::{Writer, author, check, forge};

/// The next step of one of the three authors: who, what, where.
type Step = (usize, u8, u8);
/// How a change is damaged: which one, how, with what.
type Damage = (usize, u8, u8);

/// A change as it is sent.
#[derive(Debug, Clone)]
struct Sent {
    bytes: Vec<u8>,
    author: AuthorSeq,
}

/// Three authors write concurrently and merge now and then.
fn history(steps: &[Step]) -> (Writer, Vec<Sent>) {
    let mut ann = Writer::new(1);
    let bytes = ann.create("a door", "It squeaks when it opens, and when it shuts.");
    let mut sent = vec![Sent {
        bytes,
        author: ann.was(),
    }];
    let mut writers = [ann.joined_by(2), ann.joined_by(3), ann];
    for (who, what, at) in steps {
        let who = who % writers.len();
        let other = (who + 1 + usize::from(*at) % 2) % writers.len();
        if what % 5 == 4 {
            let mut from = writers[other].clone();
            writers[who].merge(&mut from);
            continue;
        }
        let writer = &mut writers[who];
        let length = writer.doc.length(writer.object("body"));
        let place = usize::from(*at) % length.max(1);
        let bytes = match what % 5 {
            0 => writer.act(Op::Triage),
            1 => writer.edit(place, 0, "née 👩‍👩‍👧 "),
            2 => writer.edit(place, (length - place).min(3) as isize, ""),
            _ => writer.edit(place, (length - place).min(2) as isize, "oil"),
        };
        let author = writer.was();
        sent.push(Sent { bytes, author });
    }
    (writers[2].clone(), sent)
}

/// Damages one change; later changes name it by its new hash.
fn damaged(sent: &[Sent], (which, how, with): Damage) -> Option<Vec<Sent>> {
    let which = which % sent.len();
    let mut renamed: BTreeMap<ChangeHash, ChangeHash> = BTreeMap::new();
    let mut out = Vec::new();
    for (at, one) in sent.iter().enumerate() {
        let edit = |change: &mut ExpandedChange| {
            for dep in &mut change.deps {
                if let Some(new) = renamed.get(dep) {
                    *dep = *new;
                }
            }
            change.deps.sort_unstable();
            if at == which {
                damage(change, how, with);
            }
        };
        let bytes = panic::catch_unwind(AssertUnwindSafe(|| forge(&one.bytes, edit))).ok()?;
        renamed.insert(hash(&one.bytes), hash(&bytes));
        let author = one.author;
        out.push(Sent { bytes, author });
    }
    Some(out)
}

fn hash(bytes: &[u8]) -> ChangeHash {
    automerge::Change::try_from(bytes).unwrap().hash()
}

fn damage(change: &mut ExpandedChange, how: u8, with: u8) {
    let count = change.operations.len();
    let at = usize::from(with) % count.max(1);
    match how {
        0 => change.seq += u64::from(with % 3),
        1 => change.start_op = change.start_op.saturating_add(u64::from(with % 4)),
        2 => drop(change.deps.pop()),
        3 => drop(change.operations.pop()),
        4 => change.operations[at].insert = !change.operations[at].insert,
        5 => change.operations[at].key = Key::Seq(ElementId::Head),
        6 => change.operations[at].action = OpType::Put(ScalarValue::Str("x".into())),
        7 => change.operations.swap(at, count - 1),
        _ => change.operations[at].pred = vec![].into(),
    }
}

fn one_by_one(checked: &[CheckedChange]) -> Result<Automerge, GateError> {
    let mut doc: Option<Automerge> = None;
    for change in checked {
        doc = Some(gate::admit(doc.as_ref(), std::slice::from_ref(change))?);
    }
    Ok(doc.unwrap())
}

/// As one group, as two groups, and as when the node's own log is read at start.
fn in_groups(checked: &[CheckedChange], cut: usize) -> [Result<Automerge, GateError>; 3] {
    let (left, right) = checked.split_at(1 + cut % checked.len());
    let in_two = gate::admit(None, left).and_then(|doc| match right {
        [] => Ok(doc),
        right => gate::admit(Some(&doc), right),
    });
    [gate::admit(None, checked), in_two, gate::apply(None, checked)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_group_is_admitted_exactly_when_each_change_is_and_gives_the_same_document(
        steps in prop::collection::vec((0..3usize, 0..5u8, any::<u8>()), 0..10),
        harm in prop::option::of((0..10usize, 0..9u8, any::<u8>())),
        order in prop::option::of((0..10usize, 0..10usize)),
        cut in 0..10usize,
    ) {
        silence_panics();
        let (ann, mut sent) = history(&steps);
        if let Some(harm) = harm {
            match damaged(&sent, harm) {
                Some(damaged) => sent = damaged,
                // What Automerge cannot encode cannot be sent.
                None => return Ok(()),
            }
        }
        if let Some((one, other)) = order {
            let count = sent.len();
            sent.swap(one % count, other % count);
        }
        let checked: Result<Vec<_>, _> =
            sent.iter().map(|sent| check(&ann.item, &sent.bytes, &sent.author)).collect();
        // What `check` refuses is refused before there is a group.
        let Ok(checked) = checked else { return Ok(()) };
        let alone = one_by_one(&checked);
        for together in in_groups(&checked, cut) {
            match (&alone, together) {
                (Ok(alone), Ok(together)) => {
                    prop_assert_eq!(alone.get_heads(), together.get_heads());
                    let body = ann.object("body");
                    prop_assert_eq!(alone.text(&body).unwrap(), together.text(&body).unwrap());
                }
                (Err(why), Err(also)) => prop_assert_eq!(why.is_missing(), also.is_missing()),
                (alone, together) => prop_assert!(false, "{:?} alone, {:?} together", alone.is_ok(), together),
            }
        }
    }
}

/// Every change depends on all earlier ones. The last one inserts next to a character of the one before it, or next to
/// one of an author who has written nothing.
#[test]
fn a_linear_history_with_a_reference_to_a_missing_element_is_refused() {
    silence_panics();
    let (ann, sent) = history(&[(2, 0, 0), (2, 1, 0), (2, 1, 5)]);
    let end = gate::scan(&sent[3].bytes).unwrap().start_op;
    for maker in [1, 7] {
        let mut forged = sent.clone();
        forged[3].bytes = forge(&sent[3].bytes, |change| {
            let letter = OpId::new(end - 1, &ActorId::from(author(maker).actor()));
            let insert = change.operations.iter_mut().find(|op| op.insert).unwrap();
            insert.key = Key::Seq(ElementId::Id(letter));
        });
        let checked: Vec<_> = forged
            .iter()
            .map(|sent| check(&ann.item, &sent.bytes, &sent.author).unwrap())
            .collect();
        let alone = one_by_one(&checked).map(|doc| doc.get_heads());
        let together = gate::admit(None, &checked).map(|doc| doc.get_heads());
        assert_eq!(alone, together, "by {maker}");
        let is_there = maker == 1;
        assert_eq!(together.is_ok(), is_there, "{together:?}");
        assert!(
            is_there || matches!(together, Err(GateError::Lineage(_))),
            "{together:?}"
        );
    }
}

#[test]
fn a_linear_history_with_a_skipped_operation_number_is_refused() {
    let (ann, sent) = history(&[(2, 0, 0), (2, 0, 0), (2, 0, 0)]);
    for (how, refused) in [(0, "Seq"), (1, "StartOp")] {
        let damaged = damaged(&sent, (2, how, 1)).unwrap();
        let checked: Vec<_> = damaged
            .iter()
            .map(|sent| check(&ann.item, &sent.bytes, &sent.author).unwrap())
            .collect();
        let why = format!("{:?}", gate::admit(None, &checked).unwrap_err());
        assert!(why.starts_with(refused), "{why}");
        assert_eq!(
            gate::admit(None, &checked).unwrap_err(),
            one_by_one(&checked).unwrap_err()
        );
    }
}
