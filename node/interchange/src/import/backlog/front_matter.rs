//! The YAML between the two lines `---` at the top of a task.
//!
//! Every scalar stays the text that was written: a title `no` is no boolean and an id `1.10` no number.
//! Aliases are refused and depth, fields and bytes are bounded, so that a small file cannot unfold into
//! a large one. Knows nothing of what the fields mean.

use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// Longest front-matter, in bytes.
const BYTES: usize = 64 * 1024;
/// Values in one front-matter at most.
const VALUES: usize = 10_000;
/// Lists and maps within each other at most.
const DEPTH: usize = 8;

/// A line of the file, counted from 1, and what is wrong with it.
pub(super) type LineProblem = (usize, String);

/// A file in its two parts.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) fields: Map<String, Value>,
    pub(super) problems: Vec<LineProblem>,
    pub(super) content: &'a str,
    /// The line on which the content begins, counted from 1.
    pub(super) content_line: usize,
}

/// Splits a file, whose lines end in line feeds alone.
pub(super) fn split(text: &str) -> Result<Parts<'_>, LineProblem> {
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    if first.trim_end() != "---" {
        let what =
            "no front matter: a task begins with a line `---`, fields such as `id: task-1`, and a line `---`";
        return Err((1, what.to_owned()));
    }
    let mut end = first.len();
    for (number, line) in (2..).zip(lines) {
        if line.trim_end() == "---" {
            let yaml = text.get(first.len()..end).unwrap_or_default();
            let content = text.get(end + line.len()..).unwrap_or_default();
            let (fields, problems) = parse(yaml)?;
            return Ok(Parts {
                fields,
                problems,
                content,
                content_line: number + 1,
            });
        }
        end += line.len();
        if end > BYTES {
            let what =
                format!("the front matter is longer than {BYTES} bytes, or its last line `---` is missing");
            return Err((1, what));
        }
    }
    let what = "the front matter is not closed: expected a line `---` after its fields";
    Err((1, what.to_owned()))
}

/// A list or map that is not closed yet.
enum OpenNode {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

/// The fields of a YAML document, and what was odd about them.
pub(super) fn parse(yaml: &str) -> Result<(Map<String, Value>, Vec<LineProblem>), LineProblem> {
    let quoted = quoted(yaml);
    let mut open: Vec<OpenNode> = Vec::new();
    let mut problems = Vec::new();
    let mut values = 0;
    for event in Parser::new_from_str(&quoted) {
        let (event, span) = event.map_err(|error| {
            let what = format!("the front matter is not YAML: {}", error.info());
            (error.marker().line() + 1, what)
        })?;
        // The first line of the YAML is the second of the file.
        let line = span.start.line() + 1;
        values += 1;
        if values > VALUES {
            return Err((line, format!("more than {VALUES} values in the front matter")));
        }
        let value = match event {
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() == DEPTH => {
                return Err((line, format!("more than {DEPTH} nested lists")));
            }
            Event::SequenceStart(..) => {
                open.push(OpenNode::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(OpenNode::Map(Map::new(), None));
                continue;
            }
            Event::Alias(_) => {
                let what = "aliases (`*name`) are not supported; put a text that begins with * in quotes";
                return Err((line, what.to_owned()));
            }
            Event::Scalar(text, style, ..) => scalar(&text, style),
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(OpenNode::List(list)) => Value::Array(list),
                Some(OpenNode::Map(map, _)) => Value::Object(map),
                None => continue,
            },
            Event::DocumentEnd => break,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => continue,
        };
        match (open.last_mut(), value) {
            (Some(OpenNode::List(list)), value) => list.push(value),
            (Some(OpenNode::Map(_, key @ None)), Value::String(text)) => *key = Some(text),
            (Some(OpenNode::Map(_, None)), _) => {
                return Err((line, "a field without a name; expected `name: value`".to_owned()));
            }
            (Some(OpenNode::Map(map, key)), value) => {
                let key = key.take().unwrap_or_default();
                if map.contains_key(&key) {
                    problems.push((line, format!("duplicate field `{key}`; the first is used")));
                } else {
                    map.insert(key, value);
                }
            }
            (None, Value::Object(map)) => return Ok((map, problems)),
            (None, Value::Null) => {}
            (None, _) => {
                let what = "the front matter has no fields; expected lines such as `id: task-1`";
                return Err((line, what.to_owned()));
            }
        }
    }
    Ok((Map::new(), problems))
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    let plain = matches!(style, ScalarStyle::Plain);
    if plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    Value::String(text.to_owned())
}

/// The YAML with people in quotes: `assignee: @ann` and `- @ann` are no YAML, and written all the same.
fn quoted(yaml: &str) -> Cow<'_, str> {
    if !yaml.contains('@') {
        return Cow::Borrowed(yaml);
    }
    let mut out = String::with_capacity(yaml.len() + 64);
    for line in yaml.split_inclusive('\n') {
        let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
        let indent = text.len() - text.trim_start().len();
        let (start, rest) = text.split_at(indent);
        let value_at = ["assignee:", "reporter:", "- "]
            .into_iter()
            .find(|prefix| rest.starts_with(prefix))
            .map(|prefix| prefix.len());
        let (field, value) = rest.split_at(value_at.unwrap_or(rest.len()));
        out.push_str(start);
        out.push_str(field);
        out.push_str(&people(value));
        out.push_str(end);
    }
    Cow::Owned(out)
}

