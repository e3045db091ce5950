//! Edits that carry the values that they were made from: what has changed meanwhile is not overwritten.

use towline_api::request::{Command, Edit, Failure, FailureCode, NewItem, Query, Reply, Request};
use towline_api::types::ItemPage;
use towline_proto::{CriterionState, Kind};

use super::pair::{Clock, Replica, pair};

fn create(replica: &mut Replica, title: &str) {
    let new = serde_json::json!({ "kind": "bug", "title": title, "criteria": ["It shines"] });
    let new = serde_json::from_value::<NewItem>(new).unwrap();
    replica.ask(Request::Command(Command::Create(new)));
}

fn edit(replica: &mut Replica, edit: Edit) -> Result<Reply, Failure> {
    let item = "1".to_owned();
    replica.try_ask(Request::Command(Command::Edit(Edit { item, ..edit })))
}

fn titled(replica: &mut Replica, title: &str, base: &str) -> Result<Reply, Failure> {
    let (title, title_base) = (Some(title.to_owned()), Some(base.to_owned()));
    edit(
        replica,
        Edit {
            title,
            title_base,
            ..Edit::default()
        },
    )
}

fn page(replica: &mut Replica) -> ItemPage {
    match replica.ask(Request::Query(Query::Show { item: "1".into() })) {
        Reply::Page(page) => *page,
        other => panic!("no page: {other:?}"),
    }
}

#[test]
fn an_edit_of_a_value_that_changed_meanwhile_writes_nothing_and_shows_the_item() {
    let (mut ann, _bo) = pair(&Clock::new());
    create(&mut ann, "Lamp");
    titled(&mut ann, "Bright lamp", "Lamp").unwrap();
    let stale = titled(&mut ann, "Dim lamp", "Lamp").unwrap_err();
    assert_eq!(stale.code, FailureCode::Conflict);
    assert!(stale.message.contains("the title of 1 has changed"), "{stale}");
    assert_eq!(stale.current.unwrap().title, "Bright lamp");
    assert_eq!(page(&mut ann).card.title, "Bright lamp");
    // Both wanted the same.
    titled(&mut ann, "Bright lamp", "Lamp").unwrap();

    // Another field of the item does not matter, and each field is compared.
    let kind = |kind, base| Edit {
        kind: Some(kind),
        kind_base: Some(base),
        ..Edit::default()
    };
    edit(&mut ann, kind(Kind::Story, Kind::Bug)).unwrap();
    edit(&mut ann, kind(Kind::Spike, Kind::Bug)).unwrap_err();
    let who = |who: &str, base: &str| Edit {
        assignee: Some(who.into()),
        assignee_base: Some(base.into()),
        ..Edit::default()
    };
    edit(&mut ann, who("bo", "")).unwrap();
    edit(&mut ann, who("", "ann")).unwrap_err();
    edit(&mut ann, who("", "bo")).unwrap();
    let card = page(&mut ann).card;
    assert_eq!((card.kind, card.assignee), (Kind::Story, None));
}

#[test]
fn two_edits_of_one_body_that_were_made_from_the_same_text_are_merged() {
    let (mut ann, _bo) = pair(&Clock::new());
    create(&mut ann, "Lamp");
    let body = |text: &str, base: &str| Edit {
        body: Some(text.into()),
        body_base: Some(base.into()),
        ..Edit::default()
    };
    edit(&mut ann, body("one\ntwo\nthree\n", "")).unwrap();
    edit(&mut ann, body("ONE\ntwo\nthree\n", "one\ntwo\nthree\n")).unwrap();
    edit(&mut ann, body("one\ntwo\nTHREE\n", "one\ntwo\nthree\n")).unwrap();
    assert_eq!(page(&mut ann).body, "ONE\ntwo\nTHREE\n");
}

#[test]
fn a_criterion_that_is_another_one_or_was_judged_meanwhile_is_not_judged() {
    let (mut ann, _bo) = pair(&Clock::new());
    create(&mut ann, "Lamp");
    let id = page(&mut ann).criteria_list[0].id;
    let judge = |replica: &mut Replica, expect, state, state_base| {
        replica.try_ask(Request::Command(Command::SetCriterion {
            item: "1".into(),
            index: 1,
            state,
            evidence: None,
            expect: Some(expect),
            state_base: Some(state_base),
        }))
    };
    let other = towline_proto::ActId([7; 16]);
    judge(&mut ann, other, CriterionState::Met, CriterionState::Open).unwrap_err();
    judge(&mut ann, id, CriterionState::Met, CriterionState::Open).unwrap();
    judge(&mut ann, id, CriterionState::Failed, CriterionState::Open).unwrap_err();
    judge(&mut ann, id, CriterionState::Met, CriterionState::Open).unwrap();
    assert_eq!(page(&mut ann).criteria_list[0].state, CriterionState::Met);
}
