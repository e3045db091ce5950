//! What stands below the front-matter of a task: marked sections, lists of criteria, comments, and
//! whatever people wrote between and around them.
//!
//! The marks are comments such as `<!-- AC:BEGIN -->`; older tasks have headings alone. A section that
//! has no end mark is named and taken up to the next heading. Criteria count within another section too,
//! where they stand below their heading or nowhere else. No line is lost: what is no criterion and no
//! comment goes into the body.

use std::collections::BTreeMap;

use towline_proto::CriterionState;

use super::comments::{TaskComment, comments};
use super::front_matter::LineProblem;
use crate::backlog_escape;
use crate::import::sanitize::under_heading;

/// What the content of a task comes to.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) body: String,
    pub(super) criteria: Vec<(String, CriterionState)>,
    pub(super) comments: Vec<TaskComment>,
    pub(super) problems: Vec<LineProblem>,
    /// What became of what, to be counted.
    pub(super) outcomes: Vec<String>,
    /// Whether there is a place for the description, be it empty.
    pub(super) has_description: bool,
    /// Whether there is a list of criteria, be it empty.
    pub(super) has_criteria: bool,
}

/// A line with its number in the file, counted from 1.
pub(super) type NumberedLine<'a> = (usize, &'a str);

/// Some lines that belong together.
#[derive(Debug, Default)]
struct Block<'a> {
    heading: Option<&'a str>,
    /// The name of its marks.
    mark: Option<&'a str>,
    lines: Vec<NumberedLine<'a>>,
}

impl Block<'_> {
    fn text(&self) -> String {
        backlog_escape::unescape(&joined(&self.lines))
    }
}

