//! `undo`: what leads back, and what does not.

use towline_api::request::{Command, Edit, Failure, FailureCode, Reply, Request, Transition};
use towline_proto::{Column, Verb};

use super::pair::{Clock, Replica, meet, pair};

fn undo(replica: &mut Replica) -> Result<Reply, Failure> {
    replica.try_ask(Request::Command(Command::Undo { item: None }))
}

fn undone(replica: &mut Replica) {
    undo(replica).unwrap_or_else(|failure| panic!("{failure}"));
}

fn refused(replica: &mut Replica, because: &[&str]) {
    let failure = undo(replica).expect_err("refused");
    assert_eq!(failure.code, FailureCode::Conflict, "{failure}");
    for part in because {
        assert!(failure.message.contains(part), "{part}: {failure}");
    }
}

fn label(replica: &mut Replica, add: &[&str], remove: &[&str]) {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    replica.ask(Request::Command(Command::Label {
        item: "1".into(),
        add: texts(add),
        remove: texts(remove),
    }));
}

#[test]
fn fields_labels_and_dependencies_are_set_back() {
    let mut ann = Replica::make("ann", &Clock::new(), None);
    ann.create("Login fails", &[]);
    ann.create("Keys", &[]);
    let before = ann.page("1");
    ann.ask(Request::Command(Command::Edit(Edit {
        item: "1".into(),
        title: Some("Sign-in fails".into()),
        priority: Some(0),
        assignee: Some("bob".into()),
        ..Edit::default()
    })));
    undone(&mut ann);
    let card = ann.card("1");
    assert_eq!(
        (card.title.as_str(), card.priority),
        ("Login fails", before.card.priority)
    );
    assert_eq!(card.assignee, None);
    label(&mut ann, &["ui", "old"], &[]);
    label(&mut ann, &["web"], &["old"]);
    undone(&mut ann);
    assert_eq!(ann.card("1").labels, ["old", "ui"]);
    undone(&mut ann);
    assert_eq!(ann.card("1").labels, ["ui", "web"], "undoing the undo");
    ann.depends("1", "2");
    undone(&mut ann);
    assert!(ann.card("1").depends_on.is_empty());
}

#[test]
fn transitions_lead_back_where_the_rules_have_a_way() {
    let mut ann = Replica::make("ann", &Clock::new(), None);
    ann.create("Login fails", &[]);
    ann.starts("1");
    assert!(ann.card("1").claim.is_some());
    undone(&mut ann);
    let card = ann.card("1");
    assert_eq!((card.column, card.claim), (Column::Backlog, None));
    ann.starts("1");
    ann.does("1", Verb::Submit);
    undone(&mut ann);
    let card = ann.card("1");
    assert_eq!(card.column, Column::Coding);
    assert_eq!(card.claim.map(|claim| claim.holder).as_deref(), Some("ann"));
    for (verb, reason) in [(Verb::Block, Some("no keys")), (Verb::Freeze, None)] {
        ann.ask(Request::Command(Command::Transition(Transition {
            reason: reason.map(Into::into),
            ..Transition::plain("1", verb)
        })));
        undone(&mut ann);
    }
    let holds = ann.card("1").holds;
    assert!(!holds.frozen && holds.blocked.is_none());
    ann.does("1", Verb::Merged);
    undone(&mut ann);
    assert_eq!(ann.card("1").column, Column::Coding);
    ann.does("1", Verb::Abandon);
    undone(&mut ann);
    undone(&mut ann);
    assert_eq!(ann.card("1").column, Column::Closed, "undoing the undo");
    ann.does("1", Verb::Delete);
    undone(&mut ann);
    assert!(!ann.card("1").deleted);
}

#[test]
fn a_new_item_goes_into_the_trash_unless_somebody_has_changed_it() {
    let (mut ann, mut bo) = pair(&Clock::new());
    ann.create("By mistake", &[]);
    undone(&mut ann);
    assert!(ann.card("1").deleted);
    undone(&mut ann);
    assert!(!ann.card("1").deleted, "undoing the undo");
    ann.create("Login fails", &[]);
    meet(&mut ann, &mut bo);
    bo.retitle("2", "Sign-in fails");
    meet(&mut ann, &mut bo);
    refused(&mut ann, &["create", "2", "bo"]);
}

#[test]
fn what_somebody_changed_since_or_at_the_same_time_is_not_undone() {
    let (mut ann, mut bo) = pair(&Clock::new());
    ann.create("Login fails", &[]);
    ann.retitle("1", "Sign-in fails");
    meet(&mut ann, &mut bo);
    bo.retitle("1", "Safari");
    meet(&mut ann, &mut bo);
    refused(&mut ann, &["`title` of 1", "bo", "Safari"]);
    ann.retitle("1", "One");
    bo.retitle("1", "Two");
    meet(&mut ann, &mut bo);
    refused(&mut ann, &["bo"]);
    assert_eq!(ann.conflicts(None).len(), 1);
    // Another register does not matter.
    bo.settle("1", "bo").unwrap();
    ann.does("1", Verb::Freeze);
    meet(&mut ann, &mut bo);
    bo.retitle("1", "Three");
    meet(&mut ann, &mut bo);
    undone(&mut ann);
    let card = ann.card("1");
    assert_eq!((card.title.as_str(), card.holds.frozen), ("Three", false));
}

#[test]
fn what_has_no_way_back_says_why() {
    let (mut ann, mut bo) = pair(&Clock::new());
    ann.create("Login fails", &[]);
    meet(&mut ann, &mut bo);
    let failure = undo(&mut bo).expect_err("bo did nothing");
    assert_eq!(failure.code, FailureCode::NotFound);
    ann.ask(Request::Command(Command::Comment {
        item: "1".into(),
        text: "On Safari".into(),
    }));
    refused(&mut ann, &["comment", "history"]);
    ann.ask(Request::Command(Command::Transition(Transition {
        commit: Some("3f2a1c9".into()),
        ..Transition::plain("1", Verb::Merged)
    })));
    refused(&mut ann, &["a fact"]);
    ann.ask(Request::Command(Command::Set {
        key: "promote".into(),
        value: Some("auto".into()),
    }));
    refused(&mut ann, &["setting promote"]);
}
