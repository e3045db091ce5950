//! The fields of one foreign JSON object, taken out one by one.
//!
//! A field of another type than expected is a problem and counts as absent, so that one odd field
//! does not cost the item. Whatever nobody took is left in the map, to be counted as not carried
//! over. Empty texts, empty lists, `false` and `null` count as absent: exports differ in whether
//! they write them.

use serde_json::{Map, Value};
use towline_proto::Millis;

/// The fields of one object and what was wrong with them.
#[derive(Debug)]
pub(super) struct Fields {
    map: Map<String, Value>,
    problems: Vec<String>,
}

impl Fields {
    pub(super) const fn new(map: Map<String, Value>) -> Self {
        Self {
            map,
            problems: Vec::new(),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !is_absent(value))
    }

    fn wrong(&mut self, name: &str, want: &str, got: &Value) {
        self.problems
            .push(format!("`{name}` is {}; expected {want}", kind(got)));
    }

    /// Whether the field is there at all, be it empty: one that is absent says nothing, an empty one says
    /// that there is nothing.
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// A text that is not blank.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => {
                self.wrong(name, "a text", &other);
                None
            }
        }
    }

    /// An id, which older exports wrote as a number.
    pub(super) fn id(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            other => {
                self.wrong(name, "a text or a number", &other);
                None
            }
        }
    }

    /// A whole number.
    pub(super) fn number(&mut self, name: &str) -> Option<i64> {
        let value = self.take(name)?;
        let number = value.as_i64();
        if number.is_none() {
            self.wrong(name, "a whole number", &value);
        }
        number
    }

    /// Whether a flag is set.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        match self.take(name) {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(other) => {
                self.wrong(name, "true or false", &other);
                false
            }
        }
    }

    /// A time in RFC 3339. The year 1 stands for "never" in these exports and counts as absent.
    pub(super) fn time(&mut self, name: &str) -> Option<Millis> {
        let text = self.text(name)?;
        match text.parse::<Millis>() {
            Ok(time) => Some(time).filter(|time| time.0 > 0),
            Err(error) => {
                self.problems.push(format!("`{name}`: {error}"));
                None
            }
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for value in self.list(name) {
            match value {
                Value::String(text) => texts.push(text),
                other => self.wrong(name, "a list of texts", &other),
            }
        }
        texts
    }

    /// A list of texts, or one text in its place.
    pub(super) fn texts_or_one(&mut self, name: &str) -> Vec<String> {
        if matches!(self.map.get(name), Some(Value::String(_))) {
            return self.text(name).into_iter().collect();
        }
        self.texts(name)
    }

    /// A list of objects.
    pub(super) fn objects(&mut self, name: &str) -> Vec<Self> {
        let mut objects = Vec::new();
        for value in self.list(name) {
            match value {
                Value::Object(map) => objects.push(Self::new(map)),
                other => self.wrong(name, "a list of objects", &other),
            }
        }
        objects
    }

    /// An object.
    pub(super) fn object(&mut self, name: &str) -> Option<Self> {
        match self.take(name)? {
            Value::Object(map) => Some(Self::new(map)),
            other => {
                self.wrong(name, "an object", &other);
                None
            }
        }
    }

    /// A list of objects, or an object that holds one under `nodes`, with how many there are in all.
    pub(super) fn nodes(&mut self, name: &str) -> Vec<Self> {
        if !matches!(self.map.get(name), Some(Value::Object(_))) {
            return self.objects(name);
        }
        let Some(mut connection) = self.object(name) else {
            return Vec::new();
        };
        let nodes = connection.objects("nodes");
        let total = connection.number("totalCount").unwrap_or_default();
        if usize::try_from(total).is_ok_and(|total| total > nodes.len()) {
            let what = format!(
                "`{name}` holds {} of {total}; the others are not in the file",
                nodes.len()
            );
            self.problems.push(what);
        }
        self.problems.append(&mut connection.problems);
        nodes
    }

    /// Takes a field that says nothing that is needed.
    pub(super) fn forget(&mut self, name: &str) {
        self.map.remove(name);
    }

    fn list(&mut self, name: &str) -> Vec<Value> {
        match self.take(name) {
            None => Vec::new(),
            Some(Value::Array(values)) => values,
            Some(other) => {
                self.wrong(name, "a list", &other);
                Vec::new()
            }
        }
    }

    /// The names of the fields that nobody took, and everything that was wrong with the others.
    pub(super) fn finish(self) -> (Vec<String>, Vec<String>) {
        let left = self
            .map
            .into_iter()
            .filter(|(_, value)| !is_absent(value))
            .map(|(name, _)| name);
        (left.collect(), self.problems)
    }
}

fn is_absent(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
