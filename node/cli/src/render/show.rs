//! One item in full.

use std::fmt::Write;

use towline_api::activity_text::who_did;
use towline_api::labels::{failure_label, status_label};
use towline_api::notice_text::{link_note_text, notice_text, refusal_text};
use towline_api::types::{ItemCard, ItemLink, ItemPage};
use towline_crdt::view::{Criterion, Link};
use towline_proto::{ActId, Closing, CriterionState, LinkKind, Status};

use super::text::{ago_phrase, clean, clean_lines, fit, fold_into, pad, plural, width, wrap};
use super::{View, kind_ink, log, priority_ink, status_ink};
use crate::style::Ink;

/// How many lines of history the page ends with.
const HISTORY: usize = 5;
/// A node that was seen within this time is running: presence is sent about every 30 s.
const SEEN_JUST_NOW_MS: u64 = 90_000;
/// The title of another item keeps at least so much, in columns.
const LINK_TITLE: usize = 12;
/// Lines of a title: more than any has.
const TITLE_LINES: usize = 200;
/// Columns of the badge of the trash.
const BADGE_TRASH: usize = "  [in the trash]".len();

/// The page of an item.
pub(super) fn page(view: &View, page: &ItemPage) -> String {
    let mut out = header(view, page);
    facts(&mut out, view, page);
    if !page.body.trim().is_empty() {
        heading(&mut out, view, "Description", "");
        paragraph(&mut out, view, &page.body, 2);
    }
    if !page.criteria_list.is_empty() {
        out.push('\n');
        out.push_str(&criteria(view, page));
    }
    links(&mut out, view, "Depends on", &page.card.depends_on, true);
    links(&mut out, view, "Needed by", &page.dependants, false);
    links(&mut out, view, "Items", &page.children, true);
    conflicts(&mut out, view, page);
    comments(&mut out, view, page);
    history(&mut out, view, page);
    let legal: Vec<_> = page.card.legal.iter().map(|verb| verb.as_str()).collect();
    if !legal.is_empty() {
        let next = format!("Next: {}", legal.join(", "));
        out.push('\n');
        for line in wrap(&next, view.width) {
            let _ = writeln!(out, "{}", view.style.paint(Ink::Dim, &line));
        }
    }
    out
}

/// The criteria of an item with their numbers.
pub(super) fn criteria(view: &View, page: &ItemPage) -> String {
    let mut out = format!(
        "{}  {}\n",
        view.style.paint(Ink::Bold, "Criteria"),
        view.style.paint(
            Ink::Dim,
            &format!("{}/{}", page.card.criteria_met, page.card.criteria)
        )
    );
    for (index, criterion) in page.criteria_list.iter().enumerate() {
        one_criterion(&mut out, view, index + 1, criterion);
    }
    out
}

fn one_criterion(out: &mut String, view: &View, number: usize, criterion: &Criterion) {
    let (sign, ink) = match criterion.state {
        CriterionState::Open => ("·", Ink::Plain),
        CriterionState::Met => ("✓", Ink::Green),
        CriterionState::Failed => ("✗", Ink::Red),
        CriterionState::Skipped => ("–", Ink::Dim),
    };
    let text = wrap(&clean(&criterion.text), view.width.saturating_sub(7));
    for (at, line) in text.iter().enumerate() {
        let _ = if at == 0 {
            writeln!(out, "  {} {number:>2} {line}", view.style.paint(ink, sign))
        } else {
            writeln!(out, "       {line}")
        };
    }
    for evidence in &criterion.evidence {
        let line = format!("       {}", clean(evidence));
        let _ = writeln!(out, "{}", view.style.paint(Ink::Dim, &line));
    }
}

fn header(view: &View, page: &ItemPage) -> String {
    let card = &page.card;
    let paint = |ink, text: &str| view.style.paint(ink, text);
    let standing = format!(
        "{} · {} · {} {} · qa by {}",
        paint(kind_ink(card.kind), card.kind.as_str()),
        paint(priority_ink(card.priority), &format!("P{}", card.priority.min(9))),
        card.column,
        since(view, page),
        card.qa
    );
    format!("{}\n{standing}\n\n", title(view, card))
}

/// Handle, title and badges.
pub(super) fn title(view: &View, card: &ItemCard) -> String {
    let paint = |ink, text: &str| view.style.paint(ink, text);
    let mut badge = match card.status {
        Status::Active => String::new(),
        status => format!(
            "  {}",
            paint(status_ink(status), &format!("[{}]", status_label(status)))
        ),
    };
    if card.deleted {
        badge.push_str(&format!("  {}", paint(Ink::Red, "[in the trash]")));
    }
    let indent = width(&card.handle) + 2;
    let mut badges = if card.deleted { BADGE_TRASH } else { 0 };
    if card.status != Status::Active {
        badges += width(status_label(card.status)) + 4;
    }
    let room = view.width.saturating_sub(indent + badges).max(24);
    // A word that is too long is broken, so that the whole title is shown.
    let title = fold_into(&clean(&card.title), room, TITLE_LINES).join(&format!("\n{}", " ".repeat(indent)));
    format!(
        "{}  {}{badge}",
        paint(Ink::Bold, &card.handle),
        paint(Ink::Bold, &title)
    )
}

