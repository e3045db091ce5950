//! Files that are broken, hostile, or not what they seem: named, made harmless, and no reason to panic.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;
use towline_proto::text;

use super::{of, one, problems, project, task};
use crate::import::Section;
use crate::import::backlog::{FILE_BYTES, NOBODY, front_matter, read, sections};

#[test]
fn a_file_that_cannot_be_used_is_named_and_the_rest_is_read() {
    let dir = TempDir::new().expect("a directory");
    let tasks = dir.path().join("backlog/tasks");
    fs::create_dir_all(&tasks).expect("a folder");
    let write = |name: &str, bytes: &[u8]| fs::write(tasks.join(name), bytes).expect("a file");
    write("task-1 - a.md", task("task-1", "").as_bytes());
    write("task-2 - b.md", b"# No fields\n");
    write("task-3 - c.md", b"---\nid: task-3\ntitle: never ends\n");
    write("task-4 - d.md", b"---\nid: task-4\ntitle: 'open\n---\n");
    write("task-5 - e.md", b"---\nid: task-5\ntitle: \xff\xfe\n---\n");
    write(
        "task-6 - f.md",
        &vec![b'x'; usize::try_from(FILE_BYTES).expect("small") + 1],
    );
    write("task-7 - g.md", b"---\ntitle: no id\n---\n");
    write("task-8 - h.md", task("TASK-1", "").as_bytes());
    write(
        "task-9 - i.md",
        task(
            "task-9",
            "labels: {a: b}\ncreated_date: soon\ntitle: again\ndependencies: [task-99]\n",
        )
        .as_bytes(),
    );
    write("notes.txt", b"not a task");
    std::os::unix::fs::symlink("/etc/hostname", tasks.join("task-0 - link.md")).expect("a link");
    let parsed = read(dir.path()).expect("a project");
    let read: Vec<_> = parsed.items.iter().map(|item| item.external.as_str()).collect();
    assert_eq!(
        read,
        [
            "backlog:task-1~1",
            "backlog:task-1~2",
            "backlog:task-5",
            "backlog:task-9"
        ]
    );
    assert_eq!(parsed.items[2].title, "\u{fffd}\u{fffd}");
    let said: Vec<_> = parsed.problems.iter().map(ToString::to_string).collect();
    let begins = [
        "tasks/task-0 - link.md: a symbolic link",
        "tasks/task-2 - b.md, line 1: no front matter",
        "tasks/task-3 - c.md, line 1: the front matter is not closed",
        "tasks/task-4 - d.md, line 3: the front matter is not YAML",
        "tasks/task-6 - f.md: skipped, because it is longer than",
        "tasks/task-7 - g.md: skipped, because it has no `id`",
        "tasks/task-9 - i.md, line 6: duplicate field `title`",
        "tasks/task-9 - i.md: `created_date`: expected a time such as",
        "tasks/task-9 - i.md: `labels` is an object",
    ];
    assert_eq!(said.len(), begins.len(), "{said:#?}");
    for begin in begins {
        assert!(
            said.iter().any(|said| said.starts_with(begin)),
            "{begin}: {said:#?}"
        );
    }
    let notes = [
        "2 different issues have the id backlog:task-1 (tasks/task-1 - a.md; tasks/task-8 - h.md); each becomes an item",
        "tasks/task-5 - e.md: 2 invalid characters were replaced",
    ];
    assert_eq!(parsed.notes.len(), notes.len(), "{:#?}", parsed.notes);
    for (note, begin) in parsed.notes.iter().zip(notes) {
        assert!(note.starts_with(begin), "{note}");
    }
    assert_eq!(parsed.relations[0].to, "backlog:task-99");
    let records = parsed.records;
    assert_eq!((records.repeated, records.unreadable, records.others), (0, 5, 0));
    assert_eq!(parsed.tally.get(Section::NotCarried, "files that are not .md"), 1);
}

#[test]
fn no_folder_of_a_project_leads_out_of_it() {
    let (private, _) = of(&[("tasks/task-1 - Salary.md", &task("task-1", ""))]);
    let private = private.path().join("backlog");
    let (project, _) = of(&[("drafts/draft-1 - Ours.md", &task("draft-1", ""))]);
    let link = |to: &Path, from: &Path| std::os::unix::fs::symlink(to, from).expect("a link");
    link(&private.join("tasks"), &project.path().join("backlog/tasks"));
    let parsed = read(project.path()).expect("a project");
    let read_items: Vec<_> = parsed.items.iter().map(|item| item.external.as_str()).collect();
    assert_eq!(read_items, ["backlog:draft-1"]);
    assert!(
        parsed.problems[0].to_string().contains("not followed"),
        "{:?}",
        parsed.problems
    );

    for configured in [false, true] {
        let project = TempDir::new().expect("a directory");
        link(&private, &project.path().join("backlog"));
        if configured {
            let text = "backlog_directory: backlog\n";
            fs::write(project.path().join("backlog.config.yml"), text).expect("a configuration");
        }
        let items = read(project.path()).map(|parsed| parsed.items.len());
        assert_eq!(items.unwrap_or_default(), 0);
    }
}

