//! What was done here with imported items between two imports stays as it is, until the other tracker
//! says something new about the same thing.

use towline_api::request::{
    Command, ImportComment, ImportItem, ImportRecord, ImportStage, Request, Transition,
};
use towline_api::types::ImportReport;
use towline_proto::{Column, Kind, Millis, Verb};

use super::{Place, place};

const MARCH: Millis = Millis(1_772_442_000_000);

/// The issue as it stands over there.
pub(super) fn issue(external: &str) -> ImportItem {
    ImportItem {
        external: external.to_owned(),
        kind: Kind::Story,
        title: "Card form".to_owned(),
        body: String::new(),
        priority: 2,
        labels: Vec::new(),
        assignee: None,
        created_by: "ann".to_owned(),
        created_at: MARCH,
        updated_at: MARCH,
        stage: OPEN,
        frozen: false,
        blocked: None,
        comments: Vec::new(),
        links: Vec::new(),
        criteria: Vec::new(),
        record: ImportRecord::default(),
    }
}

const OPEN: ImportStage = ImportStage::Open {
    column: Column::Backlog,
};
const ISSUE: &str = "github:acme/shop#4";

/// Somebody says something over there.
fn comments(issue: &mut ImportItem) {
    let place = issue.comments.len();
    issue.updated_at = Millis(issue.updated_at.0 + 60_000);
    issue.comments.push(ImportComment {
        id: format!("IC_{place}"),
        author: "bob".to_owned(),
        at: issue.updated_at,
        text: format!("thought {place}"),
    });
}

impl Place {
    pub(super) fn brings(&mut self, items: &[ImportItem]) -> ImportReport {
        self.imports(items.to_vec())
    }

    fn does(&mut self, item: &str, verb: Verb) {
        let mut transition = Transition::plain(item, verb);
        transition.commit = (verb == Verb::Merged).then(|| "3f2a1c9".to_owned());
        transition.reason = (verb == Verb::Block).then(|| "waits for the bank".to_owned());
        self.ask(Request::Command(Command::Transition(transition)));
    }
}

#[test]
fn what_was_merged_here_is_not_opened_again_by_a_comment_over_there() {
    let mut here = place();
    let mut card = issue(ISSUE);
    here.brings(&[card.clone()]);
    here.does("1", Verb::Merged);
    comments(&mut card);
    let report = here.brings(&[card.clone()]);
    assert_eq!((report.updated, report.notes.len()), (1, 0));
    let item = here.item(ISSUE);
    assert_eq!((&item["column"], &item["comments"]), (&"done".into(), &1.into()));

    // Closed over there as well: nothing is left to do. Opened again there: that is news.
    card.stage = ImportStage::Done;
    here.brings(&[card.clone()]);
    assert_eq!(here.item(ISSUE)["column"], "done");
    card.stage = OPEN;
    here.brings(&[card.clone()]);
    assert_eq!(here.item(ISSUE)["column"], "backlog");
    here.restarts();
}

#[test]
fn what_was_reopened_here_stays_open_while_the_issue_stays_closed() {
    let mut here = place();
    let mut card = issue(ISSUE);
    card.stage = ImportStage::Done;
    here.brings(&[card.clone()]);
    here.does("1", Verb::Reopen);
    comments(&mut card);
    here.brings(&[card.clone()]);
    assert_eq!(here.item(ISSUE)["column"], "backlog");
}

#[test]
fn what_is_in_the_trash_here_stays_there_and_the_summary_says_so() {
    let mut here = place();
    let mut card = issue(ISSUE);
    here.brings(&[card.clone()]);
    here.does("1", Verb::Delete);
    assert_eq!(
        here.brings(&[card.clone()]).notes,
        [""; 0],
        "nothing is new there"
    );
    comments(&mut card);
    let report = here.brings(&[card.clone()]);
    assert_eq!((report.updated, report.unchanged), (0, 1));
    let [note] = report.notes.as_slice() else {
        panic!("{:?}", report.notes)
    };
    assert!(
        note.contains(ISSUE) && note.contains("towline restore 1"),
        "{note}"
    );
    let item = here.item(ISSUE);
    assert_eq!((&item["deleted"], &item["comments"]), (&true.into(), &0.into()));

    // Whoever brings it back gets what was missed with the next import.
    here.does("1", Verb::Restore);
    assert_eq!(here.brings(&[card.clone()]).updated, 1);
    assert_eq!(here.item(ISSUE)["comments"], 1);

    // Deleted there and brought back there: what an import did it takes back.
    card.stage = ImportStage::Deleted { reason: None };
    here.brings(&[card.clone()]);
    assert_eq!(here.item(ISSUE)["deleted"], true);
    card.stage = OPEN;
    here.brings(&[card.clone()]);
    let item = here.item(ISSUE);
    assert_eq!(
        (&item["deleted"], &item["column"]),
        (&false.into(), &"backlog".into())
    );
    here.restarts();
}

