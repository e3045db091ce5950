//! The forms that edit items and comment on them. Each sends one request and redirects back, or shows itself again.
//!
//! A form carries the value that it was made from. If that changed meanwhile, the project writes nothing, and the page
//! shows both values. A description is not refused: the project merges the two texts. What somebody typed is never
//! lost: every failure shows it again.

use std::sync::Arc;

use axum::extract::{Extension, Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use towline_api::request::{Command, Edit, Failure, FailureCode, Filter, Query, Reply, Request};
use towline_api::types::{ItemLink, ItemPage};
use towline_engine::handle::ProjectLink;
use towline_proto::stage::UnknownWord;
use towline_proto::{CriterionState, Field, Origin, RequestId};

use super::Web;
use super::error::{PageError, status};
use super::guard::Caller;
use super::pages::{cards, unexpected};
use super::query::local_path;
use super::view::Frame;
use super::view::edit::{self, Again, Draft, Judged};
use super::view::suggestions::Suggestions;

pub(super) fn usage(error: &UnknownWord) -> Failure {
    Failure::new(FailureCode::Usage, error.to_string())
}

/// Browsers send line ends as CR LF, whatever was typed.
pub(super) fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// The suggestions of a project, for those who get forms.
pub(super) async fn suggestions(web: &Web, caller: &Caller, link: &ProjectLink) -> Suggestions {
    if caller.session.is_none() {
        return Suggestions::default();
    }
    // Without them the forms still work.
    match cards(web, link, Query::List(Filter::default())).await {
        Ok(cards) => Suggestions::of(&cards),
        Err(_) => Suggestions::default(),
    }
}

async fn item_page(web: &Web, link: &ProjectLink, item: &str) -> Result<Box<ItemPage>, Failure> {
    let item = item.to_owned();
    match web.ask(link, None, Query::Show { item }).await? {
        Reply::Page(page) => Ok(page),
        Reply::Pages(_) => Err(Failure::new(
            FailureCode::NotFound,
            "several items share this number; open the one that you mean",
        )),
        _ => Err(unexpected()),
    }
}

/// The request under the name that the form gave it, so that sending a form twice does it once.
pub(super) fn once(name: &str, of: Command) -> Request {
    let of = Request::Command(of);
    if name.is_empty() {
        return of;
    }
    Request::Idempotent {
        id: RequestId::derive("board form", name),
        of: Box::new(of),
    }
}

pub(super) fn priority(text: &str) -> Result<u8, Failure> {
    let wrong = || Failure::new(FailureCode::Usage, "the priority is a number from 0 to 4");
    text.trim().parse().map_err(|_| wrong())
}

/// The form of one field. Empty fields are what an untouched form sends; they mean nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EditForm {
    csrf: String,
    back: String,
    field: String,
    base: String,
    value: String,
    /// A label or dependency to remove.
    remove: String,
    place: String,
    criterion: String,
    evidence: String,
    #[serde(rename = "do")]
    action: String,
}

impl EditForm {
    fn draft(&self) -> Result<Draft, Failure> {
        let field: Field = self.field.parse().map_err(|error| usage(&error))?;
        let value = match field {
            Field::Body => lines(&self.value),
            _ => self.value.trim().to_owned(),
        };
        let wrong = |_| Failure::new(FailureCode::Usage, "the place of a criterion is a number from 1");
        let judged = match self.criterion.is_empty() {
            true => None,
            false => Some(Judged {
                place: self.place.parse().map_err(wrong)?,
                id: self.criterion.clone(),
                evidence: self.evidence.trim().to_owned(),
            }),
        };
        Ok(Draft {
            field,
            base: lines(&self.base),
            value,
            judged,
        })
    }
}

