//! Contests of items in the trash: listed with what has to come first, settled when the item is back.

use towline_api::conflict_text::about;
use towline_api::types::SideResult;
use towline_proto::Verb;

use super::pair::{Clock, Replica, meet, pair};

fn title(replica: &mut Replica) -> String {
    replica.card("1").title
}

#[test]
fn concurrent_edits_are_resolved_after_the_item_is_restored() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    ann.create("one", &[]);
    meet(&mut ann, &mut bo);
    ann.retitle("1", "Anns");
    bo.retitle("1", "Bos");
    meet(&mut ann, &mut bo);
    assert!(!ann.conflicts(None)[0].must_restore_first());
    ann.does("1", Verb::Delete);

    let open = ann.conflicts(None);
    assert!(open[0].must_restore_first(), "{open:?}");
    let shown = title(&mut ann);
    let refused = ann.settle("1", "b").unwrap_err();
    assert_eq!(refused.code.exit(), 5);
    assert_eq!(
        refused.message,
        "1 is in the trash; use `restore` first, then resolve the conflict"
    );
    assert_eq!(title(&mut ann), shown, "nothing was changed");
    ann.does("1", Verb::Restore);
    ann.settle("1", "b").unwrap();
    assert!(ann.conflicts(None).is_empty());
    assert_ne!(title(&mut ann), shown);
}

#[test]
fn a_conflict_about_the_trash_is_resolved_while_the_item_is_there() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    ann.create("one", &[]);
    ann.does("1", Verb::Delete);
    meet(&mut ann, &mut bo);
    // Bo brings it back; Ann, who does not know, does so as well and throws it away once more.
    bo.does("1", Verb::Restore);
    ann.does("1", Verb::Restore);
    ann.does("1", Verb::Delete);
    meet(&mut ann, &mut bo);
    let open = ann.conflicts(None);
    assert_eq!(about(&open[0].topic), "trash");
    assert!(!open[0].must_restore_first(), "{open:?}");
    let back = open[0]
        .sides
        .iter()
        .find(|side| side.result == SideResult::Trash { deleted: false });
    ann.settle("1", &back.unwrap().key).unwrap();
    assert!(!ann.card("1").deleted && ann.conflicts(None).is_empty());
}
