//! One project's board: columns of cards, the filters, and the tabs that phones see.
//!
//! A column shows a bounded number of cards, so that a board of thousands stays fast; the rest is a
//! link away.

use std::collections::{BTreeSet, HashMap};

use maud::{Markup, html};
use towline_api::labels::failure_label;
use towline_api::notice_text::notice_text;
use towline_api::types::{ItemCard, ProjectStatus};
use towline_engine::handle::ProjectLink;
use towline_proto::{Column, ItemId, Kind, Millis, Status, Verb};

use super::actions::{options, targets};
use super::parts::{badge, column_title, item_path, kind, priority, time};
use super::{Frame, parts};
use crate::query::{BoardQuery, Tab, escape};

/// Cards that a column shows unless asked for all.
const COLUMN_CARDS: usize = 200;
/// Cards that the done column shows: people look for what was done lately.
const DONE_CARDS: usize = 50;
/// Items that a card waits for by name.
const NAMED: usize = 3;
/// Items that a card waits for by their titles, for who points at it.
const TITLED: usize = 12;
/// Characters of a name on a card.
const NAME_CHARS: usize = 32;
/// Suggestions of the label and assignee filters.
const SUGGESTIONS: usize = 200;

/// The content of a board page.
pub(crate) struct Board {
    pub(crate) name: String,
    project: String,
    position: u64,
    status: ProjectStatus,
    cards: Vec<ItemCard>,
    queue: HashMap<ItemId, usize>,
    query: BoardQuery,
    csrf: Option<String>,
    now: Millis,
}

impl Board {
    /// `queue` is the merge column without any filter, in its order.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        link: &ProjectLink,
        position: u64,
        status: ProjectStatus,
        mut cards: Vec<ItemCard>,
        queue: &[ItemCard],
        query: BoardQuery,
        csrf: Option<String>,
        now: Millis,
    ) -> Self {
        // What ended last is looked for first. Other columns keep the order of the project.
        cards.sort_by_key(|card| match card.column {
            Column::Done | Column::Archived | Column::Closed => std::cmp::Reverse(card.entered_at),
            _ => std::cmp::Reverse(Millis(0)),
        });
        let waiting = queue
            .iter()
            .filter(|card| card.column == Column::Merge && card.holds.is_empty());
        Self {
            name: link.name.clone(),
            project: link.id.to_string(),
            position,
            status,
            queue: waiting.zip(1..).map(|(card, place)| (card.id, place)).collect(),
            cards,
            query,
            csrf,
            now,
        }
    }

    fn path(&self) -> String {
        format!("/p/{}", escape(&self.name))
    }

    fn here(&self) -> String {
        format!("{}{}", self.path(), self.query.with(&[]))
    }

    fn count(&self, tab: Tab) -> usize {
        let of_tab = |column: Column| Tab::of(column) == tab;
        // Only a filter makes the project's own counts wrong, and it is known for what is listed alone.
        if self.query.is_filtered() && tab.is_listed_with(self.query.tab()) {
            let shown = |card: &&ItemCard| tab == Tab::Trash || of_tab(card.column);
            return self.cards.iter().filter(shown).count();
        }
        if tab == Tab::Trash {
            return self.status.deleted;
        }
        let counts = self.status.columns.iter().filter(|(column, _)| of_tab(*column));
        counts.map(|(_, count)| count).sum()
    }
}

pub(crate) fn page(frame: &Frame, board: &Board) -> Markup {
    let main = html! {
        div.board-head {
            h1 { (board.name) }
            (filters(board))
        }
        div id="live" data-live={ (board.path()) "/fragment" (board.query.with(&[])) }
            data-project=(board.project) data-position=(board.position) {
            (fragment(board))
        }
    };
    frame.page(&board.name, main)
}

/// What changes when items change.
pub(crate) fn fragment(board: &Board) -> Markup {
    let tab = board.query.tab();
    html! {
        (tabs(board))
        @if board.cards.is_empty() && board.query.is_filtered() {
            p.empty { "No items match this filter. " a href=(board.path()) { "Show everything" } }
        }
        div.board data-tab=(tab.as_str()) data-path=(board.path()) {
            @if tab == Tab::Trash {
                (trash(board))
            } @else if tab == Tab::Archived {
                (column(board, Column::Archived, &[Column::Archived]))
                (column(board, Column::Closed, &[Column::Closed]))
            } @else {
                (column(board, Column::Backlog, &[Column::Backlog, Column::Upcoming]))
                (column(board, Column::Coding, &[Column::Coding]))
                (column(board, Column::Qa, &[Column::Qa]))
                (column(board, Column::Merge, &[Column::Merge]))
                (column(board, Column::Done, &[Column::Done]))
            }
        }
    }
}

