//! `ready`: what somebody can start now, why not the rest, and taking the best of it.

use towline_api::request::{
    Administration, Command, Edit, ImportItem, NewItem, Query, Reply, Request, Transition,
};
use towline_api::types::{ItemCard, NotReadyReason};
use towline_proto::{Column, OriginKind, Verb};

use super::pair::{Clock, Replica, pair};

fn ready(replica: &mut Replica, asker: &str) -> Vec<String> {
    let asker = Some(asker.to_owned());
    replica.cards(Request::Query(Query::Ready { asker, all: false }))
}

fn rest(replica: &mut Replica, asker: &str) -> Vec<(String, NotReadyReason)> {
    let asker = Some(asker.to_owned());
    let Reply::Cards(cards) = replica.ask(Request::Query(Query::Ready { asker, all: true })) else {
        panic!()
    };
    let barred = |card: ItemCard| Some((card.handle, card.in_the_way?));
    cards.into_iter().filter_map(barred).collect()
}

fn assign(replica: &mut Replica, item: &str, who: &str) {
    replica.ask(Request::Command(Command::Edit(Edit {
        item: item.into(),
        assignee: Some(who.into()),
        ..Edit::default()
    })));
}

fn epic(replica: &mut Replica, item: &str, epic: &str) {
    replica.ask(Request::Command(Command::Edit(Edit {
        item: item.into(),
        epic: Some(epic.into()),
        ..Edit::default()
    })));
}

fn create(replica: &mut Replica, kind: &str, title: &str) {
    let new = serde_json::json!({ "kind": kind, "title": title });
    replica.ask(Request::Command(Command::Create(
        serde_json::from_value::<NewItem>(new).unwrap(),
    )));
}

#[test]
fn only_what_the_asker_can_start_is_ready_and_the_rest_says_why() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    ann.create("free", &[]);
    for who in ["ann", "bo"] {
        ann.create(who, &[]);
        assign(&mut ann, if who == "ann" { "2" } else { "3" }, who);
    }
    ann.create("waits", &["1"]);
    ann.create("frozen", &[]);
    ann.does("5", Verb::Freeze);
    ann.create("claimed", &[]);
    ann.starts("6");
    ann.create("given up", &[]);
    ann.starts("7");
    ann.does("7", Verb::Release);
    create(&mut ann, "epic", "an epic");
    assert_eq!(ready(&mut ann, "ann"), ["1", "2", "7"]);
    assert_eq!(ready(&mut ann, "bo"), ["1", "3", "7"]);
    assert_eq!(
        ann.cards(Request::Query(Query::Ready {
            asker: None,
            all: false
        })),
        ["1", "7"],
        "whose items are whose is not known of nobody"
    );
    let why = rest(&mut ann, "ann");
    let expected = [
        ("3", NotReadyReason::Assigned),
        ("4", NotReadyReason::Waits),
        ("5", NotReadyReason::Held),
        ("6", NotReadyReason::Claimed),
        ("8", NotReadyReason::Epic),
    ];
    assert_eq!(why, expected.map(|(item, why)| (item.to_owned(), why)));
}

#[test]
fn nothing_below_an_epic_that_is_held_or_waits_is_ready() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    for title in ["epic A", "epic B", "epic B1"] {
        create(&mut ann, "epic", title);
    }
    create(&mut ann, "story", "in B1");
    epic(&mut ann, "4", "3");
    epic(&mut ann, "3", "2");
    assert_eq!(ready(&mut ann, "ann"), ["4"]);
    ann.depends("2", "1");
    assert_eq!(ready(&mut ann, "ann"), Vec::<String>::new());
    let waits = NotReadyReason::EpicWaits { epic: "2".into() };
    assert_eq!(rest(&mut ann, "ann").pop(), Some(("4".to_owned(), waits)));
    ann.does("1", Verb::Merged);
    assert_eq!(ready(&mut ann, "ann"), ["4"]);
    ann.does("3", Verb::Freeze);
    let held = NotReadyReason::EpicHeld { epic: "3".into() };
    assert_eq!(rest(&mut ann, "ann").pop(), Some(("4".to_owned(), held)));
    // An epic that is over keeps nobody.
    ann.does("3", Verb::Abandon);
    assert_eq!(ready(&mut ann, "ann"), ["4"]);
}