/// Lines as one text, without the empty ones around it. The first of a code block keeps its indent.
pub(super) fn joined(lines: &[NumberedLine<'_>]) -> String {
    let lines: Vec<_> = lines
        .iter()
        .map(|(_, line)| *line)
        .skip_while(|line| line.trim().is_empty())
        .collect();
    lines.join("\n").trim_end().to_owned()
}

/// Reads a content that begins on some line of its file.
pub(super) fn read(text: &str, first_line: usize) -> Content {
    let lines: Vec<NumberedLine<'_>> = text
        .lines()
        .enumerate()
        .map(|(at, line)| (first_line + at, line))
        .collect();
    let mut content = Content::default();
    let blocks = lifted(blocks(&lines, &mut content.problems));
    let mut plain = String::new();
    let mut headed = Vec::new();
    for block in blocks {
        let heading = block.heading.unwrap_or_default();
        let (title, field) = match (block.mark, heading.to_lowercase().as_str()) {
            (Some("AC"), _) | (None, "acceptance criteria" | "acceptance criteria (optional)") => {
                content.has_criteria = true;
                checklist(&block, "Acceptance Criteria", &mut content, &mut headed);
                continue;
            }
            (Some("DOD"), _) | (None, "definition of done") => {
                content.has_criteria = true;
                checklist(&block, "Definition of Done", &mut content, &mut headed);
                continue;
            }
            (Some("COMMENTS"), _) => {
                content.comments.append(&mut comments(&block.lines));
                continue;
            }
            (Some("SECTION:DESCRIPTION"), _) | (None, "description") => ("", "description"),
            (Some("SECTION:PLAN"), _) => ("Implementation Plan", "implementation plan"),
            (Some("SECTION:NOTES"), _) => ("Implementation Notes", "implementation notes"),
            (Some("SECTION:FINAL_SUMMARY"), _) => ("Final Summary", "final summary"),
            (Some(mark), "") => (mark.trim_start_matches("SECTION:"), "other section"),
            (_, "") => ("", "text outside of sections"),
            (_, "implementation plan") => (heading, "implementation plan"),
            (_, "implementation notes") => (heading, "implementation notes"),
            (_, "final summary") => (heading, "final summary"),
            (_, _) => (heading, "other section"),
        };
        content.has_description |= field == "description";
        let text = block.text();
        if text.is_empty() {
            continue;
        }
        if title.is_empty() {
            content.has_description = true;
            content.outcomes.push(format!("{field} -> body"));
            let gap = if plain.is_empty() { "" } else { "\n\n" };
            plain = format!("{plain}{gap}{text}");
        } else {
            content.outcomes.push(format!("{field} -> body, under a heading"));
            headed.push((title.to_owned(), text));
        }
    }
    // What has no heading comes first, or it would read like part of what has one.
    content.body = headed
        .into_iter()
        .fold(plain, |body, (title, text)| under_heading(&body, &title, &text));
    content
}

/// The name of a mark and whether it is the first of its pair.
fn mark(line: &str) -> Option<(&str, bool)> {
    let inner = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    let (name, end) = inner.rsplit_once(':')?;
    let known = matches!(name, "AC" | "DOD" | "COMMENTS") || name.starts_with("SECTION:");
    match end {
        "BEGIN" if known => Some((name, true)),
        "END" if known => Some((name, false)),
        _ => None,
    }
}

fn blocks<'a>(lines: &[NumberedLine<'a>], problems: &mut Vec<LineProblem>) -> Vec<Block<'a>> {
    let mut ends: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, (_, line)) in lines.iter().enumerate() {
        if let Some((name, false)) = mark(line) {
            ends.entry(name).or_default().push(at);
        }
    }
    let mut blocks: Vec<Block<'a>> = Vec::new();
    let mut block = Block::default();
    let mut fenced = false;
    let mut rest = lines.iter().copied().enumerate();
    let mut waiting = rest.next();
    while let Some((at, (number, line))) = waiting {
        waiting = rest.next();
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fenced = !fenced;
        }
        match mark(line) {
            Some((name, true)) if !fenced => {
                let bare = block.lines.iter().all(|(_, line)| line.trim().is_empty());
                let heading = block.heading.filter(|_| bare);
                if !bare {
                    blocks.push(std::mem::take(&mut block));
                }
                let of_name = ends.get(name).map(Vec::as_slice).unwrap_or_default();
                let end = of_name.get(of_name.partition_point(|end| *end <= at)).copied();
                if end.is_none() {
                    let what = format!(
                        "`{name}:BEGIN` has no `{name}:END`; the section ends before the next heading"
                    );
                    problems.push((number, what));
                }
                let mut inner = Vec::new();
                while let Some((at, line)) = waiting {
                    let over = match end {
                        Some(end) => at >= end,
                        None => is_heading(line.1).is_some() || matches!(mark(line.1), Some((_, true))),
                    };
                    if over {
                        break;
                    }
                    inner.push(line);
                    waiting = rest.next();
                }
                if end.is_some() {
                    waiting = rest.next();
                }
                blocks.push(Block {
                    heading,
                    mark: Some(name),
                    lines: inner,
                });
                block = Block::default();
            }
            Some((name, false)) if !fenced => {
                problems.push((number, format!("`{name}:END` without `{name}:BEGIN` before it")));
            }
            _ => match is_heading(line) {
                Some(heading) if !fenced => {
                    blocks.push(std::mem::take(&mut block));
                    block.heading = Some(heading);
                }
                _ => block.lines.push((number, line)),
            },
        }
    }
    blocks.push(block);
    blocks
}

/// The criteria of each name, and the heading that stands before them.
const LISTS: [(&str, &str); 2] = [("AC", "acceptance criteria"), ("DOD", "definition of done")];