fn tabs(board: &Board) -> Markup {
    let now = board.query.tab();
    html! {
        nav.tabs aria-label="Parts of the board" {
            a.whole href={ (board.path()) (board.query.with(&[("tab", ""), ("show", "")])) }
                aria-current=[now.is_listed_with(Tab::Backlog).then_some("page")] { "Board" }
            @for tab in Tab::ALL {
                a class={ "part t-" (tab.as_str()) }
                    href={ (board.path()) (board.query.with(&[("tab", tab.as_str()), ("show", "")])) }
                    aria-current=[(tab == now).then_some("page")] {
                    (tab.title()) " " span.count { (board.count(tab)) }
                }
            }
            span.tally {
                @if board.status.held > 0 { span { (board.status.held) " on hold" } }
                @if board.status.conflicts > 0 {
                    a.warn href={ (board.path()) "/conflicts" } { (board.status.conflicts) " in conflict" }
                }
            }
        }
    }
}

fn filters(board: &Board) -> Markup {
    let query = &board.query;
    let labels: BTreeSet<_> = board.cards.iter().flat_map(|card| &card.labels).collect();
    let holders = board
        .cards
        .iter()
        .filter_map(|card| card.claim.as_ref().map(|claim| &claim.holder));
    let people: BTreeSet<_> = board
        .cards
        .iter()
        .filter_map(|card| card.assignee.as_ref())
        .chain(holders)
        .collect();
    html! {
        form.filters method="get" action=(board.path()) aria-label="Filter the board" {
            @if !query.tab.is_empty() { input type="hidden" name="tab" value=(query.tab().as_str()); }
            label { span { "Text" } input id="filter" type="search" name="text" value=(query.text) autocomplete="off"; }
            label { span { "Kind" } select name="kind" {
                option value="" { "any" }
                @for kind in Kind::ALL { option selected[query.kind == kind.as_str()] { (kind) } }
            } }
            label { span { "Status" } select name="status" {
                option value="" { "any" }
                @for status in Status::ALL { option selected[query.status == status.as_str()] { (status) } }
            } }
            label { span { "Label" } input name="label" value=(query.label) list="labels" autocomplete="off"; }
            label { span { "Assignee" } input name="assignee" value=(query.assignee) list="people" autocomplete="off"; }
            button type="submit" { "Filter" }
            @if query.is_filtered() {
                a.clear href={ (board.path()) (BoardQuery { tab: query.tab.clone(), ..BoardQuery::default() }.with(&[])) } { "Clear" }
            }
            datalist id="labels" { @for label in labels.iter().take(SUGGESTIONS) { option value=(label) {} } }
            datalist id="people" { @for name in people.iter().take(SUGGESTIONS) { option value=(name) {} } }
        }
    }
}

/// One column; the backlog carries the upcoming items at its foot.
fn column(board: &Board, head: Column, parts: &[Column]) -> Markup {
    let total = |part: Column| board.cards.iter().filter(|card| card.column == part).count();
    html! {
        section class={ "column c-" (head) " t-" (Tab::of(head).as_str()) } aria-labelledby={ "col-" (head) } {
            header {
                h2 id={ "col-" (head) } { (column_title(head)) }
                span.count { (total(head)) span.sr { " items" } }
            }
            @for part in parts {
                @if *part != head && total(*part) > 0 {
                    h3.foot { (column_title(*part)) " " span.count { (total(*part)) } }
                }
                @if *part == head || total(*part) > 0 {
                    (list(board, part.as_str(), |card| card.column == *part))
                }
            }
        }
    }
}

/// Everything in the trash, wherever it stood.
fn trash(board: &Board) -> Markup {
    html! {
        section.column.c-trash.t-trash aria-labelledby="col-trash" {
            header {
                h2 id="col-trash" { "Trash" }
                span.count { (board.cards.len()) span.sr { " items" } }
            }
            (list(board, "trash", |_| true))
        }
    }
}

/// The cards of a list that pass, at most so many unless the address asks for all by the list's name.
fn list(board: &Board, name: &str, passes: impl Fn(&ItemCard) -> bool) -> Markup {
    let most = match name {
        _ if board.query.show == name => usize::MAX,
        _ if name == Column::Done.as_str() => DONE_CARDS,
        _ => COLUMN_CARDS,
    };
    let cards: Vec<_> = board.cards.iter().filter(|card| passes(card)).collect();
    let hidden = cards.len().saturating_sub(most);
    let here = board.here();
    html! {
        ul.cards data-column=(name) {
            @for item in cards.iter().take(most) { li { (card(board, item, &here)) } }
            @if cards.is_empty() { li.none aria-hidden="true" { "No items" } }
        }
        @if hidden > 0 {
            p.more { "and " (hidden) " more · "
                a href={ (board.path()) (board.query.with(&[("show", name)])) } {
                    "Show all" span.sr { " in " (name) }
                }
            }
        }
    }
}

