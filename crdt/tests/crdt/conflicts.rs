//! Conflicts between concurrent acts: which act wins, what is listed, and how a later act resolves the conflict.

use towline_crdt::compose::ComposeError;
use towline_crdt::fold::{ActOutcome, fold};
use towline_crdt::reasons::{Notice, NoticedAct};
use towline_crdt::view::{Conflict, ItemView};
use towline_proto::{
    ActId, Column, CriterionState, EventKind, Op, Qa, Register, RegisterValue, Rule, Status, Verb,
};

use crate::actors::{Actor, ShownState, ann_and_bo, exchange, test_members};

pub(crate) fn start() -> Op {
    Op::Start { force: None }
}

fn send_back() -> Op {
    Op::RequestChanges {
        reason: "no tests".into(),
    }
}

fn block(reason: &str) -> Op {
    Op::Block {
        reason: reason.into(),
    }
}

fn title(title: &str) -> Op {
    Op::SetTitle { title: title.into() }
}

fn keep(conflict: &Conflict, keep: ActId) -> Op {
    Op::Resolve {
        over: conflict.register.clone(),
        keep,
    }
}

pub(crate) fn only(view: &ItemView) -> Conflict {
    assert_eq!(view.conflicts.len(), 1, "{:?}", view.conflicts);
    view.conflicts[0].clone()
}

/// The outcomes of the acts with a name, in causal order.
pub(crate) fn outcomes(actor: &Actor, name: &str) -> Vec<ActOutcome> {
    let doc = actor.doc.as_ref().expect("an item");
    let cast = test_members();
    let folded = fold(doc.id(), doc.acts(), &cast).expect("a creation");
    let mut named: Vec<_> = folded
        .acts
        .values()
        .filter(|act| act.record.act.op.name() == name)
        .map(|act| (act.order, act.outcome.clone()))
        .collect();
    named.sort_by_key(|(order, _)| *order);
    named.into_iter().map(|(_, fate)| fate).collect()
}

#[test]
fn keeping_the_exit_resolves_the_conflict_with_a_block() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Merged { commit: None });
    bo.does(block("waiting for keys"));
    let conflict = only(&exchange(&mut ann, &mut bo));
    assert_eq!(
        (&conflict.register, conflict.rule),
        (&Register::Column, Rule::Hold)
    );
    let mut cy = bo.clone();
    bo.does(keep(&conflict, conflict.losers[0]));
    let view = bo.view();
    assert_eq!(
        (view.column, view.status(), view.conflicts.len()),
        (Column::Done, Status::Done, 0)
    );
    cy.does(keep(&conflict, conflict.winner));
    let view = cy.view();
    assert_eq!((view.column, view.status()), (Column::Backlog, Status::Blocked));
    assert!(view.conflicts.is_empty());
    cy.does(Op::Unblock);
    assert_eq!(cy.view().column, Column::Backlog, "the exit was settled away");
}

#[test]
fn keeping_the_loser_moves_the_item_there() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.receives(&ann);
    ann.does(Op::Submit);
    ann.does(send_back());
    bo.does(Op::Submit);
    bo.does(Op::PassQa);
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(view.column, Column::Coding, "sending back is the more cautious");
    let conflict = only(&view);
    assert_eq!(conflict.rule, Rule::Cautious);
    bo.does(keep(&conflict, conflict.losers[0]));
    let view = bo.view();
    assert_eq!(
        (view.column, view.conflicts.len(), view.retries),
        (Column::Merge, 0, 0)
    );
    assert!(matches!(
        outcomes(&bo, "request-changes")[0],
        ActOutcome::Superseded { .. }
    ));
    assert!(matches!(
        outcomes(&bo, "pass-qa")[0],
        ActOutcome::Overridden {
            rule: Rule::Cautious,
            ..
        }
    ));
}

#[test]
fn keeping_the_winner_leaves_the_item_in_its_column() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.does(Op::Move {
        to: Column::Merge,
        reason: None,
    });
    let before = exchange(&mut ann, &mut bo);
    let conflict = only(&before);
    ann.does(keep(&conflict, conflict.winner));
    let after = ann.view();
    assert_eq!((after.column, after.conflicts.len()), (before.column, 0));
    assert_eq!(after.entered_at, before.entered_at, "it did not enter anew");
}

