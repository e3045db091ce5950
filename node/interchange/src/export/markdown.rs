//! One markdown file an item, in the shape of Backlog.md: fields between two lines `---`, then sections
//! between marks.
//!
//! Gives names and texts and writes nothing. A name is made of letters and digits of the title alone,
//! so that no title leads anywhere else; what could be read as a mark in a text is hidden. Holds, claims and the timeline are not in it: it is for reading and for moving on, and no backup.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use towline_api::types::{ItemLink, ItemPage};
use towline_proto::{Column, CriterionState, ItemId, LinkKind, Millis};

use crate::backlog_escape;

/// Folders that files go into, as Backlog.md has them.
pub const FOLDERS: [&str; 4] = ["tasks", "drafts", "completed", "archive/tasks"];
/// Bytes of a title in a file's name.
const WORDS_BYTES: usize = 80;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkdownFile {
    /// One of [`FOLDERS`].
    pub folder: &'static str,
    /// Its name.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// The files of these items, without those in the trash; nothing in a file names an item that has none.
pub fn files(pages: &[ItemPage]) -> Vec<MarkdownFile> {
    let kept: Vec<&ItemPage> = pages.iter().filter(|page| !page.card.deleted).collect();
    let known: BTreeSet<ItemId> = kept.iter().map(|page| page.card.id).collect();
    kept.into_iter()
        .map(|page| MarkdownFile {
            folder: folder(page),
            name: name(&page.card.handle, &page.card.title),
            text: text(page, &known),
        })
        .collect()
}

fn folder(page: &ItemPage) -> &'static str {
    match page.card.column {
        _ if page.card.closing.is_some() => "archive/tasks",
        Column::Upcoming => "drafts",
        Column::Archived => "completed",
        Column::Closed => "archive/tasks",
        Column::Backlog | Column::Coding | Column::Qa | Column::Merge | Column::Done => "tasks",
    }
}

fn name(handle: &str, title: &str) -> String {
    let mut words = String::new();
    for c in title.chars() {
        let next = if c.is_alphanumeric() { c } else { '-' };
        if words.len() + next.len_utf8() > WORDS_BYTES {
            break;
        }
        if next != '-' || !(words.is_empty() || words.ends_with('-')) {
            words.push(next);
        }
    }
    match words.trim_end_matches('-') {
        "" => format!("task-{handle}.md"),
        words => format!("task-{handle} - {words}.md"),
    }
}

fn text(page: &ItemPage, known: &BTreeSet<ItemId>) -> String {
    let card = &page.card;
    let mut out = String::from("---\n");
    field(&mut out, "id", &format!("task-{}", card.handle));
    field(&mut out, "title", &quoted(&card.title));
    field(&mut out, "status", status(page));
    let people: Vec<String> = card.assignee.iter().map(|name| person(name)).collect();
    list(&mut out, "assignee", people);
    field(&mut out, "reporter", &person(&card.origin.id));
    for (name, at) in [
        ("created_date", card.created_at),
        ("updated_date", card.updated_at),
    ] {
        if at.0 > 0 {
            field(&mut out, name, &quoted(&minute(at)));
        }
    }
    list(
        &mut out,
        "labels",
        card.labels.iter().map(|label| quoted(label)).collect(),
    );
    let depends_on = card.depends_on.iter().filter(|link| known.contains(&link.id));
    list(&mut out, "dependencies", depends_on.map(task).collect());
    // What it was called in another folder of tasks would be read as a task of this one.
    let told = page
        .links
        .iter()
        .filter(|link| link.kind != LinkKind::Related && !link.target.starts_with("backlog:"));
    let links: Vec<String> = told.map(|link| quoted(&link.target)).collect();
    if !links.is_empty() {
        list(&mut out, "references", links);
    }
    field(&mut out, "priority", priority(card.priority));
    field(&mut out, "type", card.kind.as_str());
    if let Some(epic) = card.epic.as_ref().filter(|epic| known.contains(&epic.id)) {
        field(&mut out, "parent_task_id", &task(epic));
    }
    out.push_str("---\n\n## Description\n\n");
    section(
        &mut out,
        "SECTION:DESCRIPTION",
        &backlog_escape::escape(&page.body),
    );
    if !page.criteria_list.is_empty() {
        let mut lines = String::new();
        for (at, criterion) in page.criteria_list.iter().enumerate() {
            let tick = if criterion.state == CriterionState::Met {
                'x'
            } else {
                ' '
            };
            let text = backlog_escape::escape(&backlog_escape::escape_checkboxes(&criterion.text))
                .replace('\n', "\n  ");
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "- [{tick}] #{} {text}", at + 1);
        }
        out.push_str("\n## Acceptance Criteria\n\n");
        section(&mut out, "AC", lines.trim_end());
    }
    if !page.remarks.is_empty() {
        let mut lines = String::new();
        for remark in &page.remarks {
            let (who, when) = (&remark.origin.id, minute(remark.at));
            let said = backlog_escape::escape_rules(&backlog_escape::escape(&remark.text));
            let _ = writeln!(lines, "author: @{who}\ncreated: {when}\n---\n{said}\n---\n");
        }
        out.push_str("\n## Comments\n\n");
        section(&mut out, "COMMENTS", lines.trim_end());
    }
    out
}

