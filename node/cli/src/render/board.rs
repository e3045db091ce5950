//! The board in a terminal: columns of cards beside each other, as many as fit; the others below.
//!
//! Every cell is measured before it is coloured. What does not fit into a column is cut or counted,
//! never spilled into its neighbour.

use towline_api::labels::failure_label;
use towline_api::types::{ItemCard, ItemLink};
use towline_proto::{Column, Status};

use super::text::{ago, clean, count, fit, fold_into, pad, width};
use super::{View, column_ink, kind_ink, priority_ink, status_ink};
use crate::plan::ColumnSelection;
use crate::style::Ink;

/// Narrowest column that is still read with ease; narrower terminals stack.
const NARROW: usize = 22;
/// Widest column: beyond it the eye loses the line.
const WIDE: usize = 44;
/// Columns of space between two columns.
const GAP: usize = 2;
/// Lines of a title.
const TITLE: usize = 2;
/// Cards of a column of ended items: people look for what was done recently.
const FINISHED_CARDS: usize = 5;
/// Cards of the other columns.
const OPEN_CARDS: usize = 30;

/// Cards in columns, those that were asked for. `most` cards of each, or what suits it.
pub(super) fn page(view: &View, cards: &[ItemCard], most: Option<usize>, only: ColumnSelection) -> String {
    if cards.is_empty() {
        return String::new();
    }
    let has = |column| cards.iter().any(|card| card.column == column);
    let pipeline: [&[Column]; 7] = [
        &[Column::Backlog, Column::Upcoming],
        &[Column::Coding],
        &[Column::Qa],
        &[Column::Merge],
        &[Column::Done],
        &[Column::Archived],
        &[Column::Closed],
    ];
    let mut stacks = Vec::new();
    for columns in pipeline {
        // Empty columns of ended items are not shown.
        let shown = |column: &Column| {
            let ended = matches!(column, Column::Archived | Column::Closed);
            only.has(*column) && (!ended || has(*column) || only.names(*column))
        };
        let columns: Vec<_> = columns.iter().copied().filter(shown).collect();
        if !columns.is_empty() {
            stacks.push(Stack::of(&columns, cards, most));
        }
    }
    // As many as fit in each band, and the bands equally long.
    let beside = ((view.width + GAP) / (NARROW + GAP)).clamp(1, stacks.len());
    let bands = stacks.len().div_ceil(beside);
    let beside = stacks.len().div_ceil(bands);
    let room = (view.width + GAP) / beside;
    let cell = room
        .saturating_sub(GAP)
        .clamp(NARROW.min(view.width.max(8)), WIDE);
    let mut page = String::new();
    for band in stacks.chunks(beside) {
        if !page.is_empty() {
            page.push('\n');
        }
        let columns: Vec<_> = band.iter().map(|stack| stack.lines(view, cell)).collect();
        // Cards end in an empty line, the band does not.
        let height = columns
            .iter()
            .filter_map(|lines| lines.iter().rposition(|line| !line.0.is_empty()))
            .max();
        let height = height.map_or(0, |last| last + 1);
        for row in 0..height {
            let cells = columns.iter().map(|lines| lines.get(row));
            page.push_str(&across(view, cells, cell));
        }
    }
    page
}

/// One line across a band.
fn across<'l>(view: &View, cells: impl Iterator<Item = Option<&'l BoardLine>>, cell: usize) -> String {
    let (mut out, mut owed) = (String::new(), 0);
    for line in cells {
        let Some(line) = line.filter(|line| !line.0.is_empty()) else {
            owed += cell + GAP;
            continue;
        };
        out.push_str(&" ".repeat(owed));
        for (ink, part) in &line.0 {
            out.push_str(&view.style.paint(*ink, part));
        }
        owed = (cell + GAP).saturating_sub(line.width());
    }
    out.push('\n');
    out
}

/// A line of a column: its parts with their colours.
#[derive(Default)]
struct BoardLine(Vec<(Ink, String)>);

impl BoardLine {
    fn of(ink: Ink, text: impl Into<String>) -> Self {
        Self(vec![(ink, text.into())])
    }

    fn width(&self) -> usize {
        self.0.iter().map(|(_, part)| width(part)).sum()
    }
}

/// One column of the board with its parts: the backlog carries what is upcoming at its foot.
struct Stack<'c> {
    parts: Vec<ColumnPart<'c>>,
}

struct ColumnPart<'c> {
    column: Column,
    cards: Vec<&'c ItemCard>,
    hidden: usize,
}

impl<'c> Stack<'c> {
    fn of(columns: &[Column], cards: &'c [ItemCard], most: Option<usize>) -> Self {
        let part = |column: &Column| {
            let mut here: Vec<_> = cards.iter().filter(|card| card.column == *column).collect();
            let ended = matches!(column, Column::Done | Column::Archived | Column::Closed);
            if ended {
                here.sort_by_key(|card| std::cmp::Reverse(card.entered_at));
            }
            let most = most.unwrap_or(if ended { FINISHED_CARDS } else { OPEN_CARDS });
            let hidden = here.len().saturating_sub(most);
            here.truncate(most);
            ColumnPart {
                column: *column,
                cards: here,
                hidden,
            }
        };
        Self {
            parts: columns.iter().map(part).collect(),
        }
    }

