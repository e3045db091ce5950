//! Checks the JSON of a request from a program before it is read: unknown fields, missing fields and wrong values are
//! refused by name, in our own words.
//!
//! Relies on the descriptions in [`super::fields`]. Only what comes over HTTP is checked: nodes of other versions may
//! send each other fields that this one does not know.

use serde_json::{Map, Value};
use towline_proto::Millis;

use super::Request;
use super::fields::{self, Field, Form};
use super::properties::{DRY_RUN, IDEMPOTENT, Properties};

/// Requests inside requests at most.
const DEPTH: usize = 3;
/// Characters of a value in a message.
const SHOWN_CHARS: usize = 60;

/// Reads a request strictly.
///
/// # Errors
/// What is wrong, as a sentence for the caller.
pub fn read_strictly(value: Value) -> Result<Request, String> {
    let name = check(&value, DEPTH)?;
    serde_json::from_value(value).map_err(|_| {
        format!("a value of `{name}` is out of range, or an object in a list has wrong fields; /openapi.json and docs/import.md describe them")
    })
}

/// The fields of an object that may have these and no others.
///
/// # Errors
/// What is wrong, as a sentence for the caller.
pub fn object<'v>(what: &str, value: &'v Value, known: &[&str]) -> Result<&'v Map<String, Value>, String> {
    let Value::Object(given) = value else {
        return Err(format!("{what} must be a JSON object"));
    };
    match given.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => Err(format!(
            "{what} has no field `{}`; known fields: {}",
            show(unknown),
            known.join(", ")
        )),
        None => Ok(given),
    }
}

/// The name of the request, once its fields are right.
fn check(value: &Value, depth: usize) -> Result<String, String> {
    let Value::Object(given) = value else {
        return Err("a request must be a JSON object with the field `request`".to_owned());
    };
    let name = match given.get("request") {
        Some(Value::String(name)) => name.as_str(),
        Some(_) => return Err("the field `request` must be the name of a request".to_owned()),
        None => return Err("a request needs the field `request` with its name".to_owned()),
    };
    let quoted = format!("`{}`", show(name));
    if name == IDEMPOTENT || name == DRY_RUN {
        let known: &[&str] = match name {
            IDEMPOTENT => &["request", "id", "of"],
            _ => &["request", "of"],
        };
        object(&quoted, value, known)?;
        if name == IDEMPOTENT && !given.get("id").is_some_and(is_id) {
            return Err(format!("`id` of {quoted} must be 32 hex digits"));
        }
        let of = given
            .get("of")
            .ok_or_else(|| format!("{quoted} needs the field `of`"))?;
        let depth = depth.checked_sub(1).ok_or("requests are nested too deeply")?;
        return check(of, depth);
    }
    if Properties::named(name).is_none() {
        return Err(format!("there is no request {quoted}; /openapi.json lists all"));
    }
    // The others are refused over HTTP whatever their fields are.
    let Some(fields) = fields::of(name) else {
        return Ok(name.to_owned());
    };
    let known: Vec<_> = std::iter::once("request")
        .chain(fields.iter().map(|field| field.name))
        .collect();
    object(&quoted, value, &known)?;
    for field in fields {
        check_field(&quoted, field, given.get(field.name))?;
    }
    Ok(name.to_owned())
}

fn check_field(request: &str, field: &Field, value: Option<&Value>) -> Result<(), String> {
    let name = field.name;
    match value {
        None if field.required => Err(format!("{request} needs the field `{name}`")),
        Some(Value::Null) if field.required => Err(format!("`{name}` of {request} must not be null")),
        None | Some(Value::Null) => Ok(()),
        Some(value) if fits(field.form, value) => Ok(()),
        Some(value) => Err(format!(
            "`{name}` of {request} must be {}; got {}",
            form_text(field.form),
            show(&value.to_string())
        )),
    }
}

