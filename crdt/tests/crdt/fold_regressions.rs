//! Regressions: histories in which the fold once differed from the reference model. Each was a bug of the fold, and
//! is tested here without random histories.

use towline_crdt::compose::ComposeError;
use towline_crdt::compose::{Draft, compose};
use towline_crdt::fold::{ActOutcome, fold};
use towline_crdt::view::{Conflict, ItemView};
use towline_proto::{
    ActId, Closing, Column, FailureKind, Millis, Op, Origin, OriginKind, Qa, Register, Rule, Status,
};

use crate::actors::{Actor, ann_and_bo, exchange, test_members};

fn start() -> Op {
    Op::Start { force: None }
}

fn claim(holder: &str, generation: u32) -> Op {
    Op::Claim {
        holder: holder.into(),
        generation,
    }
}

fn send_back() -> Op {
    Op::RequestChanges {
        reason: "no tests".into(),
    }
}

fn block() -> Op {
    Op::Block {
        reason: "no keys".into(),
    }
}

fn to(to: Column) -> Op {
    Op::Move { to, reason: None }
}

fn done() -> Op {
    Op::Merged { commit: None }
}

fn keep(conflict: &Conflict, keep: ActId) -> Op {
    Op::Resolve {
        over: conflict.register.clone(),
        keep,
    }
}

fn about(view: &ItemView, register: &Register) -> Conflict {
    let mut conflicts = view.conflicts.iter();
    let found = conflicts.find(|conflict| conflict.register == *register);
    found
        .unwrap_or_else(|| panic!("nothing about the {register}"))
        .clone()
}

fn holder(view: &ItemView) -> Option<&str> {
    view.claim.as_ref().map(|claim| claim.holder.as_str())
}

/// The outcome of the last act with a name.
fn outcome_of(actor: &Actor, name: &str) -> ActOutcome {
    let doc = actor.doc.as_ref().expect("an item");
    let cast = test_members();
    let folded = fold(doc.id(), doc.acts(), &cast).expect("a creation");
    let named = folded
        .acts
        .values()
        .filter(|act| act.record.act.op.name() == name);
    named
        .max_by_key(|act| act.order)
        .expect("such an act")
        .outcome
        .clone()
}

/// Cy, with the state of another actor and an author position of his own.
fn cy(other: &Actor) -> Actor {
    let mut cy = Actor::new("cy", 3);
    cy.receives(other);
    cy
}

#[test]
fn resolving_for_the_current_column_keeps_the_claim() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.does(to(Column::Merge));
    let view = exchange(&mut ann, &mut bo);
    let conflict = about(&view, &Register::Column);
    assert_eq!(view.column, Column::Coding);
    ann.does(claim("ann", 1));
    ann.does(keep(&conflict, conflict.winner));
    let view = ann.view();
    assert_eq!((holder(&view), view.conflicts.len()), (Some("ann"), 0));
    assert_eq!(outcome_of(&ann, "claim"), ActOutcome::Effective);
    ann.does(Op::Release { generation: 1 });
    assert_eq!(ann.view().claim, None);
}

#[test]
fn a_claim_released_after_one_resolution_stays_released_after_another() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.does(to(Column::Merge));
    let conflict = about(&exchange(&mut ann, &mut bo), &Register::Column);
    ann.does(claim("ann", 1));
    bo.receives(&ann);
    ann.does(keep(&conflict, conflict.winner));
    bo.does(keep(&conflict, conflict.winner));
    ann.does(Op::Release { generation: 1 });
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(
        (view.column, view.claim, view.conflicts.len()),
        (Column::Coding, None, 0)
    );
}

#[test]
fn resolving_for_the_current_column_keeps_the_merge_failure() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(to(Column::Merge));
    bo.does(Op::SetQa { qa: Qa::Server });
    bo.does(start());
    bo.does(Op::Submit);
    bo.does(done());
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(view.column, Column::Merge, "the smaller step");
    let conflict = about(&view, &Register::Column);
    ann.does(Op::MergeFailed {
        kind: FailureKind::Conflict,
        detail: "lib.rs".into(),
    });
    ann.does(keep(&conflict, conflict.winner));
    assert_eq!(ann.view().status(), Status::MergeFailure);
    ann.does(Op::RetryMerge);
    assert_eq!(ann.view().status(), Status::Active);
}