fn people(value: &str) -> Cow<'_, str> {
    let trimmed = value.trim();
    if trimmed.starts_with('@') {
        return Cow::Owned(format!(" {}", in_quotes(trimmed)));
    }
    let list = trimmed
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .filter(|list| list.split(',').any(|one| one.trim().starts_with('@')));
    let Some(list) = list else {
        return Cow::Borrowed(value);
    };
    let each: Vec<_> = list
        .split(',')
        .map(str::trim)
        .map(|one| {
            if one.starts_with('@') {
                in_quotes(one)
            } else {
                one.to_owned()
            }
        })
        .collect();
    Cow::Owned(format!(" [{}]", each.join(", ")))
}

fn in_quotes(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(yaml: &str) -> Value {
        let text = format!("---\n{yaml}\n---\n");
        Value::Object(split(&text).expect("a task").fields)
    }

    fn wrong(text: &str) -> LineProblem {
        split(text).expect_err("refused")
    }

    #[test]
    fn every_scalar_stays_what_was_written() {
        assert_eq!(
            fields(
                "title: no\nid: 1.10\ndate: 2026-01-02 10:30\nnone: ~\nempty:\nquoted: 'null'\nlist: [a, 2]"
            ),
            json!({"title": "no", "id": "1.10", "date": "2026-01-02 10:30", "none": null, "empty": null,
                "quoted": "null", "list": ["a", "2"]})
        );
    }

    #[test]
    fn people_need_no_quotes() {
        assert_eq!(
            fields("assignee: @ann\nreporter: @o'neil\nother:\n  - @bob\n  - cy"),
            json!({"assignee": "@ann", "reporter": "@o'neil", "other": ["@bob", "cy"]})
        );
        assert_eq!(
            fields("assignee: [@ann, 'bob', cy]"),
            json!({"assignee": ["@ann", "bob", "cy"]})
        );
    }

    #[test]
    fn what_is_wrong_has_its_line() {
        assert_eq!(wrong("# no task").0, 1);
        assert_eq!(wrong("---\nid: a\n").0, 1);
        assert_eq!(wrong("---\nid: a\ntitle: 'open\n---\n").0, 3);
        assert_eq!(wrong("---\nid: &a x\ntitle: *a\n---\n").0, 3);
        assert!(wrong("---\njust words\n---\n").1.contains("no fields"));
        let again = split("---\nid: a\nid: b\n---\n").expect("a task");
        assert_eq!(
            again.problems,
            [(3, "duplicate field `id`; the first is used".to_owned())]
        );
        assert_eq!(Value::Object(again.fields), json!({"id": "a"}));
    }

    #[test]
    fn small_files_do_not_unfold_into_large_ones() {
        let deep = |depth| format!("---\na: {}\n---\n", "[".repeat(depth));
        assert!(wrong(&deep(DEPTH)).1.contains("nested lists"));
        assert_eq!(wrong(&deep(BYTES - 100)).0, 2);
        let many = format!("---\na: [{}]\n---\n", "x,".repeat(VALUES));
        assert!(wrong(&many).1.contains("values"));
        let long = format!("---\na: {}\n---\n", "x".repeat(BYTES));
        assert!(wrong(&long).1.contains("longer"));
    }
}
