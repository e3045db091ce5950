//! A Backlog.md project: one task a markdown file, with YAML at its top and sections between marks.
//!
//! Every field and section of a task becomes something of ours, a heading in the body, a label, or a
//! count under *not carried over*; `docs/import.md` lists them all. A file that cannot be used is named
//! and the rest is read. Reads below the given directory and follows no links; runs nothing, least of
//! all the command that a task may ask to be run.

mod files;
mod front;
mod parts;
mod remarks;
mod sections;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use towline_proto::{limits, text};

use super::edges::Edge;
use super::fields::Fields;
use super::fit::{References, natural, under_heading};
use super::{Parsed, Section};
use crate::request::{Failure, ImportItem, RelationKind};
use files::Found;
use parts::Dates;
use sections::Content;

/// Who made a task that names no reporter.
pub const NOBODY: &str = "unknown (backlog)";
/// Why an item is blocked: the task has the status and no reason.
pub const BLOCKED: &str = "imported as blocked";
/// Largest file that is read: four of the largest bodies.
const FILE_BYTES: u64 = 1024 * 1024;

/// Reads a project, its folder `backlog`, or a folder of tasks. See the module.
///
/// # Errors
/// When there is no such directory, or nothing in it that could be a task.
pub fn read(dir: &Path) -> Result<Parsed, Failure> {
    let listing = files::find(dir)?;
    let mut import = Import::default();
    for (what, count) in listing.others {
        for _ in 0..count {
            import.out.tally.count(Section::NotCarried, what.as_str());
        }
    }
    for (name, what) in listing.problems {
        import.out.problem_in(&name, 0, what);
    }
    for found in &listing.files {
        match load(&found.path) {
            Ok(text) => import.file(found, &text),
            Err(what) => import.out.problem_in(&found.name, 0, what),
        }
    }
    // Numbers follow the ids, whatever folder a task has come to.
    import
        .out
        .items
        .sort_by_cached_key(|item| natural(&item.external));
    let edges = std::mem::take(&mut import.edges);
    import.out.relate(edges);
    Ok(import.out)
}

/// The text of a file, its lines ending in line feeds alone.
fn load(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("it cannot be read: {error}");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(cannot)?;
    file.take(FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(format!("longer than {FILE_BYTES} bytes, and skipped"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8 text, and skipped".to_owned())?;
    Ok(text.replace("\r\n", "\n"))
}

#[derive(Debug, Default)]
struct Import {
    out: Parsed,
    /// The file of every task, by its external reference.
    known: BTreeMap<String, String>,
    edges: Vec<Edge>,
}

/// The external reference of a task. Newer versions write `TASK-7` where older ones wrote `task-7`, and
/// read one as the other.
fn external(id: &str) -> String {
    format!("backlog:{}", id.trim().to_lowercase())
}

impl Import {
    fn file(&mut self, found: &Found, text: &str) {
        match front::split(text) {
            Err((line, what)) => self.out.problem_in(&found.name, line, what),
            Ok(parts) => {
                for (line, what) in &parts.problems {
                    self.out.problem_in(&found.name, *line, what);
                }
                let content = sections::read(parts.content, parts.content_line);
                self.task(found, Fields::new(parts.fields), content);
            }
        }
    }

    fn task(&mut self, found: &Found, mut fields: Fields, content: Content) {
        for (line, what) in &content.problems {
            self.out.problem_in(&found.name, *line, what);
        }
        let Some(id) = fields.id("id") else {
            let what = "it has no `id`; the task is left out";
            return self.out.problem_in(&found.name, 0, what);
        };
        let external = external(&id);
        if let Err(error) = text::name(&external) {
            let what = format!("its `id` cannot be used: {error}");
            return self.out.problem_in(&found.name, 0, what);
        }
        if let Some(first) = self.known.get(&external) {
            let what = format!("task {id} again; {first} is kept");
            return self.out.problem_in(&found.name, 0, what);
        }
        self.known.insert(external.clone(), found.name.clone());
        let item = self.item(found, &id, external, &mut fields, content);
        self.out.items.push(item);
        for what in self.out.leftovers("", fields) {
            self.out.problem_in(&found.name, 0, what);
        }
    }

    fn item(
        &mut self,
        found: &Found,
        id: &str,
        external: String,
        fields: &mut Fields,
        content: Content,
    ) -> ImportItem {
        for fate in &content.fates {
            self.out.tally.count(Section::Fields, fate.as_str());
        }
        let mut labels = Vec::new();
        let kind = self.kind(fields, &mut labels);
        let placed = self.stage(found, fields, &mut labels);
        let priority = self.priority(fields, &mut labels);
        let Dates {
            created_at,
            updated_at,
        } = self.dates(found, fields);
        let assignee = self.assignee(fields, &mut labels);
        let created_by = self.reporter(fields);
        for (field, prefix) in [("milestone", "milestone"), ("due_date", "due")] {
            if let Some(word) = fields.text(field) {
                self.out.tally.count(Section::Fields, format!("{field} -> label"));
                labels.push(format!("{prefix}:{word}"));
            }
        }
        for label in fields.texts_or_one("labels") {
            self.out.tally.count(Section::Fields, "label -> label");
            labels.push(label);
        }
        let mut references = References::default();
        let mut body = content.body;
        let (title, full_title) = self.out.title(fields.text("title").unwrap_or_default(), id);
        if let Some(whole) = full_title {
            body = under_heading(&body, "Full title", &whole);
        }
        body = self.references(fields, &mut references, body);
        labels.append(&mut references.labels);
        let comments = self.comments(found, created_at, content.remarks);
        let whose = |field, from: &str, kind, to: &str| Edge {
            file: Some(found.name.clone()),
            line: 0,
            field,
            from: from.to_owned(),
            kind,
            to: to.to_owned(),
            at: created_at,
            by: created_by.clone(),
            guessed: false,
        };
        let mut edges = Vec::new();
        for on in fields.texts_or_one("dependencies") {
            let on = self::external(&on);
            edges.push(whose("dependencies", &external, RelationKind::DependsOn, &on));
        }
        if let Some(parent) = fields.id("parent_task_id") {
            let parent = self::external(&parent);
            edges.push(whose("parent_task_id", &external, RelationKind::Epic, &parent));
        }
        for part in fields.texts_or_one("subtasks") {
            let part = self::external(&part);
            edges.push(whose("subtasks", &part, RelationKind::Epic, &external));
        }
        self.edges.append(&mut edges);
        ImportItem {
            external,
            kind,
            title,
            body: self.out.fit("body", &body, limits::BODY_BYTES),
            priority,
            labels: self.out.labels(labels),
            assignee,
            created_by,
            created_at,
            updated_at,
            stage: placed.stage,
            frozen: false,
            blocked: placed.blocked,
            comments,
            links: references.links,
            criteria: self.out.criteria(content.criteria),
        }
    }
}
