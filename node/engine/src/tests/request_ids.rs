//! Requests with a name: asked twice, at one node or at two that do not know of each other, they are one.

use std::time::Duration;

use towline_api::request::{
    Administration, Command, FailureCode, NewItem, Query, Reply, Request, Transition,
};
use towline_api::types::Applied;
use towline_proto::{Column, Origin, OriginKind, RequestId, Verb};

use super::pair::{Clock, Replica, meet, pair};

/// Longer than any node leaves the second item of one request to others.
const SPREAD: Duration = Duration::from_secs(3);

fn once(message: &str, of: Request) -> Request {
    Request::Idempotent {
        id: RequestId::derive("matrix !room:example.org", message),
        of: Box::new(of),
    }
}

fn create(title: &str) -> Request {
    let new = serde_json::json!({ "kind": "bug", "title": title });
    Request::Command(Command::Create(serde_json::from_value::<NewItem>(new).unwrap()))
}

fn comment(text: &str) -> Request {
    Request::Command(Command::Comment {
        item: "1".into(),
        text: text.into(),
    })
}

fn moved(to: Column) -> Request {
    Request::Command(Command::Transition(Transition {
        to: Some(to),
        ..Transition::plain("1", Verb::Move)
    }))
}

fn applied(replica: &mut Replica, request: Request) -> Applied {
    // Both read what one person wrote.
    let ann = Origin::new(OriginKind::User, "@ann:example.org").unwrap();
    match replica.project.request(Some(&ann), request).unwrap() {
        Reply::Applied(applied) => *applied,
        other => panic!("it was not applied: {other:?}"),
    }
}

#[test]
fn what_is_asked_twice_is_answered_twice_and_done_once() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    let made = applied(&mut ann, once("$1", create("Lamp")));
    let again = applied(&mut ann, once("$1", create("Lamp")));
    assert!(made.changed && !again.changed);
    assert_eq!(again.card.id, made.card.id);
    applied(&mut ann, once("$2", comment("hello")));
    applied(&mut ann, once("$3", moved(Column::Qa)));
    // Somebody has led on meanwhile; the old message does not lead back.
    applied(&mut ann, moved(Column::Merge));
    meet(&mut ann, &mut bo);
    let mut bo = bo.restart(&clock);
    for replica in [&mut ann, &mut bo] {
        assert_eq!(applied(replica, once("$1", create("Lamp"))).card.id, made.card.id);
        assert!(!applied(replica, once("$2", comment("hello"))).changed);
        assert!(!applied(replica, once("$3", moved(Column::Qa))).changed);
        assert_eq!(
            replica.cards(Request::Query(Query::List(Default::default()))),
            ["1"]
        );
        let page = replica.page("1");
        assert_eq!((page.card.column, page.remarks.len()), (Column::Merge, 1));
    }
    assert!(
        applied(&mut ann, once("$4", comment("hello"))).changed,
        "another message"
    );
}

#[test]
fn what_two_nodes_did_concurrently_for_one_request_is_one_thing() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    ann.create("Lamp", &[]);
    meet(&mut ann, &mut bo);
    for replica in [&mut ann, &mut bo] {
        applied(replica, once("$1", comment("hello")));
        applied(replica, once("$2", moved(Column::Coding)));
    }
    // Whoever goes on from one of them has seen both.
    ann.does("1", Verb::Submit);
    meet(&mut ann, &mut bo);
    for replica in [&mut ann, &mut bo] {
        let page = replica.page("1");
        assert_eq!((page.card.column, page.card.conflicts), (Column::Qa, 0));
        assert_eq!((page.remarks.len(), page.card.comments), (1, 1));
        let lines = |what: &str| {
            page.history
                .iter()
                .filter(|line| line.what.as_str() == what)
                .count()
        };
        assert_eq!((lines("comment"), lines("move")), (1, 1));
    }
}

#[test]
fn two_items_of_one_request_become_one() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    let first = applied(&mut ann, once("$1", create("Lamp"))).card.id;
    let second = applied(&mut bo, once("$1", create("Lamp"))).card.id;
    // The same words in another message are another item.
    applied(&mut ann, once("$2", create("Lamp")));
    meet(&mut ann, &mut bo);
    ann.project.run_maintenance();
    clock.check_run(SPREAD);
    ann.project.run_maintenance();
    bo.project.run_maintenance();
    clock.check_run(SPREAD);
    bo.project.run_maintenance();
    meet(&mut ann, &mut bo);
    for replica in [&mut ann, &mut bo] {
        assert_eq!(
            replica
                .cards(Request::Query(Query::List(Default::default())))
                .len(),
            2
        );
        let gone = replica.page(&second.to_string());
        assert_eq!(gone.card.column, Column::Closed);
        assert_eq!(gone.successor.map(|link| link.id), Some(first));
        assert_eq!(gone.card.conflicts, 0);
        // Whoever asks once more is shown the one that stays.
        assert_eq!(applied(replica, once("$1", create("Lamp"))).card.id, first);
    }
}

#[test]
fn only_what_changes_an_item_has_a_name() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    let invite = Request::Administration(Administration::Invite {
        role: towline_proto::Role::Writer,
        valid_ms: 1,
    });
    let nested = once("$1", once("$1", comment("x")));
    for request in [once("$1", invite), nested] {
        assert_eq!(ann.try_ask(request).unwrap_err().code, FailureCode::Usage);
    }
}
