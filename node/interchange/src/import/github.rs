//! The issues of a GitHub repository, as `gh issue list --state all --json …` writes them: one JSON
//! list, be it in an envelope; or one issue a line.
//!
//! Every field of an issue becomes something of ours, a label, or a count under *not carried over*;
//! `docs/import.md` lists them all. An issue that cannot be used is named with its line and the rest is
//! read. Reads only what it is given.

mod parts;
mod relations;
mod repository;
#[cfg(test)]
mod tests;

use std::io::BufRead;

use serde_json::Value;
use towline_api::request::{ImportItem, ImportRecord};
use towline_proto::{Millis, text};

use super::comments::Overflow;
use super::elements::{Element, Elements};
use super::fields::Fields;
use super::records::{Record, Versions};
use super::relations::ParsedRelation;
use super::sanitize::{natural, under_heading, under_list};
use super::{LINE_BYTES, Parsed, Section, decode, json};
use parts::Reference;
pub use repository::Repository;

/// Who made an issue that names nobody, as those of deleted accounts do.
pub const NOBODY: &str = "unknown (github)";
/// The middle of 0 to 4: GitHub has no priorities.
const PRIORITY: u8 = 2;
/// What a file should be.
const WANTED: &str =
    "expected a list of issues, as `gh issue list --state all --json number,title,url,…` writes it";

/// Reads all issues, each of the repository that its `url` names. See the module.
pub fn read(reader: impl BufRead) -> Parsed {
    read_repository(reader, None)
}

/// Reads all issues; those without a `url` are of the given repository.
pub fn read_repository(reader: impl BufRead, repository: Option<&Repository>) -> Parsed {
    let mut import = GithubImporter {
        repository: repository.cloned(),
        ..GithubImporter::default()
    };
    match decode::utf8(reader) {
        Ok(reader) => import.read(&mut Elements::new(reader, LINE_BYTES)),
        Err(error) => import.out.problem(0, format!("cannot read the file: {error}")),
    }
    // `gh` lists the newest first; numbers follow those that the issues had.
    import
        .records
        .sort_by_cached_key(|record| natural(&record.item.external));
    if import.unnamed > 0 {
        let (count, are) = match import.unnamed {
            1 => ("1 issue".to_owned(), "is"),
            more => (format!("{more} issues"), "are"),
        };
        import.out.note_that(&format!(
            "{count} {are} from an unknown repository and identified by number and `createdAt`; \
             use --repo OWNER/NAME, or export `url` with --json, to name the repository"
        ));
    }
    let records = std::mem::take(&mut import.records);
    let relations = import.out.take_records(records, Versions::Always);
    import.out.make_relations(relations);
    import.out
}

