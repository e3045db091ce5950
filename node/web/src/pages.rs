//! The pages: fleet, board, item, search and sign-in. Each asks its projects and renders; each that
//! is live has a fragment, which scripts fetch again when something changed.

use std::sync::Arc;

use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use futures::future::join_all;
use maud::Markup;
use serde::Deserialize;
use towline_api::explanation_text::sentences;
use towline_api::request::{self, Failure, FailureCode, Filter, Reply, Request};
use towline_api::types::{ItemCard, ItemPage, OpenConflict};
use towline_engine::handle::ProjectLink;
use towline_proto::Column;

use super::edits::suggestions;
use super::error::{ApiError, PageError};
use super::guard::Caller;
use super::query::{BoardQuery, escape, local_path};
use super::view::board::Board;
use super::view::fleet::{ProjectCard, SearchHits};
use super::view::{
    Frame, board, conflicts as conflicts_view, fleet as fleet_view, item as item_view, shared_number,
};
use super::{Web, now};

type Page = Result<Html<String>, PageError>;
/// An item's address answers 300 where several items share the number.
type ItemAnswer = Result<(StatusCode, Html<String>), PageError>;

/// Cards that a search shows of each project.
const FOUND: usize = 50;

fn html(markup: Markup) -> Html<String> {
    Html(markup.into_string())
}

pub(super) fn unexpected() -> Failure {
    Failure::new(FailureCode::Failure, "the project sent an unexpected reply")
}

pub(super) async fn cards(
    web: &Web,
    link: &ProjectLink,
    request: impl Into<Request>,
) -> Result<Vec<ItemCard>, Failure> {
    match web.ask(link, None, request).await? {
        Reply::Cards(cards) => Ok(cards),
        _ => Err(unexpected()),
    }
}

/// `/`
pub(super) async fn fleet(State(web): State<Arc<Web>>, Extension(caller): Extension<Caller>) -> Response {
    if !web.is_fleet()
        && let Some(link) = web.handle.projects().first()
    {
        return Redirect::to(&format!("/p/{}", escape(&link.name))).into_response();
    }
    let projects = statuses(&web).await;
    let frame = Frame::new(&web, &caller, None);
    html(fleet_view::page(
        &frame,
        &projects,
        &web.handle.unavailable(),
        now(),
    ))
    .into_response()
}

/// `/fragment`
pub(super) async fn fleet_fragment(State(web): State<Arc<Web>>) -> Html<String> {
    let projects = statuses(&web).await;
    html(fleet_view::fragment(&projects, &web.handle.unavailable(), now()))
}

async fn statuses(web: &Web) -> Vec<ProjectCard> {
    let links = web.handle.projects();
    let asked = links.into_iter().map(|link| async move {
        let position = *link.feed.borrow();
        let status = match web.ask(&link, None, request::Query::Status).await {
            Ok(Reply::Status(status)) => Ok(*status),
            Ok(_) => Err(unexpected()),
            Err(failure) => Err(failure),
        };
        ProjectCard {
            id: link.id,
            name: link.name,
            position,
            status,
        }
    });
    join_all(asked).await
}

/// `/p/{project}`
pub(super) async fn board(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
    Query(query): Query<BoardQuery>,
) -> Page {
    let model = load_board(&web, &caller, &project, query)
        .await
        .map_err(|failure| PageError::new(&web, &caller, Some(&project), failure))?;
    let frame = Frame::new(&web, &caller, Some(&model.name));
    Ok(html(board::page(&frame, &model)))
}

/// `/p/{project}/fragment`
pub(super) async fn board_fragment(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
    Query(query): Query<BoardQuery>,
) -> Page {
    let model = load_board(&web, &caller, &project, query)
        .await
        .map_err(|failure| PageError::new(&web, &caller, Some(&project), failure))?;
    Ok(html(board::fragment(&model)))
}

