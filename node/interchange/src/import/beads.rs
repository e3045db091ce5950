//! The issues of the beads tracker: JSON Lines (`.beads/issues.jsonl`, `bd export`), a list, or a list in an
//! envelope (`bd list --json`).
//!
//! Every field of an issue becomes something of ours, a heading in the body, a label, or a count
//! under *not carried over*; `docs/import.md` lists them all and a test holds them to a real
//! tracker. A line that cannot be used is named and the rest is read. Reads only what it is given.

mod parts;
mod relations;
mod source;

use std::io::BufRead;

use serde_json::Value;
use towline_api::request::{ImportItem, ImportRecord};
use towline_proto::{Millis, text};

use super::fields::Fields;
use super::records::{Record, Versions};
use super::relations::ParsedRelation;
use super::{LINE_BYTES, Parsed, Section, json};
use parts::{ImportedState, Labels};
use source::{NextRecord, Source};

/// The creator of an issue that names nobody; an item without one would be refused.
pub const NOBODY: &str = "unknown (beads)";
/// Why an item is blocked: the tracker has the status and no reason.
pub const BLOCKED: &str = "imported as blocked";
/// What the external reference of every imported issue begins with.
const TRACKER: &str = "beads:";

/// Reads a whole export. See the module.
pub fn read(reader: impl BufRead) -> Parsed {
    let mut import = BeadsImporter::default();
    match Source::open(reader, LINE_BYTES) {
        Ok(mut source) => import.read(&mut source),
        Err(error) => import.out.problem(0, format!("cannot read the file: {error}")),
    }
    let records = std::mem::take(&mut import.records);
    let relations = import.out.take_records(records, Versions::Dated);
    import.out.make_relations(relations);
    import.out
}

#[derive(Debug, Default)]
struct BeadsImporter {
    out: Parsed,
    records: Vec<Record>,
    /// The relations of the issue that is being read.
    relations: Vec<ParsedRelation>,
}

impl BeadsImporter {
    fn read(&mut self, source: &mut Source<'_>) {
        loop {
            let parsed = match source.next() {
                Ok(Some(NextRecord::Record { bytes, ended })) => parse(bytes, ended),
                Ok(Some(NextRecord::TooLong)) => {
                    Err(format!("skipped, because it is longer than {LINE_BYTES} bytes"))
                }
                Ok(Some(NextRecord::Wrong(what))) => {
                    self.out.problem(source.line(), what);
                    continue;
                }
                Ok(None) => return,
                Err(error) => {
                    let what = format!("cannot read the rest of the file: {error}");
                    return self.out.problem(source.line(), what);
                }
            };
            let line = source.line();
            match parsed {
                Ok(Some((fields, replaced))) => self.record(line, fields, replaced),
                Ok(None) => {}
                Err(what) => self.out.unreadable(None, line, what),
            }
        }
    }

    fn record(&mut self, line: usize, mut fields: Fields, replaced: usize) {
        if let Some(other) = fields.text("_type").filter(|word| word != "issue") {
            self.out.records.others += 1;
            let what = format!("lines of type {other}");
            return self.out.tally.count(Section::NotCarried, what);
        }
        let id = match id(&mut fields) {
            Ok(id) => id,
            Err(what) => return self.out.unreadable(None, line, what),
        };
        let outer = self.out.begin(None, line, &external(&id));
        self.out.replaced(&external(&id), replaced);
        let item = self.item(line, &id, &mut fields);
        self.count_unknown_fields(line, "", fields);
        let said = self.out.end(outer);
        let relations = std::mem::take(&mut self.relations);
        self.records.push(Record {
            item,
            relations,
            said,
        });
    }

    /// Counts the fields that nobody took and names those that were of a wrong type.
    fn count_unknown_fields(&mut self, line: usize, within: &str, fields: Fields) {
        for what in self.out.count_unknown_fields(within, fields) {
            self.out.problem(line, what);
        }
    }

