//! The ids of events, pinned: a history that has every event, and the ids that every released version gives them.
//!
//! An id is made of stable names (the type of the event, a field, an act), so no wording and no new field of an
//! event changes it. `TOWLINE_BLESS=1` writes the file anew; a difference means that subscribers get events that
//! they know a second time.

use std::path::PathBuf;

use towline_crdt::diff::diff;
use towline_crdt::fold::fold;
use towline_proto::{
    CriterionState, Event, FailureKind, ItemId, Kind, LinkKind, Op, OriginKind, ProjectId, Qa, Role,
};

use crate::actors::{Actor, ann_and_bo, test_members};

fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("TOWLINE_BLESS").is_some() {
        std::fs::write(&path, text).expect("golden file is written");
        return;
    }
    let pinned = std::fs::read_to_string(&path).expect("golden file; TOWLINE_BLESS=1 makes one");
    for (at, (pinned, now)) in pinned.lines().zip(text.lines()).enumerate() {
        assert_eq!(pinned, now, "{name}, line {}", at + 1);
    }
    assert_eq!(pinned.lines().count(), text.lines().count(), "{name}");
}

/// One line for each event: what happened, the type of the event, its id.
fn lines(step: &str, events: &[Event]) -> String {
    let line = |event: &Event| format!("{step}: {} {}\n", event.what.name(), event.id);
    events.iter().map(line).collect()
}

/// What one person does on her own replica, act by act.
fn steps() -> Vec<(&'static str, Vec<Op>)> {
    let claim = Op::Claim {
        holder: "agent:bot".into(),
        generation: 1,
    };
    let failed = Op::MergeFailed {
        kind: FailureKind::Conflict,
        detail: "both edited README".into(),
    };
    vec![
        ("start", vec![Op::Start { force: None }]),
        ("claim", vec![claim]),
        ("release", vec![Op::Release { generation: 1 }]),
        (
            "block",
            vec![Op::Block {
                reason: "no keys".into(),
            }],
        ),
        ("unblock", vec![Op::Unblock]),
        ("freeze", vec![Op::Freeze]),
        ("unfreeze", vec![Op::Unfreeze]),
        (
            "title",
            vec![Op::SetTitle {
                title: "Ship it today".into(),
            }],
        ),
        ("kind", vec![Op::SetKind { kind: Kind::Bug }]),
        ("priority", vec![Op::SetPriority { priority: 0 }]),
        ("qa", vec![Op::SetQa { qa: Qa::Human }]),
        (
            "epic",
            vec![Op::SetEpic {
                epic: Some(ItemId([7; 16])),
            }],
        ),
        (
            "assign",
            vec![Op::Assign {
                who: Some("cy".into()),
            }],
        ),
        (
            "labels",
            vec![
                Op::AddLabel { label: "ui".into() },
                Op::AddLabel { label: "web".into() },
            ],
        ),
        ("depends", vec![Op::AddDependency { on: ItemId([8; 16]) }]),
        (
            "link",
            vec![Op::AddLink {
                kind: LinkKind::Branch,
                target: "topic".into(),
            }],
        ),
        (
            "criterion",
            vec![Op::AddCriterion {
                text: "it works".into(),
            }],
        ),
        (
            "comment",
            vec![Op::Comment {
                text: "Looks good.".into(),
            }],
        ),
        ("submit and pass", vec![Op::Submit, Op::PassQa]),
        ("approve", vec![Op::Approve]),
        ("merge-failed", vec![failed]),
        ("give-up-merge", vec![Op::GiveUpMerge]),
        ("retry-merge", vec![Op::RetryMerge]),
        (
            "merged",
            vec![Op::Merged {
                commit: Some("abc123".into()),
            }],
        ),
        ("delete", vec![Op::Delete { reason: None }]),
        ("restore", vec![Op::Restore]),
    ]
}

/// Applies ops and gives the events that they cause together.
fn happens(actor: &mut Actor, ops: Vec<Op>) -> Vec<Event> {
    let before = actor.shown();
    ops.into_iter().for_each(|op| actor.does(op));
    actor.events_since(&before)
}

/// The events on one replica when it receives another's acts.
fn arrives(here: &mut Actor, there: &Actor) -> Vec<Event> {
    let before = here.shown();
    here.receives(there);
    here.events_since(&before)
}

#[test]
fn event_ids_are_pinned() {
    let mut text = String::new();
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let (_, acts) = ann.shown();
    let members = test_members();
    let created = fold(ann.view().id, &acts, &members).expect("a creation");
    text += &lines("create", &diff(ProjectId([0; 32]), None, &created));
    let mut together = bo.clone();
    for (step, ops) in steps() {
        text += &lines(step, &happens(&mut ann, ops));
    }
    let criterion = ann.view().criteria[0].id;
    let judge = Op::SetCriterion {
        criterion,
        state: CriterionState::Met,
        evidence: None,
    };
    text += &lines("judge", &happens(&mut ann, vec![judge]));
    let before = ann.shown();
    ann.writes(None, "A description.");
    text += &lines("edit", &ann.events_since(&before));
    text += &lines("all at once", &arrives(&mut together, &ann));

    // Conflicts, what a merge changed, and their end.
    let mut cy = Actor::new("cy", 3);
    bo.kind = OriginKind::Agent;
    cy.receives(&bo);
    bo.does(Op::Block {
        reason: "rain".into(),
    });
    bo.does(Op::SetTitle { title: "Bos".into() });
    cy.does(Op::Merged { commit: None });
    cy.does(Op::SetTitle { title: "Cys".into() });
    cy.does(Op::SetPriority { priority: 4 });
    text += &lines("conflict", &arrives(&mut cy, &bo));
    text += &lines("conflict on the other side", &arrives(&mut bo, &cy));
    let open = cy.view().conflicts;
    for conflict in open {
        let keep = Op::Resolve {
            over: conflict.register,
            keep: conflict.losers[0],
        };
        text += &lines("resolve", &happens(&mut cy, vec![keep]));
    }
    text += &lines("resolved", &arrives(&mut bo, &cy));

    // A role is raised, and no act arrives.
    let (mut eve, mut dot) = (Actor::new("eve", 5), Actor::new("cy", 3));
    let (start, _) = ann_and_bo(Qa::Agent);
    eve.receives(&start);
    dot.receives(&start);
    eve.does(Op::SetTitle { title: "Eves".into() });
    dot.does(Op::SetTitle { title: "Cys".into() });
    eve.receives(&dot);
    for raised in [5, 3] {
        let (view, acts) = eve.shown();
        let mut members = test_members();
        for member in members.0.values_mut() {
            if member.0.0[0] == raised {
                member.1 = Role::Maintainer;
            }
        }
        let folded = fold(view.id, &acts, &members).expect("a creation");
        let events = diff(ProjectId([0; 32]), Some((&view, &acts)), &folded);
        text += &lines(&format!("role of {raised}"), &events);
    }
    golden("event_ids.txt", &text);
}
