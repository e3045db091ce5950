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
