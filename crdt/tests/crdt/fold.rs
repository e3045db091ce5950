//! The fold: the state of an item after sequential and after concurrent acts.

use towline_crdt::fold::ActOutcome;
use towline_crdt::reasons::{Notice, NoticedAct};
use towline_proto::{Closing, Column, Op, OriginKind, Qa, Register, Status};

use crate::actors::{ann_and_bo, exchange};
use crate::conflicts::outcomes;

fn start() -> Op {
    Op::Start { force: None }
}

fn block(reason: &str) -> Op {
    Op::Block {
        reason: reason.into(),
    }
}

fn merged(commit: Option<&str>) -> Op {
    Op::Merged {
        commit: commit.map(Into::into),
    }
}

#[test]
fn an_item_goes_through_the_pipeline() {
    let (mut ann, _) = ann_and_bo(Qa::Human);
    ann.does(start());
    assert_eq!(ann.view().column, Column::Coding);
    ann.does(Op::Submit);
    ann.does(Op::PassQa);
    assert_eq!(
        (ann.view().column, ann.view().status()),
        (Column::Qa, Status::ReviewHold)
    );
    ann.does(Op::Approve);
    assert_eq!(
        (ann.view().column, ann.view().status()),
        (Column::Merge, Status::Active)
    );
    ann.does(merged(Some("abc123")));
    let view = ann.view();
    assert_eq!((view.column, view.status()), (Column::Done, Status::Done));
    let trail: Vec<_> = view.trail.iter().map(|step| step.column).collect();
    assert_eq!(
        trail,
        [
            Column::Done,
            Column::Merge,
            Column::Qa,
            Column::Coding,
            Column::Backlog
        ]
    );
    assert!(view.conflicts.is_empty() && view.refused.is_empty());
}

#[test]
fn composing_an_illegal_step_fails_and_changes_nothing() {
    let (mut ann, _) = ann_and_bo(Qa::Agent);
    let before = ann.view();
    let error = ann.try_does(Op::Submit).expect_err("not from the backlog");
    assert!(error.to_string().contains("Possible now: start"), "{error}");
    assert_eq!(ann.view(), before);
}

#[test]
fn sent_back_twice_counts_two_retries_until_it_leaves_the_backlog_again() {
    let (mut ann, _) = ann_and_bo(Qa::Agent);
    ann.does(start());
    for _ in 0..2 {
        ann.does(Op::Submit);
        ann.does(Op::RequestChanges {
            reason: "no tests".into(),
        });
    }
    assert_eq!(ann.view().retries, 2);
    ann.does(Op::Move {
        to: Column::Backlog,
        reason: None,
    });
    ann.does(start());
    assert_eq!(ann.view().retries, 0);
}

#[test]
fn freezing_concurrent_to_progress_freezes_the_progressed_item() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Freeze);
    bo.does(start());
    let view = exchange(&mut ann, &mut bo);
    assert_eq!((view.column, view.status()), (Column::Coding, Status::Frozen));
    assert!(view.conflicts.is_empty());
    ann.does(Op::Unfreeze);
    assert_eq!(
        (ann.view().column, ann.view().status()),
        (Column::Coding, Status::Active)
    );
}

#[test]
fn done_against_blocked_stays_blocked_until_it_is_resolved() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(merged(None));
    bo.does(block("waiting for keys"));
    let view = exchange(&mut ann, &mut bo);
    assert_eq!((view.column, view.status()), (Column::Backlog, Status::Blocked));
    assert_eq!(view.conflicts.len(), 1);
    assert_eq!(view.conflicts[0].register, Register::Column);

    let mut other = bo.clone();
    bo.does(Op::Unblock);
    assert_eq!((bo.view().column, bo.view().conflicts.len()), (Column::Done, 0));
    other.does(merged(None));
    assert_eq!(
        (other.view().column, other.view().conflicts.len()),
        (Column::Done, 0)
    );
}

#[test]
fn blocking_again_does_not_release_a_pending_exit() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Abandon { reason: None });
    bo.does(block("waiting for keys"));
    exchange(&mut ann, &mut bo);
    bo.does(block("still waiting"));
    let view = bo.view();
    assert_eq!((view.column, view.status()), (Column::Backlog, Status::Blocked));
    assert_eq!(view.conflicts.len(), 1);
}

#[test]
fn a_merge_fact_beats_a_block_and_says_so() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(merged(Some("abc123")));
    bo.does(block("waiting for keys"));
    let view = exchange(&mut ann, &mut bo);
    assert_eq!((view.column, view.status()), (Column::Done, Status::Done));
    assert_eq!(
        view.attention,
        [Notice::MergedDespite {
            act: NoticedAct::Blocked {
                reason: "waiting for keys".into()
            }
        }]
    );
}

#[test]
fn the_smaller_step_wins_and_the_larger_is_listed() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.does(Op::Move {
        to: Column::Merge,
        reason: None,
    });
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(view.column, Column::Coding);
    assert_eq!(view.conflicts.len(), 1);
    assert_eq!(view.conflicts[0].losers.len(), 1);
    ann.does(Op::Submit);
    assert!(ann.view().conflicts.is_empty(), "an act that saw both settles it");
}

