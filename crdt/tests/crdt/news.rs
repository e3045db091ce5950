//! What people are told when they hear of what others did: news that have an id are dropped by whoever
//! knows the id, so two news must never share one.

use towline_crdt::diff::diff;
use towline_crdt::fold::fold;
use towline_proto::{Column, Event, EventKind, Op, ProjectId, Qa};

use crate::world::{Actor, ann_and_bo, cast};

fn block(reason: &str) -> Op {
    Op::Block {
        reason: reason.into(),
    }
}

/// What Ann is told when she hears of what Bo did.
fn news(ann: &mut Actor, bo: &Actor) -> Vec<Event> {
    let before = ann.view();
    ann.hears(bo);
    let doc = ann.doc.as_ref().expect("an item");
    let cast = cast();
    diff(
        ProjectId([0; 32]),
        Some(&before),
        &fold(doc.id(), doc.acts(), &cast).expect("a creation"),
    )
}

fn stage(events: &[Event]) -> &Event {
    let mut events = events.iter();
    let stage = events.find(|event| matches!(event.what, EventKind::StageChanged { .. }));
    stage.expect("a change of column")
}

#[test]
fn that_an_item_is_back_where_it_was_is_news_of_its_own() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    bo.does(Op::Start { force: None });
    let started = news(&mut ann, &bo);
    let mut cy = Actor::new("cy", 3);
    cy.hears(&ann);
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
fn one_act_that_wins_twice_is_told_of_twice() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    bo.does(block("no keys"));
    let mut cy = Actor::new("cy", 3);
    cy.hears(&bo);
    ann.hears(&bo);
    bo.does(block("rain"));
    cy.does(Op::Unblock);
    cy.does(Op::Merged { commit: None });
    ann.hears(&bo);
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
        EventKind::FieldChanged { field } => field == name,
        EventKind::HoldsChanged { .. } => name == "holds",
        _ => false,
    });
    named.map(|event| event.id).collect()
}

#[test]
fn what_two_others_did_before_the_last_act_is_told_of_twice() {
    let label = |label: &str| Op::AddLabel { label: label.into() };
    let criterion = |text: &str| Op::AddCriterion { text: text.into() };
    for (name, first, second) in [
        ("labels", label("ui"), label("api")),
        ("criteria", criterion("fast"), criterion("small")),
    ] {
        let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
        let mut cy = Actor::new("cy", 3);
        cy.hears(&ann);
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
fn an_earlier_act_that_wins_later_is_told_of_as_its_own() {
    let title = |title: &str| Op::SetTitle { title: title.into() };
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let mut dot = Actor::new("dot", 4);
    let mut cy = Actor::new("cy", 3);
    dot.hears(&ann);
    cy.hears(&ann);
    bo.does(Op::Freeze);
    ann.hears(&bo);
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
