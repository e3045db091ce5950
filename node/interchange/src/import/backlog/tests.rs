//! The Backlog.md importer against a project with everything that a task can say.

mod broken;

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use towline_api::request::{FailureCode, ImportItem, ImportStage, RelationKind};
use towline_proto::{Column, CriterionState, Kind, LinkKind};

use super::{BLOCKED, NOBODY, read};
use crate::import::{Parsed, Section};

fn project() -> Parsed {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/backlog-project");
    read(Path::new(dir)).expect("the project is part of the repository")
}

/// A project of these files below `backlog/`.
fn of(files: &[(&str, &str)]) -> (TempDir, Parsed) {
    let dir = TempDir::new().expect("a directory");
    for (name, text) in files {
        let path = dir.path().join("backlog").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let parsed = read(dir.path()).expect("a project");
    (dir, parsed)
}

fn task(id: &str, more: &str) -> String {
    format!("---\nid: {id}\ntitle: Task {id}\n{more}---\n")
}

fn one(text: &str) -> ImportItem {
    let (_dir, parsed) = of(&[("tasks/a.md", text)]);
    assert_eq!(parsed.problems, [], "{text}");
    parsed.items.into_iter().next().expect("one")
}

fn problems(text: &str) -> Vec<String> {
    let (_dir, parsed) = of(&[("tasks/a.md", text)]);
    parsed.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn every_task_of_a_project_comes_over() {
    let parsed = project();
    assert_eq!(parsed.problems, []);
    let items: Vec<_> = parsed
        .items
        .iter()
        .map(|item| {
            (
                item.external.as_str(),
                item.kind,
                item.priority,
                item.labels.join(" "),
            )
        })
        .collect();
    let item = |id, kind, priority, labels: &str| (id, kind, priority, labels.to_owned());
    assert_eq!(
        items,
        [
            item("backlog:draft-1", Kind::Story, 2, ""),
            item(
                "backlog:task-1",
                Kind::Epic,
                1,
                "assignee:bob checkout due:2026-04-01 milestone:v1.0 payments"
            ),
            item("backlog:task-1.1", Kind::Story, 3, ""),
            item("backlog:task-1.2", Kind::Story, 2, ""),
            item(
                "backlog:task-2",
                Kind::Story,
                2,
                "priority:urgent status:in review type:chore"
            ),
            item("backlog:task-3", Kind::Spike, 2, ""),
            item("backlog:task-4", Kind::Story, 2, ""),
            item("backlog:task-10", Kind::Bug, 0, "bank"),
        ]
    );
    let open = |column| ImportStage::Open { column };
    let reason = Some("archived in Backlog.md".to_owned());
    let stages: Vec<_> = parsed.items.iter().map(|item| item.stage.clone()).collect();
    assert_eq!(
        stages,
        [
            open(Column::Upcoming),
            open(Column::Coding),
            ImportStage::Done,
            open(Column::Backlog),
            open(Column::Backlog),
            ImportStage::Done,
            ImportStage::Abandoned { reason },
            open(Column::Backlog),
        ]
    );
    assert_eq!(parsed.items[7].blocked.as_deref(), Some(BLOCKED));
    let relations: Vec<_> = parsed
        .relations
        .iter()
        .map(|relation| {
            let end = |end: &str| end.rsplit_once('-').expect("a number").1.to_owned();
            (end(&relation.from), relation.kind, end(&relation.to))
        })
        .collect();
    let relation = |from: &str, kind, to: &str| (from.to_owned(), kind, to.to_owned());
    assert_eq!(
        relations,
        [
            relation("1", RelationKind::DependsOn, "3"),
            relation("1.1", RelationKind::Epic, "1"),
            relation("1.2", RelationKind::Epic, "1"),
            relation("10", RelationKind::DependsOn, "2"),
        ]
    );
    let left: Vec<_> = parsed
        .tally
        .0
        .keys()
        .filter(|(section, _)| *section == Section::NotCarried)
        .map(|(_, key)| key.as_str())
        .collect();
    assert_eq!(
        left,
        [
            "config.yml of the project",
            "docs of the project",
            "onStatusChange",
            "ordinal"
        ]
    );
}

#[test]
fn a_task_says_who_when_and_what() {
    let parsed = project();
    let pay = &parsed.items[1];
    assert_eq!(pay.title, "Pay by card: the whole way");
    assert_eq!(
        (pay.assignee.as_deref(), pay.created_by.as_str()),
        (Some("sara"), "ann")
    );
    assert_eq!(pay.created_at.to_string(), "2026-03-02T09:15:00Z");
    assert_eq!(pay.updated_at.to_string(), "2026-03-09T17:40:00Z");
    let criteria: Vec<_> = pay
        .criteria
        .iter()
        .map(|criterion| (criterion.text.as_str(), criterion.state))
        .collect();
    assert_eq!(
        criteria,
        [
            ("A card is charged once", CriterionState::Met),
            (
                "A card that is declined says why\nin the words of the bank",
                CriterionState::Open
            ),
            ("Tests pass", CriterionState::Met),
            ("Documentation updated", CriterionState::Open),
        ]
    );
    assert_eq!(
        pay.body,
        "People want to pay by card.\n\nA section is marked like this, and this is text:\n<!-- AC:BEGIN -->\n\
         - [ ] #1 not a criterion\n<!-- AC:END -->\n\n## Implementation Plan\n\n1. Talk to the bank\n2. Write the form\n\n\
         ## Implementation Notes\n\nThe bank answers in cents.\n\n## Risks\n\nThe bank may be down.\n\n\
         ## Final Summary\n\nNot there yet.\n\n## Modified files\n\n- src/checkout.ts\n- src/card.ts"
    );
    let external = |target: &str| (LinkKind::External, target.to_owned());
    assert_eq!(
        pay.links,
        [
            external("https://example.org/psp/api"),
            external("src/checkout.ts"),
            external("backlog/docs/doc-1 - How-we-pay.md"),
        ]
    );
    let said: Vec<_> = pay
        .comments
        .iter()
        .map(|comment| {
            (
                comment.author.as_str(),
                comment.at.0 % 60_000,
                comment.text.as_str(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (
                "sara",
                0,
                "The form stands.\n\n---\n\nUnder a rule, still the same comment."
            ),
            ("bob", 1, "Looks good."),
        ]
    );
    let said: Vec<_> = parsed.items[3]
        .comments
        .iter()
        .map(|comment| (comment.author.as_str(), comment.text.as_str()))
        .collect();
    assert_eq!(said, [("ann", "Which errors?"), (NOBODY, "All of them.")]);
}

#[test]
fn criteria_within_another_section_are_criteria() {
    let around = |inner: &str| {
        let text = format!(
            "{}## Description\n\n<!-- SECTION:DESCRIPTION:BEGIN -->\nWhy.\n\n{inner}\n## Implementation Notes\nnotes\n<!-- SECTION:DESCRIPTION:END -->\n",
            task("task-1", "")
        );
        one(&text)
    };
    let list = "<!-- AC:BEGIN -->\n- [x] #1 first\n- [ ] #2 second\n<!-- AC:END -->\n";
    let done = "## Definition of Done\n<!-- DOD:BEGIN -->\n- [ ] #1 third\n<!-- DOD:END -->\n";
    for inner in [
        format!("## Acceptance Criteria\n{list}{done}"),
        format!("{list}{done}"),
    ] {
        let item = around(&inner);
        let criteria: Vec<_> = item
            .criteria
            .iter()
            .map(|one| (one.text.as_str(), one.state))
            .collect();
        assert_eq!(
            criteria,
            [
                ("first", CriterionState::Met),
                ("second", CriterionState::Open),
                ("third", CriterionState::Open)
            ]
        );
        assert_eq!(item.body, "Why.\n\n\n## Implementation Notes\nnotes");
    }
    let fenced = around(&format!("```\n{list}```\n"));
    assert_eq!(fenced.criteria, []);
    assert!(fenced.body.contains("- [x] #1 first"), "{}", fenced.body);
}

#[test]
fn ids_are_compared_as_backlog_md_compares_them() {
    for id in ["task-7", "TASK-007", "7", " Task-7 ", "task-07"] {
        assert_eq!(super::external(id), "backlog:task-7", "{id}");
    }
    assert_eq!(super::external("task-7.01"), "backlog:task-7.1");
    assert_eq!(super::external("draft-0"), "backlog:draft-0");
    assert_eq!(super::external("JIRA-12"), "backlog:jira-12");
    assert_eq!(super::external("task-7b"), "backlog:task-7b");
    // A number alone means the task of that number, whatever its project calls its tasks.
    let (_dir, parsed) = of(&[
        ("tasks/a.md", &task("JIRA-1", "dependencies: ['2']\n")),
        ("tasks/b.md", &task("JIRA-2", "")),
    ]);
    assert_eq!(parsed.relations[0].to, "backlog:jira-2");
}

#[test]
fn older_tasks_have_headings_and_no_marks() {
    let parsed = project();
    let form = &parsed.items[2];
    assert_eq!(form.body, "A form without marks, as older tasks have it.");
    assert_eq!(form.criteria.len(), 2);
    assert_eq!(form.assignee.as_deref(), Some("sara"));
    let refunds = &parsed.items[4];
    assert_eq!(
        (refunds.title.as_str(), refunds.body.as_str()),
        ("no", "Refunds are for later.")
    );
    assert_eq!(refunds.created_at.to_string(), "2026-03-02T00:00:00Z");
}

#[test]
fn any_of_three_directories_can_be_given() {
    let (dir, whole) = of(&[
        ("tasks/task-1 - A.md", &task("task-1", "")),
        ("drafts/draft-1 - B.md", &task("draft-1", "")),
    ]);
    let inner = dir.path().join("backlog");
    assert_eq!(read(&inner).expect("the folder").items, whole.items);
    let tasks = read(&inner.join("tasks")).expect("a folder of tasks");
    assert_eq!(tasks.items, whole.items[1..]);
    let drafts = read(&inner.join("drafts")).expect("a folder of drafts");
    assert_eq!(drafts.items, whole.items[..1]);

    let elsewhere = dir.path().join("work/board");
    fs::create_dir_all(elsewhere.parent().expect("a folder")).expect("a folder");
    fs::rename(&inner, &elsewhere).expect("moved");
    let configure = |folder: &str| {
        let text = format!("project_name: \"shop\"\nbacklog_directory: {folder}\n");
        fs::write(dir.path().join("backlog.config.yml"), text).expect("a configuration");
    };
    configure("work/board");
    assert_eq!(read(dir.path()).expect("the project").items, whole.items);
    configure(&elsewhere.to_string_lossy());
    assert_eq!(
        read(dir.path()).expect_err("not below the project").code,
        FailureCode::NotFound
    );
    fs::rename(&elsewhere, &inner).expect("moved");

    let code = |path: &Path| read(path).expect_err("refused").code;
    assert_eq!(code(&dir.path().join("nowhere")), FailureCode::NotFound);
    assert_eq!(
        code(&inner.join("tasks").join("task-1 - A.md")),
        FailureCode::Usage
    );
    let empty = TempDir::new().expect("a directory");
    assert_eq!(code(empty.path()), FailureCode::NotFound);
}

#[test]
fn the_folder_says_more_than_the_status() {
    let text = |status: &str| task("task-1", &format!("status: {status}\n"));
    let stage = |folder: &str, status| {
        let (_dir, parsed) = of(&[(&format!("{folder}/a.md"), &text(status))]);
        parsed.items.into_iter().next().expect("one").stage
    };
    assert_eq!(stage("completed", "To Do"), ImportStage::Done);
    assert_eq!(stage("archive/tasks", "Done"), ImportStage::Done);
    assert!(matches!(
        stage("archive/drafts", "Draft"),
        ImportStage::Abandoned { .. }
    ));
    let upcoming = ImportStage::Open {
        column: Column::Upcoming,
    };
    assert_eq!(stage("drafts", "In Progress"), upcoming);
}

#[test]
fn comments_in_two_places_are_all_read() {
    let item = one(&format!(
        "{}<!-- COMMENTS:BEGIN -->\nOne.\n<!-- COMMENTS:END -->\n<!-- COMMENTS:BEGIN -->\nTwo.\n<!-- COMMENTS:END -->\n",
        task("task-1", "created_date: 2026-01-02\n")
    ));
    let said: Vec<_> = item
        .comments
        .iter()
        .map(|comment| comment.text.as_str())
        .collect();
    assert_eq!(said, ["One.", "Two."]);
}

#[test]
fn windows_writes_the_same_task() {
    let text = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/data/backlog-project/backlog/tasks/task-1 - Pay-by-card.md"
    ))
    .expect("a task");
    let (_dir, plain) = of(&[("tasks/a.md", &text)]);
    let (_dir, windows) = of(&[("tasks/a.md", &format!("\u{feff}{}", text.replace('\n', "\r\n")))]);
    assert_eq!(plain.items, windows.items);
}

#[test]
fn no_task_can_pass_for_another_at_the_next_import() {
    let item = one(&task(
        "task-1",
        "references: ['backlog:task-2', 'github:a/b#1', 'gh-7']\n",
    ));
    assert_eq!(item.links, [(LinkKind::External, "gh-7".to_owned())]);
    assert_eq!(item.labels, ["see:backlog:task-2", "see:github:a/b#1"]);
}
