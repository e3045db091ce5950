//! One record that two nodes imported apart: which of the two items an import goes on with.

use towline_api::request::{Administration, ImportItem, Reply, Request};
use towline_api::types::ImportReport;
use towline_proto::Verb;

use super::pair::{BEGIN, Clock, Replica, meet, pair};

fn issue(title: &str) -> ImportItem {
    serde_json::from_value(serde_json::json!({
        "external": "github:acme/shop#9", "kind": "story", "title": title, "body": "", "priority": 2,
        "labels": [], "assignee": null, "created_by": "cy", "created_at": BEGIN, "updated_at": BEGIN,
        "stage": { "stage": "open", "column": "backlog" }, "frozen": false, "blocked": null,
        "comments": [], "links": [],
    }))
    .unwrap()
}

fn imports(replica: &mut Replica, title: &str) -> ImportReport {
    let request = Request::Administration(Administration::ImportItems {
        items: vec![issue(title)],
        dry_run: false,
    });
    match replica.ask(request) {
        Reply::Imported(report) => report,
        other => panic!("a report, not {other:?}"),
    }
}

/// Ann and Bo, who have both imported the issue before they met.
fn both_imported() -> (Replica, Replica) {
    let (mut ann, mut bo) = pair(&Clock::new());
    for replica in [&mut ann, &mut bo] {
        assert_eq!(imports(replica, "Pay by card").created, 1);
    }
    meet(&mut ann, &mut bo);
    (ann, bo)
}

#[test]
fn a_record_that_is_two_items_here_is_brought_up_to_date_once_and_the_summary_names_both() {
    let (mut ann, _) = both_imported();
    let report = imports(&mut ann, "Pay by phone");
    assert_eq!((report.created, report.updated), (0, 1));
    let [note] = report.notes.as_slice() else {
        panic!("{:?}", report.notes)
    };
    assert!(note.contains("1a and 1b"), "{note}");
    assert_eq!(ann.card("1a").title, "Pay by phone");
    assert_eq!(ann.card("1b").title, "Pay by card");
}

#[test]
fn an_import_goes_on_with_the_item_that_is_left_and_not_with_the_one_in_the_trash() {
    let (mut ann, mut bo) = both_imported();
    ann.does("1a", Verb::Delete);
    let report = imports(&mut ann, "Pay by phone");
    assert_eq!((report.updated, report.notes.as_slice()), (1, [].as_slice()));
    assert!(ann.card("1a").deleted);
    assert_eq!(
        (ann.card("1a").title.as_str(), ann.card("1b").title.as_str()),
        ("Pay by card", "Pay by phone")
    );
    // With both in the trash, one that is not emptied out of it is the one that is meant.
    ann.does("1a", Verb::Purge);
    ann.does("1b", Verb::Delete);
    meet(&mut ann, &mut bo);
    let report = imports(&mut bo, "Pay by cheque");
    assert_eq!((report.created, report.updated, report.notes.len()), (0, 0, 1));
}
