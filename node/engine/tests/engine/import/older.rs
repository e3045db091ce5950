//! Records that are older than what is here, and records that say less: neither takes anything back.

use std::fs;

use serde_json::{Value, json};
use towline_api::request::{Command, Request};
use towline_api::types::ImportReport;
use towline_interchange::import::{Parsed, backlog, beads, github};

use super::{Place, criteria, place};

fn of_beads(record: &Value) -> Parsed {
    beads::read(format!("{record}\n").as_bytes())
}

fn of_github(record: &Value) -> Parsed {
    github::read(format!("[{record}]").as_bytes())
}

fn of_backlog(front: &str, content: &str) -> Parsed {
    let dir = tempfile::tempdir().unwrap();
    let tasks = dir.path().join("backlog/tasks");
    fs::create_dir_all(&tasks).unwrap();
    let text = format!("---\nid: task-7\n{front}---\n{content}");
    fs::write(tasks.join("task-7 - T.md"), text).unwrap();
    backlog::read(dir.path()).unwrap()
}

/// The newer one, then the older: nothing changes, and it is counted and said.
fn nothing_goes_back(newer: &Parsed, older: &Parsed, named: &str) {
    let mut here = place();
    here.import(newer);
    let before = here.export();
    let report = here.import(older);
    assert_eq!(
        (report.older, report.updated, report.unchanged),
        (1, 0, 0),
        "{report:?}"
    );
    let [note] = report.notes.as_slice() else {
        panic!("{:?}", report.notes)
    };
    assert!(note.contains(named) && note.contains("was not changed"), "{note}");
    assert_eq!(here.export(), before);
    assert_eq!(here.import(newer).unchanged, 1);
    assert_eq!(here.export(), before);
    // In the other order the newer one is what is here in the end.
    let mut there = place();
    there.import(older);
    assert_eq!(there.import(newer).updated, 1);
    for field in [
        "title",
        "column",
        "body",
        "labels",
        "assignee",
        "priority",
        "deleted",
        "updated_at",
    ] {
        assert_eq!(there.export()[0][field], before[0][field], "{field}");
    }
    here.restarts();
}

#[test]
fn an_older_snapshot_of_any_tracker_changes_nothing() {
    let newer = json!({
        "id": "s-1", "title": "new title", "description": "new text", "status": "closed", "priority": 0,
        "issue_type": "task", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-05-02T00:00:00Z",
        "closed_at": "2026-05-01T00:00:00Z", "assignee": "bob", "labels": ["x"],
    });
    let older = json!({
        "id": "s-1", "title": "old title", "description": "old text", "status": "open", "priority": 3,
        "issue_type": "task", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-02-01T00:00:00Z",
        "assignee": "cy", "labels": ["y"],
    });
    nothing_goes_back(&of_beads(&newer), &of_beads(&older), "beads:s-1");
    let mut deleted = newer.clone();
    deleted["status"] = "tombstone".into();
    deleted["deleted_at"] = "2026-05-03T00:00:00Z".into();
    nothing_goes_back(&of_beads(&deleted), &of_beads(&older), "beads:s-1");

    let url = "https://github.com/acme/shop/issues/7";
    let newer = json!({
        "number": 7, "url": url, "title": "new", "body": "new", "state": "CLOSED", "labels": [{"name": "x"}],
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z", "closedAt": "2026-05-01T00:00:00Z",
        "assignees": [],
    });
    let older = json!({
        "number": 7, "url": url, "title": "old", "body": "old", "state": "OPEN", "labels": [],
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-02-01T00:00:00Z", "assignees": [{"login": "cy"}],
    });
    nothing_goes_back(&of_github(&newer), &of_github(&older), "github:acme/shop#7");

    let times = |updated: &str| format!("created_date: 2026-01-01\nupdated_date: '{updated}'\n");
    let newer = of_backlog(
        &format!(
            "title: new\nstatus: Done\npriority: high\nlabels: [x]\nassignee: []\n{}",
            times("2026-05-01 10:00")
        ),
        "## Description\nnew\n",
    );
    let older = of_backlog(
        &format!(
            "title: old\nstatus: To Do\npriority: low\nlabels: [y]\nassignee: [cy]\n{}",
            times("2026-02-01 10:00")
        ),
        "## Description\nold\n",
    );
    nothing_goes_back(&newer, &older, "backlog:task-7");
}

#[test]
fn of_one_id_in_a_file_the_newest_record_counts_wherever_it_stands() {
    let line = |title: &str, updated: &str| {
        json!({"id": "a-1", "title": title, "status": "open", "created_at": "2026-01-01T00:00:00Z", "updated_at": updated})
            .to_string()
    };
    let (old, new) = (
        line("old", "2026-01-02T00:00:00Z"),
        line("new", "2026-01-03T00:00:00Z"),
    );
    for file in [format!("{old}\n{new}\n"), format!("{new}\n{old}\n{new}\n")] {
        let parsed = beads::read(file.as_bytes());
        assert_eq!(
            (parsed.items.len(), parsed.items[0].title.as_str()),
            (1, "new"),
            "{file}"
        );
        assert_eq!(parsed.records.repeated + 1, file.lines().count());
        assert_eq!((parsed.problems, parsed.notes), (vec![], vec![]));
    }
}

/// What a later record says nothing about stays as the earlier said it.
fn stays(here: &mut Place, whole: &Parsed, sparse: &Parsed, fields: &[&str]) -> ImportReport {
    here.import(whole);
    let before = here.export();
    let report = here.import(sparse);
    assert_eq!((report.updated, report.older), (1, 0), "{report:?}");
    for field in fields {
        assert_eq!(here.export()[0][field], before[0][field], "{field}");
    }
    report
}