/// A board with everything that it shows.
pub(super) async fn load_board(
    web: &Web,
    caller: &Caller,
    project: &str,
    query: BoardQuery,
) -> Result<Board, Failure> {
    let link = web.handle.project(Some(project))?;
    // Read before the list: an event in between makes the page fetch once too often, not miss it.
    let position = *link.feed.borrow();
    let (listed, status) = tokio::join!(
        cards(web, &link, request::Query::List(query.filter()?)),
        web.ask(&link, None, request::Query::Status),
    );
    let listed = listed?;
    let Reply::Status(status) = status? else {
        return Err(unexpected());
    };
    // A filtered list does not have the whole queue.
    let queue = if query.is_filtered() && listed.iter().any(|card| card.column == Column::Merge) {
        let merging = Filter {
            columns: vec![Column::Merge],
            ..Filter::default()
        };
        cards(web, &link, request::Query::List(merging)).await?
    } else {
        listed.clone()
    };
    let csrf = caller.session.as_ref().map(|session| session.csrf.clone());
    let saved = caller.session.as_ref().zip(web.config.views.as_ref());
    let saved = saved.map(|(session, shelf)| shelf.list(&link.id.to_string(), &session.who));
    // A board without its saved views is still a board.
    let saved = saved.and_then(|listed| {
        let failed = |why: &String| tracing::error!(%why, "cannot read the saved views of the board");
        listed.inspect_err(failed).ok()
    });
    let board = Board::new(&link, position, *status, listed, &queue, query, csrf, now());
    Ok(board.with_saved(saved.unwrap_or_default()))
}

/// `/p/{project}/conflicts`
pub(super) async fn conflicts(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
) -> Page {
    let (link, position, open) = load_conflicts(&web, &project)
        .await
        .map_err(|failure| PageError::new(&web, &caller, Some(&project), failure))?;
    let frame = Frame::new(&web, &caller, Some(&link.name));
    Ok(html(conflicts_view::page(&frame, &link, position, &open, now())))
}

/// `/p/{project}/conflicts/fragment`
pub(super) async fn conflicts_fragment(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
) -> Page {
    let (link, _, open) = load_conflicts(&web, &project)
        .await
        .map_err(|failure| PageError::new(&web, &caller, Some(&project), failure))?;
    let frame = Frame::new(&web, &caller, Some(&link.name));
    Ok(html(conflicts_view::fragment(&frame, &link.name, &open, now())))
}

async fn load_conflicts(web: &Web, project: &str) -> Result<(ProjectLink, u64, Vec<OpenConflict>), Failure> {
    let link = web.handle.project(Some(project))?;
    let position = *link.feed.borrow();
    match web
        .ask(&link, None, request::Query::Conflicts { item: None })
        .await?
    {
        Reply::Conflicts(open) => Ok((link, position, open)),
        _ => Err(unexpected()),
    }
}

/// `/p/{project}/items/{item}`
pub(super) async fn item(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path((project, item)): Path<(String, String)>,
) -> ItemAnswer {
    let (link, position, found) = load_item(&web, &caller, &project, item)
        .await
        .map_err(|failure| PageError::new(&web, &caller, Some(&project), failure))?;
    let frame = Frame::new(&web, &caller, Some(&link.name));
    Ok(match found {
        ItemMatch::One(page, because) => {
            let request = web.sessions.draw();
            let shown = item_view::Shown::new(&page, &because, &request, now());
            let suggestions = suggestions(&web, &caller, &link).await;
            let page = item_view::page(&frame, &link, position, &shown, &suggestions);
            (StatusCode::OK, html(page))
        }
        ItemMatch::Several(pages) => {
            let page = shared_number::page(&frame, &link.name, &pages, now());
            (StatusCode::MULTIPLE_CHOICES, html(page))
        }
    })
}

