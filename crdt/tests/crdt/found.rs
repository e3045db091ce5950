//! Stories that the reference model told otherwise than the fold did: each was a fault of the fold, and
//! random histories are not needed to see that it stays away.

use towline_crdt::compose::{Draft, compose};
use towline_crdt::fold::{ActOutcome, fold};
use towline_crdt::view::{Conflict, ItemView};
use towline_proto::{
    ActId, Closing, Column, FailureKind, Millis, Op, Origin, OriginKind, Qa, Register, Rule, Status,
};

use crate::world::{Actor, ann_and_bo, cast, meet};

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
    Op::Settle {
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

/// What became of the last act with a name.
fn fate(actor: &Actor, name: &str) -> ActOutcome {
    let doc = actor.doc.as_ref().expect("an item");
    let cast = cast();
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

/// Cy, with a place of his own, knows what another knows.
fn cy(other: &Actor) -> Actor {
    let mut cy = Actor::new("cy", 3);
    cy.hears(other);
    cy
}

#[test]
fn settling_for_what_stands_ends_no_claim() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.does(to(Column::Merge));
    let view = meet(&mut ann, &mut bo);
    let conflict = about(&view, &Register::Column);
    assert_eq!(view.column, Column::Coding);
    ann.does(claim("ann", 1));
    ann.does(keep(&conflict, conflict.winner));
    let view = ann.view();
    assert_eq!((holder(&view), view.conflicts.len()), (Some("ann"), 0));
    assert_eq!(fate(&ann, "claim"), ActOutcome::Effective);
    ann.does(Op::Release { generation: 1 });
    assert_eq!(ann.view().claim, None);
}

#[test]
fn a_claim_given_back_by_one_who_settled_does_not_come_back_with_another_who_did() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.does(to(Column::Merge));
    let conflict = about(&meet(&mut ann, &mut bo), &Register::Column);
    ann.does(claim("ann", 1));
    bo.hears(&ann);
    ann.does(keep(&conflict, conflict.winner));
    bo.does(keep(&conflict, conflict.winner));
    ann.does(Op::Release { generation: 1 });
    let view = meet(&mut ann, &mut bo);
    assert_eq!(
        (view.column, view.claim, view.conflicts.len()),
        (Column::Coding, None, 0)
    );
}

#[test]
fn a_failure_stays_when_somebody_settles_for_where_the_item_stands() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(to(Column::Merge));
    bo.does(Op::SetQa { qa: Qa::Server });
    bo.does(start());
    bo.does(Op::Submit);
    bo.does(done());
    let view = meet(&mut ann, &mut bo);
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
    assert_eq!(meet(&mut ann, &mut bo).column, Column::Coding);
    bo.does(claim("bo", 1));
    cy.does(done());
    let view = meet(&mut bo, &mut cy);
    assert_eq!((view.column, holder(&view)), (Column::Merge, None));
    let lost = about(&view, &Register::Column);
    assert_eq!((lost.losers.len(), lost.rule), (2, Rule::Cautious));
    assert!(matches!(
        fate(&bo, "claim"),
        ActOutcome::Overridden {
            rule: Rule::ColumnLeft,
            ..
        }
    ));
}

#[test]
fn a_claim_older_than_one_that_was_lost_is_listed_and_does_not_stand() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.hears(&ann);
    ann.does(claim("ann", 1));
    ann.does(Op::Release { generation: 1 });
    ann.does(claim("ann", 2));
    bo.does(Op::Submit);
    bo.does(claim("bo", 1));
    let view = meet(&mut ann, &mut bo);
    assert_eq!(
        (view.column, holder(&view), view.generation),
        (Column::Qa, None, 2)
    );
    let conflict = about(&view, &Register::Claim);
    assert_eq!((conflict.rule, conflict.losers.len()), (Rule::Generation, 1));
    let refused = bo
        .try_does(keep(&conflict, conflict.losers[0]))
        .expect_err("an older claim");
    assert!(refused.to_string().contains("use `claim`"), "{refused}");
    bo.does(claim("bo", 3));
    assert_eq!((holder(&bo.view()), bo.view().conflicts.len()), (Some("bo"), 0));
}

