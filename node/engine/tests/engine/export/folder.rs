//! A project as a folder of Backlog.md tasks, and back: what the format can say comes back as it was.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use towline_api::request::{Administration, Query, Reply, Request};
use towline_interchange::export::markdown;
use towline_interchange::import::backlog;

use super::store::Store;

/// Everything that a task can say of an item; other items by their titles, since numbers are new.
fn sayings(store: &mut Store) -> BTreeMap<String, Value> {
    let Reply::Pages(pages) = store.ask(Request::Query(Query::Export {
        offset: 0,
        limit: 500,
    })) else {
        panic!("pages")
    };
    let minute = |at: &Value| at.as_str().unwrap()[..16].to_owned();
    let titles = |links: &Value| -> Vec<Value> {
        let links = links.as_array().into_iter().flatten();
        links.map(|link| link["title"].clone()).collect()
    };
    let sayings = pages.iter().map(|page| {
        let page = serde_json::to_value(page).unwrap();
        let remark = |remark: &Value| json!([remark["origin"]["id"], minute(&remark["at"]), remark["text"]]);
        let criterion = |criterion: &Value| json!([criterion["text"], criterion["state"]]);
        let links = page["links"].as_array().unwrap().iter();
        let links: Vec<_> = links.map(|link| &link["target"]).collect();
        let said = json!({
            "kind": page["kind"],
            "body": page["body"],
            "column": page["column"],
            "closed": page["status"],
            "blocked": page["holds"]["blocked"].is_object(),
            "priority": page["priority"],
            "labels": page["labels"],
            "assignee": page["assignee"],
            "asked by": page["origin"]["id"],
            "made": minute(&page["created_at"]),
            "waits for": titles(&page["depends_on"]),
            "epic": page["epic"]["title"],
            "criteria": page["criteria_list"].as_array().unwrap().iter().map(criterion).collect::<Vec<_>>(),
            "comments": page["remarks"].as_array().unwrap().iter().map(remark).collect::<Vec<_>>(),
            "links": links,
        });
        (page["title"].as_str().unwrap().to_owned(), said)
    });
    sayings.collect()
}

/// Writes a project into a folder and takes the folder into an empty project.
fn carried(from: &mut Store) -> Store {
    let dir = tempfile::tempdir().unwrap();
    let Reply::Pages(pages) = from.ask(Request::Query(Query::Export {
        offset: 0,
        limit: 500,
    })) else {
        panic!("pages")
    };
    for file in markdown::files(&pages) {
        let folder = dir.path().join(file.folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file.name), file.text).unwrap();
    }
    let parsed = backlog::read(dir.path()).unwrap();
    assert_eq!(parsed.problems, []);
    let mut there = Store::new(90);
    for request in [
        Request::Administration(Administration::ImportItems {
            items: parsed.items,
            dry_run: false,
        }),
        Request::Administration(Administration::ImportRelations {
            relations: parsed.relations,
            dry_run: false,
        }),
    ] {
        let Reply::Imported(report) = there.ask(request) else {
            panic!("a report")
        };
        assert_eq!(report.problems, [""; 0]);
    }
    there
}

/// Without the link by which an item is found again: every one has it, and one of it.
fn without_refs(mut sayings: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    for said in sayings.values_mut() {
        let links = said["links"].as_array_mut().unwrap();
        let before = links.len();
        links.retain(|link| !link.as_str().unwrap().starts_with("backlog:task-"));
        assert_eq!(links.len() + 1, before);
    }
    sayings
}

/// What comes back where the format says less than we do.
fn say(sayings: &mut BTreeMap<String, Value>, title: &str, what: &str, instead: Value) {
    let said = sayings.get_mut(title).unwrap();
    assert_ne!(said[what], instead, "{title} comes back as it was");
    said[what] = instead;
}

