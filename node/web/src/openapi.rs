//! `/openapi.json`: the API in OpenAPI 3.1, made from its routes and from the table of requests.
//!
//! Relies on [`super::api_routes`], on `towline_api::request::properties` and `fields`. Items and failures are described
//! in full; of the other documents only what is at their top. Never describes a request that HTTP refuses.

use axum::Json;
use serde_json::{Map, Value, json};
use towline_api::document::schema;
use towline_api::request::fields::{self, Field, Form};
use towline_api::request::properties::{OverHttp, Properties, TABLE};

use super::api_routes::{Kind, Parameter, Route, routes};

mod documents;

/// In place of a schema: this document, which is described elsewhere.
pub(super) const ITSELF: &str = "openapi";

/// The handler.
pub(super) async fn serve() -> Json<Value> {
    Json(document())
}

/// The document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for (route, _) in routes() {
        let verb = match route.kind {
            Kind::Reads { .. } | Kind::Streams => "get",
            Kind::Resolves | Kind::Requests => "post",
        };
        paths.insert(route.path.to_owned(), json!({ verb: operation(&route) }));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "towline",
            "summary": "The work items of a software project, replicated on the machines of those who work on it.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of `towline token create`. Commands need the scope `write`; reading from \
                                    the node's own machine needs no token.",
                },
            },
            "responses": { "failure": content("Refused or failed; nothing was changed", schema::ERROR) },
            "schemas": schemas(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let in_path = route.path.split(['{', '}']).skip(1).step_by(2);
    let mut parameters: Vec<_> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let mut responses = Map::new();
    responses.insert(
        "default".to_owned(),
        json!({ "$ref": "#/components/responses/failure" }),
    );
    let mut body = None;
    let answer = match route.kind {
        Kind::Reads {
            schema,
            parameters: more,
        } => {
            parameters.extend(more.iter().map(in_query));
            if schema == schema::ITEM_PAGE {
                let several = content("Several items share the number", schema::ITEM_PAGES);
                responses.insert("300".to_owned(), several);
            }
            match schema {
                ITSELF => json!({
                    "description": "This document",
                    "content": { "application/json": { "schema": { "type": "object" } } },
                }),
                schema => content("Done", schema),
            }
        }
        Kind::Streams => json!({
            "description": "Server-sent events; `data` is an event as JSON",
            "content": { "text/event-stream": { "schema": { "type": "string" } } },
        }),
        Kind::Resolves => {
            let fields = fields::of("settle").unwrap_or_default();
            body = Some(object(fields.iter().filter(|field| field.name != "item")));
            content("Resolved", schema::APPLIED)
        }
        Kind::Requests => {
            body = Some(json!({
                "type": "object",
                "required": ["body"],
                "properties": { "body": reference("request") },
            }));
            let each = answers().map(|schema| reference(&documents::name(schema)));
            json!({
                "description": "The reply to the request",
                "content": { "application/json": { "schema": { "oneOf": each.collect::<Vec<_>>() } } },
            })
        }
    };
    responses.insert("200".to_owned(), answer);
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.about,
        "parameters": parameters,
        "responses": responses,
    });
    if let (Some(schema), Some(fields)) = (body, operation.as_object_mut()) {
        let content = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        fields.insert("requestBody".to_owned(), content);
    }
    operation
}

/// The requests that HTTP takes.
fn allowed() -> impl Iterator<Item = (&'static Properties, &'static [Field])> {
    TABLE
        .iter()
        .filter(|row| row.http != OverHttp::Refused)
        .filter_map(|row| Some((row, fields::of(row.name)?)))
}

/// The schemas of their replies, each once.
fn answers() -> impl Iterator<Item = &'static str> {
    let mut all: Vec<_> = allowed().map(|(row, _)| row.schema).collect();
    all.push(schema::ITEM_PAGES);
    all.sort_unstable();
    all.dedup();
    all.into_iter()
}

fn schemas() -> Map<String, Value> {
    let mut schemas = documents::all();
    let mut mapping = Map::new();
    for (row, fields) in allowed() {
        let name = format!("request.{}", row.name);
        let mut request = object(fields.iter());
        let about = match row.http {
            OverHttp::Write => format!(
                "The node needs the role `{}`, a token the scope `write`.",
                row.role
            ),
            OverHttp::Read | OverHttp::Refused => "Changes nothing.".to_owned(),
        };
        if let Some(parts) = request.as_object_mut() {
            parts.insert("description".to_owned(), Value::from(about));
            if let Some(Value::Array(required)) = parts.get_mut("required") {
                required.insert(0, Value::from("request"));
            }
            if let Some(Value::Object(properties)) = parts.get_mut("properties") {
                properties.insert("request".to_owned(), json!({ "const": row.name }));
            }
        }
        mapping.insert(
            row.name.to_owned(),
            Value::from(format!("#/components/schemas/{name}")),
        );
        schemas.insert(name, request);
    }
    let each: Vec<_> = mapping.values().map(|target| json!({ "$ref": target })).collect();
    schemas.insert(
        "request".to_owned(),
        json!({ "oneOf": each, "discriminator": { "propertyName": "request", "mapping": mapping } }),
    );
    schemas
}

fn in_query(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "in": "query",
        "description": parameter.about,
        "schema": of_form(parameter.form),
    })
}

fn object<'a>(fields: impl Iterator<Item = &'a Field>) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for field in fields {
        let mut form = of_form(field.form);
        if field.required {
            required.push(Value::from(field.name));
        } else {
            form = or_null(form);
        }
        if let Some(parts) = form.as_object_mut() {
            parts.insert("description".to_owned(), Value::from(field.about));
        }
        properties.insert(field.name.to_owned(), form);
    }
    json!({ "type": "object", "required": required, "properties": properties })
}

/// Fields that are absent may be `null` too, unless they have a default.
fn or_null(form: Value) -> Value {
    match form.get("type").and_then(Value::as_str) {
        Some("string") if form.get("enum").is_none() => json!({ "type": ["string", "null"] }),
        _ => form,
    }
}

fn of_form(form: Form) -> Value {
    match form {
        Form::Text => json!({ "type": "string" }),
        Form::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Form::Flag => json!({ "type": "boolean" }),
        Form::Count => json!({ "type": "integer", "minimum": 0 }),
        Form::Counts => json!({ "type": "array", "items": { "type": "integer", "minimum": 0 } }),
        Form::Time => json!({ "type": "string", "format": "date-time" }),
        Form::Word(words) => json!({ "type": "string", "enum": words() }),
        Form::Words(words) => json!({ "type": "array", "items": { "type": "string", "enum": words() } }),
        Form::Pairs(words) => json!({
            "type": "array",
            "items": {
                "type": "array",
                "prefixItems": [{ "type": "string", "enum": words() }, { "type": "string" }],
                "minItems": 2,
                "maxItems": 2,
            },
        }),
        Form::Objects => json!({ "type": "array", "items": { "type": "object" } }),
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn content(about: &str, schema: &str) -> Value {
    json!({
        "description": about,
        "content": { "application/json": { "schema": reference(&documents::name(schema)) } },
    })
}

#[cfg(test)]
mod tests;
