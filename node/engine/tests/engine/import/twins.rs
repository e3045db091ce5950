//! Different issues that were given one id: each is an item of its own, at every import the same one.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use towline_api::request::{FailureCode, Query, Request};
use towline_interchange::import::{Parsed, backlog, beads, github};
use towline_proto::{Origin, OriginKind};

use super::{Place, counts, place};

/// A project in which three people gave the next free id.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        tree.write(
            "tasks/task-7 - Add-the-lamp.md",
            "task-7",
            "Add the lamp",
            "2026-01-01",
            "",
        );
        tree.write(
            "tasks/task-7 - Mend-the-door.md",
            "TASK-007",
            "Mend the door",
            "2026-01-02",
            "dependencies: [task-8]\n",
        );
        tree.write(
            "archive/tasks/task-7 - Paint.md",
            "task-7",
            "Paint the wall",
            "2026-01-02",
            "",
        );
        tree.write(
            "tasks/task-8 - Buy.md",
            "task-8",
            "Buy paint",
            "2026-01-03",
            "dependencies: ['7']\n",
        );
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("backlog").join(name)
    }

    fn write(&self, name: &str, id: &str, title: &str, created: &str, more: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = format!(
            "---\nid: {id}\ntitle: {title}\nstatus: To Do\ncreated_date: {created}\n{more}---\n## Description\n{title}.\n"
        );
        fs::write(path, text).unwrap();
    }

    fn read(&self) -> Parsed {
        backlog::read(self.0.path()).unwrap()
    }
}

fn titles(here: &mut Place) -> Vec<String> {
    let mut titles: Vec<String> = here
        .export()
        .iter()
        .map(|item| item["title"].as_str().unwrap().to_owned())
        .collect();
    titles.sort();
    titles
}

fn titled(here: &mut Place, title: &str) -> Value {
    here.export()
        .into_iter()
        .find(|item| item["title"] == title)
        .unwrap()
}

fn moved(tree: &Tree, from: &str, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::rename(tree.path(from), to).unwrap();
}

#[test]
fn three_tasks_of_one_id_are_three_items_and_stay_the_same_three() {
    let tree = Tree::new();
    let mut here = place();
    let parsed = tree.read();
    assert!(
        parsed.notes[0].starts_with("3 different issues have the id backlog:task-7"),
        "{:?}",
        parsed.notes
    );
    let report = here.import(&parsed);
    assert_eq!(counts(&report), (4, 0, 0, 2, 0));
    assert_eq!(report.notes, [""; 0]);
    let door = titled(&mut here, "Mend the door");
    assert_eq!(door["depends_on"][0]["title"], "Buy paint");
    assert_eq!(
        titled(&mut here, "Buy paint")["depends_on"][0]["title"],
        "Add the lamp"
    );
    let before = here.export();
    let again = here.import(&tree.read());
    assert_eq!((counts(&again), again.notes.len()), ((0, 0, 4, 0, 2), 0));
    assert_eq!(here.export(), before);

    // One is done and moves to another folder, so that another is read first; one is called otherwise.
    moved(
        &tree,
        "tasks/task-7 - Add-the-lamp.md",
        &tree.path("completed/task-7 - Add-the-lamp.md"),
    );
    tree.write(
        "tasks/task-7 - Mend-the-door.md",
        "TASK-007",
        "Mend both doors",
        "2026-01-02",
        "",
    );
    assert_eq!(here.import(&tree.read()).updated, 2);
    assert_eq!(
        titles(&mut here),
        ["Add the lamp", "Buy paint", "Mend both doors", "Paint the wall"]
    );
    assert_eq!(titled(&mut here, "Add the lamp")["column"], "done");
    assert_eq!(titled(&mut here, "Mend both doors")["id"], door["id"]);

    // Somebody over there gives one another id: the others stay what they are.
    fs::remove_file(tree.path("tasks/task-7 - Mend-the-door.md")).unwrap();
    tree.write(
        "tasks/task-12 - Mend.md",
        "task-12",
        "Mend both doors",
        "2026-01-02",
        "",
    );
    let report = here.import(&tree.read());
    assert_eq!((report.created, report.updated, report.unchanged), (1, 0, 3));
    assert_eq!(titled(&mut here, "Add the lamp")["column"], "done");
    here.restarts();
}

