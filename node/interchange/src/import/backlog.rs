//! A Backlog.md project: one task a markdown file, with YAML at its top and sections between marks.
//!
//! Every field and section of a task becomes something of ours, a heading in the body, a label, or a
//! count under *not carried over*; `docs/import.md` lists them all. A file that cannot be used is named
//! and the rest is read. Reads below the given directory and follows no links; runs nothing, least of
//! all the command that a task may ask to be run.

mod comments;
mod files;
mod front_matter;
mod parts;
mod sections;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use towline_api::request::{Failure, ImportItem, ImportRecord, RelationKind};
use towline_proto::text;

use super::comments::Overflow;
use super::fields::Fields;
use super::records::{Record, Versions};
use super::relations::ParsedRelation;
use super::sanitize::{References, natural, under_heading, under_list};
use super::{Parsed, Section, decode};
use files::TaskFile;
use parts::Dates;
use sections::Content;

/// Who made a task that names no reporter.
pub const NOBODY: &str = "unknown (backlog)";
/// Why an item is blocked: the task has the status and no reason.
pub const BLOCKED: &str = "imported as blocked";
/// Largest file that is read: four of the largest bodies.
const FILE_BYTES: u64 = 1024 * 1024;
/// What the external reference of every task begins with.
const TRACKER: &str = "backlog:";

/// Reads a project, its folder `backlog`, or a folder of tasks. See the module.
///
/// # Errors
/// When there is no such directory, or nothing in it that could be a task.
pub fn read(dir: &Path) -> Result<Parsed, Failure> {
    let listing = files::find(dir)?;
    let mut import = BacklogImporter::default();
    for (what, count) in listing.others {
        import.out.tally.add(Section::NotCarried, what, count);
    }
    for (name, what) in listing.problems {
        import.out.problem_in(&name, 0, what);
    }
    for found in &listing.files {
        match load(&found.path) {
            Ok((text, replaced)) => import.file(found, &text, replaced),
            Err(what) => import.out.unreadable(Some(&found.name), 0, what),
        }
    }
    // Numbers follow the ids, whatever folder a task has come to.
    import
        .records
        .sort_by_cached_key(|record| natural(&record.item.external));
    let records = std::mem::take(&mut import.records);
    let mut relations = import.out.take_records(records, Versions::Never);
    complete(&mut relations, &import.out.items);
    import.out.make_relations(relations);
    Ok(import.out)
}

/// The text of a file, its lines ending in line feeds alone, and how many characters of it were replaced.
fn load(path: &Path) -> Result<(String, usize), String> {
    let cannot = |error: std::io::Error| format!("cannot read it: {error}");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(cannot)?;
    file.take(FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(format!("skipped, because it is longer than {FILE_BYTES} bytes"));
    }
    let mut text = Vec::new();
    decode::utf8(bytes.as_slice())
        .and_then(|mut reader| reader.read_to_end(&mut text))
        .map_err(cannot)?;
    let (text, replaced) = decode::lossy(&text);
    Ok((text.replace("\r\n", "\n"), replaced))
}

/// References that say a number alone mean the task of that number, whatever its project calls its tasks.
fn complete(relations: &mut [ParsedRelation], items: &[ImportItem]) {
    let mut numbered: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for item in items {
        let id = item.external.strip_prefix(TRACKER).unwrap_or_default();
        if let Some((_, number)) = id.rsplit_once('-') {
            let several = numbered.contains_key(number);
            numbered.insert(number, (!several).then_some(item.external.as_str()));
        }
    }
    let known: BTreeSet<&str> = items.iter().map(|item| item.external.as_str()).collect();
    for relation in relations {
        for end in [&mut relation.from, &mut relation.to] {
            let number = end.strip_prefix(DEFAULT_TASK).map(str::to_owned);
            let Some(number) = number.filter(|_| !known.contains(end.as_str())) else {
                continue;
            };
            if let Some(Some(meant)) = numbered.get(number.as_str()) {
                *end = (*meant).to_owned();
            }
        }
    }
}

#[derive(Debug, Default)]
struct BacklogImporter {
    out: Parsed,
    records: Vec<Record>,
    /// The relations of the task that is being read.
    relations: Vec<ParsedRelation>,
}

/// What the reference of a task begins with that says its number alone.
const DEFAULT_TASK: &str = "backlog:task-";

