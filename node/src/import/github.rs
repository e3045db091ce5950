//! The issues of a GitHub repository, as `gh issue list --state all --json …` writes them: one JSON
//! list; or one issue a line.
//!
//! Every field of an issue becomes something of ours, a label, or a count under *not carried over*;
//! `docs/import.md` lists them all. An issue that cannot be used is named with its line and the rest is
//! read. Reads only what it is given.

mod parts;
mod relations;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::BufRead;

use serde_json::Value;
use towline_proto::{limits, text};

use super::edges::Edge;
use super::elements::{Element, Elements};
use super::fields::Fields;
use super::fit::{natural, under_heading};
use super::{LINE_BYTES, Parsed, Section};
use crate::request::ImportItem;
use parts::Reference;

/// Who made an issue that names nobody, as those of deleted accounts do.
pub const NOBODY: &str = "unknown (github)";
/// The middle of 0 to 4: GitHub has no priorities.
const PRIORITY: u8 = 2;
/// What a file should be.
const WANTED: &str =
    "a list of issues is expected, as `gh issue list --state all --json number,title,url,…` writes it";

/// Reads all issues. See the module.
pub fn read(reader: impl BufRead) -> Parsed {
    let mut import = Import::default();
    let mut elements = Elements::new(reader, LINE_BYTES);
    let mut place = 0;
    loop {
        let parsed = match elements.next() {
            Ok(None) => break,
            Err(error) => Err((0, format!("the file cannot be read any further: {error}"), true)),
            Ok(Some(Element::Whole { bytes, ended })) => {
                place += 1;
                parse(bytes, ended)
                    .map_err(|(line, what)| (line, format!("issue {place} of the file: {what}"), false))
            }
            Ok(Some(Element::TooLong)) => {
                place += 1;
                let what =
                    format!("issue {place} of the file is longer than {LINE_BYTES} bytes, and skipped");
                Err((0, what, false))
            }
            Ok(Some(Element::ListCut)) => {
                let what = "the list has no end; the file seems to be truncated, export it again";
                Err((0, what.to_owned(), false))
            }
            Ok(Some(Element::Foreign)) => Err((0, format!("not JSON; {WANTED}"), false)),
            Ok(Some(Element::Nothing)) => Err((0, format!("the file is empty; {WANTED}"), false)),
        };
        let line = elements.began();
        match parsed {
            Ok(fields) => import.issue(line, fields),
            Err((further, what, last)) => {
                import.out.problem(line + further, what);
                if last {
                    break;
                }
            }
        }
    }
    // `gh` lists the newest first; numbers follow those that the issues had.
    import
        .out
        .items
        .sort_by_cached_key(|item| natural(&item.external));
    let edges = std::mem::take(&mut import.edges);
    import.out.relate(edges);
    import.out
}

/// The fields of one issue; or how many lines further down something is wrong, and what.
fn parse(bytes: &[u8], ended: bool) -> Result<Fields, (usize, String)> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => Ok(Fields::new(map)),
        Ok(_) => Err((0, format!("not an object; {WANTED}"))),
        Err(error) if error.is_eof() && !ended => Err((
            0,
            "cut off in the middle; the file seems to be truncated, export it again".to_owned(),
        )),
        Err(error) => {
            let said = error.to_string();
            // Where it is, the parser counts from the beginning of the element.
            let what = said.split(" at line ").next().unwrap_or_default();
            Err((error.line().saturating_sub(1), format!("not JSON: {what}")))
        }
    }
}

#[derive(Debug, Default)]
struct Import {
    out: Parsed,
    /// The line of every issue, by its external reference.
    known: BTreeMap<String, usize>,
    edges: Vec<Edge>,
}

impl Import {
    fn issue(&mut self, line: usize, mut fields: Fields) {
        let number = fields.number("number");
        let url = fields.text("url");
        let reference = match reference(number, url.as_deref()) {
            Ok(reference) => reference,
            Err(what) => return self.out.problem(line, what),
        };
        let external = reference.external();
        if let Some(first) = self.known.get(&external) {
            let what = format!("{external} again; the one on line {first} is kept");
            return self.out.problem(line, what);
        }
        self.known.insert(external.clone(), line);
        let item = self.item(line, &reference, external, &mut fields);
        self.out.items.push(item);
        self.leftovers(line, &reference, "", fields);
    }

    /// Counts the fields that nobody took and names those that were of a wrong type.
    fn leftovers(&mut self, line: usize, of: &Reference, within: &str, fields: Fields) {
        for what in self.out.leftovers(within, fields) {
            self.out.problem(line, format!("#{}: {what}", of.number));
        }
    }

    fn item(&mut self, line: usize, of: &Reference, external: String, fields: &mut Fields) -> ImportItem {
        let created_at = fields.time("createdAt");
        let updated_at = fields.time("updatedAt");
        let closed_at = fields.time("closedAt");
        let author = self.login(line, of, "author", fields.object("author"));
        let created_by = author.unwrap_or_else(|| {
            self.out
                .tally
                .count(Section::Fields, format!("no author -> {NOBODY}"));
            NOBODY.to_owned()
        });
        let (title, full_title) = self
            .out
            .title(fields.text("title").unwrap_or_default(), &external);
        let mut body = parts::lines(fields.text("body"));
        if !body.is_empty() {
            self.out.tally.count(Section::Fields, "body -> body");
        }
        if let Some(whole) = full_title {
            body = under_heading(&body, "Full title", &whole);
        }
        let body = self.out.fit("body", &body, limits::BODY_BYTES);

        let mut labels = self.labels(line, of, fields);
        let kind = self.kind(line, of, fields, &mut labels);
        let (stage, closed) = self.stage(fields, &mut labels);
        let assignee = self.assignees(line, of, fields, &mut labels);
        let created_at = created_at.or(updated_at).unwrap_or_default();
        let ended_at = closed_at.filter(|_| closed);
        let updated_at = ended_at.or(updated_at).unwrap_or(created_at).max(created_at);
        let comments = self.comments(line, of, created_at, fields);
        let links = self.pull_requests(line, of, fields);
        let edges = relations::Context {
            line,
            of,
            external: &external,
            at: created_at,
            by: &created_by,
        };
        self.gather(&edges, fields, &stage, &comments);
        ImportItem {
            external,
            kind,
            title,
            body,
            priority: PRIORITY,
            labels: self.out.labels(labels),
            assignee,
            created_by,
            created_at,
            updated_at,
            stage,
            frozen: false,
            blocked: None,
            comments,
            links,
            criteria: Vec::new(),
        }
    }
}

/// Which issue it is. The address says it in full, the number is only held against it.
fn reference(number: Option<i64>, url: Option<&str>) -> Result<Reference, String> {
    let who = number.map_or_else(|| "an issue".to_owned(), |number| format!("#{number}"));
    let Some(url) = url else {
        let what =
            "has no `url` and is left out: the address says of which repository it is; add url to --json";
        return Err(format!("{who} {what}"));
    };
    let Some(reference) = Reference::from_url(url) else {
        let what = "and is left out; https://github.com/OWNER/REPO/issues/7 is expected";
        return Err(format!("{who} has the `url` {url} {what}"));
    };
    if number.is_some_and(|number| u64::try_from(number) != Ok(reference.number)) {
        return Err(format!(
            "{who} has the `url` of #{} and is left out",
            reference.number
        ));
    }
    text::name(&reference.external())
        .map_err(|error| format!("{who} has a `url` that cannot be used: {error}"))?;
    Ok(reference)
}