fn field(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "{name}: {value}");
}

fn list(out: &mut String, name: &str, values: Vec<String>) {
    if values.is_empty() {
        field(out, name, "[]");
        return;
    }
    let _ = writeln!(out, "{name}:");
    for value in values {
        let _ = writeln!(out, "  - {value}");
    }
}

fn section(out: &mut String, mark: &str, text: &str) {
    let gap = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let _ = write!(out, "<!-- {mark}:BEGIN -->\n{text}{gap}<!-- {mark}:END -->\n");
}

/// A text of one line as YAML: between single quotes nothing means anything else.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn person(name: &str) -> String {
    quoted(&format!("@{name}"))
}

fn task(link: &ItemLink) -> String {
    quoted(&format!("task-{}", link.handle))
}

/// A time as Backlog.md writes it, in UTC.
fn minute(at: Millis) -> String {
    let text = at.to_string();
    text.get(..16).unwrap_or(&text).replacen('T', " ", 1)
}

fn status(page: &ItemPage) -> &'static str {
    match page.card.column {
        Column::Upcoming => "Draft",
        Column::Backlog if page.card.holds.blocked.is_some() => "Blocked",
        Column::Backlog => "To Do",
        Column::Coding | Column::Qa | Column::Merge => "In Progress",
        Column::Closed => "To Do",
        Column::Archived if page.card.closing.is_some() => "To Do",
        Column::Done | Column::Archived => "Done",
    }
}

const fn priority(priority: u8) -> &'static str {
    match priority {
        0 => "critical",
        1 => "high",
        2 => "medium",
        _ => "low",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_title_leads_anywhere_else() {
        assert_eq!(name("42", "Ship it, now!"), "task-42 - Ship-it-now.md");
        assert_eq!(name("7", "../../etc/passwd"), "task-7 - etc-passwd.md");
        assert_eq!(name("7a", "…/\\:*?\"<>|"), "task-7a.md");
        assert_eq!(name("1", ".hidden"), "task-1 - hidden.md");
        assert_eq!(name("1", "con"), "task-1 - con.md");
        assert_eq!(name("3", "Größe ändern"), "task-3 - Größe-ändern.md");
        let long = name("4294967295", &"🚀wörter ".repeat(100));
        assert!(long.len() < 255 && long.ends_with(".md"), "{long}");
        for title in ["a\u{0}b", "a\u{202e}b", "a/b", "a\nb"] {
            let name = name("1", title);
            assert!(!name.contains(['\0', '\u{202e}', '/', '\n']), "{name:?}");
        }
    }

    #[test]
    fn quotes_hold_any_line() {
        assert_eq!(quoted("it's: [a] #b"), "'it''s: [a] #b'");
    }
}