#[test]
fn a_merge_cannot_be_overridden_by_resolving_but_a_new_act_can_follow() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Merged {
        commit: Some("abc123".into()),
    });
    bo.does(Op::Abandon { reason: None });
    let view = exchange(&mut ann, &mut bo);
    let conflict = only(&view);
    assert_eq!((view.column, conflict.rule), (Column::Done, Rule::Fact));
    let act = NoticedAct::Other {
        op: Verb::Abandon.into(),
    };
    assert_eq!(view.attention, [Notice::MergedDespite { act }]);
    let mut other = ann.clone();
    let refused = ann
        .try_does(keep(&conflict, conflict.losers[0]))
        .expect_err("a fact");
    assert!(
        matches!(refused, ComposeError::CannotKeep(Rule::Fact)),
        "{refused}"
    );
    other.does(keep(&conflict, conflict.winner));
    assert_eq!(
        (other.view().conflicts.len(), other.view().attention.len()),
        (0, 0)
    );
}

#[test]
fn only_an_open_conflict_can_be_resolved() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let created = ann.view().heads[0];
    let refused = ann.try_does(Op::Resolve {
        over: Register::Title,
        keep: created,
    });
    assert!(
        refused
            .expect_err("no contest")
            .to_string()
            .contains("no unresolved conflict about the title")
    );
    ann.does(title("Anns"));
    bo.does(title("Bos"));
    let conflict = only(&exchange(&mut ann, &mut bo));
    ann.does(keep(&conflict, conflict.losers[0]));
    assert_eq!(
        (ann.view().title.as_str(), ann.view().conflicts.len()),
        ("Bos", 0)
    );
}

#[test]
fn two_different_resolutions_conflict_again() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(title("Anns"));
    bo.does(title("Bos"));
    let conflict = only(&exchange(&mut ann, &mut bo));
    ann.does(keep(&conflict, conflict.winner));
    bo.does(keep(&conflict, conflict.losers[0]));
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(view.title, "Anns", "the owner's");
    assert_eq!(only(&view).register, Register::Title);
    let (mut cy, dot) = (ann.clone(), bo.clone());
    cy.receives(&dot);
    assert_ne!(only(&view).id, conflict.id, "it is another contest");
}

#[test]
fn a_review_hold_that_loses_against_a_step_back_is_listed() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Human);
    ann.does(start());
    ann.does(Op::Submit);
    bo.receives(&ann);
    ann.does(send_back());
    bo.does(Op::PassQa);
    let view = exchange(&mut ann, &mut bo);
    assert_eq!((view.column, view.holds.review), (Column::Coding, false));
    let conflict = only(&view);
    assert_eq!(
        (&conflict.register, conflict.rule),
        (&Register::Column, Rule::ColumnLeft)
    );
    ann.does(keep(&conflict, conflict.losers[0]));
    let view = ann.view();
    assert_eq!(
        (view.column, view.holds.review, view.conflicts.len()),
        (Column::Qa, true, 0)
    );
}

#[test]
fn two_reasons_for_a_block_are_shown_together() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(block("no keys"));
    bo.does(block("no budget"));
    let view = exchange(&mut ann, &mut bo);
    assert!(view.conflicts.is_empty());
    assert_eq!(
        view.holds.blocked.map(|blocked| blocked.reason),
        Some("no budget; no keys".into())
    );
}

#[test]
fn of_concurrent_judgements_the_cautious_one_wins_and_the_other_is_listed() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::AddCriterion {
        text: "it is fast".into(),
    });
    bo.receives(&ann);
    let criterion = ann.view().criteria[0].id;
    let judge = |state| Op::SetCriterion {
        criterion,
        state,
        evidence: Some("ci/1881".into()),
    };
    ann.does(judge(CriterionState::Met));
    bo.does(judge(CriterionState::Failed));
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(view.criteria[0].state, CriterionState::Failed);
    let conflict = only(&view);
    assert_eq!(conflict.register, Register::Criterion(criterion));
    ann.does(keep(&conflict, conflict.losers[0]));
    assert_eq!(ann.view().criteria[0].state, CriterionState::Met);
    assert!(ann.view().conflicts.is_empty());
}

