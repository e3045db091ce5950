//! The JSON API: one route for each query, and one route for all writes.
//!
//! The answers are the documents of `towline_api::document`. A write needs a session with its CSRF token in
//! `x-csrf-token`, or an API token with the scope `write`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use towline_api::document::{self, Document, schema};
use towline_api::request::check::{object, read_strictly};
use towline_api::request::properties::OverHttp;
use towline_api::request::{self, Command, Failure, FailureCode, Reply, Request};
use towline_api::types::Scope;
use towline_proto::stage::UnknownWord;
use towline_proto::{Origin, OriginKind};

use super::Web;
use super::error::ApiError;
use super::guard::{Caller, text};
use super::query::BoardQuery;
use super::strict;

type ApiResult = Result<JsonText, ApiError>;

/// Lines or cards that one answer holds unless the asker says otherwise.
const LIMIT: usize = 100;
/// Lines or cards that one answer holds at most.
const MAX_LIMIT: usize = 5_000;

/// A finished JSON document on its way to a program.
#[derive(Debug)]
pub(super) struct JsonText(pub(super) String);

impl JsonText {
    fn of(reply: &Reply) -> Self {
        Self(document::reply(reply).to_line())
    }
}

impl IntoResponse for JsonText {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

/// `/api/v1/projects`
pub(super) async fn projects(State(web): State<Arc<Web>>) -> ApiResult {
    let projects: Vec<_> = web
        .handle
        .projects()
        .iter()
        .map(|link| json!({ "id": link.id, "name": link.name, "position": *link.feed.borrow() }))
        .collect();
    let data = json!({ "projects": projects, "left_out": web.handle.unavailable() });
    Ok(JsonText(document::line(&Document::new(schema::PROJECTS, data))))
}

async fn read(web: &Web, project: &str, request: impl Into<Request>) -> ApiResult {
    let link = web.handle.project(Some(project))?;
    Ok(JsonText::of(&web.ask(&link, None, request).await?))
}

/// `/api/v1/projects/{project}/status`
pub(super) async fn status(State(web): State<Arc<Web>>, Path(project): Path<String>) -> ApiResult {
    read(&web, &project, request::Query::Status).await
}

/// `/api/v1/projects/{project}/items`
pub(super) async fn items(
    State(web): State<Arc<Web>>,
    Path(project): Path<String>,
    Query(query): Query<BoardQuery>,
) -> ApiResult {
    let filter = query.filter()?;
    read(&web, &project, request::Query::List(filter)).await
}

/// `/api/v1/projects/{project}/items/{item}`: one item, or with 300 all that share the number.
pub(super) async fn item(
    State(web): State<Arc<Web>>,
    Path((project, item)): Path<(String, String)>,
) -> Result<(StatusCode, JsonText), ApiError> {
    let link = web.handle.project(Some(&project))?;
    let reply = web.ask(&link, None, request::Query::Show { item }).await?;
    // A number that several items share has no single answer; the status code says so.
    let status = match reply {
        Reply::Pages(_) => StatusCode::MULTIPLE_CHOICES,
        _ => StatusCode::OK,
    };
    Ok((status, JsonText::of(&reply)))
}

/// `/api/v1/projects/{project}/items/{item}/explain`
pub(super) async fn explain(
    State(web): State<Arc<Web>>,
    Path((project, item)): Path<(String, String)>,
) -> ApiResult {
    read(&web, &project, request::Query::Explain { item }).await
}

/// `/api/v1/projects/{project}/conflicts`, of one item with `?item=`
pub(super) async fn conflicts(
    State(web): State<Arc<Web>>,
    Path(project): Path<String>,
    Query(query): Query<LimitQuery>,
) -> ApiResult {
    read(&web, &project, request::Query::Conflicts { item: query.item }).await
}

/// The query of `ready`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReadyQuery {
    asker: Option<String>,
    all: bool,
}

/// `/api/v1/projects/{project}/ready`: for whoever is signed in, for whom a program says with `?asker=`, and
/// with `?all=true` what cannot be started too.
pub(super) async fn ready(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
    Query(ReadyQuery { asker, all }): Query<ReadyQuery>,
) -> ApiResult {
    let me = || caller.origin().ok().map(|origin| origin.id);
    let asker = asker.or_else(me);
    read(&web, &project, request::Query::Ready { asker, all }).await
}

/// The query of the bounded readings.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LimitQuery {
    q: String,
    item: Option<String>,
    limit: Option<usize>,
}

impl LimitQuery {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(LIMIT).min(MAX_LIMIT)
    }
}

/// `/api/v1/projects/{project}/search`
pub(super) async fn search(
    State(web): State<Arc<Web>>,
    Path(project): Path<String>,
    Query(query): Query<LimitQuery>,
) -> ApiResult {
    let limit = query.limit();
    read(&web, &project, request::Query::Search { text: query.q, limit }).await
}

/// `/api/v1/projects/{project}/log`
pub(super) async fn log(
    State(web): State<Arc<Web>>,
    Path(project): Path<String>,
    Query(query): Query<LimitQuery>,
) -> ApiResult {
    let limit = query.limit();
    read(
        &web,
        &project,
        request::Query::Log {
            item: query.item,
            limit,
        },
    )
    .await
}

