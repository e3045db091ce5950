//! Epics that hold each other, and what becomes of their items.

use towline_api::request::{Command, Edit, Failure, Reply, Request};

use super::pair::{Clock, Replica, pair};

fn epics(clock: &Clock, titles: &[&str]) -> Replica {
    let (mut ann, _) = pair(clock);
    for title in titles {
        let new = serde_json::json!({ "kind": "epic", "title": title });
        ann.ask(Request::Command(Command::Create(
            serde_json::from_value(new).unwrap(),
        )));
    }
    ann
}

fn edit(who: &mut Replica, item: &str, field: &str, value: &str) -> Result<Reply, Failure> {
    let edit = serde_json::json!({ "item": item, field: value });
    who.try_ask(Request::Command(Command::Edit(
        serde_json::from_value::<Edit>(edit).unwrap(),
    )))
}

#[test]
fn epics_cannot_form_a_cycle() {
    let clock = Clock::new();
    let mut ann = epics(&clock, &["year", "quarter", "month"]);
    edit(&mut ann, "2", "epic", "1").unwrap();
    edit(&mut ann, "3", "epic", "2").unwrap();
    let refused = edit(&mut ann, "1", "epic", "3").unwrap_err();
    assert_eq!(refused.code.exit(), 2);
    assert_eq!(refused.message, "3 belongs to 1, so 1 cannot belong to 3");
    let refused = edit(&mut ann, "1", "epic", "1").unwrap_err();
    assert_eq!(refused.message, "an epic cannot belong to itself");
    assert_eq!(ann.card("1").epic, None);
}

#[test]
fn an_epic_with_items_stays_an_epic() {
    let clock = Clock::new();
    let mut ann = epics(&clock, &["quarter"]);
    ann.create("an item", &[]);
    edit(&mut ann, "2", "epic", "1").unwrap();
    let refused = edit(&mut ann, "1", "kind", "bug").unwrap_err();
    assert_eq!(refused.code.exit(), 5);
    assert!(
        refused.message.contains("`towline edit 2 --epic ''`"),
        "{refused}"
    );
    edit(&mut ann, "2", "epic", "").unwrap();
    edit(&mut ann, "1", "kind", "bug").unwrap();
}
