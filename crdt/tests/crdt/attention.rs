//! Notices about facts that contradict the state of an item without being a conflict.

use towline_crdt::fold::ActOutcome;
use towline_crdt::reasons::{Notice, NoticedAct};
use towline_proto::{Column, FailureKind, Op, Qa, Rule, Status};

use crate::actors::{Actor, ann_and_bo, exchange};
use crate::conflicts::outcomes;

fn merged(commit: &str) -> NoticedAct {
    NoticedAct::Merged {
        commit: Some(commit.to_owned()),
    }
}

/// The notice of a deletion with other concurrent acts besides those that it names.
fn deleted(acts: Vec<NoticedAct>, edits: usize) -> Notice {
    let total = acts.len() + edits;
    Notice::DeletedDespite { acts, edits, total }
}

#[test]
fn a_deletion_names_the_concurrent_acts_that_matter() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let mut cy = Actor::new("cy", 3);
    cy.receives(&ann);
    ann.does(Op::Delete { reason: None });
    bo.does(Op::Merged {
        commit: Some("abc1234".into()),
    });
    cy.does(Op::Freeze);
    bo.does(Op::Comment { text: "there".into() });
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(view.attention, [deleted(vec![merged("abc1234")], 1)]);
    let view = exchange(&mut ann, &mut cy);
    assert!(view.holds.frozen);
    assert_eq!(
        view.attention,
        [
            Notice::MergedDespite {
                act: NoticedAct::Frozen
            },
            deleted(vec![NoticedAct::Frozen, merged("abc1234")], 1),
        ]
    );
}

#[test]
fn done_without_a_commit_and_a_failed_merge_make_a_notice() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Server);
    ann.does(Op::Start { force: None });
    ann.does(Op::Submit);
    bo.receives(&ann);
    ann.does(Op::Merged { commit: None });
    bo.does(Op::MergeFailed {
        kind: FailureKind::GatesFailed,
        detail: "two tests".into(),
    });
    let view = exchange(&mut ann, &mut bo);
    assert_eq!(view.column, Column::Done);
    assert_eq!(
        view.attention,
        [Notice::DoneDespite {
            act: NoticedAct::MergeFailed {
                kind: FailureKind::GatesFailed
            }
        }]
    );
    assert_eq!(view.status(), Status::Done, "done shows no failure");
    ann.does(Op::Reopen);
    assert!(ann.view().attention.is_empty());
}

#[test]
fn a_failure_reported_concurrently_to_a_merge_is_a_notice_and_no_conflict() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Server);
    ann.does(Op::Start { force: None });
    ann.does(Op::Submit);
    bo.receives(&ann);
    ann.does(Op::Merged {
        commit: Some("abc123".into()),
    });
    bo.does(Op::MergeFailed {
        kind: FailureKind::GatesFailed,
        detail: "clippy".into(),
    });
    let view = exchange(&mut ann, &mut bo);
    assert_eq!((view.column, view.status()), (Column::Done, Status::Done));
    assert!(view.conflicts.is_empty());
    assert_eq!(
        view.attention,
        [Notice::MergedDespite {
            act: NoticedAct::MergeFailed {
                kind: FailureKind::GatesFailed
            }
        }]
    );
}

#[test]
fn two_concurrent_merges_are_both_named() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let merged = |commit: &str| Op::Merged {
        commit: Some(commit.into()),
    };
    ann.does(merged("abc1234"));
    bo.does(merged("def5678"));
    let view = exchange(&mut ann, &mut bo);
    assert!(view.conflicts.is_empty());
    assert_eq!(
        view.attention,
        [Notice::MergedRepeatedly {
            commits: vec!["abc1234".into(), "def5678".into()]
        }]
    );
}

/// The notice is gone, and the timeline still shows which act lost.
#[test]
fn an_overridden_title_stays_overridden_when_a_third_is_written() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let title = |title: &str| Op::SetTitle { title: title.into() };
    ann.does(title("Ship it today"));
    bo.does(title("Ship it tomorrow"));
    assert_eq!(exchange(&mut ann, &mut bo).conflicts.len(), 1);
    ann.does(title("Ship it"));
    assert!(ann.view().conflicts.is_empty());
    let all = outcomes(&ann, "title");
    let lost = all.iter().filter(|fate| {
        matches!(
            fate,
            ActOutcome::Overridden {
                rule: Rule::Field,
                ..
            }
        )
    });
    let followed = all
        .iter()
        .filter(|fate| matches!(fate, ActOutcome::Superseded { .. }));
    assert_eq!((all.len(), lost.count(), followed.count()), (3, 1, 1), "{all:?}");
}
