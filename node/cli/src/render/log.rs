//! Timelines, newest last, and the lines of `watch`.

use towline_api::activity_text::{line_detail, why_not_effective};
use towline_api::event_text::{conflict_text, hold_reason_text, merge_texts};
use towline_api::labels::hold_label;
use towline_api::types::{FeedEvent, HistoryLine, HistoryOutcome};
use towline_proto::EventKind;

use super::text::{ago, clean, day_and_time, fit, pad, pad_left, width, wrap};
use super::{View, column_ink};
use crate::style::Ink;

/// Widest name and node, in columns.
const WHO: usize = 24;
/// Widest title in the timeline of a whole project, in columns.
const TITLE: usize = 28;
/// From this width on titles are not shortened.
const WHOLE: usize = 400;
/// A title keeps at least so much in a narrow terminal, in columns.
const NARROWEST: usize = 8;
/// What an act was about keeps so much beside the title, in columns.
const DETAIL: usize = 24;

/// The mark of a time that was ahead of the clock here and is shown corrected.
pub(super) const CLOCK_AHEAD: &str = "(clock ahead)";

/// What the marks of a timeline mean.
const LEGEND: [&str; 5] = [
    "● in effect",
    "· replaced by a later act",
    "✗ overridden by a concurrent act",
    "✓ overridden, then chosen",
    "⊘ refused",
];

/// The lines that say what the marks of a timeline mean.
pub(super) fn legend(view: &View) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in LEGEND {
        match lines.last_mut() {
            Some(line) if width(line) + 2 + width(part) <= view.width => {
                line.push_str("  ");
                line.push_str(part);
            }
            _ => lines.push(part.to_owned()),
        }
    }
    lines
}

/// A timeline under the headings of its days. `whole` says which item each line is about.
pub(super) fn timeline(view: &View, lines: &[HistoryLine], whole: bool) -> String {
    let mut page = String::new();
    let mut today = String::new();
    let grid = TimelineGrid::of(view, lines, whole);
    for line in lines {
        let (day, time) = day_and_time(&view.zone, line.at);
        if day != today {
            if !page.is_empty() {
                page.push('\n');
            }
            page.push_str(&format!("{}\n", view.style.paint(Ink::Bold, &day)));
            today = day;
        }
        page.push_str(&grid.line(view, line, &time));
    }
    page
}

/// Lines of one item with their relative times, for the foot of its page.
pub(super) fn lines(view: &View, lines: &[HistoryLine]) -> String {
    let grid = TimelineGrid::of(view, lines, false);
    lines
        .iter()
        .map(|line| {
            let ago = pad_left(&ago(view.now, line.at), 5);
            grid.line(view, line, &ago)
        })
        .collect()
}

struct TimelineGrid {
    who: usize,
    what: usize,
    item: usize,
}

impl TimelineGrid {
    fn of(view: &View, lines: &[HistoryLine], whole: bool) -> Self {
        let widest =
            |measure: &dyn Fn(&HistoryLine) -> usize| lines.iter().map(measure).max().unwrap_or_default();
        let what = widest(&|line| width(line.what.as_str()));
        let who = widest(&|line| width(&who(line))).min(WHO);
        if !whole {
            let item = 0;
            return Self { who, what, item };
        }
        // The width without the title: the time, the mark, and the spaces between the cells.
        let room = view.width.saturating_sub(2 + 5 + 3 + who + 2 + 2 + what);
        // Where there is no end to the line, in a file or a pipe, titles are not cut.
        let most = TITLE
            .max(view.width / 2)
            .min(if view.width >= WHOLE { usize::MAX } else { TITLE });
        let detail = widest(&|line| rest(line, None).iter().map(|(part, _)| width(part) + 2).sum());
        let for_item = room.saturating_sub(detail.min(DETAIL));
        let item = widest(&|line| width(&item(line, most))).min(for_item.max(NARROWEST));
        let over = NARROWEST.saturating_sub(room);
        let who = who.saturating_sub(over).max(NARROWEST);
        Self { who, what, item }
    }

