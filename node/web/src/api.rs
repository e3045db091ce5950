//! The JSON API: one route for each query, and one route for all writes.
//!
//! Shapes are those of `api::types`, each with its schema. A write needs a session with its CSRF token in
//! `x-csrf-token`, or the API token as a bearer together with the origin that it acts for.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use towline_api::request::{Failure, FailureCode, Reply, Request};
use towline_proto::Origin;
use towline_proto::stage::OriginError;

use super::Web;
use super::error::ApiError;
use super::guard::{Caller, text};
use super::query::BoardQuery;

type ApiResult = Result<Json<Value>, ApiError>;

/// Lines or cards that one answer holds unless the asker says otherwise.
const LIMIT: usize = 100;
/// Lines or cards that one answer holds at most.
const MAX_LIMIT: usize = 5_000;

/// `/api/v1/projects`
pub(super) async fn projects(State(web): State<Arc<Web>>) -> Json<Value> {
    let projects: Vec<_> = web
        .handle
        .projects()
        .iter()
        .map(|link| json!({ "id": link.id, "name": link.name, "position": *link.feed.borrow() }))
        .collect();
    Json(
        json!({ "schema": "towline.projects/v1", "projects": projects, "left_out": web.handle.unavailable() }),
    )
}

async fn read(web: &Web, project: &str, request: Request) -> ApiResult {
    let link = web.handle.project(Some(project))?;
    Ok(Json(document(web.ask(&link, None, request).await?)?))
}

/// `/api/v1/projects/{project}/status`
pub(super) async fn status(State(web): State<Arc<Web>>, Path(project): Path<String>) -> ApiResult {
    read(&web, &project, Request::Status).await
}

/// `/api/v1/projects/{project}/items`
pub(super) async fn items(
    State(web): State<Arc<Web>>,
    Path(project): Path<String>,
    Query(query): Query<BoardQuery>,
) -> ApiResult {
    let filter = query.filter()?;
    read(&web, &project, Request::List(filter)).await
}

/// `/api/v1/projects/{project}/items/{item}`: one item, or with 300 all that share the number.
pub(super) async fn item(
    State(web): State<Arc<Web>>,
    Path((project, item)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let link = web.handle.project(Some(&project))?;
    let reply = web.ask(&link, None, Request::Show { item }).await?;
    // A number that several items share has no single answer; the status code says so.
    let status = match reply {
        Reply::Pages(_) => StatusCode::MULTIPLE_CHOICES,
        _ => StatusCode::OK,
    };
    Ok((status, Json(document(reply)?)))
}

/// `/api/v1/projects/{project}/items/{item}/explain`
pub(super) async fn explain(
    State(web): State<Arc<Web>>,
    Path((project, item)): Path<(String, String)>,
) -> ApiResult {
    read(&web, &project, Request::Explain { item }).await
}

/// `/api/v1/projects/{project}/conflicts`, of one item with `?item=`
pub(super) async fn conflicts(
    State(web): State<Arc<Web>>,
    Path(project): Path<String>,
    Query(query): Query<LimitQuery>,
) -> ApiResult {
    read(&web, &project, Request::Conflicts { item: query.item }).await
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
    read(&web, &project, Request::Ready { asker, all }).await
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
    read(&web, &project, Request::Search { text: query.q, limit }).await
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
        Request::Log {
            item: query.item,
            limit,
        },
    )
    .await
}

/// `/api/v1/projects/{project}/members`
pub(super) async fn members(State(web): State<Arc<Web>>, Path(project): Path<String>) -> ApiResult {
    read(&web, &project, Request::Members).await
}

/// `/api/v1/projects/{project}/peers`
pub(super) async fn peers(State(web): State<Arc<Web>>, Path(project): Path<String>) -> ApiResult {
    read(&web, &project, Request::Peers).await
}

/// The body of a write.
#[derive(Debug, Deserialize)]
pub(super) struct WriteBody {
    #[serde(default)]
    origin: Option<Origin>,
    body: Request,
}

/// `/api/v1/projects/{project}/requests`
pub(super) async fn requests(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
    headers: HeaderMap,
    asked: Result<Json<WriteBody>, JsonRejection>,
) -> ApiResult {
    let asked = checked(&caller, &headers, asked)?;
    write(&web, &caller, &project, asked).await
}

/// The body of `settle`: which side of a conflict takes effect.
#[derive(Debug, Deserialize)]
pub(super) struct ResolveBody {
    #[serde(default)]
    origin: Option<Origin>,
    keep: String,
    #[serde(default)]
    conflict: Option<String>,
}

/// `/api/v1/projects/{project}/items/{item}/settle`
pub(super) async fn resolve(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path((project, item)): Path<(String, String)>,
    headers: HeaderMap,
    asked: Result<Json<ResolveBody>, JsonRejection>,
) -> ApiResult {
    let ResolveBody {
        origin,
        keep,
        conflict,
    } = checked(&caller, &headers, asked)?;
    let body = Request::Resolve { item, conflict, keep };
    write(&web, &caller, &project, WriteBody { origin, body }).await
}

