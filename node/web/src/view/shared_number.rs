//! The page of a number that several items share, with links to all of them.
//!
//! Two disconnected nodes may give out the same number.

use maud::{Markup, html};
use towline_api::types::ItemPage;
use towline_proto::Millis;

use super::Frame;
use super::parts::{badge, column_title, item_path, kind, time};
use crate::query::escape;

pub(crate) fn page(frame: &Frame, project: &str, pages: &[ItemPage], now: Millis) -> Markup {
    let main = html! {
        p.crumbs { a href={ "/p/" (escape(project)) } { "← " (project) } }
        (fragment(project, pages, now))
    };
    frame.page("Which item?", main)
}

/// The items, in the order of their handles.
pub(crate) fn fragment(project: &str, pages: &[ItemPage], now: Millis) -> Markup {
    html! {
        h1 { "Which item?" }
        p.shared {
            (pages.len()) " items share "
            @if let Some(first) = pages.first() { "the number " code { (first.card.number) } } @else { "this number" }
            ", because they were created at the same time on different nodes. Each has its own letter."
        }
        ul.found { @for page in pages { @let card = &page.card;
            li {
                span.handle { "#" (card.handle) } (kind(card.kind))
                a.title href=(item_path(project, &card.handle)) { (card.title) }
                (badge(card.status))
                span.when { (column_title(card.column)) ", created by " (card.origin) ", " (time(now, card.created_at)) }
            }
        } }
    }
}
