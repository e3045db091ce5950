//! Renders items and projects as lines of chat. User text is made safe to show on one line.

use towline_api::activity_text::side_activity;
use towline_api::conflict_text::{Step, about, means};
use towline_api::explanation_text::sentences;
use towline_api::types::{Explanation, ItemCard, ItemPage, OpenConflict, ProjectStatus};
use towline_proto::text::show;

use super::table;

/// Maximum length of a body or comment in a response, in characters.
const TEXT_CHARS: usize = 600;
/// Maximum number of body lines or criteria in a response.
const LINES: usize = 12;
/// Maximum number of conflicts in a list.
const CONFLICTS: usize = 8;
/// Maximum number of conflicts shown with an item.
const CONFLICTS_OF_ITEM: usize = 3;

fn card_line(project: &str, card: &ItemCard) -> String {
    let mut parts = vec![card.column.to_string()];
    if card.status.as_str() != "active" && card.status.as_str() != card.column.as_str() {
        parts.push(card.status.to_string());
    }
    if let Some(claim) = &card.claim {
        parts.push(format!("claimed by {}", show(&claim.holder, 40)));
    } else if let Some(who) = &card.assignee {
        parts.push(format!("assigned to {}", show(who, 40)));
    }
    match card.unmet {
        0 => {}
        1 => parts.push("1 unmet dependency".to_owned()),
        unmet => parts.push(format!("{unmet} unmet dependencies")),
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
pub(super) fn cards(project: &str, cards: &[ItemCard], max: usize) -> String {
    let mut lines: Vec<_> = cards
        .iter()
        .take(max)
        .map(|card| card_line(project, card))
        .collect();
    if cards.len() > max {
        lines.push("… and more; use a filter to shorten the list".to_owned());
    }
    lines.join("\n")
}

/// A new item.
pub(super) fn created(project: &str, card: &ItemCard) -> String {
    format!("✅ {}", card_line(project, card))
}

/// Items that share a number, one per line.
pub(super) fn ambiguous_number(project: &str, pages: &[ItemPage]) -> String {
    let mut lines = vec!["several items have this number; use the handle of one of them:".to_owned()];
    lines.extend(
        pages
            .iter()
            .take(LINES)
            .map(|page| card_line(project, &page.card)),
    );
    if pages.len() > LINES {
        lines.push(format!("… and {} more", pages.len() - LINES));
    }
    lines.join("\n")
}

/// One item with its details, shortened for chat.
pub(super) fn item_page(project: &str, page: &ItemPage) -> String {
    let mut lines = vec![card_line(project, &page.card)];
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
    let mut remaining = TEXT_CHARS;
    for text in page
        .body
        .lines()
        .filter(|text| !text.trim().is_empty())
        .take(LINES)
    {
        if remaining == 0 {
            lines.push("…".to_owned());
            break;
        }
        let text = show(text, remaining.max(2));
        remaining = remaining.saturating_sub(text.chars().count());
        lines.push(text);
    }
    for criterion in page.criteria_list.iter().take(LINES) {
        lines.push(format!("[{}] {}", criterion.state, show(&criterion.text, 120)));
    }
    for conflict in page.open_conflicts.iter().take(CONFLICTS_OF_ITEM) {
        lines.push(conflict_line(conflict));
    }
    if let Some(remark) = page.remarks.last() {
        lines.push(format!(
            "{}: {}",
            show(&remark.origin.to_string(), 40),
            show(&remark.text, 200)
        ));
    }
    let legal: Vec<_> = page.card.legal.iter().map(|verb| verb.as_str()).collect();
    lines.push(format!("possible now: {}", legal.join(", ")));
    lines.join("\n")
}

/// The sides of a conflict in one line.
fn conflict_line(conflict: &OpenConflict) -> String {
    let sides: Vec<_> = conflict
        .sides
        .iter()
        .map(|side| {
            let did = format!("{} {}", side.line.origin, side_activity(conflict, side));
            let did = show(&did, 100);
            let in_effect = if side.effective { " (in effect)" } else { "" };
            format!("[{}] {did} → {}{in_effect}", side.key, show(&means(side), 60))
        })
        .collect();
    format!(
        "conflict on {}: {}",
        show(&about(&conflict.topic), 60),
        sides.join("; ")
    )
}

/// The command that resolves a conflict.
fn resolve_hint(project: &str, conflict: &OpenConflict, several: bool, prefix: &str) -> String {
    let keepable = conflict.sides.iter().filter(|side| side.unkeepable.is_none());
    let keys: Vec<_> = keepable.map(|side| side.key.as_str()).collect();
    let id = conflict
        .id
        .get(..8)
        .filter(|_| several)
        .map(|id| format!(" {id}"));
    let handle = &conflict.item.handle;
    let first = match conflict.must_restore_first() {
        true => format!("the item is in the trash: first {prefix}restore {project}/{handle}, then "),
        false => String::new(),
    };
    format!(
        "   {first}{prefix}resolve {project}/{handle} {}{}",
        keys.join("|"),
        id.unwrap_or_default()
    )
}

/// Open conflicts, each with its sides and the command that resolves it.
pub(super) fn conflicts(project: &str, open: &[OpenConflict], prefix: &str) -> String {
    let mut lines = Vec::new();
    for conflict in open.iter().take(CONFLICTS) {
        let item = &conflict.item;
        let several = open.iter().filter(|other| other.item.id == item.id).count() > 1;
        lines.push(format!("{project}/{} {}", item.handle, show(&item.title, 80)));
        lines.push(conflict_line(conflict));
        lines.push(resolve_hint(project, conflict, several, prefix));
    }
    if let Some(more) = open.len().checked_sub(CONFLICTS).filter(|more| *more > 0) {
        lines.push(format!("… and {more} more"));
    }
    lines.join("\n")
}

/// The command of the chat for a step, if there is one.
fn command(project: &str, step: Step<'_>, prefix: &str) -> Option<String> {
    let Step::Transition(verb, handle) = step else {
        return None;
    };
    let name = table::name_of(verb)?;
    Some(format!("{prefix}{name} {project}/{handle}"))
}

/// The explanation of the current state of items.
pub(super) fn explanations(project: &str, explained: &[Explanation], prefix: &str) -> String {
    let mut lines = Vec::new();
    for one in explained {
        lines.push(card_line(project, &one.card));
        let command = |step: Step<'_>| command(project, step, prefix);
        let sentences = sentences(one, Some(&command));
        lines.extend(
            sentences
                .iter()
                .take(LINES)
                .map(|sentence| show(sentence, TEXT_CHARS)),
        );
        for conflict in one.conflicts.iter().take(CONFLICTS_OF_ITEM) {
            lines.push(conflict_line(conflict));
            lines.push(resolve_hint(project, conflict, one.conflicts.len() > 1, prefix));
        }
    }
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
        line.push_str(&format!("; {} on hold", status.held));
    }
    if status.conflicts > 0 {
        line.push_str(&format!("; {} with conflicts", status.conflicts));
    }
    match &status.peers {
        Some(peers) => {
            let in_sync = peers.iter().filter(|peer| peer.in_sync).count();
            line.push_str(&format!("; in sync with {in_sync} of {} peers", peers.len()));
        }
        None => line.push_str("; no network"),
    }
    line
}

#[cfg(test)]
mod tests {
    use towline_api::types::{
        ConflictTopic, HistoryLine, HistoryOutcome, ItemLink, LineValue, LinkNote, Side, SideResult,
    };
    use towline_proto::{ActId, Column, ItemId, Millis, NodeId, Origin, OriginKind, Register, Rule, Verb};

    use super::*;

    fn line(who: &str, what: Verb, reason: Option<&str>) -> HistoryLine {
        HistoryLine {
            skewed: false,
            act: ActId([1; 16]),
            item: ItemId([2; 16]),
            handle: "42".into(),
            title: "Fix login".into(),
            at: Millis(0),
            origin: Origin::new(OriginKind::User, who).expect("a name"),
            node: NodeId([3; 32]),
            node_name: "laptop".into(),
            what: what.into(),
            from: None,
            to: None,
            value: reason.map(|reason| LineValue::Reason {
                reason: reason.to_owned(),
            }),
            fate: HistoryOutcome::Effective,
        }
    }

    fn topic(register: Register) -> ConflictTopic {
        ConflictTopic::Register {
            register,
            criterion: None,
        }
    }

    fn conflict() -> OpenConflict {
        let side = |key: &str, result, line| Side {
            key: key.into(),
            effective: key == "a",
            result,
            unkeepable: None,
            line,
        };
        OpenConflict {
            id: "c0ffee0011223344".into(),
            item: ItemLink {
                handle: "42".into(),
                id: ItemId([2; 16]),
                title: "Fix \u{202e}login".into(),
                status: None,
                satisfied: false,
                suspended: false,
                note: None,
            },
            topic: topic(Register::Column),
            rule: Rule::Hold,
            since: Millis(0),
            before: None,
            sides: vec![
                side(
                    "a",
                    SideResult::Stays {
                        column: Column::Coding,
                    },
                    line("bo", Verb::Block, Some("waits for keys")),
                ),
                side(
                    "b",
                    SideResult::Column { column: Column::Done },
                    line("ann", Verb::Merged, None),
                ),
            ],
        }
    }

    #[test]
    fn a_conflict_of_an_item_in_the_trash_says_to_restore_it_first() {
        let mut deleted = conflict();
        deleted.item.note = Some(LinkNote::Deleted);
        let text = conflicts("demo", &[deleted.clone()], "!");
        assert!(
            text.ends_with("   the item is in the trash: first !restore demo/42, then !resolve demo/42 a|b"),
            "{text}"
        );
        deleted.topic = topic(Register::Deleted);
        let text = conflicts("demo", &[deleted], "!");
        assert!(text.ends_with("\n   !resolve demo/42 a|b"), "{text}");
    }

    #[test]
    fn a_conflict_shows_both_sides_and_the_command_that_resolves_it() {
        assert_eq!(
            conflicts("demo", &[conflict()], "!"),
            "demo/42 Fix \\u{202e}login\n\
             conflict on column: [a] bo blocked it (waits for keys) → stay in coding (in effect); \
             [b] ann marked it done → done\n   \
             !resolve demo/42 a|b"
        );
        let two = conflicts("demo", &[conflict(), conflict()], "!");
        assert!(two.contains("!resolve demo/42 a|b c0ffee00"), "{two}");
        let many: Vec<_> = (0..20).map(|_| conflict()).collect();
        assert!(conflicts("demo", &many, "!").ends_with("… and 12 more"));
    }
}
