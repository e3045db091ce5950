//! The filters of a board as one line of chips: what is filtered by, each with its way out, and a menu for more.
//!
//! Every chip is a link and the menu is a form, so that all of it works without scripts. Decides nothing about which
//! items pass.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use towline_api::types::ItemCard;
use towline_proto::{Kind, Status};

use super::board::Board;
use crate::query::BoardQuery;

/// Entries of the menus for labels, people and epics.
const SUGGESTIONS: usize = 200;
/// Characters of a value.
const VALUE_CHARS: usize = 40;

/// The search field of the page's head. What is typed filters at once where scripts run.
pub(super) fn search(board: &Board) -> Markup {
    let query = &board.query;
    html! {
        form.search role="search" method="get" action=(board.path()) aria-label="Filter the board" {
            (hidden(query, &["text", "show"]))
            label.sr for="filter" { "Filter by words in the title" }
            input id="filter" type="search" name="text" value=(query.text) placeholder="Filter by title" autocomplete="off";
        }
    }
}

/// The fields of the query that a form does not have itself.
fn hidden(query: &BoardQuery, but: &[&str]) -> Markup {
    html! {
        @for (name, value) in query.fields() {
            @if !but.contains(&name) && !value.trim().is_empty() { input type="hidden" name=(name) value=(value); }
        }
    }
}

pub(super) fn chips(board: &Board) -> Markup {
    let query = &board.query;
    let epic = |handle: &str| board.epic_title(handle).unwrap_or_else(|| format!("#{handle}"));
    let active = [
        ("kind", "Kind", query.kind.clone()),
        ("status", "Status", query.status.clone()),
        ("label", "Label", query.label.clone()),
        ("assignee", "Who", query.assignee.clone()),
        (
            "epic",
            "Epic",
            if query.epic.is_empty() {
                String::new()
            } else {
                epic(&query.epic)
            },
        ),
        ("text", "Title", query.text.clone()),
    ];
    html! {
        div.chips role="group" aria-label="Filters" {
            @for (name, title, value) in active {
                @if !value.trim().is_empty() {
                    a.chip href={ (board.path()) (query.with(&[(name, "")])) } {
                        span.sr { "Remove the filter " } span.what { (title) } " " (towline_proto::text::show(value.trim(), VALUE_CHARS))
                        span.x aria-hidden="true" { "×" }
                    }
                }
            }
            (more(board))
            @if query.is_filtered() { a.clear href=(board.unfiltered()) { "Clear" } }
        }
    }
}

/// The menu of what else to filter by.
fn more(board: &Board) -> Markup {
    let query = &board.query;
    let cards = board.cards();
    let labels: BTreeSet<_> = cards.iter().flat_map(|card| &card.labels).collect();
    let people: BTreeSet<_> = cards.iter().flat_map(people).collect();
    let epics: BTreeMap<_, _> = cards
        .iter()
        .filter_map(|card| card.epic.as_ref())
        .map(|epic| (&epic.handle, &epic.title))
        .collect();
    html! {
        details.more-filters {
            summary { "Filter" }
            form.filters method="get" action=(board.path()) aria-label="More filters" {
                (hidden(query, &["kind", "status", "label", "assignee", "epic", "show"]))
                label { span { "Kind" } select name="kind" {
                    option value="" { "any" }
                    @for kind in Kind::ALL { option value=(kind) selected[query.kind == kind.as_str()] { (kind) } }
                } }
                label { span { "Status" } select name="status" {
                    option value="" { "any" }
                    @for status in Status::ALL { option value=(status) selected[query.status == status.as_str()] { (towline_api::labels::status_label(*status)) } }
                } }
                (choice("Label", "label", &query.label, labels.into_iter().map(|label| (label.as_str(), label.clone()))))
                (choice("Who", "assignee", &query.assignee, people.into_iter().map(|name| (name.as_str(), name.clone()))))
                (choice("Epic", "epic", &query.epic, epics.into_iter().map(|(handle, title)| (handle.as_str(), format!("#{handle} {title}")))))
                button type="submit" { "Apply" }
            }
        }
    }
}

fn people(card: &ItemCard) -> impl Iterator<Item = &String> {
    let holder = card.claim.as_ref().map(|claim| &claim.holder);
    card.assignee.iter().chain(holder)
}

fn choice<'a>(title: &str, name: &str, chosen: &str, all: impl Iterator<Item = (&'a str, String)>) -> Markup {
    let shown: Vec<_> = all.take(SUGGESTIONS).collect();
    html! {
        label { span { (title) } select name=(name) {
            option value="" { "any" }
            @if !chosen.is_empty() && shown.iter().all(|(value, _)| *value != chosen) {
                option value=(chosen) selected { (chosen) }
            }
            @for (value, text) in &shown {
                option value=(value) selected[*value == chosen] { (towline_proto::text::show(text, VALUE_CHARS)) }
            }
        } }
    }
}
