//! The page that says which of several items could not be changed, and why. What was chosen and typed stays in its
//! form.

use maud::{Markup, html};
use towline_api::request::Failure;

use super::Frame;
use super::list::acts;
use super::parts::plural;
use crate::query::escape;

/// An action on several items, of which some were refused.
pub(crate) struct Refused {
    /// What was asked for.
    pub(crate) target: String,
    /// The reason, name or label.
    pub(crate) text: String,
    /// Where to go afterwards.
    pub(crate) back: String,
    /// How many were changed.
    pub(crate) done: usize,
    /// Each item that was not, by its id, and why.
    pub(crate) failures: Vec<(String, Failure)>,
}

pub(crate) fn page(frame: &Frame, csrf: &str, project: &str, refused: &Refused) -> Markup {
    let main = html! {
        section.failure {
            h1 { (plural(refused.failures.len(), "item")) " not changed" }
            @if refused.done > 0 { p { (plural(refused.done, "item")) " changed." } }
            form.many method="post" action={ "/p/" (escape(project)) "/many" } {
                input type="hidden" name="csrf" value=(csrf);
                input type="hidden" name="back" value=(refused.back);
                ul.refused {
                    @for (item, failure) in &refused.failures {
                        li {
                            @if let Some(card) = &failure.current {
                                label { input type="checkbox" name="item" value={ (card.id) " " (card.revision) } checked;
                                    " #" (card.handle) " " (card.title) }
                            } @else {
                                label { input type="checkbox" name="item" value=(item) checked; " " (item) }
                            }
                            p.why { (failure.message) }
                        }
                    }
                }
                div.acts role="group" aria-label="Try again" { (acts(&refused.target, &refused.text)) }
            }
            p { a.button href=(refused.back) { "Back to the list" } }
        }
    };
    frame.page("Not changed", main)
}