/// What a draft asks of the project.
fn command(item: String, page: &ItemPage, draft: &Draft, remove: &str) -> Result<Command, Failure> {
    let removed = (!remove.is_empty()).then(|| remove.to_owned());
    let (add, remove) = match removed {
        Some(removed) => (Vec::new(), vec![removed]),
        None => (vec![draft.value.clone()], Vec::new()),
    };
    let handle = |text: &str| text.trim_start_matches('#').to_owned();
    let (value, base) = (Some(draft.value.clone()), Some(draft.base.clone()));
    let edit = Edit {
        item: item.clone(),
        ..Edit::default()
    };
    Ok(Command::Edit(match draft.field {
        Field::Labels => return Ok(Command::Label { item, add, remove }),
        Field::DependsOn => {
            let add = add.iter().map(|text| handle(text)).collect();
            return Ok(Command::Depends { item, add, remove });
        }
        Field::Criteria => return criterion(item, draft),
        Field::Links => {
            let why = "links are added and removed on the command line";
            return Err(Failure::new(FailureCode::Usage, why));
        }
        Field::Title => Edit {
            title: value,
            title_base: base,
            ..edit
        },
        Field::Body => {
            let (body, body_base) = with_line_ends(&page.body, &draft.base, &draft.value);
            Edit {
                body: Some(body),
                body_base: Some(body_base),
                ..edit
            }
        }
        Field::Kind => Edit {
            kind: Some(draft.value.parse().map_err(|error| usage(&error))?),
            kind_base: Some(draft.base.parse().map_err(|error| usage(&error))?),
            ..edit
        },
        Field::Priority => Edit {
            priority: Some(priority(&draft.value)?),
            priority_base: Some(priority(&draft.base)?),
            ..edit
        },
        Field::Qa => Edit {
            qa: Some(draft.value.parse().map_err(|error| usage(&error))?),
            qa_base: Some(draft.base.parse().map_err(|error| usage(&error))?),
            ..edit
        },
        Field::Epic => Edit {
            epic: value.as_deref().map(handle),
            epic_base: base,
            ..edit
        },
        Field::Assignee => Edit {
            assignee: value,
            assignee_base: base,
            ..edit
        },
    }))
}

fn criterion(item: String, draft: &Draft) -> Result<Command, Failure> {
    let Some(judged) = &draft.judged else {
        let text = draft.value.clone();
        return Ok(Command::AddCriterion { item, text });
    };
    let id = judged.id.parse();
    let state = |word: &str| word.parse::<CriterionState>().map_err(|error| usage(&error));
    Ok(Command::SetCriterion {
        item,
        index: judged.place,
        state: state(&draft.value)?,
        evidence: Some(judged.evidence.clone()).filter(|evidence| !evidence.is_empty()),
        expect: Some(id.map_err(|error: towline_proto::ids::ParseIdError| {
            Failure::new(FailureCode::Usage, error.to_string())
        })?),
        state_base: Some(state(&draft.base)?),
    })
}

/// A text and its base as the item has its line ends: a browser makes all of them the same.
fn with_line_ends(current: &str, base: &str, text: &str) -> (String, String) {
    if current == base || lines(current) != base {
        return (text.to_owned(), base.to_owned());
    }
    let only_crlf = current
        .replace("\r\n", "")
        .bytes()
        .all(|byte| byte != b'\n' && byte != b'\r');
    let text = match only_crlf {
        true => text.replace('\n', "\r\n"),
        false => text.to_owned(),
    };
    (text, current.to_owned())
}

/// `/p/{project}/items/{item}/edit`
pub(super) async fn edit(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path((project, item)): Path<(String, String)>,
    Form(form): Form<EditForm>,
) -> Response {
    let checked = async {
        let origin = caller.checked_origin(&form.csrf)?;
        let link = web.handle.project(Some(&project))?;
        let draft = form.draft()?;
        let page = item_page(&web, &link, &item).await?;
        Ok((origin, link, draft, page))
    };
    let (origin, link, draft, page) = match checked.await {
        Ok(checked) => checked,
        Err(failure) => {
            let page = PageError::new(&web, &caller, Some(&project), failure);
            return page.with_typed(form.value).into_response();
        }
    };
    let failure = if form.action == "preview" {
        None
    } else {
        let sent = send(&web, &link, origin, command(item, &page, &draft, &form.remove)).await;
        match sent {
            Ok(()) => return Redirect::to(local_path(&form.back)).into_response(),
            Err(failure) => Some(failure),
        }
    };
    let code = failure
        .as_ref()
        .map_or(StatusCode::OK, |failure| status(failure.code));
    // The item as it stands after the refusal.
    let page = match item_page(&web, &link, &page.card.id.to_string()).await {
        Ok(page) => page,
        Err(failure) => {
            let page = PageError::new(&web, &caller, Some(&project), failure);
            return page.with_typed(form.value).into_response();
        }
    };
    let (draft, why) = shown_again(&page, draft, failure.as_ref());
    let frame = Frame::new(&web, &caller, Some(&link.name));
    let suggestions = suggestions(&web, &caller, &link).await;
    let shown = edit::page(&frame, &link.name, &page, &draft, &why, &suggestions);
    (code, Html(shown.into_string())).into_response()
}

