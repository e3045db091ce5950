//! Refuses what a program sends and the API does not know: parameters in an address, and fields in a body.
//!
//! Relies on the descriptions of the routes and of the requests. Every refusal has the schema of all failures and
//! names the parameter or field; none repeats the words of a decoder.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use towline_api::request::check::form_text;
use towline_api::request::fields::Form;
use towline_api::request::{Failure, FailureCode};
use towline_proto::text::show;

use super::api_routes::{Kind, Parameter};
use super::error::ApiError;
use super::guard::text;

/// Characters of a name or value in a message.
const SHOWN_CHARS: usize = 60;

fn usage(why: impl Into<String>) -> ApiError {
    ApiError(Failure::new(FailureCode::Usage, why))
}

/// The middleware of a route with these parameters.
pub(super) async fn known_parameters(kind: Kind, request: Request, next: Next) -> Response {
    let given = Query::<Vec<(String, String)>>::try_from_uri(request.uri());
    let checked = given
        .map_err(|_| "the query of the address cannot be read".to_owned())
        .and_then(|Query(given)| check(kind, &given));
    match checked {
        Ok(()) => next.run(request).await,
        Err(why) => usage(why).into_response(),
    }
}

/// Streams may name several projects.
const STREAM: &[Parameter] = &[
    Parameter {
        name: "project",
        form: Form::Texts,
        about: "Only this project; may be repeated",
    },
    Parameter {
        name: "after",
        form: Form::Text,
        about: "The last position that the caller has",
    },
];

fn check(kind: Kind, given: &[(String, String)]) -> Result<(), String> {
    let known = match kind {
        Kind::Reads { parameters, .. } => parameters,
        Kind::Streams => STREAM,
        Kind::Resolves | Kind::Requests => &[],
    };
    for (at, (name, value)) in given.iter().enumerate() {
        let quoted = format!("`{}`", show(name, SHOWN_CHARS));
        let Some(parameter) = known.iter().find(|parameter| parameter.name == name) else {
            let names: Vec<_> = known.iter().map(|parameter| parameter.name).collect();
            return Err(match names.is_empty() {
                true => format!("unknown parameter {quoted}; this address takes none"),
                false => format!(
                    "unknown parameter {quoted}; known parameters: {}",
                    names.join(", ")
                ),
            });
        };
        let is_list = matches!(parameter.form, Form::Texts);
        if !is_list && given.iter().take(at).any(|(earlier, _)| earlier == name) {
            return Err(format!("the parameter {quoted} is given twice"));
        }
        let fits = match parameter.form {
            Form::Count => value.parse::<usize>().is_ok(),
            Form::Flag => matches!(value.as_str(), "true" | "false"),
            Form::Text
            | Form::Texts
            | Form::Counts
            | Form::Time
            | Form::Word(_)
            | Form::Words(_)
            | Form::Pairs(_)
            | Form::Objects => true,
        };
        if !fits {
            let (must, got) = (form_text(parameter.form), show(value, SHOWN_CHARS));
            return Err(format!("the parameter {quoted} must be {must}; got {got:?}"));
        }
    }
    Ok(())
}

/// The JSON in a body.
pub(super) fn json(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Value, ApiError> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => usage("the body is too large; at most 1 MiB is read"),
        _ => usage("the body could not be read; send the request again"),
    })?;
    let form = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    let form = form.split(';').next().unwrap_or_default().trim();
    if !form.eq_ignore_ascii_case("application/json") {
        return Err(usage(
            "send the body as JSON, with the header `content-type: application/json`",
        ));
    }
    serde_json::from_slice(&body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        usage(format!(
            "the body is not valid JSON: line {line}, column {column}"
        ))
    })
}

/// The answer to a method that a route does not have.
pub(super) async fn method_not_allowed(request: Request) -> Response {
    if !request.uri().path().starts_with("/api/") {
        return (StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n").into_response();
    }
    let why = format!(
        "{} is not possible at this address; /openapi.json lists the methods",
        request.method()
    );
    let mut response = usage(why).into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}
