//! Views of the board that a signed-in person has saved: a name for a query. They are of the node on which they were
//! saved, not of the project.
//!
//! Relies on a [`ViewShelf`] that the node hands in. A query is kept only as a board writes it, so that a saved view
//! leads nowhere else.

use std::sync::Arc;

use axum::extract::{Extension, Form, Path, State};
use axum::response::Redirect;
use serde::Deserialize;
use towline_api::request::{Failure, FailureCode};

use super::Web;
use super::error::PageError;
use super::guard::Caller;
use super::query::{escape, local_path};

/// Characters of a name.
const NAME_CHARS: usize = 40;
/// Bytes of a query.
const QUERY_BYTES: usize = 1_000;

/// Where saved views are kept: each is a name and the query of a board's address.
pub trait ViewShelf: std::fmt::Debug + Send + Sync {
    /// The views of a person in a project.
    ///
    /// # Errors
    /// When they cannot be read, with the reason.
    fn list(&self, project: &str, who: &str) -> Result<Vec<(String, String)>, String>;

    /// Saves a view, in place of one with the same name; with an empty query it is removed.
    ///
    /// # Errors
    /// When there are too many or they cannot be written, with the reason.
    fn save(&self, project: &str, who: &str, name: String, query: String) -> Result<(), String>;
}

/// The form that saves a view or removes one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ViewForm {
    csrf: String,
    back: String,
    name: String,
    /// The query; empty to remove the view.
    query: String,
}

/// `/p/{project}/views`
pub(super) async fn save(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
    Form(form): Form<ViewForm>,
) -> Result<Redirect, PageError> {
    let write = || {
        let origin = caller.checked_origin(&form.csrf)?;
        let link = web.handle.project(Some(&project))?;
        let usage = |why: String| Failure::new(FailureCode::Usage, why);
        let name = form.name.trim();
        if name.is_empty() || name.chars().count() > NAME_CHARS || name.chars().any(char::is_control) {
            return Err(usage(format!("name the view with 1 to {NAME_CHARS} characters")));
        }
        // Checked as what it will be: the end of an address of this board.
        let path = format!("/p/{}{}", escape(&link.name), form.query);
        let fits = form.query.is_empty() || form.query.starts_with('?');
        if !fits || form.query.len() > QUERY_BYTES || local_path(&path) != path {
            return Err(usage(
                "this view cannot be saved; its filters are too long".to_owned(),
            ));
        }
        let shelf = web.config.views.as_ref();
        let shelf = shelf.ok_or_else(|| usage("this board saves no views".to_owned()))?;
        let (project, query) = (link.id.to_string(), form.query.clone());
        shelf
            .save(&project, &origin.id, name.to_owned(), query)
            .map_err(usage)?;
        Ok(path)
    };
    match write() {
        Ok(_) if form.query.is_empty() => Ok(Redirect::to(local_path(&form.back))),
        Ok(path) => Ok(Redirect::to(&path)),
        Err(failure) => Err(PageError::new(&web, &caller, Some(&project), failure)),
    }
}
