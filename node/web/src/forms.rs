//! The forms of transitions, conflicts and sessions: each sends one request and then redirects back.
//!
//! Forms carry the session's token and the revision that the page showed. The project decides whether a transition
//! is legal.

use std::sync::Arc;

use axum::extract::{Extension, Form, Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use towline_api::request::{Command, Failure, FailureCode, Query, Reply, Transition};
use towline_engine::handle::ProjectLink;
use towline_proto::{Column, FailureKind, Verb};

use super::Web;
use super::error::PageError;
use super::guard::{Caller, text};
use super::query::local_path;
use super::view::failure::ForceOffer;

/// A transition form. Empty fields are what an untouched input sends; they mean nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TransitionForm {
    csrf: String,
    /// Where to go afterwards.
    back: String,
    expect: String,
    /// A verb, or `move:` and a column.
    target: String,
    reason: String,
    by: String,
    commit: String,
    failure: String,
    /// Whether a claim is taken from a holder that may still be there.
    force: String,
}

impl TransitionForm {
    fn transition(self, item: String) -> Result<Transition, Failure> {
        let given = |field: String| Some(field.trim().to_owned()).filter(|field| !field.is_empty());
        let usage =
            |error: towline_proto::stage::UnknownWord| Failure::new(FailureCode::Usage, error.to_string());
        if self.target.is_empty() {
            return Err(Failure::new(
                FailureCode::Usage,
                "choose a column to move the item to",
            ));
        }
        let (verb, to) = match self.target.split_once(':') {
            Some(("move", column)) => (Verb::Move, Some(column.parse::<Column>().map_err(usage)?)),
            _ => (self.target.parse::<Verb>().map_err(usage)?, None),
        };
        let failure = given(self.failure)
            .map(|word| word.parse::<FailureKind>())
            .transpose();
        let reason = given(self.reason);
        let force = match verb {
            // It asks for a reason only to go over what it waits for.
            Verb::Start => reason.is_some(),
            Verb::TakeOver => !self.force.is_empty(),
            _ => false,
        };
        if force && reason.is_none() {
            let why = "taking over a claim by force needs a reason";
            return Err(Failure::new(FailureCode::Usage, why));
        }
        Ok(Transition {
            force,
            reason,
            to,
            by: given(self.by),
            commit: given(self.commit),
            failure: failure.map_err(usage)?,
            expect: given(self.expect),
            ..Transition::plain(item, verb)
        })
    }
}

/// `/p/{project}/items/{item}/act`
pub(super) async fn act(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path((project, item)): Path<(String, String)>,
    Form(form): Form<TransitionForm>,
) -> Result<Redirect, PageError> {
    let back = local_path(&form.back).to_owned();
    let plain = |failure: Failure| (failure, None);
    let write = async {
        let origin = caller.checked_origin(&form.csrf).map_err(plain)?;
        let link = web.handle.project(Some(&project)).map_err(plain)?;
        let asked = form.transition(item).map_err(plain)?;
        let request = Command::Transition(asked.clone());
        match web.ask(&link, Some(origin), request).await {
            Ok(_) => Ok(()),
            Err(failure) => Err((failure, force_offer(&web, &link, &asked, &back).await)),
        }
    };
    match write.await {
        Ok(()) => Ok(Redirect::to(&back)),
        Err((failure, force_offer)) => {
            Err(PageError::new(&web, &caller, Some(&project), failure).with_force_offer(force_offer))
        }
    }
}

/// The offer to force a take-over that was refused. Not if the item has changed, which the user should see first,
/// and not if nobody holds a claim.
async fn force_offer(web: &Web, link: &ProjectLink, asked: &Transition, back: &str) -> Option<ForceOffer> {
    if asked.verb != Verb::TakeOver || asked.force {
        return None;
    }
    let item = asked.item.clone();
    let Ok(Reply::Page(page)) = web.ask(link, None, Query::Show { item }).await else {
        return None;
    };
    let card = page.card;
    let changed = asked.expect.as_ref().is_some_and(|seen| *seen != card.revision);
    let worked = matches!(card.column, Column::Coding | Column::Qa | Column::Merge) && !card.deleted;
    let offered = !changed && card.claim.is_some() && worked;
    offered.then(|| ForceOffer {
        card: Box::new(card),
        back: back.to_owned(),
    })
}

/// The form that resolves a conflict.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ResolveForm {
    csrf: String,
    back: String,
    conflict: String,
    keep: String,
}

/// `/p/{project}/items/{item}/settle`
pub(super) async fn resolve(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path((project, item)): Path<(String, String)>,
    Form(form): Form<ResolveForm>,
) -> Result<Redirect, PageError> {
    let write = async {
        let origin = caller.checked_origin(&form.csrf)?;
        let link = web.handle.project(Some(&project))?;
        let request = Command::Resolve {
            item,
            conflict: Some(form.conflict).filter(|id| !id.is_empty()),
            keep: form.keep,
        };
        web.ask(&link, Some(origin), request).await
    };
    match write.await {
        Ok(_) => Ok(Redirect::to(local_path(&form.back))),
        Err(failure) => Err(PageError::new(&web, &caller, Some(&project), failure)),
    }
}

/// The form that ends a session.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LogoutForm {
    csrf: String,
}

/// `/logout`
pub(super) async fn logout(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Form(form): Form<LogoutForm>,
) -> Response {
    match caller.checked_origin(&form.csrf) {
        Ok(_) => {
            let cookie = web
                .sessions
                .sign_out(text(&headers, header::COOKIE).unwrap_or_default());
            ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
        }
        Err(failure) => PageError::new(&web, &caller, None, failure).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_takes_a_start_past_what_it_waits_for_but_a_claim_only_with_force() {
        let asked = |target: &str, reason: &str| {
            let form = TransitionForm {
                target: target.into(),
                reason: reason.into(),
                ..TransitionForm::default()
            };
            form.transition("42".into()).expect("a transition")
        };
        assert!(asked("start", "the other half is only docs").force);
        assert!(!asked("take-over", "it hangs").force);
        assert!(!asked("start", "  ").force && !asked("block", "waits").force);
    }

    #[test]
    fn a_menu_in_which_nothing_was_chosen_says_so() {
        let refused = TransitionForm::default()
            .transition("42".into())
            .expect_err("nothing chosen");
        assert_eq!(refused.message, "choose a column to move the item to");
    }
}
