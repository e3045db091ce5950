//! The page of a number that several items share: all of them, to choose from.
//!
//! Two nodes that did not know of each other may give one number. Nothing here chooses for anybody.

use maud::{Markup, html};
use towline_proto::Millis;

use super::Frame;
use super::parts::{badge, column_title, item_path, kind, time};
use crate::api::types::ItemPage;
use crate::web::query::escape;

pub(in crate::web) fn page(frame: &Frame, project: &str, pages: &[ItemPage], now: Millis) -> Markup {
    let main = html! {
        p.crumbs { a href={ "/p/" (escape(project)) } { "← " (project) } }
        (fragment(project, pages, now))
    };
    frame.page("Which one?", main)
}

/// The items, in the order of their handles.
pub(in crate::web) fn fragment(project: &str, pages: &[ItemPage], now: Millis) -> Markup {
    html! {
        h1 { "Which one?" }
        p.shared {
            @if let Some(first) = pages.first() { code { (first.card.number) } " is the number of " }
            (pages.len()) " items that were made apart. Each has a letter of its own."
        }
        ul.found { @for page in pages { @let card = &page.card;
            li {
                span.handle { "#" (card.handle) } (kind(card.kind))
                a.title href=(item_path(project, &card.handle)) { (card.title) }
                (badge(card.status))
                span.when { (column_title(card.column)) ", asked for by " (card.origin) ", " (time(now, card.created_at)) }
            }
        } }
    }
}
