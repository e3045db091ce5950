//! Claims: who holds the exclusive right to work on an item after concurrent claims, steps and take-overs.

use towline_crdt::fold::ActOutcome;
use towline_crdt::reasons::RefusalReason;
use towline_proto::{Column, Op, OriginKind, Qa, Register, Rule, Status};

use crate::actors::{ann_and_bo, exchange};
use crate::conflicts::{only, outcomes, start};

fn claim(holder: &str, generation: u32) -> Op {
    Op::Claim {
        holder: holder.into(),
        generation,
    }
}

#[test]
fn a_claim_concurrent_to_a_step_is_overridden_and_listed() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.receives(&ann);
    ann.does(Op::Submit);
    bo.does(claim("coder-1", 1));
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(
        (view.column, &view.claim, view.generation),
        (Column::Qa, &None, 1)
    );
    let conflict = only(&view);
    assert_eq!(conflict.rule, Rule::ColumnLeft);
    bo.does(claim("coder-1", 2));
    assert!(bo.view().conflicts.is_empty(), "claiming anew settles it");
    assert!(matches!(
        outcomes(&bo, "claim")[0],
        ActOutcome::Overridden {
            rule: Rule::ColumnLeft,
            ..
        }
    ));
}

#[test]
fn two_equal_steps_do_not_end_a_claim_made_after_one_of_them() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.does(start());
    bo.does(claim("bo", 1));
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(view.claim.map(|claim| claim.holder), Some("bo".into()));
    assert!(view.conflicts.is_empty());
}

#[test]
fn a_claim_survives_a_pending_exit() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    ann.does(claim("ann", 1));
    bo.receives(&ann);
    ann.does(Op::Merged { commit: None });
    assert_eq!(ann.view().claim, None);
    bo.does(Op::Freeze);
    let view = exchange(&mut ann, &mut bo);
    assert_eq!((view.column, view.status()), (Column::Coding, Status::Frozen));
    assert_eq!(view.claim.map(|claim| claim.holder), Some("ann".into()));
    bo.does(Op::Unfreeze);
    let view = bo.view();
    assert_eq!(
        (view.column, view.claim, view.conflicts.len()),
        (Column::Done, None, 0)
    );
}

#[test]
fn generations_continue_across_columns() {
    let (mut ann, _) = ann_and_bo(Qa::Agent);
    ann.does(start());
    ann.does(claim("ann", 1));
    ann.does(Op::Submit);
    assert_eq!(ann.view().generation, 1);
    ann.does(claim("ann", 1));
    assert_eq!(ann.view().claim, None, "a generation is given once");
    ann.does(claim("ann", 2));
    assert_eq!(ann.view().claim.map(|claim| claim.generation), Some(2));
}

#[test]
fn a_take_over_names_a_renewal_of_the_claim() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    ann.does(claim("ann", 1));
    bo.receives(&ann);
    let claimed_at = bo.view().claim.expect("claimed").at;
    let take_over = |renewal| Op::TakeOver {
        holder: "bo".into(),
        generation: 2,
        renewal,
        force: None,
    };
    let mut early = bo.clone();
    early.does(take_over(towline_proto::Millis(claimed_at.0 - 1)));
    assert_eq!(early.view().claim.map(|claim| claim.holder), Some("ann".into()));
    assert_eq!(early.view().refused[0].why, RefusalReason::OldRenewal);
    bo.does(take_over(claimed_at));
    assert_eq!(bo.view().claim.map(|claim| claim.holder), Some("bo".into()));
}

#[test]
fn a_renewed_holder_loses_to_a_take_over_of_the_next_generation() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    ann.does(claim("ann", 1));
    bo.receives(&ann);
    let renewal = bo.view().claim.expect("claimed").at;
    ann.does(Op::Release { generation: 1 });
    ann.does(claim("ann", 2));
    bo.kind = OriginKind::Agent;
    bo.does(Op::TakeOver {
        holder: "coder-1".into(),
        generation: 2,
        renewal,
        force: None,
    });
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(
        view.claim.as_ref().map(|claim| claim.holder.as_str()),
        Some("ann")
    );
    assert_eq!(
        (only(&view).register, only(&view).rule),
        (Register::Claim, Rule::Claim)
    );
}

#[test]
fn between_claims_of_two_agents_a_hash_decides_that_nobody_can_steer() {
    let won = |wait: u64, name: &str| {
        let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
        ann.does(start());
        bo.receives(&ann);
        (ann.kind, bo.kind) = (OriginKind::Agent, OriginKind::Agent);
        bo.clock += wait;
        ann.does(claim("ann's", 1));
        bo.does(claim(name, 1));
        let view = exchange(&mut ann, &mut bo);
        view.claim.expect("one of them holds it").node
    };
    let first = won(0, "bo's");
    for wait in 1..24 {
        // With another time or name the record hash would differ and sometimes win the tie.
        assert_eq!(won(wait, "bo's"), first);
        assert_eq!(won(wait, &format!("bo's {wait}")), first);
    }
}

#[test]
fn a_release_of_an_older_generation_does_not_affect_the_current_claim() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    ann.does(claim("coder-1", 1));
    bo.receives(&ann);
    bo.does(Op::TakeOver {
        holder: "coder-2".into(),
        generation: 2,
        renewal: bo.view().claim.expect("claimed").at,
        force: None,
    });
    ann.receives(&bo);
    ann.does(Op::Release { generation: 1 });
    let view = ann.view();
    assert_eq!(view.claim.map(|claim| claim.holder), Some("coder-2".into()));
    assert!(matches!(
        view.refused[0].why,
        RefusalReason::NotPresentGeneration { .. }
    ));
    ann.does(Op::Release { generation: 2 });
    assert_eq!(ann.view().claim, None);
}

#[test]
fn a_take_over_of_an_older_generation_is_never_in_effect() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    ann.does(claim("ann", 1));
    bo.receives(&ann);
    let renewal = bo.view().claim.expect("claimed").at;
    for generation in [1, 2] {
        ann.does(Op::Release { generation });
        ann.does(claim("ann", generation + 1));
    }
    bo.does(Op::TakeOver {
        holder: "bo".into(),
        generation: 2,
        renewal,
        force: None,
    });
    let view = exchange(&mut ann, &mut bo);
    let conflict = only(&view);
    assert_eq!(
        (conflict.register, conflict.rule),
        (Register::Claim, Rule::Generation)
    );
    let holder = view.claim.map(|claim| (claim.holder, claim.generation));
    assert_eq!(holder, Some(("ann".into(), 3)));
}
