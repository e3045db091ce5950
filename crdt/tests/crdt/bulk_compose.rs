//! Composing many drafts together gives the same acts as composing them one by one: sharing one fold does not change
//! what each act names as seen.

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, proptest};
use proptest::test_runner::{RngSeed, TestCaseError};
use proptest::{prop_assert, prop_assert_eq};
use towline_crdt::compose::{Composed, Draft, compose};
use towline_crdt::doc::ItemDoc;
use towline_proto::{
    AuthorSeq, Column, CriterionState, Epoch, ItemId, Kind, LinkKind, Millis, NodeId, Op, Origin, OriginKind,
    Qa, limits,
};

use super::actors::{Actor, ann_and_bo, exchange, test_members};

use crate::seed::first_seed;

fn op(number: u16) -> Op {
    let few = usize::from(number >> 8) % 3;
    let label = || ["ui", "api", "db"][few].to_owned();
    match number % 24 {
        0 => Op::SetTitle {
            title: ["one", "two", "three"][few].into(),
        },
        1 => Op::SetKind {
            kind: [Kind::Story, Kind::Bug, Kind::Epic][few],
        },
        2 => Op::SetPriority { priority: 1 },
        3 => Op::SetQa { qa: Qa::ALL[few] },
        4 => Op::SetEpic { epic: None },
        5 => Op::Assign { who: None },
        6 | 7 => Op::AddLabel { label: label() },
        8 => Op::RemoveLabel { label: label() },
        9 => Op::AddDependency {
            on: ItemId([few as u8; 16]),
        },
        10 => Op::RemoveDependency {
            on: ItemId([few as u8; 16]),
        },
        11 => Op::AddLink {
            kind: LinkKind::Branch,
            target: label(),
        },
        12 => Op::RemoveLink {
            kind: LinkKind::Branch,
            target: label(),
        },
        13..=15 => Op::Comment { text: "hm".into() },
        16 => Op::EditBody,
        17 => Op::MarkImport {
            digest: label(),
            record_at: None,
        },
        18 => Op::AddCriterion { text: label() },
        19 => Op::SetCriterion {
            criterion: towline_proto::ActId([few as u8; 16]),
            state: CriterionState::Met,
            evidence: None,
        },
        20 => Op::Move {
            to: [Column::Coding, Column::Qa, Column::Backlog][few],
            reason: None,
        },
        21 => [Op::PassQa, Op::Submit, Op::Reopen][few].clone(),
        22 => [Op::Freeze, Op::Unfreeze, Op::Merged { commit: None }][few].clone(),
        _ => [Op::Delete { reason: None }, Op::Restore, Op::Freeze][few].clone(),
    }
}

fn drafts(ops: &[u16]) -> Vec<Draft> {
    let drafts = ops.iter().zip(9_000..).map(|(number, at)| Draft {
        op: op(*number),
        origin: Origin::new(OriginKind::Import, "cy").unwrap(),
        at: Millis(at),
        request: None,
    });
    drafts.collect()
}

fn cy() -> AuthorSeq {
    AuthorSeq {
        node: NodeId([3; 32]),
        epoch: Epoch(3),
        seq: 0,
    }
}

fn at_once(doc: &ItemDoc, drafts: &[Draft]) -> Result<Composed, String> {
    compose(
        Some(doc),
        doc.id(),
        &cy(),
        &mut 0,
        &test_members(),
        drafts.to_vec(),
        None,
    )
    .map_err(|error| error.to_string())
}

/// Composes the drafts one by one; also returns how many succeeded and the error that ended it.
fn one_by_one(doc: &ItemDoc, drafts: &[Draft]) -> (ItemDoc, usize, Option<String>) {
    let mut ordinal = 0;
    let mut doc = doc.clone();
    for (done, draft) in drafts.iter().enumerate() {
        let work = vec![draft.clone()];
        match compose(
            Some(&doc),
            doc.id(),
            &cy(),
            &mut ordinal,
            &test_members(),
            work,
            None,
        ) {
            Ok(composed) => doc = composed.doc,
            Err(error) => return (doc, done, Some(error.to_string())),
        }
    }
    (doc, drafts.len(), None)
}

fn is_the_same(doc: &ItemDoc, drafts: &[Draft]) -> Result<(), TestCaseError> {
    let (slow, done, why) = one_by_one(doc, drafts);
    prop_assert_eq!(at_once(doc, drafts).err(), why);
    match at_once(doc, &drafts[..done]) {
        Ok(quick) => prop_assert_eq!(quick.doc.acts(), slow.acts()),
        Err(why) => prop_assert!(false, "{}", why),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, rng_seed: RngSeed::Fixed(first_seed()), failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn drafts_composed_together_equal_drafts_composed_one_by_one(
        theirs in vec(0..u16::MAX, 0..6),
        ours in vec(0..u16::MAX, 0..6),
        then in vec(0..u16::MAX, 0..24),
    ) {
        let (mut ann, mut bo) = ann_and_bo(Qa::Human);
        for (actor, ops) in [(&mut ann, theirs), (&mut bo, ours)] {
            for number in ops {
                // Illegal operations are skipped.
                let _ = actor.try_does(op(number));
            }
        }
        exchange(&mut ann, &mut bo);
        is_the_same(ann.doc.as_ref().unwrap(), &drafts(&then))?;
    }
}

#[test]
fn more_concurrent_comments_than_one_act_can_name_are_named_as_before() {
    let (mut ann, _) = ann_and_bo(Qa::Agent);
    let before = ann.clone();
    for place in 0..=limits::SAW_PER_ACT {
        let mut other = Actor::new("bo", 2);
        other.author.epoch = Epoch(100 + place as u64);
        other.doc.clone_from(&before.doc);
        other.does(Op::Comment { text: "apart".into() });
        ann.receives(&other);
    }
    is_the_same(ann.doc.as_ref().unwrap(), &drafts(&[13, 14, 6, 15, 13])).unwrap();
}

#[test]
fn limits_apply_together_as_one_by_one() {
    let (ann, _) = ann_and_bo(Qa::Agent);
    let mut full = drafts(&[6; limits::LABELS + 3]);
    for (place, draft) in full.iter_mut().enumerate() {
        let label = format!("label {place}");
        draft.op = Op::AddLabel { label };
    }
    is_the_same(ann.doc.as_ref().unwrap(), &full).unwrap();
    // Removing one makes room for another.
    full[8].op = Op::RemoveLabel {
        label: "label 3".into(),
    };
    is_the_same(ann.doc.as_ref().unwrap(), &full).unwrap();
    let refused = at_once(ann.doc.as_ref().unwrap(), &full).map(drop).unwrap_err();
    assert_eq!(refused, "the item already has 64 labels, which is the maximum");
}
