//! Pages about what contends: open conflicts, and why an item stands where it stands.

use std::fmt::Write as _;

use super::text::clean;
use super::{Ink, View, log};
use crate::dto::{Explanation, OpenConflict, Side};

/// Open conflicts, each with its sides and how to settle it.
pub(super) fn page(view: &View, conflicts: &[OpenConflict]) -> String {
    let mut out = String::new();
    for (place, conflict) in conflicts.iter().enumerate() {
        if place > 0 {
            out.push('\n');
        }
        let handle = view.style.paint(Ink::Bold, &clean(&conflict.item.handle));
        let id = view.style.paint(Ink::Dim, &clean(&conflict.id));
        let _ = writeln!(out, "{handle}  {}  {id}", clean(&conflict.item.title));
        one(&mut out, view, conflict);
        let _ = writeln!(
            out,
            "  settle it: towline conflicts settle {} --keep {}",
            clean(&conflict.item.handle),
            keys(conflict)
        );
    }
    out
}

/// The sides of one conflict, indented, what takes effect first.
pub(super) fn one(out: &mut String, view: &View, conflict: &OpenConflict) {
    let sign = view.style.paint(Ink::Red, "‼");
    let _ = writeln!(
        out,
        "  {sign} {}: {}",
        clean(&conflict.about),
        clean(&conflict.why)
    );
    for side in &conflict.sides {
        let _ = writeln!(out, "    {}", said(view, side));
    }
}

fn said(view: &View, side: &Side) -> String {
    let line = &side.line;
    let detail = line
        .detail
        .as_deref()
        .map_or_else(String::new, |detail| format!(" ({})", clean(detail)));
    let counts = if side.effective {
        "takes effect"
    } else {
        "has no effect"
    };
    format!(
        "{}  {}{detail} by {}: {}, {}",
        view.style.paint(Ink::Bold, &side.key),
        clean(&line.what),
        clean(&line.origin.to_string()),
        clean(&side.means),
        view.style.paint(Ink::Dim, counts)
    )
}

fn keys(conflict: &OpenConflict) -> String {
    let keys: Vec<_> = conflict.sides.iter().map(|side| side.key.as_str()).collect();
    keys.join("|")
}

/// Why items stand where they stand.
pub(super) fn explained(view: &View, explanations: &[Explanation]) -> String {
    let mut out = String::new();
    for explanation in explanations {
        let card = &explanation.card;
        let handle = view.style.paint(Ink::Bold, &clean(&card.handle));
        let _ = writeln!(out, "{handle}  {}\n", clean(&card.title));
        for because in &explanation.because {
            let _ = writeln!(out, "  {}", clean(because));
        }
        for conflict in &explanation.conflicts {
            one(&mut out, view, conflict);
        }
        out.push('\n');
        out.push_str(&log::lines(view, &explanation.acts));
    }
    out
}