/// `/api/v1/projects/{project}/members`
pub(super) async fn members(State(web): State<Arc<Web>>, Path(project): Path<String>) -> ApiResult {
    read(&web, &project, request::Query::Members).await
}

/// `/api/v1/projects/{project}/peers`
pub(super) async fn peers(State(web): State<Arc<Web>>, Path(project): Path<String>) -> ApiResult {
    read(&web, &project, request::Query::Peers).await
}

/// The body of a write.
#[derive(Debug)]
struct WriteBody {
    origin: Option<Origin>,
    body: Request,
}

/// `/api/v1/projects/{project}/requests`
pub(super) async fn requests(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
    headers: HeaderMap,
    asked: Result<Bytes, BytesRejection>,
) -> ApiResult {
    let mut asked = checked(&caller, &headers, asked, &["origin", "body"])?;
    let body = asked
        .remove("body")
        .ok_or_else(|| usage("the body needs the field `body` with a request"))?;
    let asked = WriteBody {
        origin: origin_in(&asked)?,
        body: read_strictly(body).map_err(usage)?,
    };
    write(&web, &caller, &project, asked).await
}

/// `/api/v1/projects/{project}/items/{item}/settle`
pub(super) async fn resolve(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path((project, item)): Path<(String, String)>,
    headers: HeaderMap,
    asked: Result<Bytes, BytesRejection>,
) -> ApiResult {
    let asked = checked(&caller, &headers, asked, &["origin", "keep", "conflict"])?;
    let origin = origin_in(&asked)?;
    let keep = text_in(&asked, "keep")?.ok_or_else(|| usage("the body needs the field `keep`"))?;
    let conflict = text_in(&asked, "conflict")?;
    let body = Command::Resolve { item, conflict, keep }.into();
    write(&web, &caller, &project, WriteBody { origin, body }).await
}

/// Authentication comes before parsing: a caller who is not allowed to write learns nothing about the format. The
/// fields of the body are these and no others.
fn checked(
    caller: &Caller,
    headers: &HeaderMap,
    asked: Result<Bytes, BytesRejection>,
    known: &[&str],
) -> Result<Map<String, Value>, ApiError> {
    if caller.token.is_none() {
        let shown = text(headers, HeaderName::from_static("x-csrf-token")).unwrap_or_default();
        caller.checked_origin(shown)?;
    }
    let body = strict::json(headers, asked)?;
    Ok(object("the body", &body, known).map_err(usage)?.clone())
}

fn usage(why: impl Into<String>) -> ApiError {
    ApiError(Failure::new(FailureCode::Usage, why))
}

fn text_in(asked: &Map<String, Value>, name: &str) -> Result<Option<String>, ApiError> {
    match asked.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(usage(format!("`{name}` must be a text"))),
    }
}

fn origin_in(asked: &Map<String, Value>) -> Result<Option<Origin>, ApiError> {
    let Some(value) = asked.get("origin").filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let fields = object("`origin`", value, &["kind", "id"]).map_err(usage)?;
    let named = text_in(fields, "kind")?.zip(text_in(fields, "id")?);
    let (kind, id) = named.ok_or_else(|| usage("`origin` needs the fields `kind` and `id`"))?;
    let kind: OriginKind = kind
        .parse()
        .map_err(|error: UnknownWord| usage(format!("`kind` of `origin`: {error}")))?;
    let origin = Origin::new(kind, id).map_err(|_| {
        usage("`id` of `origin` must be a name: one line, not empty, without control characters")
    })?;
    Ok(Some(origin))
}

async fn write(web: &Web, caller: &Caller, project: &str, asked: WriteBody) -> ApiResult {
    let origin = origin_of(caller, asked.origin)?;
    check_allowed(caller, &asked.body)?;
    let link = web.handle.project(Some(project))?;
    Ok(JsonText::of(&web.ask(&link, Some(origin), asked.body).await?))
}

/// People act as themselves, and programs in the name of their token.
fn origin_of(caller: &Caller, named: Option<Origin>) -> Result<Origin, Failure> {
    let own = caller.origin()?;
    match named {
        Some(named) if named != own => Err(Failure::new(
            FailureCode::NotAllowed,
            format!("you act as {own}; omit `origin` or name yourself in it"),
        )),
        Some(_) | None => Ok(own),
    }
}

fn check_allowed(caller: &Caller, request: &Request) -> Result<(), Failure> {
    let reads_only = caller
        .token
        .as_ref()
        .is_some_and(|token| token.scope == Scope::Read);
    match request.over_http() {
        OverHttp::Write if reads_only => Err(Failure::new(
            FailureCode::NotAllowed,
            "this API token may only read; create one with `towline token create --scope write`",
        )),
        OverHttp::Read | OverHttp::Write => Ok(()),
        OverHttp::Refused => Err(Failure::new(
            FailureCode::NotAllowed,
            "this request is not allowed over HTTP; use the `towline` command on the machine of the node",
        )),
    }
}