#[test]
fn edits_concurrent_to_a_deletion_are_noticed_and_prevent_a_purge() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Comment { text: "seen".into() });
    bo.receives(&ann);
    ann.does(Op::Delete { reason: None });
    assert!(ann.view().attention.is_empty());
    ann.does(Op::Purge);
    assert!(ann.view().purged);
    assert!(ann.try_does(Op::Restore).is_err());
    bo.does(Op::Comment {
        text: "and this?".into(),
    });
    bo.does(title("Ship it today"));
    let view = exchange(&mut ann, &mut bo);
    assert_eq!((view.deleted, view.purged), (true, false));
    assert_eq!(
        view.attention,
        [Notice::DeletedDespite {
            acts: Vec::new(),
            edits: 2,
            total: 2
        }]
    );
    bo.does(Op::Restore);
    assert_eq!(
        (bo.view().deleted, bo.view().title.as_str()),
        (false, "Ship it today")
    );
}

#[test]
fn deleting_wins_over_restoring_and_restoring_over_purging() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Delete { reason: None });
    bo.receives(&ann);
    ann.does(Op::Purge);
    bo.does(Op::Restore);
    let mut cy = bo.clone();
    let view = exchange(&mut ann, &mut bo);
    assert_eq!((view.deleted, only(&view).register), (false, Register::Deleted));
    cy.does(Op::Delete { reason: None });
    let view = exchange(&mut cy, &mut ann);
    assert_eq!((view.deleted, view.purged), (true, false));
}

#[test]
fn resolving_in_favour_of_a_purge_purges_the_item() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Comment { text: "seen".into() });
    ann.does(Op::Delete { reason: None });
    bo.receives(&ann);
    ann.does(Op::Purge);
    bo.does(Op::Restore);
    bo.does(title("Ship it today"));
    let view = exchange(&mut ann, &mut bo);
    let conflict = only(&view);
    assert_eq!(
        (conflict.register.clone(), conflict.losers.len()),
        (Register::Deleted, 1)
    );
    ann.does(keep(&conflict, conflict.losers[0]));
    let view = exchange(&mut ann, &mut bo);
    assert!(view.purged && view.conflicts.is_empty());
    assert!(ann.try_does(Op::Restore).is_err());
}

#[test]
fn a_value_changed_by_a_merge_is_reported_with_before_and_after() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Merged { commit: None });
    bo.does(block("waiting for keys"));
    let (anns, bos) = (ann.shown(), bo.shown());
    exchange(&mut ann, &mut bo);
    let changes = |before: &ShownState| {
        let events = ann.events_since(before);
        let told = events.into_iter().filter_map(|event| match event.what {
            EventKind::ChangedByMerge {
                register,
                before,
                after,
            } => Some((register, before, after)),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(
        changes(&anns),
        [(
            Register::Column,
            RegisterValue::Column { column: Column::Done },
            RegisterValue::Column {
                column: Column::Backlog
            }
        )]
    );
    assert_eq!(changes(&bos), [], "nothing that Bo was shown has changed");
}

#[test]
fn each_conflict_has_one_event_also_with_the_same_winner() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let mut cy = Actor::new("cy", 3);
    cy.receives(&ann);
    ann.does(title("Anns"));
    bo.does(title("Bos"));
    cy.does(title("Cys"));
    let raised = |before: &ShownState, actor: &Actor| {
        let events = actor.events_since(before);
        let raised = events
            .into_iter()
            .filter(|event| matches!(event.what, EventKind::ConflictRaised { .. }));
        raised.map(|event| event.id).collect::<Vec<_>>()
    };
    let alone = ann.shown();
    ann.receives(&bo);
    let first = raised(&alone, &ann);
    assert_eq!((first.len(), raised(&ann.shown(), &ann).len()), (1, 0));
    let two = ann.shown();
    ann.receives(&cy);
    let second = raised(&two, &ann);
    assert_eq!(second.len(), 1, "a third contender makes it another contest");
    assert_ne!(first, second);
}