fn fits(form: Form, value: &Value) -> bool {
    let is_word = |value: &Value, words: fn() -> Vec<&'static str>| {
        value.as_str().is_some_and(|word| words().contains(&word))
    };
    let all = |passes: &dyn Fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(passes));
    match form {
        Form::Text => value.is_string(),
        Form::Texts => all(&Value::is_string),
        Form::Flag => value.is_boolean(),
        Form::Count => value.is_u64(),
        Form::Counts => all(&Value::is_u64),
        Form::Time => serde_json::from_value::<Millis>(value.clone()).is_ok(),
        Form::Word(words) => is_word(value, words),
        Form::Words(words) => all(&|value| is_word(value, words)),
        Form::Pairs(words) => all(&|value| match value.as_array().map(Vec::as_slice) {
            Some([word, text]) => is_word(word, words) && text.is_string(),
            _ => false,
        }),
        Form::Objects => all(&Value::is_object),
    }
}

/// What a value must be.
pub fn form_text(form: Form) -> String {
    match form {
        Form::Text => "a text".to_owned(),
        Form::Texts => "a list of texts".to_owned(),
        Form::Flag => "true or false".to_owned(),
        Form::Count => "a whole number from 0".to_owned(),
        Form::Counts => "a list of whole numbers from 0".to_owned(),
        Form::Time => "a time in RFC 3339, such as 2026-12-01T12:00:00Z".to_owned(),
        Form::Word(words) => format!("one of {}", words().join(", ")),
        Form::Words(words) => format!("a list of these words: {}", words().join(", ")),
        Form::Pairs(words) => format!("a list of pairs of a kind ({}) and a text", words().join(", ")),
        Form::Objects => "a list of objects".to_owned(),
    }
}

fn is_id(value: &Value) -> bool {
    let is_hex = |text: &str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    value.as_str().is_some_and(is_hex)
}

fn show(text: &str) -> String {
    towline_proto::text::show(text, SHOWN_CHARS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(value: Value) -> String {
        read_strictly(value).unwrap_err()
    }

    #[test]
    fn what_is_wrong_is_named() {
        let list = |field: &str, value: Value| {
            let mut asked = json!({ "request": "list" });
            asked[field] = value;
            refusal(asked)
        };
        assert!(
            list("colour", json!("red"))
                .starts_with("`list` has no field `colour`; known fields: request, columns")
        );
        assert!(list("all", json!("yes")).starts_with("`all` of `list` must be true or false; got"));
        assert!(
            list("kinds", json!(["bugs"])).contains("`kinds` of `list` must be a list of these words: story")
        );
        assert_eq!(
            refusal(json!({ "request": "comment", "item": "1" })),
            "`comment` needs the field `text`"
        );
        assert_eq!(
            refusal(json!({ "request": "fly" })),
            "there is no request `fly`; /openapi.json lists all"
        );
        assert!(refusal(json!({ "request": 7 })).contains("must be the name"));
        assert!(refusal(json!([])).contains("JSON object"));
        let once = |of: Value| json!({ "request": "once", "id": "0".repeat(32), "of": of });
        assert!(
            refusal(once(json!({ "request": "show", "item": 7 })))
                .contains("`item` of `show` must be a text; got 7")
        );
        assert!(refusal(json!({ "request": "once", "id": "7", "of": {} })).contains("32 hex digits"));
        let deep = (0..9).fold(json!({ "request": "status" }), |of, _| once(of));
        assert!(refusal(deep).contains("nested too deeply"));
    }

    #[test]
    fn no_sentence_is_one_of_the_decoder() {
        for value in [
            json!({ "request": "create", "kind": "bug", "title": "t", "priority": 300 }),
            json!({ "request": "import-items", "items": [{}], "dry_run": true }),
        ] {
            let refusal = refusal(value);
            assert!(refusal.contains("out of range"), "{refusal}");
            assert!(!refusal.contains("expected"), "{refusal}");
        }
        read_strictly(json!({ "request": "create", "kind": "bug", "title": "t", "priority": null })).unwrap();
        read_strictly(json!({ "request": "invite", "role": "owner", "valid_ms": 1000 })).unwrap();
    }
}
