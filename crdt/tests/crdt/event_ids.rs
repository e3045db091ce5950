//! Event ids: subscribers drop events whose id they know, so two different changes must never have the same id.

use towline_crdt::diff::diff;
use towline_crdt::fold::fold;
use towline_proto::{Column, Event, EventKind, Field, Op, ProjectId, Qa, Role, limits};

use crate::actors::{Actor, ann_and_bo, test_members};

fn block(reason: &str) -> Op {
    Op::Block {
        reason: reason.into(),
    }
}

/// The events on Ann's replica when she receives Bo's acts.
fn news(ann: &mut Actor, bo: &Actor) -> Vec<Event> {
    let before = ann.shown();
    ann.receives(bo);
    ann.events_since(&before)
}

fn stage(events: &[Event]) -> &Event {
    let mut events = events.iter();
    let stage = events.find(|event| matches!(event.what, EventKind::StageChanged { .. }));
    stage.expect("a change of column")
}

#[test]
fn returning_to_an_earlier_column_has_its_own_event() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    bo.does(Op::Start { force: None });
    let started = news(&mut ann, &bo);
    let mut cy = Actor::new("cy", 3);
    cy.receives(&ann);
    cy.does(Op::Merged { commit: None });
    let finished = news(&mut ann, &cy);
    bo.does(block("no keys"));
    let kept = news(&mut ann, &bo);
    bo.does(Op::Unblock);
    let let_through = news(&mut ann, &bo);
    let told = [&started, &finished, &kept, &let_through].map(|events| stage(events).id);
    assert_eq!(ann.view().column, Column::Done);
    for (index, id) in told.iter().enumerate() {
        assert!(
            !told[..index].contains(id),
            "whoever knows the id would drop the news"
        );
    }
}

#[test]
fn one_act_that_wins_two_conflicts_has_two_events() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    bo.does(block("no keys"));
    let mut cy = Actor::new("cy", 3);
    cy.receives(&bo);
    ann.receives(&bo);
    bo.does(block("rain"));
    cy.does(Op::Unblock);
    cy.does(Op::Merged { commit: None });
    ann.receives(&bo);
    let events = news(&mut ann, &cy);
    let raised = events
        .iter()
        .filter(|event| matches!(event.what, EventKind::ConflictRaised { .. }));
    let ids: Vec<_> = raised.map(|event| event.id).collect();
    assert_eq!(
        ids.len(),
        2,
        "the block stands, and keeps the item from being done"
    );
    assert_ne!(ids[0], ids[1]);
}

fn ids_of(events: &[Event], name: &str) -> Vec<towline_proto::EventId> {
    let named = events.iter().filter(|event| match &event.what {
        EventKind::FieldChanged { field } => field.as_str() == name,
        EventKind::HoldsChanged { .. } => name == "holds",
        _ => false,
    });
    named.map(|event| event.id).collect()
}

#[test]
fn two_changes_that_arrive_after_the_youngest_act_have_two_events() {
    let label = |label: &str| Op::AddLabel { label: label.into() };
    let criterion = |text: &str| Op::AddCriterion { text: text.into() };
    for (name, first, second) in [
        ("labels", label("ui"), label("api")),
        ("criteria", criterion("fast"), criterion("small")),
    ] {
        let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
        let mut cy = Actor::new("cy", 3);
        cy.receives(&ann);
        bo.does(first);
        cy.does(second);
        ann.clock += 1_000_000;
        ann.does(Op::Comment { text: "hm".into() });
        let told = [news(&mut ann, &bo), news(&mut ann, &cy)];
        let ids: Vec<_> = told.iter().flat_map(|events| ids_of(events, name)).collect();
        assert_eq!(ids.len(), 2, "{name}");
        assert_ne!(ids[0], ids[1], "{name}");
    }
}

#[test]
fn an_earlier_act_that_wins_later_has_its_own_event() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let mut dot = Actor::new("dot", 4);
    let mut cy = Actor::new("cy", 3);
    dot.receives(&ann);
    cy.receives(&ann);
    bo.does(Op::Freeze);
    ann.receives(&bo);
    bo.clock += 1_000_000;
    cy.does(Op::Freeze);
    bo.does(Op::Unfreeze);
    bo.does(title("By a writer"));
    dot.does(title("By a maintainer"));
    let first = news(&mut ann, &bo);
    let second = [news(&mut ann, &dot), news(&mut ann, &cy)].concat();
    assert!(ann.view().holds.frozen && ann.view().title == "By a maintainer");
    for name in ["title", "holds"] {
        let ids = [ids_of(&first, name), ids_of(&second, name)].concat();
        assert_eq!(ids.len(), 2, "{name}");
        assert_ne!(ids[0], ids[1], "{name}");
    }
}

