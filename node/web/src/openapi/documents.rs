//! The documents of the API as JSON schemas: items and failures in full, of the others what is at their top.
//!
//! Written by hand, because a derive would cost every crate that has a type of an item; a test compares the card with a
//! real one.

use serde_json::{Map, Value, json};
use towline_api::document::schema;
use towline_proto::{Column, Kind, Qa, Status, Verb};

use super::reference;

/// The name of the component of a schema: `items.v1` of `towline.items/v1`.
pub(super) fn name(schema: &str) -> String {
    schema.trim_start_matches("towline.").replace('/', ".")
}

/// Every document, and what they share.
pub(super) fn all() -> Map<String, Value> {
    let cards = list(&reference("card"));
    let objects = list(&json!({ "type": "object" }));
    let texts = list(&text());
    let mut all = Map::new();
    all.insert("card".to_owned(), card());
    all.insert("origin".to_owned(), origin());
    let mut add = |schema: &'static str, fields: Vec<(&str, Value)>| {
        let mut properties = Map::from_iter([("schema".to_owned(), json!({ "const": schema }))]);
        let mut required = vec!["schema".to_owned()];
        for (field, form) in fields {
            let (field, optional) = match field.strip_suffix('?') {
                Some(field) => (field, true),
                None => (field, false),
            };
            if !optional {
                required.push(field.to_owned());
            }
            properties.insert(field.to_owned(), form);
        }
        let document = json!({ "type": "object", "required": required, "properties": properties });
        all.insert(name(schema), document);
    };
    add(schema::ITEMS, vec![("items", cards)]);
    add(schema::ITEM_PAGES, vec![("items", objects.clone())]);
    add(schema::ITEM_PAGE, Vec::new());
    let applied = json!({
        "type": "object",
        "required": ["card", "from", "notes", "changed"],
        "properties": {
            "card": reference("card"),
            "from": { "type": ["string", "null"] },
            "notes": texts.clone(),
            "changed": { "type": "boolean" },
            "purged": { "type": "boolean" },
        },
    });
    add(schema::APPLIED, vec![("applied", list(&applied))]);
    let codes = [
        "failure",
        "usage",
        "not-found",
        "not-allowed",
        "conflict",
        "findings",
        "unreachable",
        "busy",
        "timed-out",
    ];
    add(
        schema::ERROR,
        vec![
            ("code", json!({ "type": "string", "enum": codes })),
            ("message", text()),
            ("current?", reference("card")),
        ],
    );
    add(
        schema::PROJECTS,
        vec![("projects", objects.clone()), ("left_out", objects.clone())],
    );
    add(schema::HISTORY, vec![("lines", objects.clone())]);
    add(schema::CONFLICTS, vec![("conflicts", objects.clone())]);
    add(schema::EXPLANATIONS, vec![("items", objects.clone())]);
    add(schema::MEMBERS, vec![("members", objects.clone())]);
    add(schema::PEERS, vec![("peers", objects.clone())]);
    add(schema::EVENTS, vec![("events", objects.clone())]);
    add(schema::CONFIG, vec![("project", objects.clone())]);
    add(schema::ADDRESSES, vec![("addresses", texts.clone())]);
    add(schema::SYNCED, vec![("peers", count()), ("equal", count())]);
    add(
        schema::DOCTOR,
        vec![("checked", texts.clone()), ("findings", texts)],
    );
    add(
        schema::EXPORT_LINES,
        vec![
            ("lines?", objects),
            ("settings?", json!({ "type": ["object", "null"] })),
        ],
    );
    add(schema::STATUS, Vec::new());
    add(schema::IMPORT, Vec::new());
    if let Some(Value::Object(page)) = all.get_mut(&name(schema::ITEM_PAGE)) {
        // A page is a card and more.
        page.insert("allOf".to_owned(), json!([reference("card")]));
    }
    all
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn list(of: &Value) -> Value {
    json!({ "type": "array", "items": of })
}

fn word<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Value {
    let words: Vec<_> = all.iter().map(|each| word(*each)).collect();
    json!({ "type": "string", "enum": words })
}

fn origin() -> Value {
    json!({
        "type": "object",
        "required": ["kind", "id"],
        "properties": { "kind": text(), "id": text() },
    })
}

/// A card. What is not in `required` may be absent or `null`.
fn card() -> Value {
    let time = json!({ "type": "string", "format": "date-time" });
    let object = json!({ "type": "object" });
    let links = list(&object);
    let maybe = |form: &str| json!({ "type": [form, "null"] });
    json!({
        "type": "object",
        "required": [
            "handle", "number", "key", "id", "revision", "kind", "title", "column", "status", "holds", "priority", "qa",
            "labels", "origin", "created_at", "updated_at", "entered_at", "legal",
        ],
        "properties": {
            "handle": text(),
            "number": count(),
            "key": text(),
            "id": text(),
            "revision": text(),
            "kind": word(Kind::ALL, Kind::as_str),
            "title": text(),
            "column": word(Column::ALL, Column::as_str),
            "status": word(Status::ALL, Status::as_str),
            "holds": object,
            "closing": maybe("object"),
            "deleted": { "type": "boolean" },
            "priority": count(),
            "qa": word(Qa::ALL, Qa::as_str),
            "labels": list(&text()),
            "assignee": maybe("string"),
            "claim": maybe("object"),
            "claim_heard": maybe("string"),
            "epic": maybe("object"),
            "depends_on": links,
            "unmet": count(),
            "retries": count(),
            "criteria_met": count(),
            "criteria": count(),
            "comments": count(),
            "conflicts": count(),
            "attention": list(&text()),
            "progress": maybe("array"),
            "origin": reference("origin"),
            "created_at": time,
            "updated_at": time,
            "entered_at": time,
            "skewed": { "type": "boolean" },
            "in_the_way": {},
            "legal": list(&word(Verb::ALL, Verb::as_str)),
        },
    })
}
