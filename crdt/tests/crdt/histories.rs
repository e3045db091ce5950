//! Random histories of three people who work together and apart: in the end all see the same, and
//! what they see is a state that the table allows.

use proptest::prelude::*;
use towline_proto::{Column, FailureKind, Op, OriginKind, Qa};

use crate::world::{Actor, ann_and_bo};

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    /// Somebody tries something; the table may forbid it.
    Tries(usize, Op),
    /// Somebody hears of everything that another has.
    Hears(usize, usize),
}

fn ops() -> impl Strategy<Value = Op> {
    let reason = || "because".to_owned();
    let columns = prop::sample::select(vec![Column::Backlog, Column::Coding, Column::Qa, Column::Merge]);
    prop_oneof![
        Just(Op::Start { force: None }),
        Just(Op::Submit),
        Just(Op::RequestChanges { reason: reason() }),
        Just(Op::PassQa),
        Just(Op::Approve),
        Just(Op::Merged {
            commit: Some("c0ffee".into())
        }),
        Just(Op::Merged { commit: None }),
        Just(Op::MergeFailed {
            kind: FailureKind::Conflict,
            detail: String::new()
        }),
        Just(Op::RetryMerge),
        Just(Op::GiveUpMerge),
        Just(Op::Block { reason: reason() }),
        Just(Op::Unblock),
        Just(Op::Freeze),
        Just(Op::Unfreeze),
        Just(Op::Abandon { reason: None }),
        Just(Op::Reject { reason: reason() }),
        Just(Op::Reopen),
        Just(Op::Archive),
        Just(Op::Delete { reason: None }),
        Just(Op::Restore),
        columns.prop_map(|to| Op::Move { to, reason: None }),
        (1u32..4).prop_map(|generation| Op::Claim {
            holder: "somebody".into(),
            generation
        }),
        (1u32..4).prop_map(|generation| Op::Release { generation }),
        prop::sample::select(vec!["a", "b"]).prop_map(|title| Op::SetTitle { title: title.into() }),
        Just(Op::SetQa { qa: Qa::Human }),
        Just(Op::AddLabel { label: "ui".into() }),
        Just(Op::RemoveLabel { label: "ui".into() }),
        Just(Op::Comment { text: "hm".into() }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0usize..3, ops()).prop_map(|(who, op)| Step::Tries(who, op)),
        1 => (0usize..3, 0usize..3).prop_map(|(who, whom)| Step::Hears(who, whom)),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn everybody_sees_the_same_in_the_end(steps in steps()) {
        let (ann, bo) = ann_and_bo(Qa::Agent);
        let mut cy = Actor::new("cy", 3);
        cy.kind = OriginKind::Agent;
        cy.hears(&ann);
        let mut cast = [ann, bo, cy];
        for step in steps {
            match step {
                // A refusal changes nothing and is as good a step as any.
                Step::Tries(who, op) => drop(cast[who].try_does(op)),
                Step::Hears(who, whom) => {
                    let other = cast[whom].clone();
                    cast[who].hears(&other);
                }
            }
        }
        let everybody = cast.clone();
        for actor in &mut cast {
            for other in &everybody {
                actor.hears(other);
            }
        }
        let [ann, bo, cy] = cast.each_ref().map(Actor::view);
        prop_assert_eq!(&ann, &bo);
        prop_assert_eq!(&ann, &cy);
        prop_assert!(ann.column != Column::Closed || ann.closing.is_some());
        prop_assert!(ann.closing.is_none() || matches!(ann.column, Column::Closed | Column::Archived));
        prop_assert!(!ann.holds.review || ann.column == Column::Qa);
        prop_assert!(ann.holds.failure.is_none() || ann.column == Column::Merge);
        prop_assert_eq!(ann.trail.first().map(|step| step.column), Some(ann.column));
        for conflict in &ann.conflicts {
            prop_assert!(!conflict.losers.contains(&conflict.winner));
        }
    }
}
