//! A card of the board: three quiet lines, of which the title is the loud one.
//!
//! The usual is not said: no badge for an active item, nothing for the usual priority. Every label, epic and person
//! is a link that filters. What can be done is in one attribute, for the one menu of the page.

use maud::{Markup, html};
use towline_api::labels::failure_label;
use towline_api::notice_text::notice_text;
use towline_api::types::ItemCard;
use towline_proto::{Status, Verb};

use super::board::Board;
use super::moves;
use super::parts::{self, badge, item_path, kind, priority, time};

/// Items that a card waits for by name.
const NAMED: usize = 3;
/// Items that a card waits for by their titles, for who points at it.
const TITLED: usize = 12;
/// Labels on a card.
const LABELS: usize = 2;
/// Characters of a name on a card.
const NAME_CHARS: usize = 24;

pub(super) fn card(board: &Board, card: &ItemCard) -> Markup {
    let path = item_path(&board.name, &card.handle);
    let signed_in = board.csrf.is_some();
    html! {
        article.card data-id=(card.id) data-handle=(card.handle) data-revision=(card.revision)
            data-column=(card.column) data-moves=[signed_in.then(|| moves::attribute(card))]
            draggable=[signed_in.then_some("true")] {
            p.meta {
                span.handle { "#" (card.handle) }
                (priority(card.priority))
                @if let Some(place) = board.queue.get(&card.id) {
                    span.queue title="Place in the merge queue" { span.sr { "queue place " } (place) (ordinal(*place)) }
                }
                (state(card, &path))
                span.age { (time(board.now, card.entered_at)) }
                @if signed_in && !card.deleted {
                    a.do href={ (path) "#actions" } draggable="false" aria-label={ "Actions for #" (card.handle) } { "⋯" }
                }
            }
            h3 { a.title href=(path) draggable="false" { (card.title) } }
            (reason(card))
            (facts(board, card))
            @if card.deleted && card.legal.contains(&Verb::Restore) && let Some(csrf) = &board.csrf {
                (restore(board, card, csrf))
            }
        }
    }
}

/// What is out of the ordinary: a hold, a conflict, something that needs attention.
pub(super) fn state(card: &ItemCard, path: &str) -> Markup {
    html! {
        @if card.conflicts > 0 {
            a.badge.conflict href={ (path) "#conflicts" } draggable="false"
                title={ (parts::plural(card.conflicts, "conflict")) ": concurrent changes that are not resolved yet" } {
                "‼ " (card.conflicts) span.sr { " in conflict" } }
        }
        @if !matches!(card.status, Status::Active | Status::Done) { (badge(card.status)) }
        @if !card.attention.is_empty() {
            span.badge.attention title=(card.attention.iter().map(notice_text).collect::<Vec<_>>().join("; ")) { "attention" }
        }
    }
}

fn reason(card: &ItemCard) -> Markup {
    html! {
        @if let Some(blocked) = card.holds.blocked.as_ref() { p.reason title=(blocked.reason) { (excerpt(&blocked.reason)) } }
        @if let Some(failure) = card.holds.failure.as_ref() {
            p.reason title=(failure.detail) { (failure_label(failure.kind)) ": " (excerpt(&failure.detail)) }
        }
    }
}