fn since(view: &View, page: &ItemPage) -> String {
    let entered = ago_phrase(view.now, page.card.entered_at);
    let sent_back = match page.card.retries {
        0 => String::new(),
        1 => ", sent back once".into(),
        times => format!(", sent back {times} times"),
    };
    format!("since {entered}{sent_back}")
        .replace("since just now", "just now")
        .replace(" ago", "")
}

fn facts(out: &mut String, view: &View, page: &ItemPage) {
    let card = &page.card;
    let mut painted = |name: &str, ink: Ink, value: &str| {
        let room = view.width.saturating_sub(14).max(24);
        for (at, part) in wrap(value, room).iter().enumerate() {
            let name = view
                .style
                .paint(Ink::Dim, &pad(if at == 0 { name } else { "" }, 10));
            let _ = writeln!(out, "  {name}  {}", view.style.paint(ink, part));
        }
    };
    let mut fact = |name: &str, value: String| match name {
        "Attention" => painted(name, Ink::Yellow, &value),
        _ => painted(name, Ink::Plain, &value),
    };
    if let Some(blocked) = &card.holds.blocked {
        fact("Blocked", clean(&blocked.reason));
    }
    if card.holds.frozen {
        fact("Frozen", "paused; resume it with `unfreeze`".into());
    }
    if card.holds.review {
        fact("Review", "waits for approval; approve it with `approve`".into());
    }
    if let Some(failure) = &card.holds.failure {
        let last = if failure.is_final { ", given up" } else { "" };
        fact(
            "Merge",
            format!(
                "{}{last}: {}",
                failure_label(failure.kind),
                clean(&failure.detail)
            ),
        );
    }
    match &card.closing {
        Some(Closing::Superseded { by }) => fact(
            "Replaced",
            match &page.successor {
                Some(link) => format!(
                    "by {}",
                    one_link(view, link, false, view.width.saturating_sub(17))
                ),
                None => format!("by {}", by.key()),
            },
        ),
        Some(Closing::Rejected { reason }) => fact("Rejected", clean(reason)),
        Some(Closing::Abandoned) | None => {}
    }
    for attention in &card.attention {
        fact("Attention", clean(&notice_text(attention)));
    }
    if let Some(claim) = &card.claim {
        let since = ago_phrase(view.now, claim.at);
        let heard = match card.claim_heard {
            Some(heard) if heard.0.saturating_add(SEEN_JUST_NOW_MS) < view.now.0 => {
                format!("; its node was last seen {}", ago_phrase(view.now, heard))
            }
            Some(_) | None => String::new(),
        };
        let line = page.history.iter().find(|line| line.act == claim.act);
        let place = line.map_or_else(|| claim.node.short(), |line| clean(&line.node_name));
        let holder = clean(&claim.holder);
        fact(
            "Claimed",
            format!(
                "by {holder} on {place}, {since} (generation {}){heard}",
                claim.generation
            ),
        );
    }
    if let Some(assignee) = &card.assignee {
        fact("Assignee", clean(assignee));
    }
    if let Some(epic) = &card.epic {
        fact("Epic", format!("{} {}", clean(&epic.handle), clean(&epic.title)));
    }
    if let Some((done, all)) = card.progress {
        fact("Progress", format!("{done} of {} done", plural(all, "item")));
    }
    if !card.labels.is_empty() {
        let labels: Vec<_> = card.labels.iter().map(|label| clean(label)).collect();
        fact("Labels", labels.join(", "));
    }
    if !page.known_as.is_empty() {
        let ids: Vec<_> = page.known_as.iter().map(|id| clean(id)).collect();
        fact("Known as", ids.join(", "));
    }
    let is_id = |link: &&Link| link.kind == LinkKind::External && page.known_as.contains(&link.target);
    for link in page.links.iter().filter(|link| !is_id(link)) {
        let item = page
            .related
            .iter()
            .find(|item| item.id.to_string() == link.target);
        let target = match item {
            Some(item) => format!("{} {}", clean(&item.handle), clean(&item.title)),
            None => clean(&link.target),
        };
        fact("Link", format!("{} {target}", link.kind));
    }
    let asked = clean(&card.origin.to_string());
    fact(
        "Created by",
        format!("{asked}, {}", ago_phrase(view.now, card.created_at)),
    );
    if card.skewed {
        fact(
            "Clock",
            "the clock of its author was ahead; such times are shown as now".into(),
        );
    }
    fact("Key", clean(&card.key));
}