#[test]
fn equal_concurrent_steps_have_one_effect() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.does(start());
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(view.column, Column::Coding);
    assert!(view.conflicts.is_empty());
}

#[test]
fn a_deletion_wins_over_an_edit_and_restoring_shows_the_edit() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Delete { reason: None });
    bo.does(Op::SetTitle {
        title: "Ship it today".into(),
    });
    let view = exchange(&mut ann, &mut bo);
    assert!(view.deleted);
    ann.does(Op::Restore);
    assert_eq!(
        (ann.view().deleted, ann.view().title.as_str()),
        (false, "Ship it today")
    );
}

#[test]
fn a_persons_claim_beats_an_agents_of_the_same_generation() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.receives(&ann);
    bo.kind = OriginKind::Agent;
    bo.does(Op::Claim {
        holder: "coder-1".into(),
        generation: 1,
    });
    ann.does(Op::Claim {
        holder: "ann".into(),
        generation: 1,
    });
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(
        view.claim.as_ref().map(|claim| claim.holder.as_str()),
        Some("ann")
    );
    assert_eq!(view.conflicts.len(), 1);
    ann.does(Op::Submit);
    assert_eq!(ann.view().claim, None, "a change of column ends the claim");
    assert!(ann.try_does(Op::Release { generation: 1 }).is_err());
}

#[test]
fn the_owners_title_wins_until_the_conflict_is_resolved() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::SetTitle { title: "Anns".into() });
    bo.does(Op::SetTitle { title: "Bos".into() });
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(view.title, "Anns");
    assert_eq!(view.conflicts[0].register, Register::Title);
    bo.does(Op::SetTitle { title: "Bos".into() });
    assert_eq!((bo.view().title.as_str(), bo.view().conflicts.len()), ("Bos", 0));
}

#[test]
fn adding_a_label_wins_over_removing_it_at_the_same_time() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::AddLabel { label: "ui".into() });
    bo.receives(&ann);
    ann.does(Op::RemoveLabel { label: "ui".into() });
    bo.does(Op::AddLabel { label: "ui".into() });
    assert_eq!(exchange(&mut ann, &mut bo).labels, ["ui"]);
    ann.does(Op::RemoveLabel { label: "ui".into() });
    assert!(ann.view().labels.is_empty());
}

#[test]
fn concurrent_edits_of_the_body_are_merged_also_with_an_older_base() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.writes(None, "one\ntwo\nthree\n");
    bo.receives(&ann);
    ann.writes(None, "ONE\ntwo\nthree\n");
    bo.writes(None, "one\ntwo\nTHREE\n");
    exchange(&mut ann, &mut bo);
    let body = ann.doc.as_ref().expect("an item").body().expect("a body");
    assert_eq!(body, "ONE\ntwo\nTHREE\n");
    ann.writes(Some("one\ntwo\nthree\n"), "one\n2\nthree\n");
    assert_eq!(
        ann.doc.as_ref().expect("an item").body().expect("a body"),
        "ONE\n2\nTHREE\n"
    );
}

#[test]
fn a_long_body_is_written_in_pieces_that_the_gate_admits() {
    let (mut ann, _) = ann_and_bo(Qa::Agent);
    let text = "All work and no play makes a dull board. ".repeat(300);
    ann.writes(None, &text);
    assert_eq!(ann.doc.as_ref().expect("an item").body().expect("a body"), text);
}

#[test]
fn a_closed_item_keeps_how_it_ended_in_the_archive() {
    let (mut ann, _) = ann_and_bo(Qa::Agent);
    ann.does(Op::Reject {
        reason: "not ours".into(),
    });
    ann.does(Op::Archive);
    let view = ann.view();
    assert_eq!((view.column, view.status()), (Column::Archived, Status::Rejected));
    assert_eq!(
        view.closing,
        Some(Closing::Rejected {
            reason: "not ours".into()
        })
    );
    ann.does(Op::Reopen);
    assert_eq!((ann.view().column, ann.view().closing), (Column::Backlog, None));
}

#[test]
fn criteria_and_comments_of_one_time_are_in_causal_order() {
    let (mut ann, _) = ann_and_bo(Qa::Agent);
    for number in 0..8 {
        ann.clock = 0;
        ann.does(Op::AddCriterion {
            text: number.to_string(),
        });
    }
    let texts: Vec<_> = ann
        .view()
        .criteria
        .into_iter()
        .map(|criterion| criterion.text)
        .collect();
    assert_eq!(texts, ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn concurrent_import_marks_are_superseded_and_never_conflict() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let mark = |digest: &str| Op::MarkImport {
        digest: digest.into(),
        record_at: None,
    };
    ann.does(mark("one"));
    bo.does(mark("two"));
    let view = exchange(&mut ann, &mut bo);
    assert!(view.conflicts.is_empty(), "nobody has to settle it");
    ann.does(mark("three"));
    let fates = outcomes(&ann, "import");
    let replaced = fates
        .iter()
        .filter(|fate| matches!(fate, ActOutcome::Superseded { .. }));
    assert_eq!((fates.len(), replaced.count()), (3, 2), "{fates:?}");
}
