//! Tests of plans alone: what is refused before anything is written, and what a reply is about.

use towline_proto::OriginKind;

use super::*;
use crate::test_row::item;
use crate::tests::pair::BEGIN;

fn draft(op: Op) -> Draft {
    Draft {
        op,
        origin: Origin::new(OriginKind::User, "ann").unwrap(),
        at: BEGIN,
        request: None,
    }
}

fn label() -> Draft {
    draft(Op::AddLabel {
        label: "rope".to_owned(),
    })
}

#[test]
fn what_is_in_the_trash_is_not_edited_and_can_be_restored() {
    let mut row = item(1);
    assert!(CommandPlan::change(&row, vec![label()], None).is_ok());
    row.deleted = true;
    let refused = CommandPlan::change(&row, vec![label()], None).err().unwrap();
    assert!(refused.message.contains("`restore`"), "{refused}");
    assert!(CommandPlan::change(&row, vec![draft(Op::Restore)], None).is_ok());
    let nothing = CommandPlan::change(&row, Vec::new(), None).unwrap();
    assert!(nothing.work.drafts.is_empty(), "and nothing is written");
}

#[test]
fn a_reply_may_be_about_another_item_than_the_changed_one() {
    let plan = CommandPlan::change(&item(1), vec![label()], None).unwrap();
    let plan = plan.about(&item(2)).note_first("first".to_owned());
    assert_eq!(plan.work.item, Some(item(1).id));
    let PlannedReply::Item {
        item: about,
        first,
        last,
        ..
    } = plan.note_last(None).reply
    else {
        panic!("about an item");
    };
    assert_eq!(about, Some(item(2).id));
    assert_eq!((first.as_deref(), last), (Some("first"), None));
}