#[test]
fn a_project_comes_back_from_its_markdown_files() {
    let mut here = Store::new(80);
    let body = "    indented code\n\n## Not a section of ours\n\n```\n<!-- SECTION:DESCRIPTION:END -->\n```\n\
        <!-- AC:BEGIN -->\n- [ ] #1 no criterion\n<!-- AC:END -->\n&lt;!-- AC:END -->\n---\nid: task-9\n---";
    here.create("epic", "The shop: 'all' of it #1", json!({ "priority": 0 }));
    here.create("bug", "[crash] @home - no", json!({ "body": body, "priority": 1, "epic": "1", "assignee": "@bob b", "labels": ["- a", "it's: #b", "@c", "no", "\u{e4}rger"] }));
    here.create("spike", "null", json!({ "depends_on": ["2"], "criteria": ["#7 is answered", "all of:\n- [x] one\n- [ ] two\n<!-- AC:END -->", "- [x] a box", "\\- [ ] b"] }));
    here.create("refactor", "Later", json!({ "upcoming": true, "priority": 3 }));
    here.create(
        "story",
        "Held",
        json!({ "depends_on": ["1", "3"], "body": "one" }),
    );
    here.create("story", "Done", json!({ "epic": "1" }));
    for title in ["Abandoned", "Doomed"] {
        here.create("story", title, json!({}));
    }
    here.does(json!({ "request": "depends", "item": "7", "add": ["8"], "remove": [] }));
    for (index, state) in [(1, "met"), (3, "met")] {
        here.does(json!({ "request": "set-criterion", "item": "3", "index": index, "state": state }));
    }
    let comments = [
        "First.\n\n---\n\nauthor: @mallory\ncreated: 2020-01-01 00:00\n---\nnot said by mallory\n ---",
        "    code\n<!-- COMMENTS:END -->\n<!-- COMMENT:BEGIN -->",
        "author: @eve",
        "---",
    ];
    for text in comments {
        here.agent_does(json!({ "request": "comment", "item": "2", "text": text }));
    }
    here.does(json!({ "request": "link", "item": "2", "add": [["external", "gh:1"], ["external", "it's"]], "remove": [] }));
    here.verb("5", "block", json!({ "reason": "imported as blocked" }));
    here.verb("6", "merged", json!({}));
    here.verb("7", "abandon", json!({}));
    here.verb("2", "start", json!({}));
    here.verb("8", "delete", json!({}));

    let mut expected = sayings(&mut here);
    let mut there = carried(&mut here);
    let got = without_refs(sayings(&mut there));
    expected.remove("Doomed").unwrap();
    say(&mut expected, "Abandoned", "waits for", json!([]));
    assert_eq!(
        got.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    for (title, said) in &expected {
        for (what, value) in said.as_object().unwrap() {
            assert_eq!(&got[title][what], value, "{what} of {title}");
        }
    }
    there.is_sound();
    let mut further = carried(&mut there);
    let again = without_refs(sayings(&mut further));
    assert_eq!(again, expected, "once more, and nothing piles up");
}

#[test]
fn what_the_format_cannot_say_comes_back_as_the_documents_tell() {
    let mut here = Store::new(81);
    for title in ["Checked", "Frozen", "Old", "Replaced", "Refused", "Least"] {
        here.create("story", title, json!({ "criteria": ["a", "b", "c"] }));
    }
    for (index, state) in [(1, "met"), (2, "failed"), (3, "skipped")] {
        here.does(json!({ "request": "set-criterion", "item": "1", "index": index, "state": state }));
    }
    here.verb("1", "start", json!({}));
    here.verb("1", "submit", json!({}));
    here.verb("1", "block", json!({ "reason": "no room" }));
    here.verb("2", "freeze", json!({}));
    here.verb("3", "merged", json!({}));
    here.verb("3", "archive", json!({}));
    here.verb("4", "supersede", json!({ "by": "1" }));
    here.verb("5", "reject", json!({ "reason": "no" }));
    here.does(json!({ "request": "edit", "item": "6", "priority": 4, "body": "\n\na body  \n\n" }));

    let mut expected = sayings(&mut here);
    let mut there = carried(&mut here);
    let got = sayings(&mut there);
    let open = json!([["a", "met"], ["b", "open"], ["c", "open"]]);
    say(&mut expected, "Checked", "criteria", open);
    say(&mut expected, "Checked", "column", json!("coding"));
    say(&mut expected, "Checked", "blocked", json!(false));
    say(&mut expected, "Checked", "closed", json!("active"));
    say(&mut expected, "Frozen", "closed", json!("active"));
    say(&mut expected, "Old", "column", json!("done"));
    say(&mut expected, "Replaced", "closed", json!("abandoned"));
    say(&mut expected, "Refused", "closed", json!("abandoned"));
    say(&mut expected, "Least", "priority", json!(3));
    say(&mut expected, "Least", "body", json!("a body"));
    for (title, said) in &mut expected {
        said["links"] = got[title]["links"].clone();
    }
    assert_eq!(got, expected);
}
