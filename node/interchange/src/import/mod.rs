//! Parses the files of other trackers.
//!
//! An importer turns a file into [`ImportItem`]s and [`ImportRelation`]s, reports line by line what it could not
//! use, and counts what became of every field, so that nothing is dropped silently. It changes nothing: a project
//! takes the result through [`towline_api::request::Request::ImportItems`] and
//! [`towline_api::request::Request::ImportRelations`]. What each field becomes is in `docs/import.md`.

pub mod backlog;
pub mod beads;
mod comments;
mod decode;
mod elements;
mod fields;
pub mod github;
mod json;
pub mod jsonl;
mod lines;
mod records;
mod relations;
mod sanitize;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use towline_api::request::{ImportItem, ImportRelation};
use towline_proto::text;

/// Longest line that is read, in bytes: sixteen of the largest bodies. A longer one is a problem.
pub const LINE_BYTES: usize = 4 * 1024 * 1024;
/// Problems that are reported one by one; the tally counts the others, so that a wrong file of a million lines
/// does not cause a million messages.
pub const PROBLEMS: usize = 1_000;
/// What the external references of imported items begin with: imports find their items by them.
pub const TRACKERS: [&str; 3] = ["beads:", "backlog:", "github:"];
/// Longest sentence about a file, in characters.
const SHOWN_CHARS: usize = 300;

/// The content of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Items in the order of the file, each external reference once; those whose records have one id
    /// stand together.
    pub items: Vec<ImportItem>,
    /// Relations of which at least one end is among `items`, each once.
    pub relations: Vec<ImportRelation>,
    /// How often each kind, stage, field and relation was mapped to what.
    pub tally: Tally,
    /// The records that did not become items.
    pub records: Records,
    /// What could not be used, in the order of the file; at most [`PROBLEMS`].
    pub problems: Vec<Problem>,
    /// What somebody should know, a sentence each; at most [`PROBLEMS`].
    pub notes: Vec<String>,
    /// The record that is being read, for messages about it.
    current: CurrentRecord,
}

/// Records that did not become items: together with the items they are all that the file has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Records {
    /// Repeated: an equal copy, or replaced by a newer record of the same id.
    pub repeated: usize,
    /// Could not be read.
    pub unreadable: usize,
    /// Not issues.
    pub others: usize,
}

/// The record that is being read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct CurrentRecord {
    file: Option<String>,
    line: usize,
    id: String,
}

impl Parsed {
    fn problem(&mut self, line: usize, what: impl AsRef<str>) {
        self.problem_at(None, line, what);
    }

    /// A record that cannot be used at all.
    fn unreadable(&mut self, file: Option<&str>, line: usize, what: impl AsRef<str>) {
        self.records.unreadable += 1;
        match file {
            Some(file) => self.problem_in(file, line, what),
            None => self.problem(line, what),
        }
    }

    /// Begins with a record: what is counted and said from here on is about it, until
    /// [`Parsed::end`] gives that back.
    fn begin(&mut self, file: Option<&str>, line: usize, id: &str) -> Self {
        let current = CurrentRecord {
            file: file.map(|file| text::show(file, SHOWN_CHARS)),
            line,
            id: id.to_owned(),
        };
        let inner = Self {
            current,
            ..Self::default()
        };
        std::mem::replace(self, inner)
    }

    /// What was counted and said since [`Parsed::begin`] gave `outer`.
    fn end(&mut self, outer: Self) -> Self {
        std::mem::replace(self, outer)
    }

    /// Takes over what was counted and said of one record.
    fn add_record(&mut self, of_record: Self) {
        for ((section, key), count) in of_record.tally.0 {
            *self.tally.0.entry((section, key)).or_default() += count;
        }
        let room = PROBLEMS.saturating_sub(self.problems.len());
        self.problems.extend(of_record.problems.into_iter().take(room));
        let room = PROBLEMS.saturating_sub(self.notes.len());
        self.notes.extend(of_record.notes.into_iter().take(room));
    }

    /// Reports that a part of the current record is lost.
    fn report_loss(&mut self, what: &str) {
        let CurrentRecord { file, line, id } = self.current.clone();
        self.problem_at(file, line, format!("{id}: {what}"));
    }

    /// Adds a note.
    fn note_that(&mut self, what: &str) {
        if self.notes.len() < PROBLEMS {
            self.notes.push(text::show(what, SHOWN_CHARS));
        }
    }

    /// Counts and notes invalid characters that were replaced.
    fn replaced(&mut self, place: &str, count: usize) {
        if count == 0 {
            return;
        }
        self.tally
            .add(Section::Shortened, "invalid characters -> \u{fffd}", count);
        self.note_that(&format!(
            "{place}: {count} invalid {} replaced with \u{fffd}",
            if count == 1 {
                "character was"
            } else {
                "characters were"
            }
        ));
    }

    /// A problem in one of many files.
    fn problem_in(&mut self, file: &str, line: usize, what: impl AsRef<str>) {
        // A name of a file may hold anything but a slash.
        let file = text::show(file, SHOWN_CHARS);
        self.problem_at(Some(file), line, what);
    }

    fn problem_at(&mut self, file: Option<String>, line: usize, what: impl AsRef<str>) {
        self.tally
            .count(Section::Problems, "lines and fields that could not be read");
        if self.problems.len() < PROBLEMS {
            // It may quote the file, and ends on somebody's terminal.
            let what = text::show(what.as_ref(), SHOWN_CHARS);
            self.problems.push(Problem { file, line, what });
        }
    }
}

/// Something in a file that could not be used. The rest of the file was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which file, where there are many.
    pub file: Option<String>,
    /// Which line, counted from 1; 0 where it is about the file as a whole.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (None, line) => write!(f, "line {line}: {}", self.what),
            (Some(file), 0) => write!(f, "{file}: {}", self.what),
            (Some(file), line) => write!(f, "{file}, line {line}: {}", self.what),
        }
    }
}

/// The sections of the [`Tally`], in the order of the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// What sort of work the items are.
    Kinds,
    /// Where they end up.
    Stages,
    /// What became of their other fields.
    Fields,
    /// What became of the relations between them.
    Relations,
    /// What had to be made shorter or cleaned.
    Shortened,
    /// What has no place here.
    NotCarried,
    /// What could not be read.
    Problems,
}

impl Section {
    /// The heading of the summary.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Kinds => "kinds",
            Self::Stages => "stages",
            Self::Fields => "fields",
            Self::Relations => "relations",
            Self::Shortened => "shortened",
            Self::NotCarried => "not carried over",
            Self::Problems => "problems",
        }
    }
}

/// Counts of what was kept, mapped and left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(pub BTreeMap<(Section, String), usize>);

impl Tally {
    fn count(&mut self, section: Section, key: impl Into<String>) {
        self.add(section, key, 1);
    }

    fn add(&mut self, section: Section, key: impl Into<String>, count: usize) {
        *self.0.entry((section, key.into())).or_default() += count;
    }

    /// One count; 0 when there is nothing of the sort.
    pub fn get(&self, section: Section, key: &str) -> usize {
        self.0.get(&(section, key.to_owned())).copied().unwrap_or(0)
    }

    /// The summary for people: a heading a section, a line a count.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let mut heading = None;
        for ((section, key), count) in &self.0 {
            if heading != Some(*section) {
                heading = Some(*section);
                out.push_str(section.title());
                out.push('\n');
            }
            // A key may quote the file too.
            let key = text::show(key, SHOWN_CHARS);
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{count:>8}  {key}");
        }
        out
    }
}
