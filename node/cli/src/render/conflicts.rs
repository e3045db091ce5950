//! Pages about conflicts, and about why an item is in its state.

use std::fmt::Write as _;

use towline_api::activity_text::side_activity;
use towline_api::conflict_text::{Step, about, means, unkeepable};
use towline_api::explanation_text::sentences;
use towline_api::labels::rule_text;
use towline_api::types::{Explanation, OpenConflict, Side};

use super::text::{ago_phrase, clean, fit, pad, width, wrap};
use super::{Ink, View, log, show};

/// Open conflicts, each with its sides and how to resolve it.
pub(super) fn page(view: &View, conflicts: &[OpenConflict]) -> String {
    let mut out = String::new();
    for (place, conflict) in conflicts.iter().enumerate() {
        if place > 0 {
            out.push('\n');
        }
        let handle = clean(&conflict.item.handle);
        let room = view.width.saturating_sub(width(&handle) + 2).max(20);
        let title = fit(&clean(&conflict.item.title), room);
        let _ = writeln!(out, "{}  {title}", view.style.paint(Ink::Bold, &handle));
        let alone = conflicts
            .iter()
            .filter(|other| other.item.id == conflict.item.id)
            .count()
            == 1;
        one(&mut out, view, conflict, alone);
    }
    out
}

/// One conflict, indented: its subject, the rule, the sides with the one in effect first, and the commands that
/// resolve it. `alone` if the item has no other conflict, so that no id is needed.
pub(super) fn one(out: &mut String, view: &View, conflict: &OpenConflict, alone: bool) {
    let sign = view.style.paint(Ink::Red, "‼");
    let about = view.style.paint(Ink::Bold, &clean(&about(&conflict.topic)));
    let id = view.style.paint(Ink::Dim, &clean(&conflict.id));
    let _ = writeln!(out, "  {sign} {about}  {id}");
    for part in wrap(rule_text(conflict.rule), view.width.saturating_sub(4).max(24)) {
        let _ = writeln!(out, "    {}", view.style.paint(Ink::Yellow, &part));
    }
    for each in &conflict.sides {
        side(out, view, conflict, each);
    }
    let which = match alone {
        true => String::new(),
        false => format!(" --conflict {}", conflict.id.get(..8).unwrap_or(&conflict.id)),
    };
    let keepable = conflict.sides.iter().filter(|side| side.unkeepable.is_none());
    let commands: Vec<_> = keepable
        .map(|side| {
            let handle = clean(&conflict.item.handle);
            let command = format!("towline conflicts resolve {handle} --keep {}{which}", side.key);
            (command, clean(&means(side)))
        })
        .collect();
    let longest = commands
        .iter()
        .map(|(command, _)| width(command))
        .max()
        .unwrap_or(0);
    let dim = |text: &str| view.style.paint(Ink::Dim, text);
    if conflict.must_restore_first() {
        let _ = writeln!(out, "    {}", dim("the item is in the trash; restore it first:"));
        let _ = writeln!(out, "      towline restore {}", clean(&conflict.item.handle));
        let _ = writeln!(out, "    {}", dim("then resolve it:"));
    } else {
        let _ = writeln!(out, "    {}", dim("resolve it:"));
    }
    for (command, means) in commands {
        let room = view.width.saturating_sub(longest + 9);
        let means = match room {
            0..8 => String::new(),
            _ => format!(
                "  {}",
                view.style.paint(Ink::Dim, &format!("→ {}", fit(&means, room)))
            ),
        };
        let _ = writeln!(
            out,
            "      {}{means}",
            pad(&command, if means.is_empty() { 0 } else { longest })
        );
    }
    for side in &conflict.sides {
        let Some(why) = &side.unkeepable else { continue };
        let said = format!(
            "{} cannot be kept: {}",
            side.key,
            clean(&unkeepable(why, Some(&command)))
        );
        for part in wrap(&said, view.width.saturating_sub(4).max(24)) {
            let _ = writeln!(out, "    {}", view.style.paint(Ink::Dim, &part));
        }
    }
}

/// The command for a step.
#[expect(
    clippy::unnecessary_wraps,
    reason = "other faces have no command for some steps"
)]
fn command(step: Step<'_>) -> Option<String> {
    Some(match step {
        Step::Transition(verb, handle) => format!("towline {verb} {handle}"),
        Step::RemoveDependency(item, on) => format!("towline depends remove {item} {on}"),
    })
}

fn side(out: &mut String, view: &View, conflict: &OpenConflict, side: &Side) {
    let line = &side.line;
    let (mark, state, ink) = match side.effective {
        true => ("●", "in effect", Ink::Green),
        false => ("✗", "overridden", Ink::Dim),
    };
    let said = format!(
        "{} @{} {}, {} — {state}",
        clean(&line.origin.to_string()),
        clean(&line.node_name),
        clean(&side_activity(conflict, side)),
        ago_phrase(view.now, line.at)
    );
    let indent = 4 + width(&side.key) + 4;
    let parts = wrap(&said, view.width.saturating_sub(indent).max(24));
    for (at, part) in parts.iter().enumerate() {
        let _ = match at {
            0 => writeln!(
                out,
                "    {} {}  {part}",
                view.style.paint(Ink::Bold, &side.key),
                view.style.paint(ink, mark)
            ),
            _ => writeln!(out, "{}{part}", " ".repeat(indent)),
        };
    }
}

/// Why items are in their state.
pub(super) fn explained(view: &View, explanations: &[Explanation]) -> String {
    let pages: Vec<_> = explanations.iter().map(|each| explain(view, each)).collect();
    pages.join("\n")
}

fn explain(view: &View, explanation: &Explanation) -> String {
    let card = &explanation.card;
    let mut out = format!("{}\n\n", show::title(view, card));
    for because in sentences(explanation, Some(&command)) {
        for (at, part) in wrap(&clean(&because), view.width.saturating_sub(4).max(24))
            .iter()
            .enumerate()
        {
            let indent = if at == 0 { "  " } else { "    " };
            let _ = writeln!(out, "{indent}{part}");
        }
    }
    if !explanation.conflicts.is_empty() {
        show::heading(
            &mut out,
            view,
            "Unresolved conflicts",
            &explanation.conflicts.len().to_string(),
        );
    }
    for conflict in &explanation.conflicts {
        one(&mut out, view, conflict, explanation.conflicts.len() == 1);
    }
    show::heading(&mut out, view, "History", "");
    out.push_str(&log::lines(view, &explanation.acts));
    out.push('\n');
    for part in log::legend(view) {
        let _ = writeln!(out, "{}", view.style.paint(Ink::Dim, &part));
    }
    out
}
