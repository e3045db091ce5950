//! The JSON of a request: an object with its name in `request` and its fields beside it.
//!
//! The families write and read themselves; the table of [`super::properties`] says which family a name is of. Never
//! accepts a name that is not in the table.

use serde::de::{DeserializeOwned, Deserializer, Error};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Request;
use super::properties::{DRY_RUN, Family, IDEMPOTENT, Properties, TABLE};

/// The field with the name of a request.
const NAME: &str = "request";

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Query(query) => query.serialize(serializer),
            Self::Command(command) => command.serialize(serializer),
            Self::Administration(administration) => administration.serialize(serializer),
            Self::Idempotent { id, of } => {
                let mut object = serializer.serialize_struct("Request", 3)?;
                object.serialize_field(NAME, IDEMPOTENT)?;
                object.serialize_field("id", id)?;
                object.serialize_field("of", of)?;
                object.end()
            }
            Self::DryRun { of } => {
                let mut object = serializer.serialize_struct("Request", 2)?;
                object.serialize_field(NAME, DRY_RUN)?;
                object.serialize_field("of", of)?;
                object.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_fields(Map::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Request {
    /// Reads the fields of a request. Not generic, so it is compiled once, in this crate, and not again in each
    /// crate that reads requests.
    fn from_fields(mut fields: Map<String, Value>) -> Result<Self, serde_json::Error> {
        let name = match fields.get(NAME) {
            Some(Value::String(name)) => name.clone(),
            Some(_) => return Err(Error::custom("the field `request` is not a name")),
            None => return Err(Error::missing_field(NAME)),
        };
        match name.as_str() {
            DRY_RUN => Ok(Self::DryRun {
                of: field(&mut fields, "of")?,
            }),
            IDEMPOTENT => Ok(Self::Idempotent {
                id: field(&mut fields, "id")?,
                of: field(&mut fields, "of")?,
            }),
            name => match Properties::named(name).map(|row| row.family) {
                Some(Family::Query) => whole(fields).map(Self::Query),
                Some(Family::Command) => whole(fields).map(Self::Command),
                Some(Family::Administration) => whole(fields).map(Self::Administration),
                None => Err(Error::custom(unknown(name))),
            },
        }
    }
}

fn field<T: DeserializeOwned>(
    fields: &mut Map<String, Value>,
    name: &'static str,
) -> Result<T, serde_json::Error> {
    let value = fields.remove(name).ok_or_else(|| Error::missing_field(name))?;
    serde_json::from_value(value)
}

fn whole<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, serde_json::Error> {
    T::deserialize(Value::Object(fields))
}

fn unknown(name: &str) -> String {
    let known: Vec<_> = TABLE.iter().map(|row| format!("`{}`", row.name)).collect();
    format!("unknown variant `{name}`, expected one of {}", known.join(", "))
}
