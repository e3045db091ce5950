//! Small pieces that several pages share: badges, glyphs, times, names of columns, links to items.

use maud::{Markup, html};
use towline_api::event_text::merge_texts;
use towline_api::labels::{hold_label, status_label};
use towline_api::notice_text::link_note_text;
use towline_api::types::{FeedEvent, ItemLink};
use towline_proto::{Column, EventKind, Kind, Millis, Status};

use crate::query::escape;

pub(crate) const fn column_title(column: Column) -> &'static str {
    match column {
        Column::Upcoming => "Upcoming",
        Column::Backlog => "Backlog",
        Column::Coding => "Coding",
        Column::Qa => "QA",
        Column::Merge => "Merge",
        Column::Done => "Done",
        Column::Archived => "Archived",
        Column::Closed => "Closed",
    }
}

/// The badge: colour and word, because not everybody can tell colours apart.
pub(super) fn badge(status: Status) -> Markup {
    html! { span class={ "badge s-" (status) } { (status_label(status)) } }
}

pub(super) fn kind(kind: Kind) -> Markup {
    html! {
        span class={ "kind k-" (kind) } {
            svg aria-hidden="true" { use href={ "#g-" (kind) } {} }
            span { (kind) }
        }
    }
}

/// Nothing for the usual priority; one to three bars for what is off it.
pub(super) fn priority(priority: u8) -> Markup {
    html! {
        @match priority {
            0 => span.prio.p0 title="Priority 0, highest" { "P0" },
            1 => span.prio.p1 title="Priority 1, high" { "P1" },
            2 => {},
            other => span.prio.p3 title={ "Priority " (other) ", low" } { "P" (other) },
        }
    }
}

/// How long ago, in the largest unit that is not zero.
pub(super) fn ago(now: Millis, then: Millis) -> String {
    let minutes = now.since(then) / 60_000;
    match minutes {
        0 => "now".to_owned(),
        1..60 => format!("{minutes} min"),
        60..1_440 => format!("{} h", minutes / 60),
        1_440..86_400 => format!("{} d", minutes / 1_440),
        _ => format!("{} weeks", minutes / 10_080),
    }
}

pub(super) fn time(now: Millis, then: Millis) -> Markup {
    html! { time datetime=(then) title=(then) { (ago(now, then)) } }
}

pub(crate) fn item_path(project: &str, item: &str) -> String {
    format!("/p/{}/items/{}", escape(project), escape(item))
}

/// Another item: handle, title and badge; only the handle when it is not known here.
pub(super) fn item_link(project: &str, link: &ItemLink) -> Markup {
    html! {
        a.ref href=(item_path(project, &link.id.to_string())) {
            span.handle { "#" (link.handle) } " "
            @if link.title.is_empty() { em { "not known here" } } @else { (link.title) }
        }
        @if let Some(status) = link.status { " " (badge(status)) }
        @if let Some(note) = &link.note { " " span.note { (link_note_text(note)) } }
    }
}

/// The mark of a time that was ahead of the clock here; the time of arrival is shown instead.
pub(super) fn clock_ahead(skewed: bool) -> Markup {
    html! {
        @if skewed {
            " " span.skew title="The clock of the author was more than ten minutes ahead. The time shown is when the change arrived here." {
                "clock ahead"
            }
        }
    }
}

/// The state of a dependency: satisfied, waiting, or suspended because it closes a cycle.
pub(super) fn dependency_state(link: &ItemLink) -> Markup {
    // A suspended one is not waited for and counts as satisfied.
    let state = match (link.satisfied, link.suspended) {
        (true, true) => "◌ suspended",
        (true, false) => "✓ satisfied",
        (false, _) => "○ waiting",
    };
    html! { span.state { (state) } }
}

/// One event as half a sentence, for the fleet page.
pub(super) fn event_line(event: &FeedEvent) -> String {
    let event = &event.event;
    let what = match &event.what {
        EventKind::ItemCreated { column } => format!("created in {column}"),
        EventKind::StageChanged { from, to, .. } => format!("{from} → {to}"),
        EventKind::HoldsChanged { added, removed, .. } => {
            let added = added.iter().map(|hold| hold_label(*hold).to_owned());
            let removed = removed
                .iter()
                .map(|hold| format!("no longer {}", hold_label(*hold)));
            added.chain(removed).collect::<Vec<_>>().join(", ")
        }
        EventKind::Claimed { holder, .. } => format!("claimed by {holder}"),
        EventKind::Released { holder } => format!("released by {holder}"),
        EventKind::FieldChanged { field } => format!("{field} changed"),
        EventKind::Commented { .. } => "commented".to_owned(),
        EventKind::ConflictRaised { .. } => "new conflict".to_owned(),
        EventKind::ConflictsResolved => "conflicts resolved".to_owned(),
        EventKind::ChangedByMerge {
            register,
            before,
            after,
        } => {
            let [register, before, after] = merge_texts(register, before, after);
            format!("{register} changed by a merge, {before} → {after}")
        }
        EventKind::Deleted => "moved to the trash".to_owned(),
        EventKind::Restored => "restored".to_owned(),
    };
    format!("#{} {}: {what}, by {}", event.number, event.title, event.origin)
}

pub(super) fn plural(count: usize, word: &str) -> String {
    match (count, word.strip_suffix('y')) {
        (1, _) => format!("1 {word}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {word}s"),
    }
}