    fn lines(&self, view: &View, cell: usize) -> Vec<BoardLine> {
        let mut lines = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            let all = part.cards.len() + part.hidden;
            if at > 0 && all == 0 {
                continue;
            }
            lines.push(BoardLine(vec![
                (Ink::Bold, part.column.as_str().to_uppercase()),
                (Ink::Dim, format!("  {}", count(all as u64))),
            ]));
            lines.push(BoardLine::of(column_ink(part.column), "─".repeat(cell)));
            for each in &part.cards {
                card(&mut lines, view, each, cell);
                lines.push(BoardLine::default());
            }
            if part.hidden > 0 {
                let more = format!("+{} more", count(part.hidden as u64));
                lines.push(BoardLine::of(Ink::Dim, more));
                lines.push(BoardLine::default());
            }
        }
        lines
    }
}

fn card(lines: &mut Vec<BoardLine>, view: &View, card: &ItemCard, cell: usize) {
    lines.push(head(view, card, cell));
    let ink = if card.deleted { Ink::Struck } else { Ink::Plain };
    for part in fold_into(&clean(&card.title), cell, TITLE) {
        lines.push(BoardLine::of(ink, part));
    }
    let mut line = BoardLine::default();
    for (ink, badge) in badges(card) {
        let badge = fit(&badge, cell);
        let between = if line.0.is_empty() { 0 } else { 2 };
        if line.width() + between + width(&badge) > cell {
            lines.push(std::mem::take(&mut line));
        } else if between > 0 {
            line.0.push((Ink::Plain, " ".repeat(between)));
        }
        line.0.push((ink, badge));
    }
    if !line.0.is_empty() {
        lines.push(line);
    }
}

/// Handle, kind and priority; on the right how long it has been in its column.
fn head(view: &View, card: &ItemCard, cell: usize) -> BoardLine {
    let mut parts = vec![
        (Ink::Bold, clean(&card.handle)),
        (kind_ink(card.kind), format!(" {}", card.kind)),
    ];
    if card.priority != 2 {
        parts.push((priority_ink(card.priority), format!(" P{}", card.priority.min(9))));
    }
    let mut line = BoardLine(parts);
    let age = ago(view.now, card.entered_at);
    let room = cell.saturating_sub(line.width());
    if room > width(&age) {
        let age = format!("{}{age}", pad("", room - width(&age)));
        line.0.push((Ink::Dim, age));
    }
    line
}

/// The badges of a card, most important first.
fn badges(card: &ItemCard) -> Vec<(Ink, String)> {
    let mut badges = Vec::new();
    let red = status_ink(Status::Blocked);
    if card.deleted {
        badges.push((Ink::Red, "in the trash".to_owned()));
    }
    if card.conflicts > 0 {
        badges.push((Ink::Red, format!("‼ {}", conflicts(card.conflicts))));
    }
    if card.holds.frozen {
        badges.push((status_ink(Status::Frozen), "❄ frozen".to_owned()));
    }
    if let Some(blocked) = &card.holds.blocked {
        badges.push((red, format!("⊘ blocked: {}", clean(&blocked.reason))));
    }
    if let Some(failure) = &card.holds.failure {
        let end = if failure.is_final { ", given up" } else { "" };
        badges.push((
            red,
            format!("✗ merge failed: {}{end}", failure_label(failure.kind)),
        ));
    }
    if card.holds.review {
        badges.push((status_ink(Status::ReviewHold), "◔ waits for approval".to_owned()));
    }
    if card.column == Column::Closed || card.closing.is_some() {
        badges.push((Ink::Dim, card.status.to_string()));
    }
    if !card.attention.is_empty() {
        badges.push((Ink::Yellow, "! attention".to_owned()));
    }
    let unmet: Vec<&ItemLink> = card.depends_on.iter().filter(|link| !link.satisfied).collect();
    if !unmet.is_empty() {
        let handles: Vec<_> = unmet.iter().map(|link| clean(&link.handle)).collect();
        badges.push((Ink::Yellow, format!("⧗ waits for {}", handles.join(", "))));
    }
    if let Some((done, all)) = card.progress {
        badges.push((Ink::Dim, format!("{done}/{all} done")));
    }
    if card.criteria > 0 {
        badges.push((Ink::Dim, format!("✓ {}/{}", card.criteria_met, card.criteria)));
    }
    match (&card.claim, &card.assignee) {
        (Some(claim), _) => badges.push((Ink::Plain, format!("◆ {}", clean(&claim.holder)))),
        (None, Some(who)) => badges.push((Ink::Dim, clean(who))),
        (None, None) => {}
    }
    badges
}

fn conflicts(number: usize) -> String {
    match number {
        1 => "conflict".to_owned(),
        more => format!("{more} conflicts"),
    }
}
