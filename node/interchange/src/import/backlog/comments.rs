//! The comments of a task. Two ways of writing them are about: fields, a line `---`, text, a line `---`;
//! and fields, an empty line and text between marks of their own. Relies on the lines alone.

use super::sections::{NumberedLine, joined};
use crate::backlog_escape;

/// One comment as it stands.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TaskComment {
    pub(super) line: usize,
    pub(super) author: Option<String>,
    pub(super) created: Option<String>,
    pub(super) text: String,
}

/// The fields that a comment begins with.
const FIELDS: [&str; 4] = ["index", "author", "created", "updated"];

pub(super) fn comments(lines: &[NumberedLine<'_>]) -> Vec<TaskComment> {
    if lines.iter().any(|(_, line)| is_mark(line, "BEGIN")) {
        return marked(lines);
    }
    let mut comments = Vec::new();
    let mut rest = lines;
    while let Some(((number, line), after)) = rest.split_first() {
        if line.trim().is_empty() || is_rule(line) {
            rest = after;
            continue;
        }
        let mut comment = TaskComment {
            line: *number,
            ..TaskComment::default()
        };
        if let Some(length) = header(rest) {
            let (fields, after) = rest.split_at(length);
            fields.iter().for_each(|(_, line)| comment.field(line));
            rest = after.get(1..).unwrap_or_default();
        }
        // A rule may stand within a text; it ends one only where nothing or another comment follows.
        let end = (0..rest.len())
            .find(|at| ends(rest.get(*at..).unwrap_or_default()))
            .unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        comment.text = backlog_escape::unescape_rules(&backlog_escape::unescape(&joined(text)));
        rest = after;
        comments.push(comment);
    }
    comments
}

/// How many fields begin here, where a line `---` follows them.
fn header(lines: &[NumberedLine<'_>]) -> Option<usize> {
    let length = lines.iter().take_while(|(_, line)| field(line).is_some()).count();
    let rule = lines.get(length).is_some_and(|(_, line)| is_rule(line));
    (length > 0 && rule).then_some(length)
}

fn ends(lines: &[NumberedLine<'_>]) -> bool {
    let Some(((_, line), after)) = lines.split_first() else {
        return true;
    };
    if !is_rule(line) {
        return false;
    }
    let blank = after
        .iter()
        .take_while(|(_, line)| line.trim().is_empty())
        .count();
    let next = after.get(blank..).unwrap_or_default();
    next.is_empty() || header(next).is_some()
}

fn marked(lines: &[NumberedLine<'_>]) -> Vec<TaskComment> {
    let mut comments = Vec::new();
    let mut rest = lines;
    while let Some(((number, line), after)) = rest.split_first() {
        if line.trim().is_empty() || is_mark(line, "END") {
            rest = after;
            continue;
        }
        let mut comment = TaskComment {
            line: *number,
            ..TaskComment::default()
        };
        // Text outside of the marks is somebody's remark too.
        let inner = if is_mark(line, "BEGIN") { after } else { rest };
        let end = inner
            .iter()
            .position(|(_, line)| is_mark(line, "END") || is_mark(line, "BEGIN"))
            .unwrap_or(inner.len());
        let (block, after) = inner.split_at(end);
        let fields = block.iter().take_while(|(_, line)| field(line).is_some()).count();
        let (fields, text) = block.split_at(fields);
        fields.iter().for_each(|(_, line)| comment.field(line));
        comment.text = backlog_escape::unescape(&joined(text));
        rest = after;
        comments.push(comment);
    }
    comments
}

impl TaskComment {
    fn field(&mut self, line: &str) {
        match field(line) {
            Some(("author", value)) if !value.is_empty() => self.author = Some(value.to_owned()),
            Some(("created", value)) if !value.is_empty() => self.created = Some(value.to_owned()),
            _ => {}
        }
    }
}

fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    FIELDS.contains(&name).then_some((name, value.trim()))
}

fn is_rule(line: &str) -> bool {
    line.trim_end() == "---"
}

fn is_mark(line: &str, end: &str) -> bool {
    line.trim()
        .strip_prefix("<!--")
        .and_then(|line| line.strip_suffix("-->"))
        .and_then(|inner| inner.trim().strip_prefix("COMMENT:"))
        == Some(end)
}