#[test]
fn a_record_that_says_less_erases_nothing() {
    let mut here = place();
    let whole = json!({
        "id": "s-1", "title": "Sign in", "description": "Why.", "notes": "Careful.", "status": "in_progress",
        "priority": 0, "issue_type": "bug", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-02-01T00:00:00Z",
        "assignee": "bob", "labels": ["x"], "pinned": true,
    });
    let sparse = json!({"id": "s-1", "title": "Sign in now", "updated_at": "2026-03-01T00:00:00Z"});
    let said = [
        "body", "labels", "assignee", "priority", "kind", "column", "holds",
    ];
    stays(&mut here, &of_beads(&whole), &of_beads(&sparse), &said);
    assert_eq!(here.export()[0]["title"], "Sign in now");
    // Where it stood is known all the same: that it is closed now is news.
    let closed = json!({"id": "s-1", "status": "closed", "close_reason": "Shipped", "updated_at": "2026-04-01T00:00:00Z"});
    here.import(&of_beads(&closed));
    let item = here.export()[0].clone();
    assert_eq!(
        (&item["column"], &item["title"]),
        (&"done".into(), &"Sign in now".into())
    );
    assert_eq!(
        item["body"],
        "Why.\n\n## Notes\n\nCareful.\n\n## Close reason\n\nShipped"
    );
    // Empty is not absent.
    let emptied = json!({"id": "s-1", "description": "", "labels": [], "assignee": null, "updated_at": "2026-05-01T00:00:00Z"});
    here.import(&of_beads(&emptied));
    let item = here.export()[0].clone();
    assert_eq!((&item["body"], &item["assignee"]), (&"".into(), &Value::Null));
    assert_eq!(item["labels"], json!(["pinned"]));

    let url = "https://github.com/acme/shop/issues/7";
    let whole = json!({
        "number": 7, "url": url, "title": "Sign in", "body": "Why.", "state": "CLOSED", "stateReason": "NOT_PLANNED",
        "labels": [{"name": "bug"}], "milestone": {"title": "v1"}, "assignees": [{"login": "cy"}],
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-02-01T00:00:00Z",
    });
    let sparse =
        json!({"number": 7, "url": url, "title": "Sign in now", "createdAt": "2026-01-01T00:00:00Z"});
    let mut here = place();
    here.import(&of_github(&whole));
    here.ask(Request::Command(Command::Edit(
        serde_json::from_value(json!({"item": "1", "priority": 0})).unwrap(),
    )));
    let said = [
        "body", "labels", "assignee", "priority", "kind", "column", "status",
    ];
    stays(&mut here, &of_github(&whole), &of_github(&sparse), &said);
    assert_eq!(
        here.export()[0]["priority"],
        0,
        "GitHub has no priorities that could take it back"
    );

    let mut here = place();
    let whole = of_backlog(
        "title: Sign in\ntype: bug\npriority: high\nlabels: [x]\nassignee: [cy]\nmilestone: v1\ncreated_date: 2026-01-01\n",
        "## Description\nWhy.\n\n## Acceptance Criteria\n- [x] #1 Seen\n",
    );
    let sparse = of_backlog("title: Sign in now\ncreated_date: 2026-01-01\n", "");
    stays(
        &mut here,
        &whole,
        &sparse,
        &["body", "labels", "assignee", "priority", "kind"],
    );
    let item = here.export()[0].clone();
    assert_eq!(criteria(&item), [("Seen".to_owned(), "met".to_owned())]);
    here.restarts();
}

#[test]
fn times_keep_their_order_and_the_last_is_that_of_the_record() {
    let record = json!({
        "id": "s-1", "title": "T", "status": "closed", "created_at": "2026-02-01T00:00:00Z",
        "updated_at": "2026-04-01T00:00:00Z", "closed_at": "2026-03-01T00:00:00Z", "labels": ["x"],
        "comments": [{"author": "bob", "text": "early", "created_at": "2026-01-15T00:00:00Z"}],
        "dependencies": [{"depends_on_id": "s-2", "type": "blocks", "created_at": "2026-06-01T00:00:00Z"}],
    });
    let other = json!({"id": "s-2", "title": "U", "status": "closed", "created_at": "2026-02-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z", "closed_at": "2026-01-15T00:00:00Z"});
    let mut here = place();
    here.import(&beads::read(format!("{record}\n{other}\n").as_bytes()));
    let item = here.item("beads:s-1");
    assert_eq!(
        (&item["created_at"], &item["entered_at"], &item["updated_at"]),
        (
            &"2026-02-01T00:00:00Z".into(),
            &"2026-03-01T00:00:00Z".into(),
            &"2026-04-01T00:00:00Z".into()
        )
    );
    for item in [item, here.item("beads:s-2")] {
        let history = item["history"].as_array().unwrap();
        let times: Vec<&str> = history.iter().map(|line| line["at"].as_str().unwrap()).collect();
        assert!(
            times
                .iter()
                .all(|time| *time >= item["created_at"].as_str().unwrap()),
            "{times:?}"
        );
        assert_eq!(history[0]["what"], "create");
    }
}

#[test]
fn a_record_without_a_time_is_taken_as_it_is() {
    let mut here = place();
    let newer = json!({"id": "s-1", "title": "New", "status": "open", "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-05-01T00:00:00Z"});
    let undated = json!({"id": "s-1", "title": "Who knows", "status": "open"});
    here.import(&of_beads(&newer));
    assert_eq!(here.import(&of_beads(&undated)).updated, 1);
    assert_eq!(here.export()[0]["title"], "Who knows");
    // It says nothing by which the one before would be the newer.
    assert_eq!(here.import(&of_beads(&newer)).updated, 1);
    assert_eq!(here.export()[0]["title"], "New");
}