#[test]
fn a_claim_made_after_one_of_two_equal_steps_outlives_an_exit_that_waits() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.does(start());
    bo.does(claim("bo", 1));
    meet(&mut ann, &mut bo);
    ann.does(done());
    bo.does(Op::Freeze);
    let view = meet(&mut ann, &mut bo);
    assert_eq!((view.column, holder(&view)), (Column::Coding, Some("bo")));
    assert_eq!(
        fate(&ann, "claim"),
        ActOutcome::Effective,
        "it has not been replaced yet"
    );
    ann.does(Op::Unfreeze);
    assert_eq!((ann.view().column, holder(&ann.view())), (Column::Done, None));
    assert!(matches!(fate(&ann, "claim"), ActOutcome::Superseded { .. }));
}

#[test]
fn a_claim_that_somebody_ended_is_not_listed_as_lost() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    ann.does(claim("ann", 1));
    bo.hears(&ann);
    bo.does(block());
    bo.does(Op::Abandon { reason: None });
    bo.does(Op::Reopen);
    ann.does(Op::Reject { reason: "no".into() });
    let view = meet(&mut ann, &mut bo);
    assert_eq!(view.column, Column::Backlog);
    assert_eq!(about(&view, &Register::Column).losers.len(), 1, "only the exit");
    assert!(matches!(fate(&ann, "claim"), ActOutcome::Superseded { .. }));
}

#[test]
fn a_settlement_for_a_hold_keeps_the_item_where_its_author_had_it() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Abandon { reason: None });
    bo.does(block());
    let conflict = about(&meet(&mut ann, &mut bo), &Register::Column);
    ann.does(keep(&conflict, conflict.winner));
    bo.does(keep(&conflict, conflict.losers[0]));
    let view = meet(&mut ann, &mut bo);
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
fn what_an_item_was_made_with_does_not_contend_with_what_was_written_since() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let mut cy = cy(&ann);
    bo.does(Op::SetQa { qa: Qa::Server });
    bo.does(Op::SetQa { qa: Qa::Agent });
    cy.does(Op::SetQa { qa: Qa::Server });
    cy.does(Op::SetQa { qa: Qa::Human });
    bo.hears(&cy);
    ann.hears(&bo);
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
fn being_sent_back_is_not_counted_when_the_pass_was_what_counted() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Human);
    ann.does(start());
    ann.does(Op::Submit);
    bo.hears(&ann);
    ann.does(send_back());
    bo.does(Op::PassQa);
    let view = meet(&mut ann, &mut bo);
    assert_eq!(view.retries, 1);
    let conflict = about(&view, &Register::Column);
    ann.does(keep(&conflict, conflict.losers[0]));
    assert_eq!((ann.view().status(), ann.view().retries), (Status::ReviewHold, 0));
}

#[test]
fn giving_up_twice_does_not_forget_what_went_wrong() {
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
fn of_two_ways_back_the_longer_one_is_taken() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    ann.does(Op::Submit);
    bo.hears(&ann);
    ann.does(send_back());
    bo.does(to(Column::Backlog));
    let view = meet(&mut ann, &mut bo);
    assert_eq!((view.column, view.conflicts.len()), (Column::Backlog, 1));
}

#[test]
fn two_who_purge_apart_purge_it_if_one_of_them_had_seen_everything() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Delete { reason: None });
    bo.hears(&ann);
    ann.does(Op::Purge);
    bo.does(Op::Comment { text: "hm".into() });
    bo.does(Op::Purge);
    assert!(!ann.view().conflicts.is_empty() || ann.view().purged);
    assert!(meet(&mut ann, &mut bo).purged);
}

#[test]
fn a_claim_outlives_a_settled_exit_that_waits_again() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    ann.does(claim("ann", 1));
    bo.hears(&ann);
    ann.does(done());
    bo.does(block());
    let conflict = about(&meet(&mut ann, &mut bo), &Register::Column);
    ann.does(keep(&conflict, conflict.losers[0]));
    assert_eq!(ann.view().column, Column::Done);
    bo.does(Op::Freeze);
    let view = meet(&mut ann, &mut bo);
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
    bo.hears(&ann);
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
            &ann.place,
            &mut 0,
            &cast(),
            drafts.collect(),
            None,
        );
        assert!(made.is_ok(), "{small}: {:?}", made.err());
    }
}
