//! `--json FIELDS`: only some fields of the items in a document.
//!
//! `list`, `ready` and `show` take fields. The words are rewritten before clap sees them, because a flag whose value
//! may be left out would take the next argument for it. A field that an item does not have is `null`.

use std::ffi::OsString;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use towline_api::request::{Failure, FailureCode};

use super::args::Command;

/// The fields of a card.
const CARD: &[&str] = &[
    "handle",
    "number",
    "key",
    "id",
    "revision",
    "kind",
    "title",
    "column",
    "status",
    "holds",
    "closing",
    "deleted",
    "priority",
    "qa",
    "labels",
    "assignee",
    "claim",
    "claim_heard",
    "epic",
    "depends_on",
    "unmet",
    "retries",
    "criteria_met",
    "criteria",
    "comments",
    "conflicts",
    "notices",
    "attention",
    "progress",
    "origin",
    "created_at",
    "updated_at",
    "entered_at",
    "skewed",
    "in_the_way",
    "legal",
];
/// The fields that an item in full has besides.
const PAGE: &[&str] = &[
    "body",
    "criteria_list",
    "known_as",
    "links",
    "related",
    "remarks",
    "successor",
    "dependants",
    "children",
    "history",
    "open_conflicts",
    "refused",
];
/// The commands that take fields.
const COMMANDS: &[&str] = &["list", "ls", "ready", "show"];

/// The same words, with the fields behind `--json` as a flag of their own.
pub(crate) fn rewrite(words: Vec<OsString>) -> Vec<OsString> {
    let mut out = Vec::with_capacity(words.len());
    let (mut command, mut after_json) = ("", false);
    let mut plain = false;
    for word in words {
        let text = word.to_str().unwrap_or_default().to_owned();
        let is_fields = std::mem::take(&mut after_json) && are_fields(command, &text);
        plain |= text == "--";
        if let Some(fields) = text.strip_prefix("--json=").filter(|_| !plain) {
            out.push("--json".into());
            out.push(format!("--json-fields={fields}").into());
            continue;
        }
        if is_fields && !plain {
            out.push(format!("--json-fields={text}").into());
            continue;
        }
        after_json = text == "--json";
        if command.is_empty() {
            command = COMMANDS
                .iter()
                .find(|known| **known == text)
                .copied()
                .unwrap_or("");
        }
        out.push(word);
    }
    out
}

/// Whether the word behind `--json` names fields. `list` and `ready` take no other words; `show` takes items, and no
/// item is called like a field.
fn are_fields(command: &str, word: &str) -> bool {
    let known = |field: &str| CARD.contains(&field) || PAGE.contains(&field);
    match command {
        "list" | "ls" | "ready" => !word.starts_with('-'),
        "show" => word.split(',').all(known) || word.contains(','),
        _ => false,
    }
}

/// Checks that a command has the fields.
pub(crate) fn check(command: &Command, fields: &[String]) -> Result<(), Failure> {
    let known: Vec<&str> = match command {
        _ if fields.is_empty() => return Ok(()),
        Command::List(_) => CARD.to_vec(),
        Command::Ready(args) if !args.claim => CARD.to_vec(),
        Command::Show(_) => [CARD, PAGE].concat(),
        _ => {
            let message = "fields can be chosen for `list`, `ready` and `show` only";
            return Err(Failure::new(FailureCode::Usage, message));
        }
    };
    match fields.iter().find(|field| !known.contains(&field.as_str())) {
        Some(unknown) => {
            let unknown = towline_proto::text::show(unknown, 40);
            let message = format!("unknown field {unknown:?}; the fields are {}", known.join(", "));
            Err(Failure::new(FailureCode::Usage, message))
        }
        None => Ok(()),
    }
}