#[test]
fn a_second_issue_of_an_id_that_is_here_already_does_not_take_its_item() {
    let tree = Tree::new();
    for name in [
        "tasks/task-7 - Add-the-lamp.md",
        "archive/tasks/task-7 - Paint.md",
    ] {
        fs::remove_file(tree.path(name)).unwrap();
    }
    tree.write(
        "tasks/task-7 - Mend-the-door.md",
        "TASK-007",
        "Mend the door",
        "2026-01-02",
        "",
    );
    let mut here = place();
    here.import(&tree.read());
    let door = titled(&mut here, "Mend the door")["id"].clone();
    tree.write(
        "tasks/task-7 - Add-the-lamp.md",
        "task-7",
        "Add the lamp",
        "2026-01-01",
        "",
    );
    let report = here.import(&tree.read());
    assert_eq!((report.created, report.updated, report.unchanged), (1, 0, 2));
    assert_eq!(titled(&mut here, "Mend the door")["id"], door);
    // Whoever names that id is told which there are.
    let origin = Origin::new(OriginKind::User, "ann").unwrap();
    for wanted in ["task-7", "TASK-007", "backlog:task-7", "backlog:7"] {
        let item = wanted.to_owned();
        let refused = here
            .project
            .request(Some(&origin), Request::Query(Query::Show { item }))
            .unwrap_err();
        assert_eq!(refused.code, FailureCode::NotFound, "{refused}");
        assert!(
            refused.message.contains("Mend the door") && refused.message.contains("Add the lamp"),
            "{refused}"
        );
    }
}

#[test]
fn issues_of_two_repositories_that_nobody_names_do_not_take_each_others_items() {
    let list = |title: &str, created: &str| {
        let text = format!(r#"[{{"number":7,"title":"{title}","createdAt":"{created}"}}]"#);
        github::read(text.as_bytes())
    };
    let (lamp, door) = (
        list("Add the lamp", "2026-01-01T00:00:00Z"),
        list("Paint the door", "2026-02-01T00:00:00Z"),
    );
    let mut here = place();
    assert_eq!(here.import(&lamp).created, 1);
    assert_eq!(here.import(&door).created, 1);
    for again in [&lamp, &door] {
        assert_eq!(counts(&here.import(again)), (0, 0, 1, 0, 0));
    }
    let later = list("Add two lamps", "2026-01-01T00:00:00Z");
    assert_eq!(here.import(&later).updated, 1);
    assert_eq!(titles(&mut here), ["Add two lamps", "Paint the door"]);
}

#[test]
fn equal_copies_count_once_and_lines_of_two_issues_are_two_items() {
    let tree = Tree::new();
    fs::create_dir_all(tree.path("completed")).unwrap();
    fs::copy(
        tree.path("tasks/task-8 - Buy.md"),
        tree.path("completed/task-8 - Buy.md"),
    )
    .unwrap();
    let parsed = tree.read();
    assert_eq!((parsed.items.len(), parsed.records.repeated), (4, 1));

    let line = |title: &str, created: &str| {
        format!(r#"{{"id":"bd-1","title":"{title}","created_at":"{created}","updated_at":"{created}"}}"#)
    };
    let (lamp, door) = (
        line("Lamp", "2026-01-01T00:00:00Z"),
        line("Door", "2026-01-02T00:00:00Z"),
    );
    let mut here = place();
    for file in [format!("{lamp}\n{door}\n"), format!("{door}\n{lamp}\n{door}\n")] {
        let parsed = beads::read(file.as_bytes());
        assert_eq!(parsed.items.len(), 2);
        here.import(&parsed);
        assert_eq!(titles(&mut here), ["Door", "Lamp"]);
    }
}

#[test]
fn an_item_of_an_earlier_version_is_found_by_the_id_that_it_was_given_then() {
    let tree = Tree::new();
    let mut here = place();
    let mut earlier = tree.read();
    earlier.items.retain(|item| item.title == "Mend the door");
    earlier.relations.clear();
    let item = &mut earlier.items[0];
    item.external = "backlog:task-007".to_owned();
    item.record.shared = None;
    item.record.formerly.clear();
    here.import(&earlier);
    let door = titled(&mut here, "Mend the door")["id"].clone();
    let report = here.import(&tree.read());
    assert_eq!((report.created, report.updated + report.unchanged), (3, 1));
    assert_eq!(titled(&mut here, "Mend the door")["id"], door);
}