pub(super) fn heading(out: &mut String, view: &View, name: &str, more: &str) {
    let more = view.style.paint(Ink::Dim, more);
    let line = format!("{}  {more}", view.style.paint(Ink::Bold, name));
    let _ = writeln!(out, "\n{}", line.trim_end());
}

/// Markdown as it is, indented. Lines of a code block are not broken.
fn paragraph(out: &mut String, view: &View, text: &str, indent: usize) {
    let mut fenced = false;
    for line in clean_lines(text.trim_end()) {
        let fence = line.trim_start().starts_with("```");
        let parts = if fenced || fence {
            vec![line]
        } else {
            wrap(&line, view.width.saturating_sub(indent))
        };
        fenced ^= fence;
        for part in parts {
            let line = format!("{}{part}", " ".repeat(indent));
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
}

fn links(out: &mut String, view: &View, name: &str, links: &[ItemLink], ticks: bool) {
    if links.is_empty() {
        return;
    }
    heading(out, view, name, "");
    for link in links {
        let _ = writeln!(
            out,
            "  {}",
            one_link(view, link, ticks, view.width.saturating_sub(2))
        );
    }
}

/// A line for another item in `room` columns: tick, handle, title, badge and what to know about it.
pub(super) fn one_link(view: &View, link: &ItemLink, ticks: bool, room: usize) -> String {
    let paint = |ink, text: &str| view.style.paint(ink, text);
    let done = link.satisfied || link.status == Some(Status::Done);
    let tick = match (ticks, done) {
        (true, _) if link.suspended => "◌ ".into(),
        (true, true) => paint(Ink::Green, "✓ "),
        (true, false) => "· ".into(),
        (false, _) => String::new(),
    };
    let handle = clean(&link.handle);
    let badge = match link.status {
        None | Some(Status::Active) => "",
        Some(status) => status_label(status),
    };
    let beside = |text: &str| if text.is_empty() { 0 } else { width(text) + 2 };
    let room = room.saturating_sub(2 * usize::from(ticks) + width(&handle) + 1 + beside(badge));
    let note = link
        .note
        .as_ref()
        .map(|note| format!("! {}", clean(&link_note_text(note))));
    let note = fit(&note.unwrap_or_default(), room.saturating_sub(LINK_TITLE + 2));
    let title = match link.title.as_str() {
        "" => "(not known here yet)".into(),
        title => clean(title),
    };
    let title = fit(&title, room.saturating_sub(beside(&note)).max(LINK_TITLE));
    let badge = match link.status {
        None | Some(Status::Active) => String::new(),
        Some(status) => format!("  {}", paint(status_ink(status), badge)),
    };
    let note = match note.as_str() {
        "" => String::new(),
        note => format!("  {}", paint(Ink::Yellow, note)),
    };
    format!("{tick}{} {title}{badge}{note}", paint(Ink::Bold, &handle))
}

fn conflicts(out: &mut String, view: &View, page: &ItemPage) {
    if !page.open_conflicts.is_empty() {
        heading(
            out,
            view,
            "Conflicts",
            &format!("run `towline explain {}` for details", page.card.handle),
        );
    }
    let said = |act: &ActId| {
        let line = page.history.iter().find(|line| line.act == *act);
        line.map_or_else(
            || format!("act {}", act.short()),
            |line| fit(&clean(&who_did(line)), 80),
        )
    };
    for conflict in &page.open_conflicts {
        super::conflicts::one(out, view, conflict, page.open_conflicts.len() == 1);
    }
    if !page.refused.is_empty() {
        heading(out, view, "Refused", "");
    }
    for refused in &page.refused {
        let _ = writeln!(
            out,
            "  {}: {}",
            said(&refused.act),
            clean(&refusal_text(&refused.reason))
        );
    }
}

fn comments(out: &mut String, view: &View, page: &ItemPage) {
    if page.remarks.is_empty() {
        return;
    }
    heading(out, view, "Comments", &page.remarks.len().to_string());
    for remark in &page.remarks {
        let who = view.style.paint(Ink::Bold, &clean(&remark.origin.to_string()));
        let when = view.style.paint(Ink::Dim, &ago_phrase(view.now, remark.at));
        let _ = writeln!(out, "  {who}  {when}");
        paragraph(out, view, &remark.text, 4);
    }
}

fn history(out: &mut String, view: &View, page: &ItemPage) {
    let hidden = page.history.len().saturating_sub(HISTORY);
    let more = match hidden {
        0 => String::new(),
        _ => format!(
            "last {HISTORY} of {}; run `towline log {}` for all",
            page.history.len(),
            page.card.handle
        ),
    };
    if page.history.is_empty() {
        return;
    }
    heading(out, view, "History", &more);
    let last = page.history.get(hidden..).unwrap_or_default();
    out.push_str(&log::lines(view, last));
}