fn card(board: &Board, card: &ItemCard, here: &str) -> Markup {
    let path = item_path(&board.name, &card.handle);
    html! {
        article.card data-id=(card.id) data-handle=(card.handle) data-revision=(card.revision)
            data-legal=[board.csrf.as_ref().map(|_| legal_words(card))]
            draggable=[board.csrf.as_ref().map(|_| "true")] {
            p.meta {
                span.handle { "#" (card.handle) }
                (kind(card.kind))
                (priority(card.priority))
                @if let Some(place) = board.queue.get(&card.id) {
                    span.queue title="Place in the merge queue" { span.sr { "queue place " } (place) (ordinal(*place)) }
                }
                span.badges {
                    @if card.conflicts > 0 {
                        a.badge.conflict href={ (path) "#conflicts" } draggable="false"
                            title={ (parts::plural(card.conflicts, "conflict")) ": concurrent changes that are not resolved yet" } {
                            "‼ " (card.conflicts) span.sr { " in conflict" } }
                    }
                    (badge(card.status))
                }
            }
            h3 { a.title href=(path) draggable="false" { (card.title) } }
            @if let Some(reason) = card.holds.blocked.as_ref() { p.reason { (excerpt(&reason.reason)) } }
            @if let Some(failure) = card.holds.failure.as_ref() {
                p.reason { (failure_label(failure.kind)) ": " (excerpt(&failure.detail)) }
            }
            @if !card.labels.is_empty() {
                ul.labels aria-label="Labels" { @for label in card.labels.iter().take(6) { li { (label) } } }
            }
            (facts(board, card))
            @if let Some(csrf) = &board.csrf { (moves(board, card, csrf, here)) }
        }
    }
}

/// What can be done to an item from its card: moving it, or bringing it back from the trash.
fn moves(board: &Board, card: &ItemCard, csrf: &str, here: &str) -> Markup {
    let form = |body: Markup| {
        html! {
            form method="post" action={ (item_path(&board.name, &card.id.to_string())) "/act" } {
                input type="hidden" name="csrf" value=(csrf);
                input type="hidden" name="expect" value=(card.revision);
                input type="hidden" name="back" value=(here);
                (body)
            }
        }
    };
    let to = targets(card);
    html! {
        @if !to.is_empty() {
            details.move {
                summary { "Move" span.sr { " #" (card.handle) } }
                (form(html! {
                    select name="target" required aria-label={ "Move #" (card.handle) " to" } { (options(&to)) }
                    button type="submit" { "Move" }
                }))
            }
        }
        @if card.deleted && card.legal.contains(&Verb::Restore) {
            (form(html! {
                button type="submit" name="target" value=(Verb::Restore) { "Restore" span.sr { " #" (card.handle) } }
            }))
        }
    }
}

fn facts(board: &Board, card: &ItemCard) -> Markup {
    html! {
        ul.facts aria-label="About this item" {
            @if let Some(claim) = &card.claim {
                (person("g-claim", "Claimed by", &claim.holder))
            } @else if let Some(assignee) = &card.assignee {
                (person("g-person", "Assigned to", assignee))
            }
            @if !card.attention.is_empty() { li.warn title=(card.attention.iter().map(notice_text).collect::<Vec<_>>().join("; ")) { "attention" } }
            @if card.unmet > 0 { (waits(card)) }
            @if card.retries > 0 { li { "sent back " (parts::plural(card.retries as usize, "time")) } }
            @if card.criteria > 0 { li { (card.criteria_met) "/" (card.criteria) " criteria" } }
            @if let Some((done, all)) = card.progress { li { (done) "/" (all) " done" } }
            @if card.comments > 0 { li { (parts::plural(card.comments as usize, "comment")) } }
            @if card.skewed { li { (parts::clock_ahead(true)) } }
            li.age { (time(board.now, card.entered_at)) }
        }
    }
}

/// Who works on it or is to. A name alone does not tell whether it is an agent's.
fn person(glyph: &str, role: &str, name: &str) -> Markup {
    html! {
        li.who title={ (role) " " (name) } {
            svg aria-hidden="true" { use href={ "#" (glyph) } {} }
            span.sr { (role) " " } span { (towline_proto::text::show(name, NAME_CHARS)) }
        }
    }
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

/// What scripts need to know for the keys `b` and `f`.
fn legal_words(card: &ItemCard) -> String {
    card.legal
        .iter()
        .map(|verb| verb.as_str())
        .collect::<Vec<_>>()
        .join(" ")
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
