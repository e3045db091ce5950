//! What the fields of one task become: kind, stage, priority, people, dates, links, comments. One
//! function a field of ours; each counts what it did. Knows nothing of other tasks.

use std::collections::BTreeSet;

use towline_api::request::{ImportComment, ImportStage, Part};
use towline_proto::{Column, Kind, Millis};

use super::comments::TaskComment;
use super::files::{Folder, TaskFile};
use super::sections::Content;
use super::{BLOCKED, BacklogImporter, NOBODY};
use crate::import::Section;
use crate::import::fields::Fields;
use crate::import::sanitize::{References, under_list};

/// The middle of 0 to 4, for a task without one.
const PRIORITY: u8 = 2;

/// Where an item ends up, and what holds it there.
#[derive(Debug)]
pub(super) struct ImportedState {
    pub(super) stage: ImportStage,
    pub(super) blocked: Option<String>,
}

/// When a task was made and when it last changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dates {
    pub(super) created_at: Millis,
    pub(super) updated_at: Millis,
}

/// A person's name without the @ that is written before it.
fn person(name: &str) -> &str {
    let name = name.trim();
    name.strip_prefix('@').unwrap_or(name)
}

/// What a task says nothing about. Asked before anything is taken out of its fields. Where it stands is
/// always said: by its folder, where not by a status.
pub(super) fn silent(fields: &Fields, content: &Content) -> BTreeSet<Part> {
    let parts: [(Part, &[&str]); 8] = [
        (Part::Title, &["title"]),
        (Part::Kind, &["type"]),
        (Part::Priority, &["priority"]),
        (Part::Assignee, &["assignee"]),
        (Part::Labels, &["labels"]),
        (Part::Milestone, &["milestone"]),
        (Part::Due, &["due_date"]),
        (Part::References, &["references", "documentation"]),
    ];
    let absent = parts
        .into_iter()
        .filter(|(_, names)| names.iter().all(|name| !fields.has(name)));
    let mut silent: BTreeSet<Part> = absent.map(|(part, _)| part).collect();
    if !content.has_description {
        silent.insert(Part::Body);
    }
    if !content.has_criteria {
        silent.insert(Part::Criteria);
    }
    silent
}

impl BacklogImporter {
    pub(super) fn kind(&mut self, fields: &mut Fields, labels: &mut Vec<String>) -> Kind {
        let Some(word) = fields.text("type") else {
            self.out.tally.count(Section::Kinds, "no type -> story");
            return Kind::Story;
        };
        let lower = word.trim().to_lowercase();
        let (kind, said) = match lower.as_str() {
            "bug" => (Kind::Bug, true),
            "epic" => (Kind::Epic, true),
            "story" | "feature" | "enhancement" => (Kind::Story, true),
            "spike" => (Kind::Spike, true),
            "refactor" => (Kind::Refactor, true),
            _ => (Kind::Story, false),
        };
        if !said {
            labels.push(format!("type:{lower}"));
        }
        self.out.tally.count(Section::Kinds, format!("{word} -> {kind}"));
        kind
    }

    /// Where the task ends up: its folder decides where it says more than the status.
    pub(super) fn stage(
        &mut self,
        found: &TaskFile,
        fields: &mut Fields,
        labels: &mut Vec<String>,
    ) -> ImportedState {
        let word = fields.text("status").unwrap_or_default();
        let lower = word.trim().to_lowercase();
        let done = matches!(lower.as_str(), "done" | "complete" | "completed");
        let open = |column| ImportStage::Open { column };
        let mut blocked = None;
        let (stage, to) = match (found.folder, lower.as_str()) {
            (Folder::Completed, _) => (ImportStage::Done, "done, by its folder"),
            (_, _) if done => (ImportStage::Done, "done"),
            (Folder::Archive, _) => {
                let reason = Some("archived in Backlog.md".to_owned());
                (
                    ImportStage::Abandoned { reason },
                    "abandoned, because it was archived",
                )
            }
            (Folder::Drafts, _) | (_, "draft") => (open(Column::Upcoming), "upcoming"),
            (Folder::Tasks, "" | "to do" | "todo") => (open(Column::Backlog), "backlog"),
            (Folder::Tasks, "in progress") => (open(Column::Coding), "coding"),
            (Folder::Tasks, "blocked") => {
                blocked = Some(BLOCKED.to_owned());
                (open(Column::Backlog), "backlog, blocked")
            }
            (Folder::Tasks, _) => (open(Column::Backlog), "backlog, labelled"),
        };
        // A word that says more than where the item stands is kept.
        let plain = done
            || matches!(
                lower.as_str(),
                "" | "to do" | "todo" | "in progress" | "draft" | "blocked"
            );
        if !plain {
            labels.push(format!("status:{lower}"));
        }
        let word = if word.is_empty() { "no status" } else { &word };
        self.out.tally.count(Section::Stages, format!("{word} -> {to}"));
        ImportedState { stage, blocked }
    }