#[test]
fn a_claim_does_not_follow_the_item_into_another_column() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    let mut cy = cy(&ann);
    bo.does(to(Column::Merge));
    assert_eq!(exchange(&mut ann, &mut bo).column, Column::Coding);
    bo.does(claim("bo", 1));
    cy.does(done());
    let view = exchange(&mut bo, &mut cy);
    assert_eq!((view.column, holder(&view)), (Column::Merge, None));
    let lost = about(&view, &Register::Column);
    assert_eq!((lost.losers.len(), lost.rule), (2, Rule::Cautious));
    assert!(matches!(
        outcome_of(&bo, "claim"),
        ActOutcome::Overridden {
            rule: Rule::ColumnLeft,
            ..
        }
    ));
}

#[test]
fn a_claim_older_than_an_overridden_one_is_listed_and_not_in_effect() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.receives(&ann);
    ann.does(claim("ann", 1));
    ann.does(Op::Release { generation: 1 });
    ann.does(claim("ann", 2));
    bo.does(Op::Submit);
    bo.does(claim("bo", 1));
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(
        (view.column, holder(&view), view.generation),
        (Column::Qa, None, 2)
    );
    let conflict = about(&view, &Register::Claim);
    assert_eq!((conflict.rule, conflict.losers.len()), (Rule::Generation, 1));
    let refused = bo
        .try_does(keep(&conflict, conflict.losers[0]))
        .expect_err("an older claim");
    assert!(
        matches!(refused, ComposeError::CannotKeep(Rule::Generation)),
        "{refused}"
    );
    bo.does(claim("bo", 3));
    assert_eq!((holder(&bo.view()), bo.view().conflicts.len()), (Some("bo"), 0));
}

#[test]
fn a_claim_made_after_one_of_two_equal_steps_survives_a_pending_exit() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.does(start());
    bo.does(claim("bo", 1));
    exchange(&mut ann, &mut bo);
    ann.does(done());
    bo.does(Op::Freeze);
    let view = exchange(&mut ann, &mut bo);
    assert_eq!((view.column, holder(&view)), (Column::Coding, Some("bo")));
    assert_eq!(
        outcome_of(&ann, "claim"),
        ActOutcome::Effective,
        "it has not been replaced yet"
    );
    ann.does(Op::Unfreeze);
    assert_eq!((ann.view().column, holder(&ann.view())), (Column::Done, None));
    assert!(matches!(outcome_of(&ann, "claim"), ActOutcome::Superseded { .. }));
}

#[test]
fn a_released_claim_is_not_listed_as_overridden() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    ann.does(claim("ann", 1));
    bo.receives(&ann);
    bo.does(block());
    bo.does(Op::Abandon { reason: None });
    bo.does(Op::Reopen);
    ann.does(Op::Reject { reason: "no".into() });
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(view.column, Column::Backlog);
    assert_eq!(about(&view, &Register::Column).losers.len(), 1, "only the exit");
    assert!(matches!(outcome_of(&ann, "claim"), ActOutcome::Superseded { .. }));
}

#[test]
fn keeping_a_hold_leaves_the_item_where_the_author_saw_it() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Abandon { reason: None });
    bo.does(block());
    let conflict = about(&exchange(&mut ann, &mut bo), &Register::Column);
    ann.does(keep(&conflict, conflict.winner));
    bo.does(keep(&conflict, conflict.losers[0]));
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(
        view.closing,
        Some(Closing::Abandoned),
        "the more cautious of two settlements"
    );
    let conflict = about(&view, &Register::Column);
    ann.does(keep(&conflict, conflict.losers[0]));
    assert_eq!(
        (ann.view().column, ann.view().status()),
        (Column::Backlog, Status::Blocked)
    );
}

#[test]
fn the_creation_does_not_compete_with_later_acts() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let mut cy = cy(&ann);
    bo.does(Op::SetQa { qa: Qa::Server });
    bo.does(Op::SetQa { qa: Qa::Agent });
    cy.does(Op::SetQa { qa: Qa::Server });
    cy.does(Op::SetQa { qa: Qa::Human });
    bo.receives(&cy);
    ann.receives(&bo);
    let conflict = about(&ann.view(), &Register::Qa);
    let doc = bo.doc.as_ref().expect("an item");
    let of_bo = |id: &&ActId| doc.acts()[*id].act.op == Op::SetQa { qa: Qa::Agent };
    let kept = *conflict
        .losers
        .iter()
        .chain([&conflict.winner])
        .find(of_bo)
        .expect("Bo's");
    ann.does(keep(&conflict, kept));
    assert_eq!((ann.view().qa, ann.view().conflicts.len()), (Qa::Agent, 0));
}