/// `/p/{project}/items/{item}/fragment`
pub(super) async fn item_fragment(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path((project, item)): Path<(String, String)>,
) -> ItemAnswer {
    let (link, _, found) = load_item(&web, &caller, &project, item)
        .await
        .map_err(|failure| PageError::new(&web, &caller, Some(&project), failure))?;
    let frame = Frame::new(&web, &caller, Some(&link.name));
    Ok(match found {
        ItemMatch::One(page, because) => {
            let request = web.sessions.draw();
            let shown = item_view::Shown::new(&page, &because, &request, now());
            let fragment = item_view::fragment(&frame, &link.name, &shown);
            (StatusCode::OK, html(fragment))
        }
        ItemMatch::Several(pages) => {
            let fragment = shared_number::fragment(&link.name, &pages, now());
            (StatusCode::MULTIPLE_CHOICES, html(fragment))
        }
    })
}

/// The items that a handle names.
enum ItemMatch {
    /// The item in full, and why it is in its state.
    One(Box<ItemPage>, Vec<String>),
    /// The items that share the number.
    Several(Vec<ItemPage>),
}

async fn load_item(
    web: &Web,
    caller: &Caller,
    project: &str,
    item: String,
) -> Result<(ProjectLink, u64, ItemMatch), Failure> {
    let link = web.handle.project(Some(project))?;
    let position = *link.feed.borrow();
    let explain = request::Query::Explain { item: item.clone() };
    let (page, explained) = tokio::join!(
        web.ask(&link, caller.origin().ok(), request::Query::Show { item }),
        web.ask(&link, None, explain),
    );
    let page = match page? {
        Reply::Page(page) => page,
        Reply::Pages(pages) => return Ok((link, position, ItemMatch::Several(pages))),
        _ => return Err(unexpected()),
    };
    let because = match explained? {
        Reply::Explanations(explained) => explained.iter().flat_map(|one| sentences(one, None)).collect(),
        _ => return Err(unexpected()),
    };
    Ok((link, position, ItemMatch::One(page, because)))
}

/// The query of `/search`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SearchQuery {
    q: String,
}

/// `/search`
pub(super) async fn search(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<SearchQuery>,
) -> Html<String> {
    let words = query.q.trim();
    let mut found = Vec::new();
    if !words.is_empty() {
        let asked = web.handle.projects().into_iter().map(|link| {
            let web = &web;
            let request = request::Query::Search {
                text: words.to_owned(),
                limit: FOUND,
            };
            async move {
                let cards = cards(web, &link, request).await;
                SearchHits {
                    project: link.name,
                    cards,
                }
            }
        });
        found = join_all(asked).await;
    }
    let frame = Frame::new(&web, &caller, None);
    html(fleet_view::search(&frame, words, &found, now()))
}

/// The query of `/login`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LoginQuery {
    code: String,
    /// The page of this site to go to; the start page when absent.
    to: String,
}

/// `/login`
pub(super) async fn login(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<LoginQuery>,
) -> Response {
    match web.sessions.sign_in(&query.code, now()) {
        Some(cookie) => (
            [(header::SET_COOKIE, cookie)],
            Redirect::to(local_path(&query.to)),
        )
            .into_response(),
        // Somebody who opens the link twice is signed in already and wants the board.
        None if caller.session.is_some() => Redirect::to(local_path(&query.to)).into_response(),
        None => {
            let failure = Failure::new(
                FailureCode::NotAllowed,
                "this sign-in link was already used or is older than ten minutes; run `towline open` to get a new one",
            );
            PageError::new(&web, &caller, None, failure).into_response()
        }
    }
}

/// Everything else.
pub(super) async fn not_found(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if uri.path().starts_with("/api/") {
        let why = "there is nothing at this address; /openapi.json lists all addresses";
        return ApiError(Failure::new(FailureCode::NotFound, why)).into_response();
    }
    if !super::guard::text(&headers, header::ACCEPT).is_some_and(|accept| accept.contains("text/html")) {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    }
    let failure = Failure::new(FailureCode::NotFound, "This page does not exist.");
    PageError::new(&web, &caller, None, failure).into_response()
}
