//! Lists of cards: aligned columns under the headings of the pipeline.

use towline_api::labels::status_label;
use towline_api::notice_text::notice_text;
use towline_api::types::{ItemCard, NotReadyReason};
use towline_proto::{Column, Status};

use super::text::{ago, clean, fit, pad, pad_left, plural, width};
use super::{View, column_ink, kind_ink, priority_ink, status_ink};
use crate::style::Ink;

/// Widest name of an assignee or holder, in columns.
const WHO: usize = 16;
/// The title and its notes have at least so much, in columns, before other cells give way.
const NARROW: usize = 24;
/// They keep so much when every other cell has given way, in columns.
const NARROWEST: usize = 12;

/// The chosen cards under the heading of their column; each heading says how many cards there are.
pub(super) fn columns(view: &View, cards: &[ItemCard], chosen: &[&ItemCard]) -> String {
    let rows: Vec<_> = chosen.iter().map(|card| ListRow::of(view, card, false)).collect();
    let grid = ListGrid::of(view, &rows, false);
    let mut page = String::new();
    for column in Column::ALL {
        let here: Vec<_> = rows.iter().filter(|row| row.card.column == *column).collect();
        if here.is_empty() {
            continue;
        }
        if !page.is_empty() {
            page.push('\n');
        }
        let heading = view.style.paint(Ink::Bold, &column.as_str().to_uppercase());
        let all = cards.iter().filter(|card| card.column == *column).count();
        let number = match here.len() {
            shown if shown == all => all.to_string(),
            shown => format!("{shown} of {all}"),
        };
        let number = view.style.paint(Ink::Dim, &number);
        page.push_str(&format!("{heading}  {number}\n"));
        for row in here {
            page.push_str(&grid.line(view, row));
        }
    }
    page
}

/// Cards in the given order, each with its column.
pub(super) fn sorted(view: &View, cards: &[&ItemCard]) -> String {
    let rows: Vec<_> = cards.iter().map(|card| ListRow::of(view, card, false)).collect();
    let grid = ListGrid::of(view, &rows, true);
    rows.iter().map(|row| grid.line(view, row)).collect()
}

/// The items that can be started now, in the given order, then those that cannot, with the reason.
pub(super) fn ready(view: &View, cards: &[&ItemCard]) -> String {
    let rows: Vec<_> = cards.iter().map(|card| ListRow::of(view, card, true)).collect();
    let grid = ListGrid::of(view, &rows, false);
    let (mut page, mut barred) = (String::new(), false);
    for row in &rows {
        if !barred && row.card.in_the_way.is_some() {
            barred = true;
            let gap = if page.is_empty() { "" } else { "\n" };
            page.push_str(&format!("{gap}{}\n", view.style.paint(Ink::Bold, "NOT READY")));
        }
        page.push_str(&grid.line(view, row));
    }
    page
}

struct ListRow<'a> {
    card: &'a ItemCard,
    title: String,
    /// Further notes, most important first.
    notes: Vec<(Ink, String)>,
    badge: &'static str,
    who: String,
    age: String,
}

impl<'a> ListRow<'a> {
    fn of(view: &View, card: &'a ItemCard, why: bool) -> Self {
        let who = match (&card.claim, &card.assignee) {
            (Some(claim), _) => format!("◆ {}", clean(&claim.holder)),
            (None, Some(assignee)) => clean(assignee),
            (None, None) => String::new(),
        };
        Self {
            card,
            title: clean(&card.title),
            notes: notes(card, why),
            badge: match card.status {
                Status::Active => "",
                status => status_label(status),
            },
            who: fit(&who, WHO),
            age: ago(view.now, card.updated_at),
        }
    }

    fn notes_width(&self) -> usize {
        self.notes.iter().map(|(_, note)| width(note) + 2).sum()
    }
}

/// Why it cannot be started now, unless the line already shows it.
fn in_the_way(card: &ItemCard) -> Option<String> {
    Some(match card.in_the_way.as_ref()? {
        NotReadyReason::Epic => "an epic: start its items instead".to_owned(),
        NotReadyReason::Upcoming => "upcoming: not in the backlog yet".to_owned(),
        NotReadyReason::EpicHeld { epic } => format!("epic {} is on hold", clean(epic)),
        NotReadyReason::EpicWaits { epic } => format!("epic {} is waiting", clean(epic)),
        NotReadyReason::Assigned => {
            let who = card.assignee.as_deref().unwrap_or("someone else");
            format!("assigned to {}", clean(who))
        }
        NotReadyReason::Underway => "in progress in the tracker that it was imported from".to_owned(),
        NotReadyReason::Claimed => {
            let who = card
                .claim
                .as_ref()
                .map_or("someone", |claim| claim.holder.as_str());
            format!("claimed by {}", clean(who))
        }
        NotReadyReason::Held => "on hold".to_owned(),
        NotReadyReason::Waits => return None,
    })
}

