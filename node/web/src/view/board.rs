//! One project's board: columns of cards, and the tabs that phones see.
//!
//! A column shows a bounded number of cards, so that a board of thousands stays fast; the rest is a link away. When
//! items change, a script asks for those cards alone: [`changes`] says where each of them belongs.

use std::collections::{HashMap, HashSet};

use maud::{Markup, html};
use towline_api::types::{ItemCard, ProjectStatus};
use towline_engine::handle::ProjectLink;
use towline_proto::{Column, ItemId, Millis};

use super::card::card;
use super::parts::column_title;
use super::{Frame, filters, list, moves, saved};
use crate::query::{BoardQuery, Tab, escape};

/// Cards that a column shows unless asked for all.
const COLUMN_CARDS: usize = 200;
/// Cards that the done column shows: people look for what was done lately.
const DONE_CARDS: usize = 50;

/// The content of a board page.
pub(crate) struct Board {
    pub(crate) name: String,
    project: String,
    position: u64,
    status: ProjectStatus,
    cards: Vec<ItemCard>,
    pub(super) queue: HashMap<ItemId, usize>,
    pub(super) query: BoardQuery,
    pub(super) csrf: Option<String>,
    pub(super) now: Millis,
    /// The views that the signed-in person has saved: names and queries.
    pub(super) saved: Vec<(String, String)>,
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
            saved: Vec::new(),
        }
    }

    /// The same with the views that the signed-in person has saved.
    pub(crate) fn with_saved(self, saved: Vec<(String, String)>) -> Self {
        Self { saved, ..self }
    }

    pub(super) fn cards(&self) -> &[ItemCard] {
        &self.cards
    }

    pub(super) fn path(&self) -> String {
        format!("/p/{}", escape(&self.name))
    }

    pub(super) fn here(&self) -> String {
        format!("{}{}", self.path(), self.query.with(&[]))
    }

    /// The address of this board with one more filter.
    pub(super) fn filtered(&self, field: &str, value: &str) -> String {
        format!(
            "{}{}",
            self.path(),
            self.query.with(&[(field, value), ("show", "")])
        )
    }

    /// The address of this board without any filter.
    pub(super) fn unfiltered(&self) -> String {
        format!("{}{}", self.path(), self.query.unfiltered().with(&[]))
    }

    /// The title of an epic that a listed item is in.
    pub(super) fn epic_title(&self, handle: &str) -> Option<String> {
        let mut epics = self.cards.iter().filter_map(|card| card.epic.as_ref());
        let epic = epics.find(|epic| epic.handle == handle)?;
        Some(format!("#{handle} {}", epic.title))
    }

    /// What a list shows: the items of its tab, or all that are open.
    pub(super) fn listed(&self) -> impl Iterator<Item = &ItemCard> {
        let tab = self.query.tab();
        let open = self.query.tab.is_empty();
        self.cards.iter().filter(move |card| match tab {
            Tab::Trash => true,
            _ if open => card.column.is_open(),
            _ => Tab::of(card.column) == tab,
        })
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

    /// The columns of the tab, each with the lists in it.
    fn columns(&self) -> Vec<(&'static str, Vec<List<'_>>)> {
        let list = |column: Column| {
            self.list(column.as_str(), column_title(column), |card| {
                card.column == column
            })
        };
        match self.query.tab() {
            Tab::Trash => vec![("trash", vec![self.list("trash", "Trash", |_| true)])],
            Tab::Archived => [Column::Archived, Column::Closed]
                .map(|column| (column.as_str(), vec![list(column)]))
                .into(),
            Tab::Backlog | Tab::Progress | Tab::Done => {
                // The backlog carries the upcoming items at its foot.
                let upcoming = Some(list(Column::Upcoming)).filter(|upcoming| !upcoming.cards.is_empty());
                let backlog = [list(Column::Backlog)].into_iter().chain(upcoming).collect();
                let rest = [Column::Coding, Column::Qa, Column::Merge, Column::Done];
                let rest = rest.map(|column| (column.as_str(), vec![list(column)]));
                [(Column::Backlog.as_str(), backlog)]
                    .into_iter()
                    .chain(rest)
                    .collect()
            }
        }
    }

    fn list(&self, name: &'static str, title: &'static str, passes: impl Fn(&ItemCard) -> bool) -> List<'_> {
        let most = match name {
            _ if self.query.show == name => usize::MAX,
            _ if name == Column::Done.as_str() => DONE_CARDS,
            _ => COLUMN_CARDS,
        };
        let cards: Vec<_> = self.cards.iter().filter(|card| passes(card)).collect();
        List {
            name,
            title,
            shown: cards.len().min(most),
            cards,
        }
    }
}

/// Cards under one heading, of which the first are shown.
struct List<'a> {
    name: &'static str,
    title: &'static str,
    cards: Vec<&'a ItemCard>,
    shown: usize,
}

impl<'a> List<'a> {
    fn shown(&self) -> impl Iterator<Item = &'a ItemCard> {
        self.cards.iter().take(self.shown).copied()
    }

    fn hidden(&self) -> usize {
        self.cards.len() - self.shown
    }
}

pub(crate) fn page(frame: &Frame, board: &Board) -> Markup {
    let query = board.query.with(&[]);
    let main = html! {
        div.board-head {
            h1 { (board.name) }
            (views(board))
            (filters::search(board))
        }
        div id="live" data-live={ (board.path()) "/fragment" (query) } data-cards=[(!board.query.is_list()).then(|| format!("{}/cards{query}", board.path()))]
            data-project=(board.project) data-position=(board.position) {
            (fragment(board))
        }
        @if board.csrf.is_some() { (moves::menu()) }
    };
    frame.page(&board.name, main)
}