    fn line(&self, view: &View, line: &HistoryLine, time: &str) -> String {
        let paint = |ink, text: &str| view.style.paint(ink, text);
        let (mark, mark_ink) = mark(line);
        let mut out = format!(
            "  {} {} {}",
            paint(Ink::Dim, time),
            paint(mark_ink, mark),
            pad(&fit(&who(line), self.who), self.who)
        );
        let mut used = 5 + width(time) + self.who;
        if self.item > 0 {
            out.push_str(&format!("  {}", pad(&item(line, self.item), self.item)));
            used += 2 + self.item;
        }
        let what = pad(line.what.as_str(), self.what);
        used += 2 + self.what;
        let lost = line.is_lost();
        let ink = if lost { Ink::Struck } else { Ink::Cyan };
        out.push_str(&format!("  {}", paint(ink, &what)));
        // In a narrow terminal what comes below begins further left than what was done.
        let indent = (used - self.what).min(view.width.saturating_sub(24));
        let shown = (self.item > 0).then(|| item(line, self.item));
        for (part, ink) in rest(line, shown.as_deref()) {
            let left = view.width.saturating_sub(used + 2);
            if left < 8 || left < DETAIL && left < width(&part) {
                out.truncate(out.trim_end().len());
                out.push_str(&format!("\n{}", " ".repeat(indent.saturating_sub(2))));
                used = indent.saturating_sub(2);
            }
            let part = fit(&part, view.width.saturating_sub(used + 2).max(8));
            used += 2 + width(&part);
            out.push_str(&format!(
                "  {}",
                paint(if lost { Ink::Struck } else { ink }, &part)
            ));
        }
        let mut out = format!("{}\n", out.trim_end());
        if let Some(why) = why_not_effective(line) {
            // On lines of its own: of a line that is too long this must not be what is cut.
            let why = format!("↳ {}", clean(&why));
            for part in wrap(&why, view.width.saturating_sub(indent).max(24)) {
                let line = format!("{}{}\n", " ".repeat(indent), paint(Ink::Yellow, &part));
                out.push_str(&line);
            }
        }
        out
    }
}

/// The mark of an act's outcome.
fn mark(line: &HistoryLine) -> (&'static str, Ink) {
    match &line.fate {
        HistoryOutcome::Overridden { .. } if line.was_chosen() => ("✓", Ink::Green),
        HistoryOutcome::Effective => ("●", Ink::Green),
        HistoryOutcome::Superseded { .. } => ("·", Ink::Dim),
        HistoryOutcome::Overridden { .. } => ("✗", Ink::Yellow),
        HistoryOutcome::Refused { .. } => ("⊘", Ink::Red),
    }
}

fn who(line: &HistoryLine) -> String {
    format!("{} @{}", clean(&line.origin.to_string()), clean(&line.node_name))
}

fn item(line: &HistoryLine, most: usize) -> String {
    fit(&format!("{} {}", clean(&line.handle), clean(&line.title)), most)
}

/// The details after the action, if the line names its item as `shown`.
fn rest(line: &HistoryLine, shown: Option<&str>) -> Vec<(String, Ink)> {
    let mut parts = Vec::new();
    match (line.from, line.to) {
        (Some(from), Some(to)) => parts.push((format!("{from} → {to}"), column_ink(to))),
        (None, Some(to)) => parts.push((format!("→ {to}"), column_ink(to))),
        (_, None) => {}
    }
    // A title that is already shown is not repeated.
    let said =
        |detail: &str| *detail == line.title && shown.is_some_and(|shown| shown.ends_with(&clean(detail)));
    if let Some(detail) = line_detail(line).filter(|detail| !said(detail)) {
        parts.push((clean(&detail), Ink::Plain));
    }
    if line.skewed {
        parts.push((CLOCK_AHEAD.to_owned(), Ink::Yellow));
    }
    parts
}

