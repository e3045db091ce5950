//! The cards that changed: what a board that is open somewhere fetches in place of the whole board.
//!
//! Relies on [`load_board`] for what the board shows now; remembers nothing about any page.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::{Extension, Path, Query, State};
use axum::response::Html;
use serde::Deserialize;
use towline_api::request::{Failure, FailureCode};
use towline_proto::ItemId;

use super::Web;
use super::error::PageError;
use super::guard::Caller;
use super::pages::load_board;
use super::query::BoardQuery;
use super::view::board;

/// Items of which a page may ask for the changes at once; beyond that the whole fragment is cheaper.
const CHANGED: usize = 50;

/// The query of `/p/{project}/cards`, beside that of the board.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ChangedQuery {
    /// Ids of items, separated by commas.
    ids: String,
}

impl ChangedQuery {
    fn ids(&self) -> Result<HashSet<ItemId>, Failure> {
        let ids: Option<HashSet<ItemId>> = self.ids.split(',').map(|id| id.parse().ok()).collect();
        ids.filter(|ids| ids.len() <= CHANGED).ok_or_else(|| {
            let why = format!("invalid `ids`: expected at most {CHANGED} ids of items, separated by commas");
            Failure::new(FailureCode::Usage, why)
        })
    }
}

/// `/p/{project}/cards`: where the cards of these items are now.
pub(super) async fn cards(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
    Query(query): Query<BoardQuery>,
    Query(changed): Query<ChangedQuery>,
) -> Result<Html<String>, PageError> {
    let load = async {
        let ids = changed.ids()?;
        Ok((load_board(&web, &caller, &project, query).await?, ids))
    };
    match load.await {
        Ok((model, ids)) => Ok(Html(board::changes(&model, &ids).into_string())),
        Err(failure) => Err(PageError::new(&web, &caller, Some(&project), failure)),
    }
}