/// A document whose items have these fields only, in this order.
pub(crate) fn select(document: String, fields: &[String]) -> String {
    if fields.is_empty() {
        return document;
    }
    let Ok(Value::Object(parsed)) = serde_json::from_str(&document) else {
        return document;
    };
    let mut selected: Vec<(&str, Part<'_>)> = Vec::new();
    for name in ["schema", "total"] {
        if let Some(value) = parsed.get(name) {
            selected.push((name, Part::Whole(value)));
        }
    }
    let whole = Value::Object(parsed.clone());
    match parsed.get("items").and_then(Value::as_array) {
        Some(items) => selected.push(("items", Part::Items(items, fields))),
        None => {
            for field in fields {
                selected.push((field, Part::Whole(whole.get(field).unwrap_or(&Value::Null))));
            }
        }
    }
    match serde_json::to_string(&Object(&selected)) {
        Ok(line) => line + "\n",
        Err(_) => document,
    }
}

/// Members of an object in a given order.
struct Object<'a>(&'a [(&'a str, Part<'a>)]);

enum Part<'a> {
    Whole(&'a Value),
    Items(&'a [Value], &'a [String]),
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, part) in self.0 {
            map.serialize_entry(name, part)?;
        }
        map.end()
    }
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(value) => value.serialize(serializer),
            Self::Items(items, fields) => serializer.collect_seq(items.iter().map(|item| Item(item, fields))),
        }
    }
}

struct Item<'a>(&'a Value, &'a [String]);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.1
                .iter()
                .map(|field| (field, self.0.get(field).unwrap_or(&Value::Null))),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::typed;

    fn words(line: &str) -> String {
        let words = rewrite(line.split(' ').map(OsString::from).collect());
        let words: Vec<_> = words.iter().filter_map(|word| word.to_str()).collect();
        words.join(" ")
    }

    #[test]
    fn fields_are_told_from_other_words() {
        let rewritten = [
            (
                "t list --json number,title",
                "t list --json --json-fields=number,title",
            ),
            (
                "t list --json nonsense -n 3",
                "t list --json --json-fields=nonsense -n 3",
            ),
            ("t ready --json=key", "t ready --json --json-fields=key"),
            ("t show 4 --json title", "t show 4 --json --json-fields=title"),
            ("t show --json body,x 4", "t show --json --json-fields=body,x 4"),
        ];
        for (line, wanted) in rewritten {
            assert_eq!(words(line), wanted);
        }
        for same in [
            "t list --json",
            "t list --json -n 3",
            "t --json list",
            "t show --json 42",
            "t comment 4 --json title",
            "t create -- --json title",
        ] {
            assert_eq!(words(same), same);
        }
    }

    #[test]
    fn an_unknown_field_is_refused_with_the_known_ones() {
        let checked = |line: &[&str]| {
            let cli = typed(line);
            check(&cli.command, &cli.global.json_fields)
        };
        assert!(checked(&["list", "--json", "number,title"]).is_ok());
        assert!(checked(&["show", "4", "--json", "body"]).is_ok());
        let failure = checked(&["list", "--json", "number,body"]).expect_err("not in a list");
        assert!(failure.message.contains("\"body\"") && failure.message.contains("handle, number"));
        assert!(checked(&["start", "4", "--json=number"]).is_err());
        assert!(checked(&["ready", "--claim", "--json=number"]).is_err());
    }

    #[test]
    fn the_chosen_fields_come_in_their_order() {
        let fields = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let list = r#"{"schema":"s","items":[{"number":4,"title":"a"}],"total":9}"#;
        assert_eq!(
            select(list.to_owned(), &fields(&["title", "assignee", "number"])),
            "{\"schema\":\"s\",\"total\":9,\"items\":[{\"title\":\"a\",\"assignee\":null,\"number\":4}]}\n"
        );
        let page = r#"{"schema":"s","number":4,"body":"b"}"#;
        assert_eq!(
            select(page.to_owned(), &fields(&["body", "number"])),
            "{\"schema\":\"s\",\"body\":\"b\",\"number\":4}\n"
        );
        assert_eq!(select(list.to_owned(), &[]), list);
    }

    #[test]
    fn every_field_of_an_item_can_be_chosen() {
        let page = crate::render::tests::samples::page_of_42();
        let Ok(Value::Object(page)) = serde_json::to_value(page) else {
            panic!("an object")
        };
        for field in page.keys() {
            assert!([CARD, PAGE].concat().contains(&field.as_str()), "{field}");
        }
    }
}