/// One line for an event of the feed.
pub(crate) fn event(view: &View, event: &FeedEvent) -> String {
    let (_, time) = day_and_time(&view.zone, event.seen_at);
    let what = &event.event;
    let told = match &what.what {
        EventKind::ItemCreated { column } => format!("created in {column}"),
        EventKind::StageChanged { from, via, to, .. } => {
            let steps: Vec<_> = std::iter::once(from)
                .chain(via)
                .chain(std::iter::once(to))
                .map(|column| column.as_str())
                .collect();
            steps.join(" → ")
        }
        EventKind::HoldsChanged {
            added,
            removed,
            reason,
        } => {
            let came = added.iter().map(|hold| hold_label(*hold).to_owned());
            let went = removed
                .iter()
                .map(|hold| format!("no longer {}", hold_label(*hold)));
            let told = came.chain(went).collect::<Vec<_>>().join(", ");
            match reason {
                Some(reason) => format!("{told}: {}", clean(&hold_reason_text(reason))),
                None => told,
            }
        }
        EventKind::Claimed { holder, generation } => {
            format!("claimed by {} (generation {generation})", clean(holder))
        }
        EventKind::Released { holder } => format!("released by {}", clean(holder)),
        EventKind::FieldChanged { field } => format!("{field} changed"),
        EventKind::Commented { excerpt } => format!("“{}”", clean(excerpt)),
        EventKind::ConflictRaised { rule, about, .. } => {
            format!("conflict: {}", clean(&conflict_text(*rule, about)))
        }
        EventKind::ConflictsResolved => "conflicts resolved".into(),
        EventKind::ChangedByMerge {
            register,
            before,
            after,
        } => {
            let [register, before, after] = merge_texts(register, before, after).map(|text| clean(&text));
            format!("{register} changed by a merge: {before} → {after}")
        }
        EventKind::Deleted => "moved to the trash".into(),
        EventKind::Restored => "restored".into(),
    };
    let by = format!("by {}", clean(&what.origin.to_string()));
    let most = TITLE.min(view.width * 35 / 100).max(NARROWEST);
    let item = fit(&format!("{} {}", what.number, clean(&what.title)), most);
    let (mark, ink) = event_mark(&what.what);
    let before = time.len() + most + 5;
    let room = view.width.saturating_sub(before);
    // The author is on the first line if that leaves enough room for the action.
    let beside = room.saturating_sub(width(&by) + 2);
    let (room, by_beside) = if beside >= 16 {
        (beside, true)
    } else {
        (room.max(16), false)
    };
    let mut parts = wrap(&told, room);
    if !by_beside {
        parts.push(fit(&by, room));
    }
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        let by_line = !by_beside && at + 1 == parts.len();
        let part = view
            .style
            .paint(if by_line { Ink::Dim } else { ink }, &fit(part, room));
        match at {
            0 => out.push_str(&format!(
                "{} {} {}  {part}",
                view.style.paint(Ink::Dim, &time),
                view.style.paint(ink, mark),
                pad(&item, most),
            )),
            _ => out.push_str(&format!("{}{part}", " ".repeat(before))),
        }
        if at == 0 && by_beside {
            out.push_str(&format!("  {}", view.style.paint(Ink::Dim, &by)));
        }
        out.push('\n');
    }
    out
}

/// The mark of an event.
const fn event_mark(what: &EventKind) -> (&'static str, Ink) {
    match what {
        EventKind::ItemCreated { .. } => ("+", Ink::Green),
        EventKind::StageChanged { to, .. } => ("→", column_ink(*to)),
        EventKind::HoldsChanged { added, .. } if !added.is_empty() => ("■", Ink::Red),
        EventKind::HoldsChanged { .. } => ("□", Ink::Green),
        EventKind::Claimed { .. } | EventKind::Released { .. } => ("◆", Ink::Plain),
        EventKind::FieldChanged { .. } | EventKind::Commented { .. } => ("·", Ink::Plain),
        EventKind::ConflictRaised { .. } => ("‼", Ink::Red),
        EventKind::ConflictsResolved => ("✓", Ink::Green),
        EventKind::ChangedByMerge { .. } => ("!", Ink::Yellow),
        EventKind::Deleted => ("−", Ink::Red),
        EventKind::Restored => ("+", Ink::Green),
    }
}