#[test]
fn what_was_in_progress_where_it_came_from_is_its_assignees() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    let item = |number: usize, column: &str, assignee: Option<&str>| -> ImportItem {
        serde_json::from_value(serde_json::json!({
            "external": format!("other:{number}"), "kind": "story", "title": format!("item {number}"),
            "body": "", "priority": 2, "labels": [], "assignee": assignee, "created_by": "cy",
            "created_at": super::pair::BEGIN.0 + number as u64, "updated_at": super::pair::BEGIN,
            "stage": { "stage": "open", "column": column }, "frozen": false, "blocked": null,
            "comments": [], "links": []
        }))
        .unwrap()
    };
    let items = vec![
        item(1, "coding", Some("bo")),
        item(2, "coding", None),
        item(3, "backlog", None),
    ];
    ann.ask(Request::Administration(Administration::ImportItems {
        items,
        dry_run: false,
    }));
    assert_eq!(ready(&mut ann, "ann"), ["3"]);
    assert_eq!(ready(&mut ann, "bo"), ["1", "3"]);
    let why = [("1", NotReadyReason::Assigned), ("2", NotReadyReason::Underway)];
    assert_eq!(
        rest(&mut ann, "ann"),
        why.map(|(item, why)| (item.to_owned(), why))
    );
}

#[test]
fn whoever_starts_an_item_claims_it_and_promotion_does_not() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    for title in ["one", "two", "three"] {
        ann.create(title, &[]);
    }
    ann.starts("1");
    let claim = ann.card("1").claim.unwrap();
    assert_eq!((claim.holder.as_str(), claim.generation), ("ann", 1));
    ann.does("2", Verb::Start);
    assert_eq!(ann.card("2").claim, None);
    let mut other = Transition::plain("3", Verb::Start);
    other.holder = Some("coder-1".into());
    ann.ask(Request::Command(Command::Transition(other)));
    assert_eq!(ann.card("3").claim.unwrap().holder, "coder-1");
    create(&mut ann, "epic", "nobody works on an epic");
    ann.starts("4");
    assert_eq!(
        (ann.card("4").column, ann.card("4").claim),
        (Column::Coding, None)
    );
    ann.create("waits", &["1"]);
    ann.ask(Request::Command(Command::Set {
        key: "promote".into(),
        value: Some("auto".into()),
    }));
    ann.project.run_maintenance();
    ann.does("1", Verb::Merged);
    ann.project.run_maintenance();
    let card = ann.card("5");
    assert_eq!((card.column, card.claim), (Column::Coding, None));
    assert_eq!(ready(&mut ann, "ann"), ["2", "5"], "nobody works on these");
}

#[test]
fn the_best_is_taken_and_nothing_is_an_answer_too() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    for (title, priority) in [("later", 3), ("first", 0), ("second", 0)] {
        let new = serde_json::json!({ "kind": "bug", "title": title, "priority": priority });
        ann.ask(Request::Command(Command::Create(
            serde_json::from_value::<NewItem>(new).unwrap(),
        )));
    }
    let mut taken = Vec::new();
    for number in 0..3 {
        let holder = Some(format!("coder-{number}"));
        let Reply::Applied(applied) = ann.ask(Request::Command(Command::ClaimReady { holder })) else {
            panic!()
        };
        assert_eq!(applied.card.claim.unwrap().holder, format!("coder-{number}"));
        taken.push(applied.card.handle);
    }
    assert_eq!(taken, ["2", "3", "1"]);
    let refused = ann
        .try_ask(Request::Command(Command::ClaimReady { holder: None }))
        .unwrap_err();
    assert_eq!(refused.code.exit(), 3, "{refused}");
    // What was given up is taken where it stands.
    ann.does("3", Verb::Release);
    let Reply::Applied(applied) = ann.ask(Request::Command(Command::ClaimReady { holder: None })) else {
        panic!()
    };
    assert_eq!(
        (applied.card.handle.as_str(), applied.from),
        ("3", Some(Column::Coding))
    );
    assert_eq!(applied.card.claim.unwrap().generation, 2);
}

#[test]
fn nothing_is_proposed_that_would_be_refused() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    for title in ["free", "waits"] {
        ann.create(title, if title == "waits" { &["1"] } else { &[] });
    }
    ann.starts("1");
    super::pair::meet(&mut ann, &mut bo);
    for replica in [&mut ann, &mut bo] {
        replica.project.run_maintenance();
        for item in ["1", "2"] {
            for verb in replica.card(item).legal {
                let of = Request::Command(Command::Transition(Transition {
                    reason: Some("because".into()),
                    to: Some(Column::Upcoming),
                    by: Some(if item == "1" { "2" } else { "1" }.into()),
                    ..Transition::plain(item, verb)
                }));
                // The one waits for the other, so it cannot take its place; which item can is not proposed.
                if verb == Verb::Supersede && item == "1" {
                    continue;
                }
                let outcome = replica.try_ask(Request::DryRun { of: Box::new(of) });
                assert!(outcome.is_ok(), "{verb} of {item}: {outcome:?}");
            }
        }
    }
    let mine = ann.card("1").legal;
    assert!(mine.contains(&Verb::Release), "{mine:?}");
    let theirs = bo.card("1").legal;
    assert!(
        !theirs.contains(&Verb::Release) && !theirs.contains(&Verb::TakeOver),
        "{theirs:?}"
    );
    assert!(!ann.card("2").legal.contains(&Verb::Start));
    assert_eq!(ann.card("1").origin.kind, OriginKind::User);
}
