//! The lists of an item page: criteria, dependencies and links, with the forms that add to them and remove from them.
//!
//! Pure functions from plain values to markup.

use maud::{Markup, html};
use towline_api::types::{ItemCard, ItemPage};
use towline_proto::{CriterionState, Field, LinkKind};

use super::Frame;
use super::edit::{self, Draft};
use super::parts::{dependency_state, item_link, item_path};
use crate::query::escape;

pub(super) fn criteria(frame: &Frame, project: &str, page: &ItemPage) -> Markup {
    let card = &page.card;
    let csrf = frame.csrf().filter(|_| !card.deleted);
    html! {
        @if !page.criteria_list.is_empty() || csrf.is_some() {
            section aria-labelledby="criteria" {
                h2 id="criteria" { "Criteria " span.count { (card.criteria_met) "/" (card.criteria) } }
                ol.criteria { @for (criterion, place) in page.criteria_list.iter().zip(1..) {
                    li class={ "cr-" (criterion.state) } {
                        span.state { (mark(criterion.state)) " " (criterion.state) } " " span { (criterion.text) }
                        @if !criterion.evidence.is_empty() {
                            ul.evidence aria-label="Evidence" { @for proof in &criterion.evidence { li { (reference(proof)) } } }
                        }
                        @if let Some(csrf) = csrf {
                            (judge(csrf, project, card, &Draft::judging(place, criterion.id, criterion.state)))
                        }
                    }
                } }
                @if let Some(csrf) = csrf { (add_to(csrf, project, page, Field::Criteria, "Add a criterion")) }
            }
        }
    }
}

/// One press for the usual judgement of a criterion, and a form for every other.
fn judge(csrf: &str, project: &str, card: &ItemCard, draft: &Draft) -> Markup {
    let is_met = draft.base == CriterionState::Met.as_str();
    let (to, word) = match is_met {
        true => (CriterionState::Open, "Mark as open"),
        false => (CriterionState::Met, "Mark as met"),
    };
    let place = draft.judged.as_ref().map_or(0, |judged| judged.place);
    html! {
        div.judge {
            (edit::press(csrf, project, card, draft, html! {
                button type="submit" name="value" value=(to) { (word) span.sr { ": criterion " (place) } }
            }))
            details.edit {
                summary { "State and evidence…" span.sr { " of criterion " (place) } }
                (edit::form(csrf, project, card, draft, "Save"))
            }
        }
    }
}

/// The form that adds to a list.
pub(super) fn add_to(csrf: &str, project: &str, page: &ItemPage, field: Field, words: &str) -> Markup {
    html! {
        details.edit { summary { (words) }
            (edit::form(csrf, project, &page.card, &Draft::of(field, page), "Add"))
        }
    }
}

const fn mark(state: CriterionState) -> &'static str {
    match state {
        CriterionState::Open => "○",
        CriterionState::Met => "✓",
        CriterionState::Failed => "✗",
        CriterionState::Skipped => "–",
    }
}

/// A link where it is one that a browser may follow, else text.
fn reference(target: &str) -> Markup {
    html! {
        @if target.starts_with("https://") || target.starts_with("http://") {
            a href=(target) rel="noopener noreferrer nofollow" { (target) }
        } @else { code { (target) } }
    }
}

pub(super) fn relations(frame: &Frame, project: &str, page: &ItemPage) -> Markup {
    let csrf = frame.csrf().filter(|_| !page.card.deleted);
    let groups = [
        ("Depends on", "depends", &page.card.depends_on),
        ("Needed by", "needed", &page.dependants),
        ("Items of this epic", "children", &page.children),
    ];
    html! {
        @for (title, id, links) in groups {
            @let may_add = id == "depends" && csrf.is_some();
            @if !links.is_empty() || may_add {
                section aria-labelledby=(id) {
                    h2 id=(id) { (title) }
                    ul.refs { @for link in links { li {
                        @if id == "depends" {
                            (dependency_state(link)) " "
                        }
                        (item_link(project, link))
                        @if let Some(csrf) = csrf.filter(|_| id == "depends") {
                            (remove(csrf, project, page, Field::DependsOn, &link.id.to_string(), &link.handle))
                        }
                    } } }
                    @if let Some(csrf) = csrf.filter(|_| id == "depends") {
                        (add_to(csrf, project, page, Field::DependsOn, "Add a dependency"))
                    }
                    @if id == "children" && csrf.is_some() {
                        p { a.button href={ "/p/" (escape(project)) "/new?epic=" (page.card.handle) } { "New item in this epic" } }
                    }
                }
            }
        }
        @if !page.links.is_empty() {
            section aria-labelledby="links" {
                h2 id="links" { "Links" }
                ul.refs { @for link in &page.links { li {
                    @if page.known_as.contains(&link.target) {
                        span.state { "known as" } " "
                    } @else { span.state { (link.kind) } " " }
                    @if link.kind == LinkKind::Related {
                        @if let Some(other) = page.related.iter().find(|other| other.id.to_string() == link.target) {
                            (item_link(project, other))
                        } @else { a href=(item_path(project, &link.target)) { (link.target) } }
                    } @else { (reference(&link.target)) }
                } } }
            }
        }
    }
}

/// The button that removes a value from a list.
pub(super) fn remove(
    csrf: &str,
    project: &str,
    page: &ItemPage,
    field: Field,
    value: &str,
    shown: &str,
) -> Markup {
    edit::press(
        csrf,
        project,
        &page.card,
        &Draft::of(field, page),
        html! {
            button.quiet type="submit" name="remove" value=(value) title={ "Remove " (shown) } {
                span aria-hidden="true" { "×" } span.sr { "Remove " (shown) }
            }
        },
    )
}
