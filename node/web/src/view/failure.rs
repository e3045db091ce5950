//! The page of a request that failed: what is wrong, how to fix it, and for a conflict the current state of the
//! item.

use maud::{Markup, html};
use towline_api::request::{Failure, FailureCode};
use towline_api::types::ItemCard;

use super::Frame;
use super::conflicts::coded;
use super::parts::{badge, column_title, item_path, kind};
use crate::query::escape;

/// The offer to force a take-over that was refused.
pub(crate) struct ForceOffer {
    /// The current item.
    pub(crate) card: Box<ItemCard>,
    /// Where to go afterwards.
    pub(crate) back: String,
}

pub(crate) fn page(
    frame: &Frame,
    failure: &Failure,
    force_offer: Option<&ForceOffer>,
    typed: Option<&str>,
) -> Markup {
    let title = match failure.code {
        FailureCode::Usage => "Invalid request",
        FailureCode::NotFound => "Not found",
        FailureCode::NotAllowed if frame.sign_in => "Sign in first",
        FailureCode::NotAllowed => "Not allowed",
        FailureCode::Conflict => "The item changed, or this action is not possible",
        FailureCode::Busy | FailureCode::Unreachable => "The project is not available",
        FailureCode::TimedOut => "The project did not answer in time",
        FailureCode::Failure | FailureCode::Findings => "Something went wrong",
    };
    let main = html! {
        section.failure {
            h1 { (title) }
            p.why { (coded(&failure.message)) }
            @if failure.code == FailureCode::NotAllowed && frame.sign_in { (how_to_sign_in()) }
            @if failure.code == FailureCode::NotFound {
                p { "It may have been moved or renamed. Search for it with the field at the top of the page." }
            }
            @if failure.retry { p { "Nothing is lost: go back and try again in a moment." } }
            @if let (Some(card), Some(project)) = (&failure.current, &frame.here) {
                h2 { "Current state" }
                article.card {
                    p.meta { span.handle { "#" (card.handle) } " " (kind(card.kind)) " " (badge(card.status)) }
                    h3 { a href=(item_path(project, &card.id.to_string())) { (card.title) } }
                    p { "In " strong { (column_title(card.column)) } }
                    @if let Some(claim) = &card.claim { p { "Claimed by " (claim.holder) } }
                    @if !card.legal.is_empty() {
                        p { "Possible now: " @for (index, verb) in card.legal.iter().enumerate() {
                            @if index > 0 { ", " } code { (verb) }
                        } }
                    }
                }
            }
            @if let (Some(force_offer), Some(project), Some(csrf)) = (force_offer, &frame.here, frame.csrf()) {
                (by_force(csrf, project, force_offer))
            }
            @if let Some(typed) = typed {
                div.typed {
                    label for="typed" { "What you typed was not saved. Copy it before you leave this page:" }
                    textarea id="typed" rows="8" readonly { "\n" (typed) }
                }
            }
            p {
                @if let Some(project) = &frame.here {
                    a.button href={ "/p/" (escape(project)) } { "Back to the board" }
                } @else {
                    a.button href="/" { "Back to the start page" }
                }
            }
        }
    };
    frame.page(title, main)
}

fn how_to_sign_in() -> Markup {
    html! {
        section.notice aria-labelledby="sign-in" {
            h2 id="sign-in" { "How to sign in" }
            ol.steps {
                li { "On the machine of the node, in the folder of the project, run " code { "towline open" } "." }
                li { "Open the link that it prints, in this browser. It works once, for ten minutes." }
            }
            p { "You stay signed in for 30 days, also when the node restarts." }
        }
    }
}

fn by_force(csrf: &str, project: &str, force_offer: &ForceOffer) -> Markup {
    let card = &force_offer.card;
    let holder = card
        .claim
        .as_ref()
        .map_or("nobody", |claim| claim.holder.as_str());
    html! {
        section.notice aria-labelledby="force" {
            h2 id="force" { "Take over by force" }
            p { strong { (holder) } " may still be working on #" (card.handle) ". Work that is submitted under the old claim"
                " is kept but has no effect. Take over only if you know that the holder is gone or hangs." }
            form.say method="post" action={ (item_path(project, &card.id.to_string())) "/act" } {
                input type="hidden" name="csrf" value=(csrf);
                input type="hidden" name="expect" value=(card.revision);
                input type="hidden" name="back" value=(force_offer.back);
                input type="hidden" name="target" value="take-over";
                input type="hidden" name="force" value="yes";
                label for="why" { "Reason (visible to everyone)" }
                input id="why" name="reason" required autocomplete="off";
                button type="submit" { "Take over by force" }
            }
        }
    }
}