fn title(title: &str) -> Op {
    Op::SetTitle { title: title.into() }
}

#[test]
fn returning_to_an_older_value_has_its_own_event() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let mut dot = Actor::new("dot", 4);
    dot.receives(&ann);
    let first = {
        let before = ann.shown();
        bo.does(title("Bos"));
        ann.receives(&bo);
        ann.events_since(&before)
    };
    dot.does(title("Dots"));
    let over = news(&mut ann, &dot);
    let mut cy = Actor::new("cy", 3);
    cy.receives(&dot);
    // Cy supersedes the act that overrode Bo's title, and loses against Bo.
    let mut back = None;
    for attempt in 0..32 {
        let (mut ann, mut cy) = (ann.clone(), cy.clone());
        cy.does(title(&format!("Cys {attempt}")));
        let told = news(&mut ann, &cy);
        if ann.view().title == "Bos" {
            back = Some(told);
            break;
        }
    }
    let back = back.expect("one of them loses to Bo");
    let ids: Vec<_> = [first, over, back]
        .iter()
        .map(|told| ids_of(told, "title"))
        .collect();
    assert!(ids.iter().all(|ids| ids.len() == 1), "{ids:?}");
    assert_ne!(ids[0], ids[2], "whoever knows the id would drop the news");
}

#[test]
fn a_value_restored_by_a_higher_role_has_its_own_event() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let mut dot = Actor::new("dot", 4);
    dot.receives(&ann);
    bo.does(title("Bos"));
    let first = news(&mut ann, &bo);
    dot.does(title("Dots"));
    news(&mut ann, &dot);
    let (before, acts) = ann.shown();
    assert_eq!(before.title, "Dots", "a maintainer goes before a writer");
    let mut cast = test_members();
    for (_, (node, role)) in cast.0.iter_mut().filter(|(_, (node, _))| *node == bo.author.node) {
        assert_eq!((*node, *role), (bo.author.node, Role::Writer));
        *role = Role::Owner;
    }
    let folded = fold(before.id, &acts, &cast).expect("a creation");
    assert_eq!(folded.view.title, "Bos");
    let back = diff(ProjectId([0; 32]), Some((&before, &acts)), &folded);
    assert_eq!(ids_of(&back, "title").len(), 1);
    assert_ne!(ids_of(&back, "title"), ids_of(&first, "title"));
}

fn comments(events: &[Event]) -> Vec<(String, towline_proto::EventId)> {
    let comments = events.iter().filter_map(|event| match &event.what {
        EventKind::Commented { excerpt } => Some((excerpt.clone(), event.id)),
        _ => None,
    });
    comments.collect()
}

fn says(actor: &mut Actor, text: &str) {
    actor.does(Op::Comment { text: text.into() });
}

#[test]
fn a_comment_has_the_same_event_on_every_replica() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let mut cy = Actor::new("cy", 3);
    cy.receives(&ann);
    for text in ["one", "two"] {
        says(&mut bo, text);
    }
    // Written later, with a clock that is behind.
    ann.clock += 1_000_000;
    says(&mut ann, "three");
    let both = comments(&news(&mut ann, &bo));
    let words: Vec<_> = both.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(words, ["one", "two"], "though a younger one was known");
    assert_ne!(both[0].1, both[1].1);
    let anns = ann.clone();
    let all = comments(&news(&mut cy, &anns));
    assert_eq!(all[..2], both, "the same events, whatever else comes with them");
    assert_eq!(all.len(), 3);
    assert!(comments(&news(&mut cy, &anns)).is_empty(), "they are told once");
}

#[test]
fn of_too_many_comments_the_youngest_have_events() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    for number in 0..limits::COMMENT_EVENTS + 5 {
        says(&mut bo, &number.to_string());
    }
    let told = comments(&news(&mut ann, &bo));
    let words: Vec<_> = told.into_iter().map(|(text, _)| text).collect();
    let youngest = (5..limits::COMMENT_EVENTS + 5).map(|number| number.to_string());
    assert_eq!(words, youngest.collect::<Vec<_>>());
}

#[test]
fn an_edit_of_the_body_has_an_event_also_when_a_younger_one_was_known() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    bo.writes(None, "Bo was here.");
    ann.clock += 1_000_000;
    ann.writes(None, "So was Ann.");
    let told = news(&mut ann, &bo);
    let body = told
        .iter()
        .find(|event| matches!(event.what, EventKind::FieldChanged { field: Field::Body }));
    assert_eq!(body.expect("told").origin.id, "bo");
}