/// The external reference of a task, so that two ids that Backlog.md takes for one have one: `task-7`,
/// `TASK-007` and `7`. Numbers of tasks below others (`task-7.01`) are compared as numbers too.
pub fn external(id: &str) -> String {
    let lower = id.trim().to_lowercase();
    let (word, number) = lower.rsplit_once('-').unwrap_or(("task", lower.as_str()));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !number.split('.').all(is_number) {
        return format!("{TRACKER}{lower}");
    }
    let plain: Vec<&str> = number
        .split('.')
        .map(|part| part.trim_start_matches('0'))
        .map(|part| if part.is_empty() { "0" } else { part })
        .collect();
    format!("{TRACKER}{word}-{}", plain.join("."))
}

impl BacklogImporter {
    fn file(&mut self, found: &TaskFile, text: &str, replaced: usize) {
        match front_matter::split(text) {
            Err((line, what)) => self.out.unreadable(Some(&found.name), line, what),
            Ok(parts) => {
                let problems = parts.problems;
                let content = sections::read(parts.content, parts.content_line);
                self.task(found, Fields::new(parts.fields), content, replaced, &problems);
            }
        }
    }

    fn task(
        &mut self,
        found: &TaskFile,
        mut fields: Fields,
        content: Content,
        replaced: usize,
        problems: &[front_matter::LineProblem],
    ) {
        let Some(id) = fields.id("id") else {
            let what = "skipped, because it has no `id`";
            return self.out.unreadable(Some(&found.name), 0, what);
        };
        let external = external(&id);
        if let Err(error) = text::name(&external) {
            let what = format!("invalid `id`: {error}");
            return self.out.unreadable(Some(&found.name), 0, what);
        }
        let outer = self.out.begin(Some(&found.name), 0, &external);
        for (line, what) in problems.iter().chain(&content.problems) {
            self.out.problem_in(&found.name, *line, what);
        }
        self.out.replaced(&found.name, replaced);
        let item = self.item(found, &id, external, &mut fields, content);
        for what in self.out.count_unknown_fields("", fields) {
            self.out.problem_in(&found.name, 0, what);
        }
        let said = self.out.end(outer);
        let relations = std::mem::take(&mut self.relations);
        self.records.push(Record {
            item,
            relations,
            said,
        });
    }

    fn item(
        &mut self,
        found: &TaskFile,
        id: &str,
        external: String,
        fields: &mut Fields,
        content: Content,
    ) -> ImportItem {
        for outcome in &content.outcomes {
            self.out.tally.count(Section::Fields, outcome.as_str());
        }
        let silent = parts::silent(fields, &content);
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
        let (labels, more_labels) = self.out.labels(labels);
        body = under_list(body, "Further labels", &more_labels);
        let (criteria, more_criteria) = self.out.criteria(content.criteria);
        body = under_list(body, "Further acceptance criteria", &more_criteria);
        let mut overflow = Overflow::default();
        let body = self.out.body(&body, &mut overflow);
        let comments = self.comments(found, created_at, content.comments);
        let comments = self.out.comments(created_at, &created_by, comments, overflow);
        let relation = |field: &str, from: &str, kind, to: &str| ParsedRelation {
            file: Some(found.name.clone()),
            line: 0,
            field: field.to_owned(),
            from: from.to_owned(),
            kind,
            to: to.to_owned(),
            at: created_at,
            by: created_by.clone(),
            said_by: external.clone(),
            record_at: updated_at,
            guessed: false,
        };
        let mut relations = Vec::new();
        for on in fields.texts_or_one("dependencies") {
            let on = self::external(&on);
            relations.push(relation("dependencies", &external, RelationKind::DependsOn, &on));
        }
        if let Some(parent) = fields.id("parent_task_id") {
            let parent = self::external(&parent);
            relations.push(relation("parent_task_id", &external, RelationKind::Epic, &parent));
        }
        for part in fields.texts_or_one("subtasks") {
            let part = self::external(&part);
            relations.push(relation("subtasks", &part, RelationKind::Epic, &external));
        }
        self.relations.append(&mut relations);
        let formerly = Some(format!("{TRACKER}{}", id.trim().to_lowercase()));
        ImportItem {
            kind,
            title,
            body,
            priority,
            labels,
            assignee,
            created_by,
            created_at,
            updated_at,
            stage: placed.stage,
            frozen: false,
            blocked: placed.blocked,
            comments,
            links: references.links,
            criteria,
            record: ImportRecord {
                at: updated_at,
                silent,
                formerly: formerly
                    .filter(|written| *written != external)
                    .into_iter()
                    .collect(),
                ..ImportRecord::default()
            },
            external,
        }
    }
}
