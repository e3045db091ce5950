//! The board as a list: rows that are sorted and grouped, and one form for what is done to several of them.
//!
//! The order and the groups live in the address. The form works without scripts; each row carries the revision that
//! the page showed, and a row that has changed since is refused by itself.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use maud::{Markup, html};
use towline_api::types::ItemCard;
use towline_proto::{Column, Verb};

use super::board::Board;
use super::card::{label_link, person, state};
use super::moves::{self, verb_label};
use super::parts::{column_title, item_path, kind, priority, time};
use crate::query::{Group, Sort};

/// Rows that a list shows unless asked for all.
const ROWS: usize = 300;
/// Labels of a row.
const LABELS: usize = 4;
/// Characters of the title of an epic.
const EPIC_CHARS: usize = 32;

/// Rows under one heading.
struct Rows<'a> {
    title: String,
    cards: Vec<&'a ItemCard>,
}

fn groups(board: &Board) -> Vec<Rows<'_>> {
    let mut cards: Vec<_> = board.listed().collect();
    match board.query.sort() {
        Sort::Order => {}
        Sort::Number => cards.sort_by_key(|card| Reverse(card.number)),
        Sort::Title => cards.sort_by_cached_key(|card| card.title.to_lowercase()),
        Sort::Priority => cards.sort_by_key(|card| card.priority),
        Sort::Who => cards.sort_by_cached_key(|card| (who(card).is_none(), who(card).cloned())),
        Sort::Age => cards.sort_by_key(|card| card.entered_at),
        Sort::Updated => cards.sort_by_key(|card| Reverse(card.updated_at)),
    }
    // What has no value comes last, under a heading of its own.
    let mut grouped: BTreeMap<(bool, usize, String), Vec<&ItemCard>> = BTreeMap::new();
    for card in cards {
        let named = |name: Option<String>, none: &str| {
            vec![(name.is_none(), 0, name.unwrap_or_else(|| none.to_owned()))]
        };
        let keys = match board.query.group() {
            Group::Nothing => vec![(false, 0, String::new())],
            Group::Column => {
                let place = Column::ALL.iter().position(|column| *column == card.column);
                vec![(
                    false,
                    place.unwrap_or_default(),
                    column_title(card.column).to_owned(),
                )]
            }
            Group::Epic => {
                let epic = card.epic.as_ref();
                named(
                    epic.map(|epic| format!("#{} {}", epic.handle, epic.title)),
                    "No epic",
                )
            }
            Group::Who => named(who(card).cloned(), "Nobody"),
            Group::Label if card.labels.is_empty() => named(None, "No label"),
            // An item with several labels stands under each of them.
            Group::Label => card
                .labels
                .iter()
                .map(|label| (false, 0, label.clone()))
                .collect(),
        };
        for key in keys {
            grouped.entry(key).or_default().push(card);
        }
    }
    let rows = |((_, _, title), cards)| Rows { title, cards };
    grouped.into_iter().map(rows).collect()
}

fn who(card: &ItemCard) -> Option<&String> {
    card.claim
        .as_ref()
        .map(|claim| &claim.holder)
        .or(card.assignee.as_ref())
}

pub(super) fn list(board: &Board) -> Markup {
    let groups = groups(board);
    let all: usize = groups.iter().map(|group| group.cards.len()).sum();
    let most = if board.query.show == "list" {
        usize::MAX
    } else {
        ROWS
    };
    let mut left = most;
    let groups = groups.into_iter().map(|group| {
        let shown = group.cards.len().min(left);
        left -= shown;
        (group, shown)
    });
    let table = html! {
        table.list {
            caption.sr { "Items of " (board.name) }
            (head(board))
            @for (group, shown) in groups {
                @if shown > 0 {
                    tbody {
                        @if !group.title.is_empty() {
                            tr.group { th colspan="9" scope="rowgroup" { (group.title) " " span.count { (group.cards.len()) } } }
                        }
                        @for card in group.cards.iter().take(shown) { (row(board, card)) }
                    }
                }
            }
        }
        @if all > most {
            p.more { "and " (all - most) " more · "
                a href={ (board.path()) (board.query.with(&[("show", "list")])) } { "Show all" }
            }
        }
    };
    html! {
        (arrangement(board))
        @if all == 0 {
            p.empty { "No items here." }
        } @else if let Some(csrf) = &board.csrf {
            form.many method="post" action={ (board.path()) "/many" } {
                input type="hidden" name="csrf" value=(csrf);
                input type="hidden" name="back" value=(board.here());
                div.acts role="group" aria-label="What to do with the selected items" { (acts("", "")) }
                (table)
            }
        } @else { (table) }
    }
}

