//! Circles of dependencies as news: who is told of them, in which words, how often.

use towline_api::conflict_text::about;
use towline_api::event_text::conflict_text;
use towline_api::request::{Administration, Command, Query, Reply, Request, Transition};
use towline_api::types::FeedEvent;
use towline_api::types::SideResult;
use towline_proto::{EventId, EventKind, Verb};

use super::pair::{Clock, Replica, meet, pair};

fn apart(clock: &Clock) -> (Replica, Replica) {
    let (mut ann, mut bo) = pair(clock);
    for title in ["one", "two", "three", "four"] {
        ann.create(title, &[]);
    }
    meet(&mut ann, &mut bo);
    (ann, bo)
}

fn feed(replica: &mut Replica) -> Vec<FeedEvent> {
    let request = Request::Query(Query::Events {
        after: 0,
        limit: 1_000,
    });
    match replica.ask(request) {
        Reply::Events(events) => events,
        other => panic!("events, not {other:?}"),
    }
}

/// What was told of conflicts, in the order of the items.
fn raised(replica: &mut Replica) -> Vec<(u32, EventId, String)> {
    let events = feed(replica).into_iter().map(|event| event.event);
    let raised = events.filter_map(|event| match event.what {
        EventKind::ConflictRaised { rule, about, .. } => {
            Some((event.number, event.id, conflict_text(rule, &about)))
        }
        _ => None,
    });
    let mut raised: Vec<_> = raised.collect();
    raised.sort();
    raised
}

/// Which items were told to be without conflicts, by whom.
fn settled(replica: &mut Replica) -> Vec<(u32, EventId, String)> {
    let events = feed(replica).into_iter().map(|event| event.event);
    let settled = events.filter(|event| matches!(event.what, EventKind::ConflictsResolved));
    let mut settled: Vec<_> = settled
        .map(|event| (event.number, event.id, event.origin.id))
        .collect();
    settled.sort();
    settled
}

fn numbers(told: &[(u32, EventId, String)]) -> Vec<u32> {
    told.iter().map(|(number, ..)| *number).collect()
}

fn removes(replica: &mut Replica, item: &str, on: &str) {
    replica.ask(Request::Command(Command::Depends {
        item: item.into(),
        add: vec![],
        remove: vec![on.into()],
    }));
}

#[test]
fn a_cycle_emits_the_same_events_for_both_items_on_every_replica() {
    let clock = Clock::new();
    let (mut ann, mut bo) = apart(&clock);
    ann.depends("1", "2");
    bo.depends("2", "1");
    assert!(raised(&mut ann).is_empty(), "nothing has met yet");
    meet(&mut ann, &mut bo);

    let told = raised(&mut ann);
    assert_eq!(numbers(&told), [1, 2]);
    assert_ne!(told[0].1, told[1].1, "each item has an event of its own");
    assert_eq!(told, raised(&mut bo));
    let open = ann.conflicts(None);
    let side = open[0].sides.iter().find(|side| !side.effective).unwrap();
    let SideResult::Waits { item, on } = &side.result else {
        panic!("{side:?}")
    };
    let (free, on) = (&item.handle, &on.handle);
    let rule = format!(
        "{on} and {free} wait for each other; until somebody removes one of the two dependencies, {free} does not wait for {on}"
    );
    assert!(told.iter().all(|(_, _, told)| *told == rule), "{told:?}");

    // Neither an end, with the cache written or not, nor a look, nor making everything again tells it once
    // more.
    let before = feed(&mut ann);
    let mut ann = ann.killed(&clock);
    assert_eq!(feed(&mut ann).len(), before.len());
    let mut ann = ann.restart(&clock);
    assert_eq!(feed(&mut ann).len(), before.len());
    ann.ask(Request::Administration(Administration::Doctor));
    ann.conflicts(None);
    ann.create("five", &[]);
    assert_eq!(raised(&mut ann), told);
    ann.ask(Request::Administration(Administration::Rebuild));
    let after = feed(&mut ann);
    assert_eq!(raised(&mut ann), told);
    same_places(&before, &after);
    let after = feed(&mut ann.killed(&clock));
    same_places(&before, &after);
}

/// Subscribers go on from a position: what was told at it must be there still.
fn same_places(before: &[FeedEvent], after: &[FeedEvent]) {
    assert!(before.len() <= after.len());
    for (before, after) in before.iter().zip(after) {
        assert_eq!(
            (before.position, before.event.id),
            (after.position, after.event.id)
        );
    }
}

