//! Records forged by a dishonest author. Each test was a bug of the fold that the reference model found.

use towline_crdt::doc::{ActRecord, Acts, NodePrefix};
use towline_crdt::fold::{ActOutcome, fold};
use towline_crdt::reasons::RefusalReason;
use towline_proto::{
    Act, ActId, Column, CriterionState, Millis, Op, Origin, OriginKind, Qa, Register, Status,
};

use crate::actors::{Actor, ann_and_bo, test_members};

/// Adds a forged act.
fn forge(acts: &mut Acts, number: u16, op: Op, saw: Vec<ActId>) {
    let act = Act {
        op,
        saw,
        at: Millis(9_000),
        origin: Origin::new(OriginKind::User, "eve").expect("a name"),
        nonce: None,
        request: None,
    };
    let hash = Act::record_hash(&act.encode());
    let mut id = [5; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    let node = NodePrefix([5; 16]);
    acts.insert(ActId(id), ActRecord { act, node, hash });
}

/// The acts of an item with a forged one.
fn forged(actor: &Actor, op: Op, saw: Vec<ActId>) -> Acts {
    let mut acts = actor.doc.as_ref().expect("an item").acts().clone();
    forge(&mut acts, 5, op, saw);
    acts
}

#[test]
fn a_flooded_register_does_not_prevent_other_acts() {
    let (mut ann, _) = ann_and_bo(Qa::Agent);
    ann.does(Op::Start { force: None });
    let block = Op::Block {
        reason: "no keys".into(),
    };
    let cast = test_members();
    let (item, stands) = (ann.view().id, ann.view().heads);
    let mut acts = ann.doc.as_ref().expect("an item").acts().clone();
    for number in 0..300 {
        forge(&mut acts, 1_000 + number, block.clone(), stands.clone());
    }
    for number in 0..2 {
        let folded = fold(item, &acts, &cast).expect("a creation");
        assert_eq!(folded.view.status(), Status::Blocked);
        let saw = folded.saw_for(&Op::Unblock);
        assert!(saw.len() <= towline_proto::limits::SAW_PER_ACT);
        drop(folded);
        forge(&mut acts, 2_000 + number, Op::Unblock, saw);
    }
    let saw = fold(item, &acts, &cast).expect("a creation").saw_for(&Op::Submit);
    forge(&mut acts, 3_000, Op::Submit, saw);
    let view = fold(item, &acts, &cast).expect("a creation").view;
    assert_eq!((view.column, view.refused.len()), (Column::Qa, 0));
    assert!(view.conflicts.is_empty() && view.holds.is_empty());
}

#[test]
fn refused_resolutions_and_many_criteria_cost_one_register_each() {
    let (once, twice) = (lookups_of_flood(1_500), lookups_of_flood(3_000));
    // Twice the acts look up twice as many, plus a little for the maps that grow.
    assert!(
        twice * 10 <= once * 22,
        "{once} acts were looked up, and {twice} for twice as many"
    );
}

/// Folds an item with `many` refused resolutions and as many criteria; returns how many acts were looked up.
fn lookups_of_flood(many: u16) -> u64 {
    let (ann, _) = ann_and_bo(Qa::Agent);
    let view = ann.view();
    let mut acts = ann.doc.as_ref().expect("an item").acts().clone();
    for number in 0..many {
        let made = Op::AddCriterion { text: "fast".into() };
        forge(&mut acts, 20_000 + number, made, view.heads.clone());
        let mut criterion = [5; 16];
        criterion[..2].copy_from_slice(&(20_000 + number).to_be_bytes());
        let judged = Op::SetCriterion {
            criterion: ActId(criterion),
            state: CriterionState::Met,
            evidence: Some("a run".into()),
        };
        forge(&mut acts, 1_000 + number, judged, view.heads.clone());
        let settled = Op::Resolve {
            over: Register::Title,
            keep: view.last.act,
        };
        forge(&mut acts, 10_000 + number, settled, view.heads.clone());
    }
    let cast = test_members();
    let folded = fold(view.id, &acts, &cast).expect("a creation");
    let refused = folded
        .acts
        .values()
        .filter(|act| matches!(act.outcome, ActOutcome::Refused(_)));
    assert_eq!(refused.count(), usize::from(many));
    assert!(
        folded
            .view
            .criteria
            .iter()
            .all(|criterion| criterion.evidence == ["a run"])
    );
    folded.acts.lookups()
}

#[test]
fn acts_that_depend_on_a_missing_act_are_not_shown() {
    let (ann, _) = ann_and_bo(Qa::Agent);
    for op in [
        Op::AddCriterion { text: "fast".into() },
        Op::Comment { text: "hm".into() },
        Op::EditBody,
    ] {
        let acts = forged(&ann, op, vec![ActId([9; 16])]);
        let cast = test_members();
        let view = fold(ann.view().id, &acts, &cast).expect("a creation").view;
        assert_eq!(view.refused.len(), 1);
        assert_eq!((view.criteria.len(), view.comments, view.body_edit), (0, 0, None));
    }
}

#[test]
fn a_step_that_names_no_act_of_the_column_is_refused() {
    let (ann, _) = ann_and_bo(Qa::Agent);
    let acts = forged(&ann, Op::Abandon { reason: None }, vec![]);
    let cast = test_members();
    let view = fold(ann.view().id, &acts, &cast).expect("a creation").view;
    assert_eq!((view.column, view.conflicts.len()), (Column::Backlog, 0));
    assert_eq!(view.refused[0].why, RefusalReason::NoColumn);
}
