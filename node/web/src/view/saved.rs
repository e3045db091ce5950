//! The views that a person has saved, beside the filters: each a link, with one form to save and to remove.
//!
//! Works without scripts. Shows the views of whoever is signed in and of nobody else.

use maud::{Markup, html};

use super::board::Board;

pub(super) fn saved(board: &Board) -> Markup {
    let here = board.query.with(&[("show", "")]);
    let known = board.saved.iter().find(|(_, query)| *query == here);
    html! {
        @if let Some(csrf) = &board.csrf {
            nav.saved aria-label="Saved views" {
                @for (name, query) in &board.saved {
                    a href={ (board.path()) (query) } aria-current=[(*query == here).then_some("true")] data-about="saved view" { (name) }
                }
                @if let Some((name, _)) = known {
                    form method="post" action={ (board.path()) "/views" } {
                        (fields(board, csrf))
                        input type="hidden" name="name" value=(name);
                        button.quiet type="submit" { "Remove this view" }
                    }
                } @else if !here.is_empty() {
                    details.more-filters {
                        summary { "Save view" }
                        form method="post" action={ (board.path()) "/views" } {
                            (fields(board, csrf))
                            input type="hidden" name="query" value=(here);
                            label { span { "Name" } input name="name" required maxlength="40" autocomplete="off"; }
                            button type="submit" { "Save" }
                        }
                    }
                }
            }
        }
    }
}

fn fields(board: &Board, csrf: &str) -> Markup {
    html! {
        input type="hidden" name="csrf" value=(csrf);
        input type="hidden" name="back" value=(board.here());
    }
}
