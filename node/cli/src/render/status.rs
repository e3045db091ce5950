//! The status of a project.

use std::fmt::Write;

use towline_api::types::ProjectStatus;

use super::text::{ago_phrase, bytes, clean, count, pad, pad_left, plural, wrap};
use super::{View, column_ink, log};
use crate::style::Ink;

/// Longest bar, in columns.
const BAR: usize = 40;

/// Counts, peers and position.
pub(super) fn page(view: &View, status: &ProjectStatus) -> String {
    let paint = |ink, text: &str| view.style.paint(ink, text);
    let mut out = format!(
        "{}  {}\n\n",
        paint(Ink::Bold, &clean(&status.name)),
        paint(
            Ink::Dim,
            &format!("{} on {}", status.role, clean(&status.node_name))
        )
    );
    let most = status.columns.iter().map(|(_, items)| *items).max().unwrap_or(0);
    let digits = count(most as u64).len();
    let longest = BAR.min(view.width.saturating_sub(20 + digits)).max(10);
    for (column, items) in &status.columns {
        // A column with anything in it has a bar, however small its share is.
        let length = match items {
            0 => 0,
            _ => (items * longest).div_ceil(most.max(longest)),
        };
        let line = format!(
            "  {}  {}  {}",
            pad(column.as_str(), 8),
            pad_left(&count(*items as u64), digits),
            paint(column_ink(*column), &"█".repeat(length))
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push('\n');
    let mut fact = |name: &str, value: String| {
        for (at, part) in wrap(&value, view.width.saturating_sub(12)).iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            let _ = writeln!(out, "  {}  {part}", paint(Ink::Dim, &pad(name, 8)));
        }
    };
    fact(
        "Items",
        format!(
            "{}, {} on hold, {} with conflicts, {} in the trash",
            count(status.items as u64),
            count(status.held as u64),
            count(status.conflicts as u64),
            count(status.deleted as u64)
        ),
    );
    let waiting = match status.waiting {
        0 => String::new(),
        entries => format!(", {entries} waiting for missing entries"),
    };
    fact(
        "Log",
        format!(
            "{} entries, {}{waiting}",
            count(status.entries),
            bytes(status.log_bytes)
        ),
    );
    fact("Members", members(status));
    fact("Digest", status.digest.chars().take(16).collect());
    fact("Project", status.id.to_string());
    if let Some(board) = &status.board {
        fact("Board", clean(board));
    }
    for other in &status.unavailable {
        let what = format!(
            "project {} cannot be opened: {}",
            clean(&other.name),
            clean(&other.why)
        );
        fact("Problem", what);
    }
    if let Some(last) = &status.last_event {
        let _ = writeln!(
            out,
            "\n{}\n{}",
            paint(
                Ink::Dim,
                &format!("Last event, {}", ago_phrase(view.now, last.seen_at))
            ),
            log::event(view, last).trim_end()
        );
    }
    out
}

fn members(status: &ProjectStatus) -> String {
    let members = count(status.members as u64);
    match &status.peers {
        None => format!("{members}; no node is running here"),
        Some(peers) => {
            let equal = peers.iter().filter(|peer| peer.in_sync).count();
            format!(
                "{members}; {} connected, {equal} in sync",
                plural(peers.len(), "peer")
            )
        }
    }
}
