//! One form for several items: each gets its own request, with the revision that the page showed of it.
//!
//! The project decides for each item whether it is possible. What is refused comes back on a page of its own with
//! what was chosen and typed; nothing is done twice.

use std::sync::Arc;

use axum::extract::{Extension, Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use futures::stream::{self, StreamExt};
use towline_api::request::{Command, Edit, Failure, FailureCode, Query, Reply, Transition};
use towline_engine::handle::ProjectLink;
use towline_proto::{Column, Origin, Verb};

use super::Web;
use super::error::PageError;
use super::guard::Caller;
use super::query::local_path;
use super::view::many::Refused;
use super::view::{Frame, many};

/// Items that one form changes at most.
const ITEMS: usize = 500;
/// Requests that wait for a project at once, so that it can sync them together.
const AT_ONCE: usize = 16;

/// What is to be done to each of the items.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    Transition(Verb, Option<Column>),
    Assign,
    Label,
    Unlabel,
    Priority(u8),
}

fn usage(why: impl Into<String>) -> Failure {
    Failure::new(FailureCode::Usage, why.into())
}

impl Action {
    fn parse(target: &str, text: &str) -> Result<Self, Failure> {
        let unknown = |error: towline_proto::stage::UnknownWord| usage(error.to_string());
        let action = match target.split_once(':') {
            Some(("move", column)) => Self::Transition(Verb::Move, Some(column.parse().map_err(unknown)?)),
            Some(("priority", priority)) => {
                let priority = priority
                    .parse()
                    .map_err(|_| usage("invalid priority; expected 0 to 4"))?;
                Self::Priority(priority)
            }
            _ => match target {
                "" => return Err(usage("choose an action")),
                "assign" => Self::Assign,
                "label" => Self::Label,
                "unlabel" => Self::Unlabel,
                verb => Self::Transition(verb.parse().map_err(unknown)?, None),
            },
        };
        if text.is_empty() && action.takes_text() {
            return Err(usage(match action {
                Self::Label | Self::Unlabel => "type the label",
                _ => "this needs a reason; type it beside the action",
            }));
        }
        Ok(action)
    }

    const fn takes_text(&self) -> bool {
        match self {
            Self::Transition(verb, to) => verb.rule().reason || to.is_some(),
            Self::Label | Self::Unlabel => true,
            Self::Assign | Self::Priority(_) => false,
        }
    }

    fn command(&self, item: &str, revision: Option<&str>, text: &str) -> Command {
        let item = item.to_owned();
        let given = (!text.is_empty()).then(|| text.to_owned());
        match self {
            Self::Transition(verb, to) => Command::Transition(Transition {
                to: *to,
                expect: revision.map(str::to_owned),
                // As in the forms of one item: a reason takes a start past what it waits for.
                force: *verb == Verb::Start && given.is_some(),
                reason: given,
                ..Transition::plain(item, *verb)
            }),
            Self::Assign => Command::Edit(Edit {
                item,
                assignee: Some(text.to_owned()),
                ..Edit::default()
            }),
            Self::Priority(priority) => Command::Edit(Edit {
                item,
                priority: Some(*priority),
                ..Edit::default()
            }),
            Self::Label => Command::Label {
                item,
                add: vec![text.to_owned()],
                remove: Vec::new(),
            },
            Self::Unlabel => Command::Label {
                item,
                add: Vec::new(),
                remove: vec![text.to_owned()],
            },
        }
    }
}

/// `/p/{project}/many`
pub(super) async fn act(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let field = |name: &str| {
        let found = fields.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.trim())
    };
    let refuse = |failure| PageError::new(&web, &caller, Some(&project), failure);
    let (csrf, target, text) = (field("csrf"), field("target"), field("text"));
    let back = local_path(field("back")).to_owned();
    let origin = caller.checked_origin(csrf).map_err(refuse)?;
    let link = web.handle.project(Some(&project)).map_err(refuse)?;
    let action = Action::parse(target, text);
    let items: Vec<_> = fields
        .iter()
        .filter(|(key, _)| key == "item")
        .map(|(_, value)| {
            value
                .split_once(' ')
                .map_or((value.as_str(), None), |(id, seen)| (id, Some(seen)))
        })
        .collect();
    if items.is_empty() || items.len() > ITEMS {
        return Err(refuse(usage(format!("select 1 to {ITEMS} items"))));
    }
    let count = items.len();
    // Nothing borrowed from the form is left when the requests are sent.
    let requests: Vec<_> = items
        .into_iter()
        .map(|(item, revision)| {
            let request = action.clone().map(|action| action.command(item, revision, text));
            (item.to_owned(), request)
        })
        .collect();
    let answers: Vec<_> = stream::iter(requests)
        .map(|(item, request)| one(Arc::clone(&web), link.clone(), origin.clone(), item, request))
        .buffered(AT_ONCE)
        .collect()
        .await;
    let failures: Vec<_> = answers.into_iter().flatten().collect();
    if failures.is_empty() {
        return Ok(Redirect::to(&back).into_response());
    }
    let refused = Refused {
        target: target.to_owned(),
        text: text.to_owned(),
        back,
        done: count - failures.len(),
        failures,
    };
    let frame = Frame::new(&web, &caller, Some(&link.name));
    let page = many::page(&frame, csrf, &link.name, &refused);
    Ok((StatusCode::CONFLICT, Html(page.into_string())).into_response())
}

/// Does it to one item; its id and the failure when it was refused, with the item as it stands, so that the page can
/// name it.
async fn one(
    web: Arc<Web>,
    link: ProjectLink,
    origin: Origin,
    item: String,
    request: Result<Command, Failure>,
) -> Option<(String, Failure)> {
    let answer = match request {
        Ok(request) => web.ask(&link, Some(origin), request).await.map(drop),
        Err(failure) => Err(failure),
    };
    let mut failure = answer.err()?;
    if failure.current.is_none() {
        let show = Query::Show { item: item.clone() };
        if let Ok(Reply::Page(page)) = web.ask(&link, None, show).await {
            failure.current = Some(Box::new(page.card));
        }
    }
    Some((item, failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_without_what_it_takes_says_so() {
        let refused = |target: &str| Action::parse(target, "").expect_err("refused").message;
        assert_eq!(refused(""), "choose an action");
        assert_eq!(refused("label"), "type the label");
        assert_eq!(refused("block"), "this needs a reason; type it beside the action");
        assert_eq!(
            refused("move:qa"),
            "this needs a reason; type it beside the action"
        );
        assert!(refused("fly").contains("start"), "the known words are named");
        assert_eq!(Action::parse("assign", "").ok(), Some(Action::Assign));
        assert_eq!(Action::parse("priority:1", "").ok(), Some(Action::Priority(1)));
    }
}