/// Authentication comes before parsing: a caller who is not allowed to write learns nothing about the format.
fn checked<T>(
    caller: &Caller,
    headers: &HeaderMap,
    asked: Result<Json<T>, JsonRejection>,
) -> Result<T, ApiError> {
    if !caller.program {
        let shown = text(headers, HeaderName::from_static("x-csrf-token")).unwrap_or_default();
        caller.checked_origin(shown)?;
    }
    let usage = |message: String| ApiError(Failure::new(FailureCode::Usage, message));
    let Json(asked) = asked.map_err(|rejection| usage(rejection.body_text()))?;
    Ok(asked)
}

async fn write(web: &Web, caller: &Caller, project: &str, asked: WriteBody) -> ApiResult {
    let origin = origin_of(caller, asked.origin)?;
    check_allowed(&asked.body)?;
    let link = web.handle.project(Some(project))?;
    Ok(Json(document(web.ask(&link, Some(origin), asked.body).await?)?))
}

/// A person acts as themselves; a program says for whom it acts.
fn origin_of(caller: &Caller, named: Option<Origin>) -> Result<Origin, Failure> {
    if caller.program {
        let usage = |error: OriginError| Failure::new(FailureCode::Usage, error.to_string());
        let origin = named.ok_or_else(|| usage(OriginError::Empty))?;
        origin.check().map_err(usage)?;
        return Ok(origin);
    }
    let own = caller.origin()?;
    match named {
        Some(named) if named != own => Err(Failure::new(
            FailureCode::NotAllowed,
            format!("you are signed in as {own}; omit `origin` or name yourself in it"),
        )),
        Some(_) | None => Ok(own),
    }
}

/// Membership and the store itself are changed on the node's machine only: a stolen browser session must not be
/// able to invite others. The same goes for acts in the name of other people.
fn check_allowed(request: &Request) -> Result<(), Failure> {
    match request {
        Request::Invite { .. }
        | Request::Revoke { .. }
        | Request::Rebuild
        | Request::ImportLines { .. }
        | Request::ImportSettings { .. }
        | Request::ExportEntries { .. }
        | Request::ImportEntries { .. }
        | Request::DryRun { .. } => Err(Failure::new(
            FailureCode::NotAllowed,
            "this request is not allowed over HTTP; use the `towline` command on the machine of the node",
        )),
        _ => Ok(()),
    }
}

fn object(schema: &str, value: impl Serialize) -> Result<Value, Failure> {
    let failed = |error: serde_json::Error| Failure::new(FailureCode::Failure, error.to_string());
    let mut value = serde_json::to_value(value).map_err(failed)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("schema".to_owned(), Value::from(schema));
    }
    Ok(value)
}

fn document(reply: Reply) -> Result<Value, Failure> {
    match reply {
        Reply::Cards(cards) => object("towline.items/v1", json!({ "items": cards })),
        Reply::Page(page) => object("towline.item-page/v1", page),
        Reply::Pages(pages) => object("towline.item-pages/v1", json!({ "items": pages })),
        Reply::History(lines) => object("towline.history/v1", json!({ "lines": lines })),
        Reply::Conflicts(open) => object("towline.conflicts/v1", json!({ "conflicts": open })),
        Reply::Explanations(explained) => object("towline.explanations/v1", json!({ "items": explained })),
        Reply::Status(status) => object("towline.status/v1", status),
        Reply::Doctor(doctor) => object("towline.doctor/v1", doctor),
        Reply::Members(members) => object("towline.members/v1", json!({ "members": members })),
        Reply::Peers(peers) => object("towline.peers/v1", json!({ "peers": peers })),
        Reply::Addresses(addresses) => object("towline.addresses/v1", json!({ "addresses": addresses })),
        Reply::Events(events) => object("towline.events/v2", json!({ "events": events })),
        Reply::Applied(applied) => object("towline.applied/v1", applied),
        Reply::Settings(settings) => object("towline.config/v1", json!({ "project": settings })),
        Reply::SettingsLine(line) => object("towline.exports/v1", json!({ "settings": line })),
        Reply::Imported(report) => object("towline.import/v1", report),
        Reply::Lines(lines) => object("towline.exports/v1", json!({ "lines": lines })),
        Reply::LineOutcomes(taken) => object("towline.taken/v1", json!({ "lines": taken })),
        Reply::ExportedEntries {
            project,
            records,
            next,
        } => object(
            "towline.records/v1",
            json!({ "project": project, "records": records, "next": next }),
        ),
        Reply::EntriesImported(arrived) => object("towline.arrived/v1", arrived),
        Reply::Ticket { ticket, expires } => object(
            "towline.ticket/v1",
            json!({ "ticket": ticket, "expires": expires }),
        ),
        Reply::Entry(entry) => object("towline.entry/v1", entry),
        Reply::Synced { peers, equal } => {
            object("towline.synced/v1", json!({ "peers": peers, "equal": equal }))
        }
        Reply::Link { url } => object("towline.board/v1", json!({ "board": url })),
        Reply::Done => object("towline.done/v1", json!({})),
    }
}