fn facts(board: &Board, card: &ItemCard) -> Markup {
    html! {
        ul.facts aria-label="About this item" {
            li title=(card.kind) { (kind(card.kind)) }
            @for label in card.labels.iter().take(LABELS) { li { (label_link(board, label)) } }
            @if card.labels.len() > LABELS {
                li title=(card.labels.join(", ")) { "+" (card.labels.len() - LABELS) span.sr { " more labels" } }
            }
            @if let Some(epic) = &card.epic {
                li.in { a href=(board.filtered("epic", &epic.handle)) draggable="false" title={ "Epic #" (epic.handle) " " (epic.title) } {
                    svg aria-hidden="true" { use href="#g-epic" {} }
                    span.sr { "Epic " } span { (towline_proto::text::show(if epic.title.is_empty() { &epic.handle } else { &epic.title }, NAME_CHARS)) }
                } }
            }
            @if card.unmet > 0 { (waits(card)) }
            @if card.retries > 0 { li { "sent back " (parts::plural(card.retries as usize, "time")) } }
            @if card.criteria > 0 { li title={ (card.criteria_met) " of " (card.criteria) " criteria are met" } {
                "☑ " (card.criteria_met) "/" (card.criteria) span.sr { " criteria" } } }
            @if let Some((done, all)) = card.progress { li { (done) "/" (all) " done" } }
            @if card.comments > 0 { li title=(parts::plural(card.comments as usize, "comment")) {
                "❝ " (card.comments) span.sr { " comments" } } }
            @if card.skewed { li { (parts::clock_ahead(true)) } }
            (person(board, card))
        }
    }
}

pub(super) fn label_link(board: &Board, label: &str) -> Markup {
    html! {
        a.label href=(board.filtered("label", label)) draggable="false" {
            span { (towline_proto::text::show(label, NAME_CHARS)) }
        }
    }
}

/// Who works on it, or is to: initials in a ring, filled while somebody holds the claim. A name alone does not tell
/// whether it is an agent's.
pub(super) fn person(board: &Board, card: &ItemCard) -> Markup {
    let claimed = card.claim.as_ref().map(|claim| ("Claimed by", &claim.holder));
    let shown = claimed.or_else(|| card.assignee.as_ref().map(|name| ("Assigned to", name)));
    html! {
        @if let Some((role, name)) = shown {
            li.who { a class=(if card.claim.is_some() { "face busy" } else { "face" }) draggable="false"
                href=(board.filtered("assignee", name)) title={ (role) " " (name) } {
                span.sr { (role) " " (towline_proto::text::show(name, NAME_CHARS)) }
                span aria-hidden="true" { (initials(name)) }
            } }
        }
    }
}

/// Two letters for a name: the first of its first two words, or its first two.
fn initials(name: &str) -> String {
    let words: Vec<_> = name
        .split(|at: char| !at.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let letters: String = match words.as_slice() {
        [] => "?".to_owned(),
        [one] => one.chars().take(2).collect(),
        [first, second, ..] => first.chars().take(1).chain(second.chars().take(1)).collect(),
    };
    letters.to_uppercase()
}

/// What it waits for by its handles, of which a long list is cut.
fn waits(card: &ItemCard) -> Markup {
    let open = || card.depends_on.iter().filter(|link| !link.satisfied);
    let handles: Vec<_> = open().take(NAMED).map(|link| link.handle.as_str()).collect();
    let titles: Vec<_> = open()
        .take(TITLED)
        .map(|link| format!("{} {}", link.handle, link.title))
        .collect();
    let more = card.unmet.saturating_sub(handles.len());
    html! {
        li.wait title=(titles.join("; ")) {
            "waits for " (handles.join(", ")) @if more > 0 { " +" (more) " more" }
        }
    }
}

/// The way back out of the trash.
fn restore(board: &Board, card: &ItemCard, csrf: &str) -> Markup {
    html! {
        form method="post" action={ (item_path(&board.name, &card.id.to_string())) "/act" } {
            input type="hidden" name="csrf" value=(csrf);
            input type="hidden" name="expect" value=(card.revision);
            input type="hidden" name="back" value=(board.here());
            button type="submit" name="target" value=(Verb::Restore) { "Restore" span.sr { " #" (card.handle) } }
        }
    }
}

fn excerpt(text: &str) -> String {
    towline_proto::text::show(text, 140)
}

const fn ordinal(place: usize) -> &'static str {
    match (place % 100, place % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

#[cfg(test)]
mod tests {
    use super::initials;

    #[test]
    fn a_name_has_two_letters() {
        assert_eq!(initials("ann"), "AN");
        assert_eq!(initials("Mary Ann Jones"), "MA");
        assert_eq!(initials("coder-2"), "C2");
        assert_eq!(initials("é"), "É");
        assert_eq!(initials("<>"), "?");
    }
}
