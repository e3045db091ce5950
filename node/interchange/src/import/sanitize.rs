//! Sanitizes foreign text: titles, names, notes, labels, each counted if it had to be changed.
//!
//! What comes out passes [`towline_proto::text`]. Every importer goes through here, so that a control
//! character or a title of a megabyte meets the same treatment wherever it comes from. Knows nothing
//! of any format.

use std::collections::BTreeSet;

use towline_api::request::ImportCriterion;
use towline_proto::text::{fit_line, fit_lines};
use towline_proto::{CriterionState, LinkKind, limits};

use super::fields::Fields;
use super::{Parsed, Section, TRACKERS};

/// Acceptance criteria that one item takes over at most.
const CRITERIA: usize = 200;

impl Parsed {
    /// A name or reference that passes `text::name`; nothing when nothing is left of it. What is cut of
    /// it is lost, and named.
    pub(super) fn name(&mut self, field: &str, text: &str) -> Option<String> {
        if is_long(text) {
            let most = limits::NAME_CHARS;
            self.report_loss(&format!(
                "the {field} has more than {most} characters and was shortened: {text}"
            ));
        }
        self.line(field, text)
    }

    /// One line, cut where it is too long.
    fn line(&mut self, field: &str, text: &str) -> Option<String> {
        let (fitted, changed) = fit_line(text, limits::NAME_CHARS);
        if changed {
            self.tally.count(Section::Shortened, field);
        }
        Some(fitted).filter(|fitted| !fitted.is_empty())
    }

    /// Lines of at most so many bytes.
    pub(super) fn fit(&mut self, field: &str, text: &str, max_bytes: usize) -> String {
        let (fitted, changed) = fit_lines(text, max_bytes);
        if changed {
            self.tally.count(Section::Shortened, field);
        }
        fitted
    }

    /// A title, the id where there is none; and the whole of it where it had to be cut.
    pub(super) fn title(&mut self, whole: String, id: &str) -> (String, Option<String>) {
        let (title, changed) = fit_line(&whole, limits::TITLE_CHARS);
        if title.is_empty() {
            self.tally.count(Section::Fields, "no title -> the id");
            return (fit_line(id, limits::TITLE_CHARS).0, None);
        }
        if changed {
            self.tally.count(Section::Shortened, "title");
        }
        let cut = whole.trim().chars().count() > limits::TITLE_CHARS;
        (title, cut.then_some(whole))
    }

    /// Labels that pass, each once and at most as many as an item may have; the others, and the whole of
    /// those that were cut, for the body.
    pub(super) fn labels(&mut self, labels: Vec<String>) -> (Vec<String>, Vec<String>) {
        let mut kept = BTreeSet::new();
        let mut rest = Vec::new();
        for whole in labels {
            let Some(label) = self.line("label", &whole).filter(|label| !kept.contains(label)) else {
                self.tally.count(Section::NotCarried, "empty or duplicate labels");
                continue;
            };
            if kept.len() == limits::LABELS {
                let what = format!("labels beyond {} -> body, under a heading", limits::LABELS);
                self.tally.count(Section::Shortened, what);
                rest.push(whole);
            } else {
                if is_long(&whole) {
                    rest.push(whole);
                }
                kept.insert(label);
            }
        }
        (kept.into_iter().collect(), rest)
    }

    /// Criteria that pass, each text once; the others as lines for the body.
    pub(super) fn criteria(
        &mut self,
        criteria: Vec<(String, CriterionState)>,
    ) -> (Vec<ImportCriterion>, Vec<String>) {
        let mut kept: Vec<ImportCriterion> = Vec::new();
        let mut rest = Vec::new();
        for (text, state) in criteria {
            let text = self.fit("criterion", &text, usize::MAX).trim().to_owned();
            if text.is_empty() || kept.iter().any(|other| other.text == text) {
                self.tally
                    .count(Section::NotCarried, "empty or duplicate criteria");
                continue;
            }
            if kept.len() == CRITERIA || text.len() > limits::NOTE_BYTES {
                let what = "too many or too long criteria -> body, under a heading";
                self.tally.count(Section::Shortened, what);
                let tick = if state == CriterionState::Met { "x" } else { " " };
                rest.push(format!("[{tick}] {text}"));
                continue;
            }
            kept.push(ImportCriterion { text, state });
        }
        (kept, rest)
    }

    /// A reference as an external link, or as a label where it reads like an item of a tracker: as a
    /// link it would let the next import take this item for that one.
    pub(super) fn reference(&mut self, field: &str, target: &str, to: &mut References) {
        if TRACKERS
            .iter()
            .any(|tracker| target.trim_start().starts_with(tracker))
        {
            let what = format!("{field} to an issue of the tracker -> label");
            self.tally.count(Section::Fields, what);
            to.labels.push(format!("see:{}", target.trim()));
            return;
        }
        if is_long(target) {
            let what = format!("{field} too long for a link -> body, under a heading");
            self.tally.count(Section::Fields, what);
            to.long.push(target.to_owned());
            return;
        }
        self.tally
            .count(Section::Fields, format!("{field} -> external link"));
        if let Some(target) = self.line(field, target) {
            to.links.push((LinkKind::External, target));
        }
    }

    /// Counts the fields that nobody took; what was wrong with the others.
    pub(super) fn count_unknown_fields(&mut self, within: &str, fields: Fields) -> Vec<String> {
        let (left, problems) = fields.finish();
        for name in left {
            self.tally.count(Section::NotCarried, format!("{within}{name}"));
        }
        problems
            .into_iter()
            .map(|what| format!("{within}{what}"))
            .collect()
    }
}

/// What references of one item became.
#[derive(Debug, Default)]
pub(super) struct References {
    pub(super) links: Vec<(LinkKind, String)>,
    pub(super) labels: Vec<String>,
    /// Those that are too long for a link.
    pub(super) long: Vec<String>,
}

/// A body and what follows it under a heading, with one empty line between.
pub(super) fn under_heading(body: &str, heading: &str, text: &str) -> String {
    let gap = if body.is_empty() { "" } else { "\n\n" };
    format!("{}{gap}## {heading}\n\n{}", body.trim_end(), text.trim())
}

/// A body and a list that follows it under a heading, where there is anything to list.
pub(super) fn under_list(body: String, heading: &str, list: &[String]) -> String {
    if list.is_empty() {
        return body;
    }
    let lines: Vec<String> = list.iter().map(|one| format!("- {one}")).collect();
    under_heading(&body, heading, &lines.join("\n"))
}

/// Whether a line has more characters than a name may have.
fn is_long(text: &str) -> bool {
    text.trim().chars().nth(limits::NAME_CHARS).is_some()
}

/// A key that sorts `task-9` before `task-10`.
pub(super) fn natural(name: &str) -> Vec<(String, u64)> {
    let mut key = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let (number, tail) = tail.split_at(end);
        key.push((word.to_lowercase(), number.parse().unwrap_or(0)));
        rest = tail;
    }
    key
}