fn notes(card: &ItemCard, why: bool) -> Vec<(Ink, String)> {
    let mut notes = Vec::new();
    if card.deleted {
        notes.push((Ink::Red, "in the trash".to_owned()));
    }
    if card.conflicts > 0 {
        notes.push((Ink::Red, format!("‼ {}", plural(card.conflicts, "conflict"))));
    }
    if let Some(why) = in_the_way(card).filter(|_| why) {
        notes.push((Ink::Yellow, why));
    }
    for fact in &card.attention {
        notes.push((Ink::Yellow, format!("! {}", clean(&notice_text(fact)))));
    }
    if card.unmet > 0 {
        let unmet: Vec<_> = card.depends_on.iter().filter(|link| !link.satisfied).collect();
        let handles: Vec<_> = unmet.iter().map(|link| clean(&link.handle)).collect();
        notes.push((Ink::Yellow, format!("waits for {}", handles.join(", "))));
    }
    if let Some((done, all)) = card.progress {
        notes.push((Ink::Dim, format!("{done}/{all} done")));
    }
    if card.criteria > 0 {
        notes.push((Ink::Dim, format!("✓ {}/{}", card.criteria_met, card.criteria)));
    }
    for label in &card.labels {
        notes.push((Ink::Cyan, format!("+{}", clean(label))));
    }
    notes
}

/// The widths of the columns, the same for every group of a list.
struct ListGrid {
    handle: usize,
    kind: usize,
    title: usize,
    /// The column of the pipeline, where no heading says it.
    column: usize,
    badge: usize,
    who: usize,
    age: usize,
}

impl ListGrid {
    fn of(view: &View, rows: &[ListRow<'_>], with_column: bool) -> Self {
        let widest = |measure: &dyn Fn(&ListRow<'_>) -> usize| rows.iter().map(measure).max().unwrap_or(0);
        let mut grid = Self {
            handle: widest(&|row| width(&row.card.handle)),
            kind: widest(&|row| row.card.kind.as_str().len()),
            title: 0,
            column: match with_column {
                true => widest(&|row| row.card.column.as_str().len()),
                false => 0,
            },
            badge: widest(&|row| row.badge.len()),
            who: widest(&|row| width(&row.who)),
            age: widest(&|row| width(&row.age)),
        };
        // In a narrow terminal who works on it goes first, then how old it is, what kind, the badge, and where
        // it is.
        let give_way: [fn(&mut Self) -> &mut usize; 5] = [
            |grid| &mut grid.who,
            |grid| &mut grid.age,
            |grid| &mut grid.kind,
            |grid| &mut grid.badge,
            |grid| &mut grid.column,
        ];
        for cell in give_way {
            if grid.room(view) < NARROW {
                *cell(&mut grid) = 0;
            }
        }
        let room = grid.room(view).max(NARROWEST);
        grid.title = widest(&|row| width(&row.title) + row.notes_width()).min(room);
        grid
    }

    /// What is left for the title and its notes, in columns.
    fn room(&self, view: &View) -> usize {
        let cells = [self.kind, self.column, self.badge, self.who, self.age];
        let others: usize = cells
            .into_iter()
            .filter(|cell| *cell > 0)
            .map(|cell| cell + 2)
            .sum();
        let priority = 2;
        view.width
            .saturating_sub(2 + self.handle + 2 + priority + 2 + others)
    }

    fn line(&self, view: &View, row: &ListRow<'_>) -> String {
        let paint = |ink, text: &str| view.style.paint(ink, text);
        let card = row.card;
        let mut line = format!("  {}", paint(Ink::Bold, &pad_left(&card.handle, self.handle)));
        if self.kind > 0 {
            let kind = paint(kind_ink(card.kind), &pad(card.kind.as_str(), self.kind));
            line.push_str(&format!("  {kind}"));
        }
        let priority = paint(priority_ink(card.priority), &format!("P{}", card.priority.min(9)));
        line.push_str(&format!("  {priority}  {}", self.title(view, row)));
        if self.column > 0 {
            let column = paint(column_ink(card.column), &pad(card.column.as_str(), self.column));
            line.push_str(&format!("  {column}"));
        }
        if self.badge > 0 {
            let badge = paint(status_ink(card.status), &pad(row.badge, self.badge));
            line.push_str(&format!("  {badge}"));
        }
        if self.who > 0 {
            line.push_str(&format!("  {}", pad(&row.who, self.who)));
        }
        if self.age > 0 {
            line.push_str(&format!("  {}", paint(Ink::Dim, &pad_left(&row.age, self.age))));
        }
        format!("{}\n", line.trim_end())
    }

    /// Title and notes in one cell. Where both do not fit the title keeps three fifths.
    fn title(&self, view: &View, row: &ListRow<'_>) -> String {
        let for_title = self
            .title
            .saturating_sub(row.notes_width())
            .max(self.title * 3 / 5);
        let title = fit(&row.title, for_title);
        let mut used = width(&title);
        let ink = if row.card.deleted { Ink::Struck } else { Ink::Plain };
        let mut cell = view.style.paint(ink, &title);
        for (ink, note) in &row.notes {
            let room = self.title.saturating_sub(used + 2);
            if room < width(note).min(6) {
                break;
            }
            let note = fit(note, room);
            used += 2 + width(&note);
            cell.push_str(&format!("  {}", view.style.paint(*ink, &note)));
        }
        cell.push_str(&" ".repeat(self.title.saturating_sub(used)));
        cell
    }
}