/// The two ways to look at the items.
fn views(board: &Board) -> Markup {
    let to = |view: &str| {
        format!(
            "{}{}",
            board.path(),
            board.query.with(&[("view", view), ("show", "")])
        )
    };
    let rows = board.query.is_list();
    html! {
        nav.views aria-label="Views" {
            a href=(to("")) aria-current=[(!rows).then_some("page")] { "Board" }
            a href=(to("list")) aria-current=[rows.then_some("page")] { "List" }
        }
    }
}

/// What changes when items change.
pub(crate) fn fragment(board: &Board) -> Markup {
    let tab = board.query.tab();
    html! {
        div.bar { (tabs(board)) (filters::chips(board)) (saved::saved(board)) }
        @if board.status.items == 0 {
            (beginning(board))
        } @else if board.cards.is_empty() && board.query.is_filtered() {
            p.empty { "No items match this filter. " a href=(board.unfiltered()) { "Show everything" } }
        }
        @if board.status.items > 0 && board.query.is_list() {
            (list::list(board))
        } @else if board.status.items > 0 {
            div.board data-tab=(tab.as_str()) data-path=(board.path()) {
                @for (name, lists) in board.columns() { (column(board, name, &lists)) }
            }
        }
    }
}

/// What somebody can do who has no items yet.
fn beginning(board: &Board) -> Markup {
    html! {
        section.empty.beginning {
            h2 { "No items yet" }
            p { "An item is a piece of work: a story, a bug, a spike. It goes from the backlog through coding, QA and merge to done." }
            @if board.csrf.is_some() {
                p { a.button.primary href={ (board.path()) "/new" } { "Create the first item" } }
            }
            p.hint { "To bring items from another tracker, run " code { "towline import" } " in the repository." }
        }
    }
}

fn tabs(board: &Board) -> Markup {
    let now = board.query.tab();
    let to = |tab: &str| {
        format!(
            "{}{}",
            board.path(),
            board.query.with(&[("tab", tab), ("show", "")])
        )
    };
    let rows = board.query.is_list();
    // A list has all its parts in sight; a board on a wide screen has them side by side.
    let whole = if rows {
        board.query.tab.is_empty()
    } else {
        now.is_listed_with(Tab::Backlog)
    };
    html! {
        nav.tabs.rows[rows] aria-label="Parts of the board" data-part="tabs" {
            a.whole href=(to("")) aria-current=[whole.then_some("page")] { (if rows { "Open" } else { "Board" }) }
            @for tab in Tab::ALL {
                a class={ "part t-" (tab.as_str()) } href=(to(tab.as_str()))
                    aria-current=[(tab == now && !(rows && whole)).then_some("page")] {
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

/// One column. It scrolls by itself, and takes a drop anywhere.
fn column(board: &Board, name: &str, lists: &[List<'_>]) -> Markup {
    let tab = match name.parse::<Column>() {
        Ok(column) => Tab::of(column),
        Err(_) => Tab::Trash,
    };
    html! {
        section class={ "column c-" (name) " t-" (tab.as_str()) } aria-labelledby={ "col-" (name) } {
            @for (index, list) in lists.iter().enumerate() {
                @if index == 0 {
                    header {
                        h2 id={ "col-" (name) } { (list.title) }
                        (count(list))
                    }
                }
            }
            div.scroll {
                @for (index, list) in lists.iter().enumerate() {
                    @if index > 0 { h3.foot { (list.title) " " (count(list)) } }
                    ul.cards data-column=(list.name) data-list=(list.name) {
                        @for item in list.shown() { li { (card(board, item)) } }
                        li.none aria-hidden="true" { "No items" }
                    }
                    (rest(board, list))
                }
            }
        }
    }
}

fn count(list: &List<'_>) -> Markup {
    html! { span.count { span data-total=(list.name) { (list.cards.len()) } span.sr { " items" } } }
}

fn rest(board: &Board, list: &List<'_>) -> Markup {
    html! {
        @if list.hidden() > 0 {
            p.more { "and " span data-hidden=(list.name) { (list.hidden()) } " more · "
                a href={ (board.path()) (board.query.with(&[("show", list.name)])) } {
                    "Show all" span.sr { " in " (list.name) }
                }
            }
        }
    }
}

/// The cards that changed, each in its list and behind the card that it follows, with the counts of every list. What
/// another card says about a changed one changes with it: who waits for it, its epic, the merge queue, and a handle
/// that it now shares.
pub(crate) fn changes(board: &Board, changed: &HashSet<ItemId>) -> Markup {
    let of = |pick: fn(&ItemCard) -> u32| -> HashSet<u32> {
        let cards = board.cards.iter().filter(|card| changed.contains(&card.id));
        cards.map(pick).collect()
    };
    let numbers = of(|card| card.number);
    let epics: HashSet<_> = board
        .cards
        .iter()
        .filter(|card| changed.contains(&card.id))
        .filter_map(|card| card.epic.as_ref().map(|epic| epic.id))
        .collect();
    let concerned = |card: &ItemCard| {
        changed.contains(&card.id)
            || card.depends_on.iter().any(|link| changed.contains(&link.id))
            || card.epic.as_ref().is_some_and(|epic| changed.contains(&epic.id))
            || epics.contains(&card.id)
            || numbers.contains(&card.number)
            || card.column == Column::Merge
    };
    html! {
        (tabs(board))
        @for (_, lists) in board.columns() {
            @for list in lists {
                ul data-list=(list.name) data-total=(list.cards.len()) data-shown=(list.shown) {
                    @for (index, item) in list.shown().enumerate() {
                        @if concerned(item) {
                            li data-after=[index.checked_sub(1).and_then(|before| list.cards.get(before)).map(|before| before.id)] {
                                (card(board, item))
                            }
                        }
                    }
                }
            }
        }
    }
}
