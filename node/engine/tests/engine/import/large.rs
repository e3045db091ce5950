//! Issues with more to them than fits into one entry: all of it comes over, or the count says that it
//! did not.

use towline_api::request::{ImportComment, ImportCriterion, ImportItem, ImportStage};
use towline_proto::{CriterionState, Millis, limits};

use super::again::issue;
use super::{counts, criteria, place};

const ISSUE: &str = "github:acme/shop#4";

fn talkative(count: usize, bytes: usize) -> ImportItem {
    let mut talk = issue(ISSUE);
    talk.body = "All about it. ".repeat(700);
    talk.stage = ImportStage::Done;
    let criterion = |place: usize| ImportCriterion {
        text: format!("criterion {place}"),
        state: if place.is_multiple_of(2) {
            CriterionState::Met
        } else {
            CriterionState::Open
        },
    };
    talk.criteria = (0..150).map(criterion).collect();
    talk.comments = (0..count)
        .map(|place| ImportComment {
            id: format!("IC_{place}"),
            author: "bob".to_owned(),
            at: Millis(talk.created_at.0 + place as u64),
            text: format!("{place} {}", "x".repeat(bytes)),
        })
        .collect();
    talk
}

#[test]
fn an_issue_of_a_megabyte_of_comments_comes_over_whole() {
    let mut here = place();
    let mut talk = talkative(400, 2_500);
    let report = here.brings(&[
        issue("github:acme/shop#3"),
        talk.clone(),
        issue("github:acme/shop#5"),
    ]);
    assert_eq!(report.problems, [""; 0]);
    assert_eq!(counts(&report), (3, 0, 0, 0, 0));
    let item = here.item(ISSUE);
    assert_eq!(
        (&item["comments"], &item["column"]),
        (&400.into(), &"done".into())
    );
    assert_eq!(item["body"], talk.body);
    let judged: Vec<_> = criteria(&item)
        .into_iter()
        .filter(|(_, state)| state == "met")
        .collect();
    assert_eq!((criteria(&item).len(), judged.len()), (150, 75));
    assert_eq!(judged[1].0, "criterion 2");
    assert_eq!(counts(&here.brings(&[talk.clone()])), (0, 0, 1, 0, 0));

    // As much again is said over there, and all of the body is another.
    let more = talkative(800, 2_501);
    talk.comments.extend_from_slice(&more.comments[400..]);
    talk.body = "Nothing of it. ".repeat(800);
    assert_eq!(counts(&here.brings(&[talk.clone()])), (0, 1, 0, 0, 0));
    let item = here.item(ISSUE);
    assert_eq!(
        (&item["comments"], &item["body"]),
        (&800.into(), &talk.body.clone().into())
    );
    here.restarts();
}

#[test]
fn what_could_not_be_written_is_not_counted() {
    let mut here = place();
    let mut wrong = issue(ISSUE);
    wrong.title = "x".repeat(limits::TITLE_CHARS + 1);
    let report = here.brings(&[issue("github:acme/shop#3"), wrong.clone()]);
    assert_eq!((report.created, report.problems.len()), (1, 1));
    here.brings(&[issue(ISSUE)]);
    let report = here.brings(&[wrong]);
    assert_eq!((report.updated, report.problems.len()), (0, 1));
}

#[test]
fn thousands_of_comments_take_no_longer_than_they_must() {
    // Folded anew for each, they took longer than a test may.
    let mut here = place();
    assert_eq!(here.brings(&[talkative(4_000, 10)]).problems, [""; 0]);
    assert_eq!(here.item(ISSUE)["comments"], 4_000);
}
