//! The items that the command palette proposes while somebody types: by number first, then by their words.
//!
//! A fragment, made like every page; the palette adds the commands that it finds in the page itself.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Html;
use maud::html;
use serde::Deserialize;
use towline_api::request::{self, Failure};
use towline_api::types::ItemCard;

use super::Web;
use super::error::ApiError;
use super::pages::cards;
use super::view::parts::{column_title, item_path};

/// Items that the palette proposes.
const PROPOSED: usize = 8;

/// The query of `/p/{project}/find`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FindQuery {
    q: String,
}

/// `/p/{project}/find`
pub(super) async fn find(
    State(web): State<Arc<Web>>,
    Path(project): Path<String>,
    Query(query): Query<FindQuery>,
) -> Result<Html<String>, ApiError> {
    let words = query.q.trim();
    let found = if words.is_empty() {
        Vec::new()
    } else {
        proposed(&web, &project, words).await?
    };
    let items = html! {
        @for card in &found {
            li role="option" data-href=(item_path(&project, &card.handle)) {
                span.handle { "#" (card.handle) } " " span.title { (card.title) } " " span.where { (column_title(card.column)) }
            }
        }
    };
    Ok(Html(items.into_string()))
}

async fn proposed(web: &Web, project: &str, words: &str) -> Result<Vec<ItemCard>, Failure> {
    let link = web.handle.project(Some(project))?;
    let number = words.trim_start_matches('#');
    let search = request::Query::Search {
        text: words.to_owned(),
        limit: PROPOSED,
    };
    let mut found = Vec::new();
    if number.starts_with(|first: char| first.is_ascii_digit()) {
        let show = request::Query::Show {
            item: number.to_owned(),
        };
        // An unknown number is no failure of a search.
        match web.ask(&link, None, show).await {
            Ok(request::Reply::Page(page)) => found.push(page.card),
            Ok(request::Reply::Pages(pages)) => found.extend(pages.into_iter().map(|page| page.card)),
            Ok(_) | Err(_) => {}
        }
    }
    for card in cards(web, &link, search).await? {
        if found.iter().all(|known| known.id != card.id) {
            found.push(card);
        }
    }
    found.truncate(PROPOSED);
    Ok(found)
}