/// How the list is grouped and sorted, as links.
fn arrangement(board: &Board) -> Markup {
    let to = |field: &str, value: &str| format!("{}{}", board.path(), board.query.with(&[(field, value)]));
    html! {
        p.arrange {
            span { "Group by" }
            @for group in Group::ALL {
                a href=(to("group", group.as_str())) aria-current=[(board.query.group() == *group).then_some("true")] { (group.title()) }
            }
            span { "Sort by" }
            @for sort in Sort::ALL {
                a href=(to("sort", sort.as_str())) aria-current=[(board.query.sort() == *sort).then_some("true")] { (sort.title()) }
            }
        }
    }
}

fn head(board: &Board) -> Markup {
    html! {
        thead { tr {
            @if board.csrf.is_some() { td.pick { label { input.every type="checkbox" aria-label="Select all"; } } }
            th.number scope="col" { "Item" }
            th.what scope="col" { "Title" }
            th.kinds scope="col" { "Kind" }
            th.where scope="col" { "Column" }
            th.tags scope="col" { "Labels" }
            th.epics scope="col" { "Epic" }
            th.people scope="col" { "Who" }
            th.since scope="col" { "Age" }
        } }
    }
}

fn row(board: &Board, card: &ItemCard) -> Markup {
    let path = item_path(&board.name, &card.handle);
    let signed_in = board.csrf.is_some();
    html! {
        tr data-id=(card.id) data-handle=(card.handle) data-revision=(card.revision) data-column=(card.column)
            data-moves=[signed_in.then(|| moves::attribute(card))] {
            @if signed_in {
                td.pick { label { input type="checkbox" name="item" value={ (card.id) " " (card.revision) } aria-label={ "Select #" (card.handle) }; } }
            }
            td.number { span.handle { "#" (card.handle) } " " (priority(card.priority)) }
            th.what scope="row" { a.title href=(path) { (card.title) } " " (state(card, &path)) }
            td.kinds { (kind(card.kind)) }
            td.where { (column_title(card.column)) }
            td.tags { @for label in card.labels.iter().take(LABELS) { (label_link(board, label)) " " } }
            td.epics { @if let Some(epic) = &card.epic {
                a href=(board.filtered("epic", &epic.handle)) title={ "#" (epic.handle) " " (epic.title) } {
                    (towline_proto::text::show(if epic.title.is_empty() { &epic.handle } else { &epic.title }, EPIC_CHARS))
                }
            } }
            td.people { ul { (person(board, card)) } }
            td.since { (time(board.now, card.entered_at)) }
        }
    }
}

/// What can be done to several items at once, with the text that some of it takes.
pub(super) fn acts(target: &str, text: &str) -> Markup {
    const STEPS: &[Verb] = &[
        Verb::Triage,
        Verb::Start,
        Verb::Submit,
        Verb::PassQa,
        Verb::Approve,
        Verb::RequestChanges,
        Verb::Merged,
        Verb::Reopen,
        Verb::Archive,
    ];
    const HOLDS: &[Verb] = &[
        Verb::Block,
        Verb::Unblock,
        Verb::Freeze,
        Verb::Unfreeze,
        Verb::Claim,
        Verb::Release,
    ];
    const ENDS: &[Verb] = &[Verb::Abandon, Verb::Reject, Verb::Delete, Verb::Restore];
    let verbs = |title: &str, verbs: &[Verb]| {
        html! {
            optgroup label=(title) {
                @for verb in verbs {
                    option value=(verb) selected[verb.as_str() == target] {
                        (verb_label(*verb)) @if verb.rule().reason { " (takes a reason)" }
                    }
                }
            }
        }
    };
    html! {
        label { span.sr { "Action" } select name="target" required {
            option value="" { "Choose an action" }
            (verbs("Next step", STEPS))
            optgroup label="Fields" {
                option value="assign" selected[target == "assign"] { "Assign to (takes a name, empty for nobody)" }
                option value="label" selected[target == "label"] { "Add a label" }
                option value="unlabel" selected[target == "unlabel"] { "Remove a label" }
                @for priority in ["0", "1", "2", "3", "4"] {
                    @let value = format!("priority:{priority}");
                    option value=(value) selected[value == target] { "Priority " (priority) }
                }
            }
            optgroup label="Skip the rules (takes a reason)" {
                @for column in Column::ALL.iter().filter(|column| column.is_open()) {
                    @let value = format!("move:{column}");
                    option value=(value) selected[value == target] { "Move to " (column_title(*column)) }
                }
            }
            (verbs("Holds and claims", HOLDS))
            (verbs("Close", ENDS))
        } }
        label { span.sr { "Reason, name or label" } input name="text" value=(text) placeholder="Reason, name or label" autocomplete="off"; }
        button.primary type="submit" { "Apply" }
    }
}