    fn item(&mut self, line: usize, id: &str, fields: &mut Fields) -> ImportItem {
        let external = external(id);
        let mut record = ImportRecord {
            silent: parts::silent(fields),
            ..ImportRecord::default()
        };
        let mut labels = Labels::default();
        let mut overflow = super::comments::Overflow::default();
        let kind = self.kind(fields, &mut labels);
        let created_at = fields.time("created_at");
        let updated_at = fields.time("updated_at");
        let (placed, ended_at) = self.stage(fields, &mut labels, &mut overflow);
        let ImportedState {
            stage,
            frozen,
            blocked,
        } = placed;
        let created_by = self.created_by(fields);
        let assignee = self.assignee(fields.text("assignee"));
        let references = self.references(fields, &mut labels);
        let (title, full_title) = self.out.title(fields.text("title").unwrap_or_default(), id);
        let priority = self.priority(fields);
        let (labels, more_labels) = self.labels(fields, labels);
        let body = self.body(fields, full_title, &references.long, &more_labels);
        let body = self.out.body(&body, &mut overflow);
        let times = Times::of(created_at, updated_at, ended_at);
        if times.is_moved {
            // Issues that were renumbered have been seen closed half an hour before they were made.
            self.out
                .tally
                .count(Section::Fields, "ended before it was created -> time of creation");
        }
        record.at = times.record_at;
        record.ended_at = times.ended_at;
        let comments = self.comments(line, fields);
        let comments = self
            .out
            .comments(times.created_at, &created_by, comments, overflow);
        self.read_relations(line, id, times.record_at, fields);
        ImportItem {
            external,
            kind,
            title,
            body,
            priority,
            labels,
            assignee,
            created_by,
            created_at: times.created_at,
            updated_at: times.updated_at,
            stage,
            frozen,
            blocked,
            comments,
            links: references.links,
            criteria: Vec::new(),
            record,
        }
    }
}

/// The times of a record in their order.
#[derive(Debug, Clone, Copy)]
struct Times {
    created_at: Millis,
    updated_at: Millis,
    ended_at: Option<Millis>,
    record_at: Millis,
    /// Whether it says that it ended before it was made.
    is_moved: bool,
}

impl Times {
    fn of(created_at: Option<Millis>, updated_at: Option<Millis>, ended_at: Option<Millis>) -> Self {
        let created = created_at.or(updated_at).or(ended_at).unwrap_or_default();
        let ended = ended_at.map(|ended| ended.max(created));
        let last = updated_at.max(ended).unwrap_or(created).max(created);
        Self {
            created_at: created,
            updated_at: last,
            ended_at: ended,
            // What says when it ended only would be taken for older than the same record with its time.
            record_at: updated_at.map_or(Millis(0), |updated| updated.max(ended_at.unwrap_or_default())),
            is_moved: ended_at.is_some_and(|ended| ended < created),
        }
    }
}

/// The issue of a line; nothing for a line that is empty.
fn parse(bytes: &[u8], ended: bool) -> Result<Option<(Fields, usize)>, String> {
    let bytes = bytes.trim_ascii();
    if bytes.is_empty() {
        return Ok(None);
    }
    let (value, replaced) = json::parse(bytes).map_err(|error| {
        if error.is_eof() && !ended {
            return "incomplete; the file seems to be truncated, export it again".to_owned();
        }
        format!("not JSON: {error}")
    })?;
    match value {
        Value::Object(map) => Ok(Some((Fields::new(map), replaced))),
        _ => Err("not an object; expected one issue per line, or a list of issues".to_owned()),
    }
}

fn id(fields: &mut Fields) -> Result<String, String> {
    let id = fields.id("id").ok_or("skipped, because it has no `id`")?;
    text::name(&external(&id)).map_err(|error| format!("invalid `id`: {error}"))?;
    Ok(id)
}

fn external(id: &str) -> String {
    format!("{TRACKER}{id}")
}