#[test]
fn a_hold_that_was_lifted_here_does_not_come_back_with_a_comment() {
    let mut here = place();
    let mut card = issue(ISSUE);
    card.blocked = Some("imported as blocked".to_owned());
    card.frozen = true;
    here.brings(&[card.clone()]);
    here.does("1", Verb::Unblock);
    here.does("1", Verb::Unfreeze);
    comments(&mut card);
    here.brings(&[card.clone()]);
    let item = here.item(ISSUE);
    assert_eq!(
        (&item["status"], &item["comments"]),
        (&"active".into(), &1.into())
    );
}

#[test]
fn what_an_import_has_set_it_takes_back_and_nothing_that_people_did() {
    let mut here = place();
    let mut held = issue(ISSUE);
    held.blocked = Some("imported as blocked".to_owned());
    held.frozen = true;
    held.labels = vec!["browser".to_owned(), "bug".to_owned()];
    let mut busy = held.clone();
    busy.external = "github:acme/shop#5".to_owned();
    here.brings(&[held.clone(), busy.clone()]);
    here.ask(Request::Command(Command::Label {
        item: "1".to_owned(),
        add: vec!["mine".to_owned()],
        remove: Vec::new(),
    }));
    // Somebody here has looked at the other one and holds it for a reason of their own.
    here.does("2", Verb::Unblock);
    here.does("2", Verb::Block);
    here.does("2", Verb::Unfreeze);
    here.does("2", Verb::Freeze);
    for issue in [&mut held, &mut busy] {
        (issue.blocked, issue.frozen) = (None, false);
        issue.labels = vec!["bug".to_owned(), "ui".to_owned()];
    }
    assert_eq!(here.brings(&[held.clone(), busy]).updated, 2);
    let item = here.item(ISSUE);
    assert_eq!(
        (&item["status"], &item["labels"]),
        (&"active".into(), &serde_json::json!(["bug", "mine", "ui"]))
    );
    let busy = here.item("github:acme/shop#5");
    assert_eq!(busy["holds"]["blocked"]["reason"], "waits for the bank");
    assert_eq!(busy["status"], "frozen");

    // Closed over there while it is held there as well: it is not held any more.
    (held.blocked, held.frozen) = (Some("imported as blocked".to_owned()), true);
    here.brings(&[held.clone()]);
    assert_eq!(here.item(ISSUE)["status"], "frozen");
    (held.blocked, held.frozen) = (None, false);
    held.stage = ImportStage::Done;
    here.brings(&[held]);
    assert_eq!(here.item(ISSUE)["status"], "done");
    here.restarts();
}

#[test]
fn what_has_no_date_there_is_as_old_as_its_item_or_as_the_import() {
    let mut here = place();
    let mut dated = issue("github:acme/shop#5");
    let mut card = issue(ISSUE);
    (card.created_at, card.updated_at) = (Millis(0), Millis(0));
    for issue in [&mut card, &mut dated] {
        comments(issue);
        comments(issue);
        issue
            .comments
            .iter_mut()
            .for_each(|comment| comment.at = Millis(0));
    }
    card.updated_at = Millis(0);
    here.brings(&[card.clone(), dated.clone()]);
    let all = serde_json::to_string(&here.export()).unwrap();
    assert!(!all.contains("\"1970-"), "{all}");
    let created = dated.created_at.to_string();
    assert_eq!(here.item("github:acme/shop#5")["created_at"], created);
    assert!(here.item(ISSUE)["created_at"].as_str().unwrap() > created.as_str());

    // The same again is nothing new, and one more comment is one more.
    assert_eq!(here.brings(&[card.clone(), dated]).unchanged, 2);
    comments(&mut card);
    card.comments[2].at = Millis(0);
    here.brings(&[card]);
    assert_eq!(here.item(ISSUE)["comments"], 3);
}