#[test]
fn the_end_of_a_cycle_emits_the_same_events_for_both_items_on_every_replica() {
    let clock = Clock::new();
    let (mut ann, mut bo) = apart(&clock);
    ann.depends("1", "2");
    bo.depends("2", "1");
    meet(&mut ann, &mut bo);
    assert!(settled(&mut ann).is_empty());
    removes(&mut bo, "1", "2");
    meet(&mut ann, &mut bo);
    let told = settled(&mut ann);
    assert_eq!(numbers(&told), [1, 2]);
    assert_eq!(told, settled(&mut bo));
    assert!(told.iter().all(|(_, _, who)| who == "bo"), "{told:?}");
    assert_eq!(raised(&mut ann).len(), 2);
}

#[test]
fn a_cycle_that_returns_emits_a_new_event() {
    let clock = Clock::new();
    let (mut ann, mut bo) = apart(&clock);
    ann.depends("1", "2");
    bo.depends("2", "1");
    meet(&mut ann, &mut bo);
    for _ in 0..2 {
        ann.does("1", Verb::Merged);
        ann.does("1", Verb::Reopen);
    }
    meet(&mut ann, &mut bo);
    for told in [raised(&mut ann), settled(&mut ann)] {
        let mut ids: Vec<_> = told.iter().map(|(_, id, _)| *id).collect();
        let number = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), number, "whoever knows an id would drop the news");
    }
    assert_eq!(numbers(&raised(&mut ann)), [1, 1, 1, 2, 2, 2]);
    assert_eq!(numbers(&settled(&mut ann)), [1, 1, 2, 2]);
    assert_eq!(raised(&mut bo), raised(&mut ann));
    assert_eq!(settled(&mut bo), settled(&mut ann));
}

#[test]
fn conflicts_settled_is_emitted_when_neither_a_conflict_nor_a_cycle_is_left() {
    let clock = Clock::new();
    let (mut ann, mut bo) = apart(&clock);
    ann.depends("1", "2");
    bo.depends("2", "1");
    for (replica, title) in [(&mut ann, "Anns"), (&mut bo, "Bos")] {
        replica.retitle("1", title);
    }
    meet(&mut ann, &mut bo);
    assert_eq!(numbers(&raised(&mut ann)), [1, 1, 2]);
    let title = ann
        .conflicts(Some("1"))
        .into_iter()
        .find(|open| about(&open.topic) == "title");
    ann.ask(Request::Command(Command::Resolve {
        item: "1".into(),
        conflict: Some(title.unwrap().id),
        keep: "a".into(),
    }));
    assert!(settled(&mut ann).is_empty(), "the cycle is still there");
    removes(&mut ann, "1", "2");
    assert_eq!(numbers(&settled(&mut ann)), [1, 2]);
}

#[test]
fn a_longer_cycle_and_one_through_a_successor_are_described_step_by_step() {
    let clock = Clock::new();
    let (mut ann, mut bo) = apart(&clock);
    ann.depends("1", "2");
    ann.depends("2", "3");
    bo.depends("3", "1");
    meet(&mut ann, &mut bo);
    let told = raised(&mut ann);
    let [(_, _, rule), (_, _, other)] = told.as_slice() else {
        panic!("two items: {told:?}")
    };
    assert_eq!(rule, other);
    assert!(
        rule.starts_with("they wait for each other in a cycle; until somebody removes one"),
        "{rule}"
    );
    for step in [
        "1 waits for 2",
        "2 waits for 3",
        "3 waits for 1",
        "a cycle; until",
    ] {
        assert!(rule.contains(step), "{rule}");
    }
    removes(&mut ann, "2", "3");

    let mut supersede = Transition::plain("2", Verb::Supersede);
    supersede.by = Some("4".into());
    bo.ask(Request::Command(Command::Transition(supersede)));
    ann.depends("4", "1");
    meet(&mut ann, &mut bo);
    let told = raised(&mut ann);
    let rule = &told
        .iter()
        .find(|(_, _, rule)| rule.contains("superseded"))
        .unwrap()
        .2;
    for step in ["1 waits for 2", "2 was superseded by 4", "4 waits for 1"] {
        assert!(rule.contains(step), "{rule}");
    }
    assert_eq!(raised(&mut bo), told);
}
