//! The page of a request that was refused: what is wrong, what would be right, and for a conflict
//! the item as it stands now.

use maud::{Markup, html};

use super::Frame;
use super::parts::{badge, column_title, item_path, kind};
use crate::request::{Failure, FailureCode};
use crate::web::query::escape;

pub(in crate::web) fn page(frame: &Frame, failure: &Failure) -> Markup {
    let title = match failure.code {
        FailureCode::Usage => "That was not understood",
        FailureCode::NotFound => "Not here",
        FailureCode::NotAllowed => "Not allowed",
        FailureCode::Conflict => "The item has changed, or does not allow that",
        FailureCode::Busy | FailureCode::Unreachable => "The project cannot be reached now",
        FailureCode::TimedOut => "The project did not answer in time",
        FailureCode::Failure | FailureCode::Findings => "Something went wrong",
    };
    let main = html! {
        section.failure {
            h1 { (title) }
            p.why { (failure.message) }
            p { "Nothing was written." }
            @if let (Some(card), Some(project)) = (&failure.current, &frame.here) {
                h2 { "As it stands now" }
                article.card {
                    p.meta { span.handle { "#" (card.handle) } " " (kind(card.kind)) " " (badge(card.status)) }
                    h3 { a href=(item_path(project, &card.id.to_string())) { (card.title) } }
                    p { "In " strong { (column_title(card.column)) } }
                    @if let Some(claim) = &card.claim { p { "Claimed by " (claim.holder) } }
                    @if !card.legal.is_empty() {
                        p { "Legal from here: " @for (index, verb) in card.legal.iter().enumerate() {
                            @if index > 0 { ", " } code { (verb) }
                        } }
                    }
                }
            }
            p {
                @if let Some(project) = &frame.here {
                    a.button href={ "/p/" (escape(project)) } { "Back to the board" }
                } @else {
                    a.button href="/" { "Back to the start" }
                }
            }
        }
    };
    frame.page(title, main)
}
