//! The page of a request that was refused: what is wrong, what would be right, and for a conflict
//! the item as it stands now.

use maud::{Markup, html};

use super::Frame;
use super::parts::{badge, column_title, item_path, kind};
use crate::api::request::{Failure, FailureCode};
use crate::api::types::ItemCard;
use crate::web::query::escape;

/// A take-over that was refused and can be forced.
pub(in crate::web) struct ForceOffer {
    /// The current item.
    pub(in crate::web) card: Box<ItemCard>,
    /// Where to go afterwards.
    pub(in crate::web) back: String,
}

pub(in crate::web) fn page(frame: &Frame, failure: &Failure, force_offer: Option<&ForceOffer>) -> Markup {
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
            @if let (Some(force_offer), Some(project), Some(csrf)) = (force_offer, &frame.here, frame.csrf()) {
                (by_force(csrf, project, force_offer))
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

fn by_force(csrf: &str, project: &str, force_offer: &ForceOffer) -> Markup {
    let card = &force_offer.card;
    let holder = card
        .claim
        .as_ref()
        .map_or("nobody", |claim| claim.holder.as_str());
    html! {
        section.notice aria-labelledby="force" {
            h2 id="force" { "By force, as a last resort" }
            p { strong { (holder) } " may still be at work on #" (card.handle) ". What is handed in under the old claim"
                " is kept and does not count. Take it only if you know that the holder is gone or hangs." }
            form.say method="post" action={ (item_path(project, &card.id.to_string())) "/act" } {
                input type="hidden" name="csrf" value=(csrf);
                input type="hidden" name="expect" value=(card.revision);
                input type="hidden" name="back" value=(force_offer.back);
                input type="hidden" name="target" value="take-over";
                input type="hidden" name="force" value="yes";
                label for="why" { "Reason, which everybody will see" }
                input id="why" name="reason" required autocomplete="off";
                button type="submit" { "Take it over by force" }
            }
        }
    }
}
