//! What people are told when they hear of what others did: news that have an id are dropped by whoever
//! knows the id, so two news must never share one.

use towline_crdt::diff::diff;
use towline_crdt::fold::fold;
use towline_proto::{Column, Event, EventKind, Op, ProjectId, Qa, Role, limits};

use crate::world::{Actor, ann_and_bo, cast};

fn block(reason: &str) -> Op {
    Op::Block {
        reason: reason.into(),
    }
}

/// What Ann is told when she hears of what Bo did.
fn news(ann: &mut Actor, bo: &Actor) -> Vec<Event> {
    let before = ann.shown();
    ann.hears(bo);
    ann.told_since(&before)
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

fn title(title: &str) -> Op {
    Op::SetTitle { title: title.into() }
}

#[test]
fn that_an_older_value_is_back_is_news_of_its_own() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let mut dot = Actor::new("dot", 4);
    dot.hears(&ann);
    let first = {
        let before = ann.shown();
        bo.does(title("Bos"));
        ann.hears(&bo);
        ann.told_since(&before)
    };
    dot.does(title("Dots"));
    let over = news(&mut ann, &dot);
    let mut cy = Actor::new("cy", 3);
    cy.hears(&dot);
    // Cy replaces what went over Bo's title, and loses to Bo.
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
fn what_a_rise_brings_back_is_news_of_its_own() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let mut dot = Actor::new("dot", 4);
    dot.hears(&ann);
    bo.does(title("Bos"));
    let first = news(&mut ann, &bo);
    dot.does(title("Dots"));
    news(&mut ann, &dot);
    let (before, acts) = ann.shown();
    assert_eq!(before.title, "Dots", "a maintainer goes before a writer");
    let mut cast = cast();
    for (_, (node, role)) in cast.0.iter_mut().filter(|(_, (node, _))| *node == bo.place.node) {
        assert_eq!((*node, *role), (bo.place.node, Role::Writer));
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
fn every_comment_that_comes_is_told_by_the_same_event_everywhere() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    let mut cy = Actor::new("cy", 3);
    cy.hears(&ann);
    for text in ["one", "two"] {
        says(&mut bo, text);
    }
    // Said later, by a clock that is behind.
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
fn of_more_comments_than_anybody_reads_the_youngest_are_told() {
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
fn an_edit_of_the_body_is_told_though_a_younger_one_was_known() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    bo.writes(None, "Bo was here.");
    ann.clock += 1_000_000;
    ann.writes(None, "So was Ann.");
    let told = news(&mut ann, &bo);
    let body = told
        .iter()
        .find(|event| matches!(&event.what, EventKind::FieldChanged { field } if field == "body"));
    assert_eq!(body.expect("told").origin.id, "bo");
}
