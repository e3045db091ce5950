//! The lines of our own export, one item each: see [`towline_api::export_line`].
//!
//! Reads JSON and finds lines that name the same item twice. Whether what a line says can be taken is
//! the project's to judge. Reads only what it is given.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use serde::Deserialize;
use towline_api::export_line::{ItemLine, SCHEMA, SETTINGS_SCHEMA, SettingsLine, items_named};
use towline_proto::text;

use super::PROBLEMS;
use super::lines::{self, Lines};

/// Longest line that is read, in bytes: an item with ten thousand acts has some three million.
pub const LINE_BYTES: usize = 32 * 1024 * 1024;
/// Longest sentence about a line, in characters.
const SHOWN_CHARS: usize = 300;

/// What a file comes to.
#[derive(Debug, Default)]
pub struct JsonlFile {
    /// Lines with their numbers in the file, counted from 1.
    pub lines: Vec<(usize, ItemLine)>,
    /// The settings of the project with their line in the file.
    pub settings: Option<(usize, SettingsLine)>,
    /// What could not be read, a sentence each.
    pub problems: Vec<String>,
    /// Problems beyond [`PROBLEMS`].
    pub more_problems: usize,
    /// The references of all items by what the file calls them.
    references: BTreeMap<String, String>,
    /// What the file calls the items of each number.
    numbered: BTreeMap<u32, BTreeSet<String>>,
}

/// Enough of a line to say what it is.
#[derive(Deserialize)]
struct Sort {
    #[serde(default)]
    schema: String,
}

/// Reads a whole file. See the module.
pub fn read(reader: impl BufRead) -> JsonlFile {
    let mut file = JsonlFile::default();
    let mut seen = BTreeMap::new();
    let mut lines = Lines::new(reader, LINE_BYTES);
    loop {
        let read = match lines.next() {
            Ok(Some(line)) => parse(line),
            Ok(None) => break,
            Err(error) => {
                file.problem(
                    lines.number(),
                    &format!("cannot read the rest of the file: {error}"),
                );
                break;
            }
        };
        let number = lines.number();
        match read {
            Ok(Some(ParsedLine::Item(line))) => file.take(number, *line, &mut seen),
            Ok(Some(ParsedLine::Settings(_))) if file.settings.is_some() => {
                file.problem(number, "the file contains settings twice; the first were used");
            }
            Ok(Some(ParsedLine::Settings(line))) => file.settings = Some((number, *line)),
            Ok(None) => {}
            Err(what) => file.problem(number, &what),
        }
    }
    file
}

/// What a line of the file is.
enum ParsedLine {
    Item(Box<ItemLine>),
    Settings(Box<SettingsLine>),
}

fn parse(line: lines::RawLine<'_>) -> Result<Option<ParsedLine>, String> {
    let lines::RawLine::Whole { bytes, ended } = line else {
        return Err(format!("skipped, because it is longer than {LINE_BYTES} bytes"));
    };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
    if bytes.is_empty() {
        return Ok(None);
    }
    let is_settings = |sort: Sort| sort.schema == SETTINGS_SCHEMA;
    if serde_json::from_slice(bytes).is_ok_and(is_settings) {
        let line = serde_json::from_slice(bytes).map(Box::new);
        return line
            .map(|line| Some(ParsedLine::Settings(line)))
            .map_err(|error| format!("not the settings of an export: {error}"));
    }
    let line = serde_json::from_slice(bytes).map(Box::new);
    line.map(|line| Some(ParsedLine::Item(line))).map_err(|error| {
        if error.is_eof() && !ended {
            return "incomplete; the file seems to be truncated, export it again".to_owned();
        }
        match serde_json::from_slice::<Sort>(bytes) {
            Ok(sort) if sort.schema != SCHEMA => {
                let schema = text::show(&sort.schema, 80);
                format!("its schema is {schema:?}; expected {SCHEMA:?}")
            }
            _ => format!("not a line of an export: {error}"),
        }
    })
}

impl JsonlFile {
    fn take(&mut self, number: usize, line: ItemLine, seen: &mut BTreeMap<String, usize>) {
        if let Some(first) = seen.get(&line.reference) {
            let what = format!("the same item as on line {first}; line {first} is used");
            return self.problem(number, &what);
        }
        let digits = line.number.to_string();
        let letters = line.handle.strip_prefix(digits.as_str());
        if !letters.is_some_and(|letters| letters.bytes().all(|byte| byte.is_ascii_lowercase())) {
            let handle = text::show(&line.handle, 80);
            return self.problem(
                number,
                &format!("its handle {handle:?} does not match its number {digits}"),
            );
        }
        if self.references.contains_key(&line.handle) {
            let what = format!("its handle {} is already used on an earlier line", line.handle);
            return self.problem(number, &what);
        }
        seen.insert(line.reference.clone(), number);
        self.references
            .insert(line.handle.clone(), line.reference.clone());
        self.numbered
            .entry(line.number)
            .or_default()
            .insert(line.handle.clone());
        self.lines.push((number, line));
    }

    /// Notes a problem with a line.
    pub fn problem(&mut self, line: usize, what: &str) {
        if self.problems.len() < PROBLEMS {
            // It may quote the file, and ends on somebody's terminal.
            self.problems
                .push(format!("line {line}: {}", text::show(what, SHOWN_CHARS)));
        } else {
            self.more_problems += 1;
        }
    }

    /// The references of the items that these lines name and of those that share a number with them.
    pub fn names<'l>(&self, lines: impl IntoIterator<Item = &'l ItemLine>) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for line in lines {
            let named = line.acts.iter().flat_map(items_named);
            let beside = self
                .numbered
                .get(&line.number)
                .into_iter()
                .flatten()
                .map(String::as_str);
            for handle in named.chain(beside) {
                if let Some(reference) = self.references.get(handle) {
                    names.insert(handle.to_owned(), reference.clone());
                }
            }
        }
        names
    }
}
