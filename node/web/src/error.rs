//! Failures as HTTP: one mapping from [`FailureCode`] to a status, once as a page, once as JSON.
//!
//! A conflict includes the current item, in both forms.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use towline_api::document;
use towline_api::request::{Failure, FailureCode};

use super::Web;
use super::api::JsonText;
use super::guard::Caller;
use super::view::failure::ForceOffer;
use super::view::{Frame, failure};

/// A failure on its way to a browser.
pub(super) struct PageError {
    web: Arc<Web>,
    caller: Caller,
    project: Option<String>,
    failure: Failure,
    force_offer: Option<ForceOffer>,
    typed: Option<String>,
}

impl PageError {
    pub(super) fn new(web: &Arc<Web>, caller: &Caller, project: Option<&str>, failure: Failure) -> Self {
        Self {
            web: Arc::clone(web),
            caller: caller.clone(),
            project: project.map(str::to_owned),
            failure,
            force_offer: None,
            typed: None,
        }
    }

    /// The same with what the user had typed, to be copied.
    pub(super) fn with_typed(self, typed: String) -> Self {
        let typed = Some(typed).filter(|typed| !typed.trim().is_empty());
        Self { typed, ..self }
    }

    /// The same with an offer to do it by force.
    pub(super) fn with_force_offer(self, force_offer: Option<ForceOffer>) -> Self {
        Self { force_offer, ..self }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let frame = Frame::new(&self.web, &self.caller, self.project.as_deref());
        let page = failure::page(
            &frame,
            &self.failure,
            self.force_offer.as_ref(),
            self.typed.as_deref(),
        );
        (status(self.failure.code), Html(page.into_string())).into_response()
    }
}

/// A failure on its way to a program.
pub(super) struct ApiError(pub(super) Failure);

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let text = JsonText(document::failure(&self.0).to_line());
        (status(self.0.code), text).into_response()
    }
}

/// A refusal of the guard, before the caller is known.
pub(super) fn refusal(web: &Web, status: StatusCode, failure: Failure, program: bool) -> Response {
    if program {
        let mut response = ApiError(failure).into_response();
        *response.status_mut() = status;
        response
    } else {
        let frame = Frame::bare(web).asking_to_sign_in(status == StatusCode::UNAUTHORIZED);
        (
            status,
            Html(failure::page(&frame, &failure, None, None).into_string()),
        )
            .into_response()
    }
}

pub(super) const fn status(code: FailureCode) -> StatusCode {
    match code {
        FailureCode::Usage => StatusCode::BAD_REQUEST,
        FailureCode::NotFound => StatusCode::NOT_FOUND,
        FailureCode::NotAllowed => StatusCode::FORBIDDEN,
        FailureCode::Conflict => StatusCode::CONFLICT,
        FailureCode::Busy | FailureCode::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
        FailureCode::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        FailureCode::Failure | FailureCode::Findings => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