#[test]
fn a_step_back_that_was_overridden_is_no_retry() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Human);
    ann.does(start());
    ann.does(Op::Submit);
    bo.receives(&ann);
    ann.does(send_back());
    bo.does(Op::PassQa);
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(view.retries, 1);
    let conflict = about(&view, &Register::Column);
    ann.does(keep(&conflict, conflict.losers[0]));
    assert_eq!((ann.view().status(), ann.view().retries), (Status::ReviewHold, 0));
}

#[test]
fn giving_up_twice_keeps_the_reported_failure() {
    let (mut ann, _) = ann_and_bo(Qa::Agent);
    ann.does(to(Column::Merge));
    ann.does(Op::MergeFailed {
        kind: FailureKind::GatesFailed,
        detail: "clippy".into(),
    });
    ann.does(Op::GiveUpMerge);
    ann.does(Op::GiveUpMerge);
    let failure = ann.view().holds.failure.expect("a failure");
    assert_eq!((failure.kind, failure.is_final), (FailureKind::GatesFailed, true));
}

#[test]
fn of_two_steps_back_the_longer_one_wins() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    ann.does(Op::Submit);
    bo.receives(&ann);
    ann.does(send_back());
    bo.does(to(Column::Backlog));
    let view = exchange(&mut ann, &mut bo);
    assert_eq!((view.column, view.conflicts.len()), (Column::Backlog, 1));
}

#[test]
fn two_concurrent_purges_purge_if_one_author_had_seen_everything() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Delete { reason: None });
    bo.receives(&ann);
    ann.does(Op::Purge);
    bo.does(Op::Comment { text: "hm".into() });
    bo.does(Op::Purge);
    assert!(!ann.view().conflicts.is_empty() || ann.view().purged);
    assert!(exchange(&mut ann, &mut bo).purged);
}

#[test]
fn a_claim_survives_a_resolved_exit_that_is_pending_again() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    ann.does(claim("ann", 1));
    bo.receives(&ann);
    ann.does(done());
    bo.does(block());
    let conflict = about(&exchange(&mut ann, &mut bo), &Register::Column);
    ann.does(keep(&conflict, conflict.losers[0]));
    assert_eq!(ann.view().column, Column::Done);
    bo.does(Op::Freeze);
    let view = exchange(&mut ann, &mut bo);
    assert_eq!((view.column, view.status()), (Column::Coding, Status::Frozen));
    assert_eq!(holder(&view), Some("ann"));
}

#[test]
fn a_report_that_no_gate_would_read_is_not_written() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Server);
    ann.does(Op::Start { force: None });
    ann.does(Op::Submit);
    let report = |bytes: usize| Op::MergeFailed {
        kind: FailureKind::GatesFailed,
        detail: "x".repeat(bytes),
    };
    let refused = ann
        .try_does(report(towline_proto::limits::ACT_BYTES))
        .unwrap_err();
    assert!(refused.to_string().contains("shorten the text"), "{refused}");
    ann.does(report(towline_proto::limits::ACT_BYTES - 1_000));
    bo.receives(&ann);
    assert!(bo.view().holds.failure.is_some());
}

#[test]
fn a_large_act_behind_many_small_ones_fits_into_some_change() {
    let (mut ann, _) = ann_and_bo(Qa::Server);
    ann.does(Op::Start { force: None });
    ann.does(Op::Submit);
    let label = |number: usize| Op::AddLabel {
        label: ((number % 60) as u8 + b'A').to_string(),
    };
    let report = Op::MergeFailed {
        kind: FailureKind::Other,
        detail: "x".repeat(towline_proto::limits::ACT_BYTES - 600),
    };
    for small in 130..190 {
        let ops = (0..small).map(label).chain([report.clone()]);
        let drafts = ops.map(|op| Draft {
            op,
            origin: Origin::new(OriginKind::User, "a").expect("a name"),
            at: Millis(1),
            request: None,
        });
        let base = ann.doc.as_ref().expect("an item");
        let made = compose(
            Some(base),
            base.id(),
            &ann.author,
            &mut 0,
            &test_members(),
            drafts.collect(),
            None,
        );
        assert!(made.is_ok(), "{small}: {:?}", made.err());
    }
}