/// The blocks with the lists of criteria that stand within other sections as blocks of their own.
fn lifted(blocks: Vec<Block<'_>>) -> Vec<Block<'_>> {
    let outside: Vec<&str> = blocks.iter().filter_map(|block| block.mark).collect();
    let alone = LISTS.map(|(name, _)| !outside.contains(&name));
    let mut out = Vec::new();
    for mut block in blocks {
        let is_section = block.mark.is_some_and(|mark| mark.starts_with("SECTION:"));
        let mut lists = Vec::new();
        if is_section {
            lists.extend(std::iter::from_fn(|| {
                let mut kinds = LISTS.into_iter().zip(alone);
                kinds.find_map(|((name, heading), alone)| within(&mut block.lines, name, heading, alone))
            }));
        }
        out.push(block);
        out.append(&mut lists);
    }
    out
}

/// Takes a list of criteria out of the lines of another section: one below its own heading, or any where
/// there is none outside.
fn within<'a>(
    lines: &mut Vec<NumberedLine<'a>>,
    name: &'a str,
    heading: &str,
    alone: bool,
) -> Option<Block<'a>> {
    let mut fenced = false;
    let mut below = None;
    for at in 0..lines.len() {
        let (_, line) = lines.get(at).copied()?;
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fenced = !fenced;
        }
        if fenced || line.trim().is_empty() {
            continue;
        }
        if mark(line) != Some((name, true)) {
            let is_own = is_heading(line).is_some_and(|words| words.to_lowercase().starts_with(heading));
            below = is_own.then_some(at);
            continue;
        }
        let end = (at..lines.len()).find(|end| {
            let line = lines.get(*end).map(|(_, line)| *line);
            line.and_then(mark) == Some((name, false))
        });
        let Some(end) = end.filter(|_| below.is_some() || alone) else {
            below = None;
            continue;
        };
        let mut list: Vec<NumberedLine<'a>> = lines.drain(below.unwrap_or(at)..=end).collect();
        list.pop();
        let first = at - below.unwrap_or(at) + 1;
        return Some(Block {
            heading: None,
            mark: Some(name),
            lines: list.into_iter().skip(first).collect(),
        });
    }
    None
}

fn is_heading(line: &str) -> Option<&str> {
    line.strip_prefix("## ").map(str::trim)
}

/// The boxes of a list. Lines that are indented belong to the box above them; all others stay in the
/// body.
fn checklist(block: &Block<'_>, title: &str, content: &mut Content, headed: &mut Vec<(String, String)>) {
    let before = content.criteria.len();
    let mut others = Vec::new();
    let mut last = None;
    for (_, line) in &block.lines {
        if let Some((text, state)) = ticked(line) {
            content
                .outcomes
                .push(format!("{} -> criterion", title.to_lowercase()));
            content
                .criteria
                .push((backlog_escape::unescape_checkbox(text).to_owned(), state));
            last = Some(content.criteria.len() - 1);
        } else if line.trim().is_empty() {
            others.push("");
        } else {
            let above = last
                .filter(|_| line.starts_with([' ', '\t']))
                .and_then(|at| content.criteria.get_mut(at));
            match above {
                Some((text, _)) => {
                    text.push('\n');
                    text.push_str(backlog_escape::unescape_checkbox(line.trim()));
                }
                None => {
                    last = None;
                    others.push(line);
                }
            }
        }
    }
    for (text, _) in content.criteria.iter_mut().skip(before) {
        *text = backlog_escape::unescape(text);
    }
    let text = others.join("\n").trim().to_owned();
    if !text.is_empty() {
        content.outcomes.push(format!(
            "lines between {} -> body, under a heading",
            title.to_lowercase()
        ));
        headed.push((title.to_owned(), text));
    }
}

/// The text of `- [x] #1 text`, and whether it is ticked.
fn ticked(line: &str) -> Option<(&str, CriterionState)> {
    let line = line.trim();
    let line = line.strip_prefix("- [").or_else(|| line.strip_prefix("* ["))?;
    let (tick, text) = line.split_once(']')?;
    let state = match tick {
        " " | "" => CriterionState::Open,
        "x" | "X" => CriterionState::Met,
        _ => return None,
    };
    let text = text.trim();
    let unnumbered = text.strip_prefix('#').and_then(|rest| {
        let (number, text) = rest.split_once(' ')?;
        number.parse::<u32>().is_ok().then_some(text.trim())
    });
    Some((unnumbered.unwrap_or(text), state))
}
