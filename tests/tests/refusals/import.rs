//! Files of another tracker: cut short, given twice, and in a later version.

use std::fs;

use towline_tests::process::{Outcome, Place};

const FIRST: &str = r#"{"id":"bd-1","title":"First","status":"open","priority":1,"issue_type":"task","created_at":"2026-01-01T10:00:00Z","updated_at":"2026-01-01T10:00:00Z"}"#;
const SECOND: &str = r#"{"id":"bd-2","title":"Second","status":"open","priority":2,"issue_type":"bug","created_at":"2026-01-02T10:00:00Z","updated_at":"2026-01-02T10:00:00Z","dependencies":[{"issue_id":"bd-2","depends_on_id":"bd-1","type":"blocks","created_at":"2026-01-02T10:00:00Z","created_by":"ann"}]}"#;
const FIRST_LATER: &str = r#"{"id":"bd-1","title":"First, said better","status":"closed","priority":0,"issue_type":"task","created_at":"2026-01-01T10:00:00Z","updated_at":"2026-01-05T10:00:00Z","closed_at":"2026-01-05T10:00:00Z"}"#;

fn import(place: &Place, text: &str) -> Outcome {
    let file = place.dir().join("issues.jsonl");
    fs::write(&file, text).unwrap();
    place.run(&["import", "--from", "beads", "issues.jsonl"])
}

#[test]
fn a_truncated_file_names_the_line_and_imports_the_rest() {
    let ann = Place::of("ann");
    ann.init("shop");
    let cut = format!("{FIRST}\n{SECOND}\n{}", &FIRST_LATER[..60]);
    import(&ann, &cut).refused(1, &["line 3", "truncated"]);
    let titles: Vec<_> = ann.items().iter().map(|item| item["title"].clone()).collect();
    assert_eq!(titles, ["First", "Second"]);
    ann.run(&["import", "--from", "beads", "nowhere.jsonl"])
        .refused(3, &["nowhere.jsonl"]);
    ann.is_sound();
}

#[test]
fn a_second_import_changes_nothing_and_a_later_version_updates() {
    let ann = Place::of("ann");
    ann.init("shop");
    let first = import(&ann, &format!("{FIRST}\n{SECOND}\n")).ok();
    assert!(first.contains("2 created"), "{first}");
    let before = ann.export();
    let again = import(&ann, &format!("{FIRST}\n{SECOND}\n")).ok();
    assert!(again.contains("0 created, 0 updated, 2 unchanged"), "{again}");
    assert_eq!(ann.export(), before);
    let later = import(&ann, &format!("{FIRST_LATER}\n{SECOND}\n")).ok();
    assert!(later.contains("0 created, 1 updated, 1 unchanged"), "{later}");
    let items = ann.items();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["title"], "First, said better");
    assert_eq!(items[1]["title"], "Second");
    let after = ann.export();
    import(&ann, &format!("{FIRST_LATER}\n{SECOND}\n")).ok();
    assert_eq!(ann.export(), after);
    ann.is_sound();
}

fn issue(number: u32, title: &str) -> String {
    format!(
        r#"{{"number":{number},"title":"{title}","state":"OPEN","url":"https://github.com/acme/shop/issues/{number}","createdAt":"2026-01-01T10:00:00Z"}}"#
    )
}

fn task(id: &str, title: &str) -> String {
    format!(
        "---\nid: {id}\ntitle: {title}\nstatus: To Do\ncreated_date: 2026-01-01\n---\n\n## Acceptance Criteria\n\
         <!-- AC:BEGIN -->\n- [x] #1 It is seen\n<!-- AC:END -->\n"
    )
}

#[test]
fn broken_issues_are_named_with_their_lines_and_the_rest_is_imported() {
    let ann = Place::of("ann");
    ann.init("shop");
    let import = |text: &str| {
        fs::write(ann.dir().join("issues.json"), text).unwrap();
        ann.run(&["import", "--from", "github", "issues.json"])
    };
    let (first, second) = (issue(1, "First"), issue(2, "Second"));
    import("not a list").refused(1, &["line 1", "gh issue list --state all --json"]);
    assert_eq!(ann.items().len(), 0);
    let broken = format!("[\n{first},\n{{\"number\":9}},\n{second},\n{}", &first[..40]);
    import(&broken).refused(
        1,
        &[
            "line 3: #9 was skipped, because without `url`",
            "line 5",
            "truncated",
            "2 problems",
        ],
    );
    let titles: Vec<_> = ann.items().iter().map(|item| item["title"].clone()).collect();
    assert_eq!(titles, ["First", "Second"]);
    let again = import(&format!("[{first},{second}]")).ok();
    assert!(again.contains("0 created, 0 updated, 2 unchanged"), "{again}");
    ann.is_sound();
}

#[test]
fn broken_tasks_are_named_with_their_files_and_the_rest_is_imported() {
    let ann = Place::of("ann");
    ann.init("shop");
    let tasks = ann.dir().join("backlog").join("tasks");
    ann.run(&["import", "--from", "backlog", "."])
        .refused(3, &["no tasks"]);
    fs::create_dir_all(&tasks).unwrap();
    let write = |name: &str, text: &str| fs::write(tasks.join(name), text).unwrap();
    write("task-1 - First.md", &task("task-1", "First"));
    write("task-2 - Broken.md", &task("task-2", "'Broken"));
    write("task-3 - Cut.md", "---\nid: task-3\n");
    let import = || ann.run(&["import", "--from", "backlog", "."]);
    let wanted = [
        "tasks/task-2 - Broken.md, line 3",
        "tasks/task-3 - Cut.md, line 1",
        "not closed",
        "2 problems",
    ];
    import().refused(1, &wanted);
    let items = ann.items();
    assert_eq!(items.len(), 1);
    assert_eq!(
        (&items[0]["title"], &items[0]["criteria"][0]["state"]),
        (&"First".into(), &"met".into())
    );
    write("task-2 - Broken.md", &task("task-2", "Mended"));
    write("task-3 - Cut.md", &task("task-3", "Whole"));
    let repaired = import().ok();
    assert!(
        repaired.contains("2 created, 0 updated, 1 unchanged"),
        "{repaired}"
    );
    ann.run(&["import", "--from", "backlog", "backlog/tasks/task-3 - Cut.md"])
        .refused(2, &["is a file"]);
    ann.is_sound();
}
