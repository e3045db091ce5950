//! The JSON Lines of the beads tracker (`.beads/issues.jsonl`, `bd export`): one issue a line.
//!
//! Every field of an issue becomes something of ours, a heading in the body, a label, or a count
//! under *not carried over*; `docs/import.md` lists them all and a test holds them to a real
//! tracker. A line that cannot be used is named and the rest is read. Reads only what it is given.

mod parts;
mod relations;

use std::collections::BTreeMap;
use std::io::BufRead;

use serde_json::Value;
use towline_proto::{Kind, text};

use super::fields::Fields;
use super::lines::{Line, Lines};
use super::{LINE_BYTES, Parsed, Section};
use crate::request::ImportItem;
use parts::Labels;
use relations::Edge;

/// Who made an issue that names nobody; an item without attribution would be refused.
pub const NOBODY: &str = "unknown (beads)";
/// Why an item is blocked: the tracker has the status and no reason.
pub const BLOCKED: &str = "imported as blocked";
/// What the external reference of every imported issue begins with.
const TRACKER: &str = "beads:";

/// Reads a whole export. See the module.
pub fn read(reader: impl BufRead) -> Parsed {
    let mut import = Import::default();
    let mut lines = Lines::new(reader, LINE_BYTES);
    loop {
        let parsed = match lines.next() {
            Ok(Some(line)) => import.parse(line),
            Ok(None) => break,
            Err(error) => {
                let what = format!("the file cannot be read any further: {error}");
                import.out.problem(lines.number(), what);
                break;
            }
        };
        match parsed {
            Ok(Some(issue)) => import.issue(lines.number(), issue),
            Ok(None) => {}
            Err(what) => import.out.problem(lines.number(), what),
        }
    }
    import.relate();
    import.out
}

#[derive(Debug, Default)]
struct Import {
    out: Parsed,
    /// Of every issue: its line, its kind and its place among the items.
    known: BTreeMap<String, (usize, Kind, usize)>,
    edges: Vec<Edge>,
}

impl Import {
    /// The issue of a line; nothing for a line that is empty or about something else.
    fn parse(&mut self, line: Line<'_>) -> Result<Option<Fields>, String> {
        let Line::Whole { bytes, ended } = line else {
            return Err(format!("longer than {LINE_BYTES} bytes, and skipped"));
        };
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
        if bytes.is_empty() {
            return Ok(None);
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|error| {
            if error.is_eof() && !ended {
                return "cut off in the middle; the file seems to be truncated, export it again".to_owned();
            }
            format!("not JSON: {error}")
        })?;
        let Value::Object(map) = value else {
            return Err("not an object; one issue a line is expected".to_owned());
        };
        let mut fields = Fields::new(map);
        match fields.text("_type").as_deref() {
            None | Some("issue") => Ok(Some(fields)),
            Some(other) => {
                self.out
                    .tally
                    .count(Section::NotCarried, format!("lines of type {other}"));
                Ok(None)
            }
        }
    }

    fn issue(&mut self, line: usize, mut fields: Fields) {
        match self.item(line, &mut fields) {
            Ok(item) => self.out.items.push(item),
            Err(what) => return self.out.problem(line, what),
        }
        self.leftovers(line, "", fields);
    }

    /// Counts the fields that nobody took and names those that were of a wrong type.
    fn leftovers(&mut self, line: usize, within: &str, fields: Fields) {
        for what in self.out.leftovers(within, fields) {
            self.out.problem(line, what);
        }
    }

    fn item(&mut self, line: usize, fields: &mut Fields) -> Result<ImportItem, String> {
        let id = fields.id("id").ok_or("it has no `id`; the issue is left out")?;
        let external = external(&id);
        text::name(&external).map_err(|error| format!("its `id` cannot be used: {error}"))?;
        if let Some((first, ..)) = self.known.get(&id) {
            return Err(format!("issue {id} again; the one on line {first} is kept"));
        }

        let mut labels = Labels::default();
        let kind = self.kind(fields, &mut labels);
        self.known.insert(id.clone(), (line, kind, self.out.items.len()));
        let created_at = fields.time("created_at");
        let updated_at = fields.time("updated_at");
        let (placed, ended_at) = self.stage(fields, &mut labels);
        let created_by = fields.text("created_by");
        let owner = fields.text("owner");
        let assignee = self.assignee(fields.text("assignee"));
        if let Some(owner) = &owner {
            // Whom beads credits, an e-mail address: it says neither who works on the issue nor,
            // where somebody is named for that, who made it.
            let (section, what) = match &created_by {
                None => (
                    Section::Fields,
                    "owner -> who asked for it, where nobody else is named",
                ),
                Some(by) if by == owner => (Section::Fields, "owner -> who asked for it"),
                Some(_) => (Section::NotCarried, "owner, where somebody else asked for it"),
            };
            self.out.tally.count(section, what);
        }
        let created_by = created_by
            .or(owner)
            .and_then(|name| self.out.name("created_by", &name));
        let created_by = created_by.unwrap_or_else(|| {
            self.out
                .tally
                .count(Section::Fields, format!("no created_by -> {NOBODY}"));
            NOBODY.to_owned()
        });
        let comments = self.comments(line, fields);
        self.edges(line, &id, fields);
        let links = self.links(fields, &mut labels);
        let title = fields.text("title").unwrap_or_default();
        let (title, full_title) = self.out.title(title, &id);
        let body = self.body(fields, full_title);
        let priority = self.priority(fields);
        let labels = self.labels(fields, labels);
        let created_at = created_at.or(updated_at).unwrap_or_default();
        let mut updated_at = ended_at.or(updated_at).unwrap_or(created_at);
        if updated_at < created_at {
            // Issues that were renumbered have been seen closed half an hour before they were made.
            self.out.tally.count(
                Section::Fields,
                "ended before it was created -> when it was created",
            );
            updated_at = created_at;
        }
        Ok(ImportItem {
            external,
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
            frozen: placed.frozen,
            blocked: placed.blocked,
            comments,
            links,
            criteria: Vec::new(),
        })
    }
}

fn external(id: &str) -> String {
    format!("{TRACKER}{id}")
}
