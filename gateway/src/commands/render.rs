//! Items and projects as lines of chat. Everything foreign is made safe to show on one line.

use towline_node::dto::{ItemCard, ItemPage, ProjectStatus};
use towline_proto::text::show;

/// Longest body or comment in an answer, in characters.
const TEXT_CHARS: usize = 600;
/// Lines of a body or criteria in an answer.
const LINES: usize = 12;

fn line(project: &str, card: &ItemCard) -> String {
    let mut parts = vec![card.column.to_string()];
    if card.status.as_str() != "active" && card.status.as_str() != card.column.as_str() {
        parts.push(card.status.to_string());
    }
    if let Some(claim) = &card.claim {
        parts.push(format!("claimed by {}", show(&claim.holder, 40)));
    } else if let Some(who) = &card.assignee {
        parts.push(format!("for {}", show(who, 40)));
    }
    if card.unmet > 0 {
        parts.push(format!("{} unmet", card.unmet));
    }
    let title = show(&card.title, 80);
    format!(
        "{project}/{} {title} — {} {}",
        card.handle,
        card.kind,
        parts.join(", ")
    )
}

/// A list of items.
pub(super) fn cards(project: &str, cards: &[ItemCard], most: usize) -> String {
    let mut lines: Vec<_> = cards.iter().take(most).map(|card| line(project, card)).collect();
    if cards.len() > most {
        lines.push("… and more; narrow the list with a filter".to_owned());
    }
    lines.join("\n")
}

/// A new item.
pub(super) fn created(project: &str, card: &ItemCard) -> String {
    format!("✅ {}", line(project, card))
}

/// One item in full, as far as chat has room for it.
pub(super) fn page(project: &str, page: &ItemPage) -> String {
    let mut lines = vec![line(project, &page.card)];
    if let Some(blocked) = &page.card.holds.blocked {
        lines.push(format!("blocked: {}", show(&blocked.reason, TEXT_CHARS)));
    }
    if let Some(failure) = &page.card.holds.failure {
        lines.push(format!(
            "merge failed: {} {}",
            failure.kind,
            show(&failure.detail, TEXT_CHARS)
        ));
    }
    let mut left = TEXT_CHARS;
    for text in page
        .body
        .lines()
        .filter(|text| !text.trim().is_empty())
        .take(LINES)
    {
        if left == 0 {
            lines.push("…".to_owned());
            break;
        }
        let text = show(text, left.max(2));
        left = left.saturating_sub(text.chars().count());
        lines.push(text);
    }
    for criterion in page.criteria_list.iter().take(LINES) {
        lines.push(format!("[{}] {}", criterion.state, show(&criterion.text, 120)));
    }
    for conflict in page.open_conflicts.iter().take(3) {
        lines.push(format!(
            "conflict over {}: {}",
            show(&conflict.about, 80),
            show(&conflict.why, 120)
        ));
    }
    if let Some(remark) = page.remarks.last() {
        lines.push(format!(
            "{}: {}",
            show(&remark.origin.to_string(), 40),
            show(&remark.text, 200)
        ));
    }
    let legal: Vec<_> = page.card.legal.iter().map(|verb| verb.as_str()).collect();
    lines.push(format!("next: {}", legal.join(", ")));
    lines.join("\n")
}

/// A project in one line.
pub(super) fn status(status: &ProjectStatus) -> String {
    let counts: Vec<_> = status
        .columns
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(column, count)| format!("{count} {column}"))
        .collect();
    let mut line = format!("{}: {}", show(&status.name, 40), counts.join(", "));
    if counts.is_empty() {
        line.push_str("no items");
    }
    if status.held > 0 {
        line.push_str(&format!("; {} held", status.held));
    }
    if status.conflicts > 0 {
        line.push_str(&format!("; {} with conflicts", status.conflicts));
    }
    match &status.peers {
        Some(peers) => {
            let equal = peers.iter().filter(|peer| peer.in_sync).count();
            line.push_str(&format!("; {equal} of {} peers in sync", peers.len()));
        }
        None => line.push_str("; no network"),
    }
    line
}