async fn send(
    web: &Web,
    link: &ProjectLink,
    origin: Origin,
    asked: Result<Command, Failure>,
) -> Result<(), Failure> {
    web.ask(link, Some(origin), asked?).await.map(drop)
}

/// The form with what was typed. If the value changed meanwhile, it is now made from the current one.
fn shown_again<'a>(page: &ItemPage, draft: Draft, failure: Option<&'a Failure>) -> (Draft, Again<'a>) {
    let Some(failure) = failure else {
        return (draft, Again::Preview);
    };
    let (base, shown) = match &draft.judged {
        None => edit::current(draft.field, page),
        Some(judged) => {
            let mut criteria = page.criteria_list.iter();
            let meant = criteria.find(|criterion| criterion.id.to_string() == judged.id);
            let state = meant
                .map(|criterion| criterion.state.to_string())
                .unwrap_or_default();
            (state.clone(), state)
        }
    };
    if failure.code != FailureCode::Conflict || lines(&base) == draft.base {
        return (draft, Again::Refused(failure));
    }
    let shown = match (draft.field, &page.card.epic) {
        (Field::Epic, Some(ItemLink { handle, title, .. })) => format!("#{handle} {title}"),
        _ => shown,
    };
    (Draft { base, ..draft }, Again::Changed(shown))
}

/// A comment form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CommentForm {
    csrf: String,
    back: String,
    request: String,
    text: String,
    #[serde(rename = "do")]
    action: String,
}

/// `/p/{project}/items/{item}/comment`
pub(super) async fn comment(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path((project, item)): Path<(String, String)>,
    Form(form): Form<CommentForm>,
) -> Response {
    let text = lines(&form.text);
    let checked = async {
        let origin = caller.checked_origin(&form.csrf)?;
        let link = web.handle.project(Some(&project))?;
        let page = item_page(&web, &link, &item).await?;
        Ok((origin, link, page))
    };
    let (origin, link, page) = match checked.await {
        Ok(checked) => checked,
        Err(failure) => {
            let page = PageError::new(&web, &caller, Some(&project), failure);
            return page.with_typed(text).into_response();
        }
    };
    let (code, failure) = if form.action == "preview" {
        (StatusCode::OK, None)
    } else {
        let said = Command::Comment {
            item,
            text: text.clone(),
        };
        match web.ask(&link, Some(origin), once(&form.request, said)).await {
            Ok(_) => return Redirect::to(local_path(&form.back)).into_response(),
            Err(failure) => (status(failure.code), Some(failure)),
        }
    };
    let why = failure.as_ref().map_or(Again::Preview, Again::Refused);
    let frame = Frame::new(&web, &caller, Some(&link.name));
    let shown = edit::comment_page(&frame, &link.name, &page.card, (&form.request, &text), &why);
    (code, Html(shown.into_string())).into_response()
}

/// A text to preview.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PreviewForm {
    csrf: String,
    text: String,
}

/// `/preview`: a text as it will be shown, for scripts.
pub(super) async fn preview(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Form(form): Form<PreviewForm>,
) -> Result<Html<String>, PageError> {
    match caller.checked_origin(&form.csrf) {
        Ok(_) => Ok(Html(edit::rendered(&lines(&form.text)).into_string())),
        Err(failure) => Err(PageError::new(&web, &caller, None, failure)),
    }
}
