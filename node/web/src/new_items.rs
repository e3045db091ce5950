//! The form that makes an item. It sends one request and redirects to the item, or shows itself again with what was
//! typed.

use std::sync::Arc;

use axum::extract::{Extension, Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use towline_api::request::{Command, Failure, FailureCode, NewItem, Reply};

use super::Web;
use super::edits::{lines, once, priority, suggestions, usage};
use super::error::{PageError, status};
use super::guard::Caller;
use super::query::escape;
use super::view::new_item::{self, NewItemDraft, Shown};
use super::view::{Frame, item_path};

/// The form of a new item. Empty fields are what an untouched form sends; they mean nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewItemForm {
    csrf: String,
    request: String,
    #[serde(rename = "do")]
    action: String,
    title: String,
    body: String,
    kind: String,
    priority: String,
    labels: String,
    assignee: String,
    epic: String,
    depends_on: String,
    criteria: String,
    upcoming: String,
}

impl NewItemForm {
    fn draft(&self) -> NewItemDraft {
        let or = |field: &str, otherwise: &str| match field.trim() {
            "" => otherwise.to_owned(),
            field => field.to_owned(),
        };
        NewItemDraft {
            request: self.request.clone(),
            title: self.title.clone(),
            body: lines(&self.body),
            kind: or(&self.kind, "story"),
            priority: or(&self.priority, "2"),
            labels: self.labels.clone(),
            assignee: self.assignee.clone(),
            epic: self.epic.clone(),
            depends_on: self.depends_on.clone(),
            criteria: lines(&self.criteria),
            upcoming: !self.upcoming.is_empty(),
        }
    }
}

fn new_item(draft: &NewItemDraft) -> Result<NewItem, Failure> {
    let given = |field: &str| Some(field.trim().to_owned()).filter(|field| !field.is_empty());
    let list = |field: &str, by: char| field.split(by).filter_map(given).collect::<Vec<_>>();
    let handle = |field: String| field.trim_start_matches('#').to_owned();
    let title = given(&draft.title).ok_or_else(|| Failure::new(FailureCode::Usage, "type a title"))?;
    Ok(NewItem {
        kind: draft.kind.parse().map_err(|error| usage(&error))?,
        title,
        body: draft.body.clone(),
        upcoming: draft.upcoming,
        priority: Some(priority(&draft.priority)?),
        qa: None,
        labels: list(&draft.labels, ','),
        depends_on: list(&draft.depends_on, ',').into_iter().map(handle).collect(),
        epic: given(&draft.epic).map(handle),
        assignee: given(&draft.assignee),
        criteria: list(&draft.criteria, '\n'),
    })
}

/// The query of `new`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewItemQuery {
    epic: String,
}

/// `/p/{project}/new`
pub(super) async fn form(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
    Query(query): Query<NewItemQuery>,
) -> Result<Html<String>, PageError> {
    let link = web
        .handle
        .project(Some(&project))
        .map_err(|failure| PageError::new(&web, &caller, Some(&project), failure))?;
    let form = NewItemForm {
        request: web.sessions.draw(),
        epic: query.epic,
        ..NewItemForm::default()
    };
    let frame = Frame::new(&web, &caller, Some(&link.name));
    let suggestions = suggestions(&web, &caller, &link).await;
    let page = new_item::page(&frame, &link.name, &form.draft(), &Shown::Empty, &suggestions);
    Ok(Html(page.into_string()))
}

/// `/p/{project}/new`, sent.
pub(super) async fn create(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
    Form(form): Form<NewItemForm>,
) -> Response {
    let draft = form.draft();
    let typed = || format!("{}\n\n{}", draft.title, draft.body);
    let refused = |failure| PageError::new(&web, &caller, Some(&project), failure).with_typed(typed());
    let origin = match caller.checked_origin(&form.csrf) {
        Ok(origin) => origin,
        Err(failure) => return refused(failure).into_response(),
    };
    let link = match web.handle.project(Some(&project)) {
        Ok(link) => link,
        Err(failure) => return refused(failure).into_response(),
    };
    let again = async |code: StatusCode, shown: Shown<'_>| {
        let frame = Frame::new(&web, &caller, Some(&link.name));
        let suggestions = suggestions(&web, &caller, &link).await;
        let page = new_item::page(&frame, &link.name, &draft, &shown, &suggestions);
        (code, Html(page.into_string())).into_response()
    };
    if form.action == "preview" {
        return again(StatusCode::OK, Shown::Preview).await;
    }
    let made = match new_item(&draft) {
        Ok(new) => {
            web.ask(&link, Some(origin), once(&draft.request, Command::Create(new)))
                .await
        }
        Err(failure) => Err(failure),
    };
    match made {
        Ok(Reply::Applied(applied)) => {
            let item = item_path(&link.name, &applied.card.handle);
            Redirect::to(&item).into_response()
        }
        Ok(_) => Redirect::to(&format!("/p/{}", escape(&link.name))).into_response(),
        Err(failure) => again(status(failure.code), Shown::Refused(&failure)).await,
    }
}