    pub(super) fn priority(&mut self, fields: &mut Fields, labels: &mut Vec<String>) -> u8 {
        let Some(word) = fields.text("priority") else {
            return PRIORITY;
        };
        let lower = word.trim().to_lowercase();
        let (priority, to) = match lower.as_str() {
            "critical" => (0, "0"),
            "high" => (1, "1"),
            "medium" => (2, "2"),
            "low" => (3, "3"),
            _ => {
                labels.push(format!("priority:{lower}"));
                (PRIORITY, "2, labelled")
            }
        };
        self.out
            .tally
            .count(Section::Fields, format!("priority {word} -> {to}"));
        priority
    }

    pub(super) fn dates(&mut self, found: &TaskFile, fields: &mut Fields) -> Dates {
        let mut date = |field| {
            let text = fields.text(field)?;
            let time = when(&text);
            if time.is_none() && !is_never(&text) {
                let what = format!("`{field}`: expected a time such as 2026-11-20 12:35; got {text:?}");
                self.out.problem_in(&found.name, 0, what);
            }
            time
        };
        let (created_at, updated_at) = (date("created_date"), date("updated_date"));
        let created_at = created_at.or(updated_at).unwrap_or_default();
        Dates {
            created_at,
            updated_at: updated_at.unwrap_or(created_at).max(created_at),
        }
    }

    /// The first assignee; the others become labels, because an item has one.
    pub(super) fn assignee(&mut self, fields: &mut Fields, labels: &mut Vec<String>) -> Option<String> {
        let mut first = None;
        for name in fields.texts_or_one("assignee") {
            let Some(name) = self.out.name("assignee", person(&name)) else {
                continue;
            };
            if first.is_none() {
                self.out.tally.count(Section::Fields, "assignee -> assignee");
                first = Some(name);
            } else {
                self.out.tally.count(Section::Fields, "further assignee -> label");
                labels.push(format!("assignee:{name}"));
            }
        }
        first
    }

    pub(super) fn reporter(&mut self, fields: &mut Fields) -> String {
        let name = fields
            .text("reporter")
            .and_then(|name| self.out.name("reporter", person(&name)));
        if let Some(name) = name {
            self.out.tally.count(Section::Fields, "reporter -> creator");
            return name;
        }
        self.out
            .tally
            .count(Section::Fields, format!("no reporter -> {NOBODY}"));
        NOBODY.to_owned()
    }

    /// References and documents as links, where they fit into one; changed files as a list in the body.
    pub(super) fn references(&mut self, fields: &mut Fields, to: &mut References, body: String) -> String {
        for field in ["references", "documentation"] {
            for target in fields.texts_or_one(field) {
                self.out.reference(field, &target, to);
            }
        }
        let changed = fields.texts_or_one("modified_files");
        if !changed.is_empty() {
            self.out
                .tally
                .count(Section::Fields, "modified_files -> body, under a heading");
        }
        let body = under_list(body, "References", &to.long);
        under_list(body, "Modified files", &changed)
    }

    pub(super) fn comments(
        &mut self,
        found: &TaskFile,
        created_at: Millis,
        task_comments: Vec<TaskComment>,
    ) -> Vec<ImportComment> {
        let mut comments: Vec<ImportComment> = Vec::new();
        for (index, comment) in task_comments.into_iter().enumerate() {
            let mut at = comment.created.as_deref().and_then(when);
            if let (None, Some(created)) = (at, &comment.created)
                && !is_never(created)
            {
                let what = format!("`created`: expected a time such as 2026-11-20 12:35; got {created:?}");
                self.out.problem_in(&found.name, comment.line, what);
            }
            // They are dated to the minute, and listed by time: those of one minute stay in order.
            if let Some(before) = comments.last().filter(|before| before.at.0 > 0) {
                let minute = at.unwrap_or(before.at);
                let together = before.at >= minute && before.at.0 - minute.0 < 60_000;
                at = Some(if together { Millis(before.at.0 + 1) } else { minute });
            }
            let author = comment
                .author
                .and_then(|name| self.out.name("comment author", person(&name)));
            comments.push(ImportComment {
                id: format!("#{index}"),
                author: author.unwrap_or_else(|| NOBODY.to_owned()),
                at: at.unwrap_or(created_at),
                text: comment.text,
            });
        }
        comments
    }
}

/// The date that our own exports have had where an item had none.
fn is_never(text: &str) -> bool {
    text.trim().starts_with("1970-01-01")
}

/// A time as tasks have had them: `2026-11-20 12:35` (in UTC), a date alone, RFC 3339, or the day first
/// with a year of two digits.
pub(super) fn when(text: &str) -> Option<Millis> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Millis>() {
        return Some(time).filter(|time| time.0 > 0);
    }
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    let day_first = match parts.as_slice() {
        [day, month, year] if [day, month, year].iter().all(|part| part.len() == 2) => {
            Some(format!("20{year}-{month}-{day}"))
        }
        _ => None,
    };
    let text = day_first.unwrap_or_else(|| text.replacen(' ', "T", 1));
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => return None,
    };
    whole.parse::<Millis>().ok().filter(|time| time.0 > 0)
}