/// The fields of one issue with how many characters of it were replaced; or how many lines further down
/// something is wrong, and what.
fn parse(bytes: &[u8], ended: bool) -> Result<(Fields, usize), (usize, String)> {
    match json::parse(bytes) {
        Ok((Value::Object(map), replaced)) => Ok((Fields::new(map), replaced)),
        Ok(_) => Err((0, format!("not an object; {WANTED}"))),
        Err(error) if error.is_eof() && !ended => Err((
            0,
            "incomplete; the file seems to be truncated, export it again".to_owned(),
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
struct GithubImporter {
    out: Parsed,
    records: Vec<Record>,
    /// The relations of the issue that is being read.
    relations: Vec<ParsedRelation>,
    /// Whose the issues without a `url` are.
    repository: Option<Repository>,
    /// Issues of which nobody says of which repository they are.
    unnamed: usize,
}

impl GithubImporter {
    fn read<R: BufRead>(&mut self, elements: &mut Elements<R>) {
        let mut place = 0;
        loop {
            let next = elements.next();
            let is_record = matches!(next, Ok(Some(Element::Whole { .. } | Element::TooLong)));
            place += usize::from(is_record);
            let parsed = match next {
                Ok(None) => return,
                Err(error) => Err((0, format!("cannot read the rest of the file: {error}"))),
                Ok(Some(Element::Whole { bytes, ended })) => parse(bytes, ended)
                    .map_err(|(line, what)| (line, format!("issue {place} of the file: {what}"))),
                Ok(Some(Element::TooLong)) => {
                    let what = format!(
                        "issue {place} of the file was skipped, because it is longer than {LINE_BYTES} bytes"
                    );
                    Err((0, what))
                }
                Ok(Some(Element::ListCut)) => {
                    let what = "the list is not closed; the file seems to be truncated, export it again";
                    Err((0, what.to_owned()))
                }
                Ok(Some(Element::Foreign)) => Err((0, format!("not JSON; {WANTED}"))),
                Ok(Some(Element::Nothing)) => Err((0, format!("the file is empty; {WANTED}"))),
            };
            let line = elements.began();
            match parsed {
                Ok((fields, replaced)) => self.issue(line, fields, replaced),
                Err((further, what)) if is_record => self.out.unreadable(None, line + further, what),
                // Nothing follows that could be read.
                Err((further, what)) => return self.out.problem(line + further, what),
            }
        }
    }

    fn issue(&mut self, line: usize, mut fields: Fields, replaced: usize) {
        let number = fields.number("number");
        let url = fields.text("url");
        let created_at = fields.time("createdAt");
        let is_dated = created_at.is_some();
        let reference = match reference(number, url.as_deref(), self.repository.as_ref(), is_dated) {
            Ok(reference) => reference,
            Err(what) => return self.out.unreadable(None, line, what),
        };
        self.unnamed += usize::from(reference.is_unnamed());
        let external = reference.external();
        let outer = self.out.begin(None, line, &external);
        self.out.replaced(&external, replaced);
        let item = self.item(line, &reference, external, created_at, &mut fields);
        self.count_unknown_fields(line, &reference, "", fields);
        let said = self.out.end(outer);
        let relations = std::mem::take(&mut self.relations);
        self.records.push(Record {
            item,
            relations,
            said,
        });
    }

    /// Counts the fields that nobody took and names those that were of a wrong type.
    fn count_unknown_fields(&mut self, line: usize, of: &Reference, within: &str, fields: Fields) {
        for what in self.out.count_unknown_fields(within, fields) {
            self.out.problem(line, format!("#{}: {what}", of.number));
        }
    }

    fn item(
        &mut self,
        line: usize,
        of: &Reference,
        external: String,
        created_at: Option<Millis>,
        fields: &mut Fields,
    ) -> ImportItem {
        let silent = parts::silent(fields);
        let changed_at = fields.time("updatedAt");
        let closed_at = fields.time("closedAt");
        // What says when it was closed alone would be taken for older than the same issue in full.
        let record_at = changed_at.map_or(Millis(0), |at| at.max(closed_at.unwrap_or_default()));
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
        let mut labels = self.labels(line, of, fields);
        let kind = self.kind(line, of, fields, &mut labels);
        let (stage, closed) = self.stage(fields, &mut labels);
        let assignee = self.assignees(line, of, fields, &mut labels);
        let (labels, more_labels) = self.out.labels(labels);
        let body = under_list(body, "Further labels", &more_labels);
        let mut overflow = Overflow::default();
        let body = self.out.body(&body, &mut overflow);

        let created_at = created_at.or(changed_at).unwrap_or_default();
        let ended_at = closed_at.filter(|_| closed).map(|ended| ended.max(created_at));
        let updated_at = changed_at.max(ended_at).unwrap_or(created_at).max(created_at);
        let comments = self.comments(line, of, created_at, fields);
        let context = relations::RelationContext {
            line,
            of,
            external: &external,
            at: created_at,
            by: &created_by,
            record_at,
        };
        self.gather(&context, fields, &stage, &comments);
        let comments = self.out.comments(created_at, &created_by, comments, overflow);
        let links = self.pull_requests(line, of, fields);
        let formerly = Some(of.as_written()).filter(|written| *written != external);
        ImportItem {
            external,
            kind,
            title,
            body,
            priority: PRIORITY,
            labels,
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
            record: ImportRecord {
                at: record_at,
                ended_at,
                silent,
                formerly: formerly.into_iter().collect(),
                by_birth: of.is_unnamed(),
                shared: None,
            },
        }
    }
}

/// Which issue it is. The address says it in full, the number is only held against it. Without an address
/// it is one of the given repository, or else of one without a name: then only its number and when it was made
/// tell which it is.
fn reference(
    number: Option<i64>,
    url: Option<&str>,
    repository: Option<&Repository>,
    is_dated: bool,
) -> Result<Reference, String> {
    let who = number.map_or_else(|| "an issue".to_owned(), |number| format!("#{number}"));
    let reference = match (url, repository) {
        (None, None) if !is_dated => {
            let what = "was skipped, because without `url` and `createdAt` it cannot be identified; add both to \
                        --json, or name its repository with --repo OWNER/NAME";
            return Err(format!("{who} {what}"));
        }
        (None, repository) => {
            let Some(number) = number.and_then(|number| u64::try_from(number).ok()) else {
                return Err(format!(
                    "{who} was skipped, because it has neither `number` nor `url`"
                ));
            };
            Reference::of(repository, number)
        }
        (Some(url), _) => {
            let Some(reference) = Reference::from_url(url) else {
                let what = "and was skipped; expected https://github.com/OWNER/REPO/issues/7";
                return Err(format!("{who} has the `url` {url} {what}"));
            };
            reference
        }
    };
    if number.is_some_and(|number| u64::try_from(number) != Ok(reference.number)) {
        return Err(format!(
            "{who} was skipped, because it has the `url` of #{}",
            reference.number
        ));
    }
    text::name(&reference.external())
        .map_err(|error| format!("{who} was skipped, because its `url` is invalid: {error}"))?;
    Ok(reference)
}