#[test]
fn a_section_without_end_is_named_and_taken_up_to_the_next_heading() {
    let text = format!(
        "{}\n## Description\n\n<!-- SECTION:DESCRIPTION:BEGIN -->\nWhy.\n\n## Acceptance Criteria\n<!-- AC:BEGIN -->\n\
         - [ ] #1 It works\n<!-- AC:END -->\n<!-- DOD:END -->\nAfter it.\n",
        task("task-1", "")
    );
    assert_eq!(
        problems(&text),
        [
            "tasks/a.md, line 8: `SECTION:DESCRIPTION:BEGIN` has no `SECTION:DESCRIPTION:END`; the section ends before the next heading",
            "tasks/a.md, line 15: `DOD:END` without `DOD:BEGIN` before it",
        ]
    );
    let (_dir, parsed) = of(&[("tasks/a.md", &text)]);
    assert_eq!(parsed.items[0].body, "Why.\n\nAfter it.");
    assert_eq!(parsed.items[0].criteria[0].text, "It works");
}

#[test]
fn what_is_no_criterion_stays_in_the_body() {
    let item = one(&format!(
        "{}## Acceptance Criteria\n<!-- AC:BEGIN -->\n### For people\n- [X] #1 Seen\n- [ ] Seen\n- [?] odd\n<!-- AC:END -->\n",
        task("task-1", "")
    ));
    assert_eq!(item.criteria.len(), 1);
    assert_eq!(item.body, "## Acceptance Criteria\n\n### For people\n- [?] odd");
}

#[test]
fn everything_that_comes_over_can_be_written() {
    let hostile = format!(
        "---\nid: task-1\ntitle: \"\\x1b[2J{}\"\nlabels: [\"\\u202e\", \"x\\e\"]\nreporter: \"\\u200f\"\n\
         references: ['{}']\n\"zz\\x1b\": 1\n---\nBody\u{7}\n\n## Acceptance Criteria\n- [ ] \u{1}\n- [x] a\u{1}b\n",
        "y".repeat(300),
        "r".repeat(300)
    );
    let hostile = of(&[("tasks/a.md", &hostile)]).1;
    assert_eq!(hostile.problems, []);
    let item = &hostile.items[0];
    assert!(
        item.body.starts_with("Body\n\n## Full title\n\n"),
        "{}",
        item.body
    );
    assert!(item.body.contains("## References\n\n- rrr"), "{}", item.body);
    assert_eq!(item.created_by, NOBODY);
    for item in project().items.iter().chain([item]) {
        assert!(text::title(&item.title).is_ok(), "{item:?}");
        assert!(text::body(&item.body).is_ok(), "{item:?}");
        let names = item.labels.iter().chain(&item.assignee);
        let targets = item.links.iter().map(|(_, target)| target);
        for name in names.chain(targets).chain([&item.created_by, &item.external]) {
            assert!(text::name(name).is_ok(), "{item:?}");
        }
        let notes = item.comments.iter().map(|comment| &comment.text);
        for note in notes.chain(item.criteria.iter().map(|criterion| &criterion.text)) {
            assert!(text::note(note).is_ok(), "{item:?}");
        }
    }
    let shown = hostile.tally.render();
    assert!(!shown.chars().any(|c| c != '\n' && text::is_unsafe(c)), "{shown}");
}

proptest! {
    #[test]
    fn no_text_makes_the_importer_panic(text in "(---\n)?([a-z@:'\"\\[\\]{}*&!|>#%, \n-]{0,80}\n){0,6}(---\n)?(.{0,40}\n){0,6}") {
        if let Ok(parts) = front_matter::split(&text) {
            sections::read(parts.content, parts.content_line);
        }
    }

    #[test]
    fn no_lines_are_lost_or_make_the_sections_panic(
        lines in proptest::collection::vec(
            prop_oneof![
                Just("<!-- AC:BEGIN -->"), Just("<!-- AC:END -->"), Just("<!-- SECTION:PLAN:BEGIN -->"),
                Just("<!-- SECTION:PLAN:END -->"), Just("<!-- COMMENTS:BEGIN -->"), Just("<!-- COMMENTS:END -->"),
                Just("<!-- COMMENT:BEGIN -->"), Just("<!-- COMMENT:END -->"), Just("## Description"), Just("## Else"),
                Just("- [x] #1 word"), Just("- [ ] word"), Just("  word"), Just("word"), Just(""), Just("---"),
                Just("author: ann"), Just("```"),
            ],
            0..30,
        ),
    ) {
        let content = sections::read(&lines.join("\n"), 1);
        let words = |text: &str| text.matches("word").count();
        let kept = words(&content.body)
            + content.criteria.iter().map(|(text, _)| words(text)).sum::<usize>()
            + content.comments.iter().map(|comment| words(&comment.text)).sum::<usize>();
        prop_assert_eq!(kept, words(&lines.join("\n")));
    }
}
