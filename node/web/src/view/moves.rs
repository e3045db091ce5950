//! What can be done to a card without leaving the board, and the words for it.
//!
//! A card carries its transitions as machine words in one attribute; the page carries the words for people once,
//! in its one menu. Nothing that is not in the card's `legal` is offered, except a start that waits for other
//! items, which takes a reason.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Serialize;
use towline_api::types::ItemCard;
use towline_proto::table::leads_to;
use towline_proto::{Column, Verb};

use super::actions::{can_be_forced, targets};
use super::parts::column_title;

/// The columns that a move can skip.
const PIPELINE: &[Column] = &[
    Column::Upcoming,
    Column::Backlog,
    Column::Coding,
    Column::Qa,
    Column::Merge,
];

/// The transitions that stay in the column.
const HERE: &[Verb] = &[
    Verb::Claim,
    Verb::Release,
    Verb::RetryMerge,
    Verb::Block,
    Verb::Unblock,
    Verb::Freeze,
    Verb::Unfreeze,
];

/// One transition of a card.
#[derive(Debug, PartialEq, Eq)]
struct CardMove {
    /// What a request sends: a verb, or `move:` and a column.
    value: String,
    /// Where it leads, if it leaves the column.
    to: Option<Column>,
    /// Whether it is refused without a reason, or goes past a rule.
    asks: bool,
    /// Whether the menu proposes it.
    proposed: bool,
}

fn moves(card: &ItemCard) -> Vec<CardMove> {
    let leaving = targets(card).into_iter().map(|target| {
        let column = target.column;
        let explained = [Verb::RequestChanges]
            .into_iter()
            .find(|verb| card.legal.contains(verb) && leads_to(*verb, card.qa) == Some(column));
        let overrides = target.value.starts_with("move:");
        let value = match explained {
            Some(verb) if overrides => verb.as_str().to_owned(),
            _ if overrides && column == Column::Coding && can_be_forced(card) => {
                Verb::Start.as_str().to_owned()
            }
            _ => target.value,
        };
        CardMove {
            value,
            to: Some(column),
            asks: overrides,
            proposed: target.proposed,
        }
    });
    let here = HERE
        .iter()
        .filter(|verb| card.legal.contains(verb))
        .map(|verb| CardMove {
            value: verb.as_str().to_owned(),
            to: None,
            asks: verb.rule().reason,
            proposed: false,
        });
    leaving.chain(here).collect()
}

/// The transitions of a card as scripts read them: `value>column`, with `!` where it asks for a reason and `*` where
/// it is proposed, separated by spaces.
pub(super) fn attribute(card: &ItemCard) -> String {
    let one = |one: CardMove| {
        let to = one.to.map_or(String::new(), |column| format!(">{column}"));
        let mark = |is: bool, mark: &'static str| if is { mark } else { "" };
        format!(
            "{}{to}{}{}",
            one.value,
            mark(one.asks, "!"),
            mark(one.proposed, "*")
        )
    };
    moves(card).into_iter().map(one).collect::<Vec<_>>().join(" ")
}

/// A transition as people call it.
pub(crate) const fn verb_label(verb: Verb) -> &'static str {
    match verb {
        Verb::Triage => "Triage",
        Verb::Start => "Start",
        Verb::Submit => "Submit",
        Verb::RequestChanges => "Request changes",
        Verb::PassQa => "Pass QA",
        Verb::Approve => "Approve",
        Verb::Merged => "Mark as done",
        Verb::MergeFailed => "Report a failed merge",
        Verb::RetryMerge => "Retry the merge",
        Verb::GiveUpMerge => "Give up the merge",
        Verb::Block => "Block",
        Verb::Unblock => "Unblock",
        Verb::Freeze => "Freeze",
        Verb::Unfreeze => "Unfreeze",
        Verb::Abandon => "Abandon",
        Verb::Supersede => "Supersede",
        Verb::Reject => "Reject",
        Verb::Reopen => "Reopen",
        Verb::Archive => "Archive",
        Verb::Move => "Move",
        Verb::Claim => "Claim",
        Verb::Release => "Release the claim",
        Verb::TakeOver => "Take over the claim",
        Verb::Delete => "Delete",
        Verb::Restore => "Restore",
        Verb::Purge => "Delete permanently",
    }
}

/// A move past the rules, by what it skips: "Skip QA", "Skip coding and QA", "Move back to backlog".
pub(crate) fn override_label(from: Column, to: Column) -> String {
    let place = |column: Column| PIPELINE.iter().position(|one| *one == column);
    let (from, to_place) = (place(from), place(to));
    let skipped: Vec<_> = match (from, to_place) {
        (Some(from), Some(to)) if from < to => PIPELINE.get(from + 1..to).unwrap_or_default().to_vec(),
        (Some(from), Some(place)) if from > place => return format!("Move back to {}", column_title(to)),
        (None, _) => return format!("Move back to {}", column_title(to)),
        _ => Vec::new(),
    };
    let names: Vec<_> = skipped
        .into_iter()
        .map(|column| match column {
            Column::Backlog => "triage",
            Column::Qa => "QA",
            other => other.as_str(),
        })
        .collect();
    match names.split_last() {
        None => format!("Move to {}", column_title(to)),
        Some((last, [])) => format!("Skip {last}"),
        Some((last, rest)) => format!("Skip {} and {last}", rest.join(", ")),
    }
}

/// The words of the menu, the dialog and the columns under a drag.
#[derive(Serialize)]
struct Words {
    columns: BTreeMap<&'static str, &'static str>,
    verbs: BTreeMap<&'static str, &'static str>,
    /// Moves past the rules, by `from>to`.
    moves: BTreeMap<String, String>,
    /// Why a reason is asked for, by verb.
    why: BTreeMap<&'static str, &'static str>,
    open: &'static str,
    stay: &'static str,
}

fn words() -> Words {
    let columns = || Column::ALL.iter().copied();
    let pairs = columns().flat_map(|from| PIPELINE.iter().map(move |to| (from, *to)));
    Words {
        columns: columns()
            .map(|column| (column.as_str(), column_title(column)))
            .collect(),
        verbs: Verb::ALL
            .iter()
            .map(|verb| (verb.as_str(), verb_label(*verb)))
            .collect(),
        moves: pairs
            .filter(|(from, to)| from != to)
            .map(|(from, to)| (format!("{from}>{to}"), override_label(from, to)))
            .collect(),
        why: BTreeMap::from([
            ("start", "It waits for other items. Say why it is started anyway."),
            (
                "move",
                "The rules do not have this step. Say why it is right here; the history keeps the reason.",
            ),
            ("request-changes", "Say what has to change."),
            ("block", "Say what it waits for."),
        ]),
        open: "Open",
        stay: "Not possible",
    }
}

/// The one menu of the page: scripts fill it for the card on which it is opened. Without scripts the link of a
/// card leads to the forms of the item's page.
pub(super) fn menu() -> Markup {
    let words = serde_json::to_string(&words()).unwrap_or_default();
    html! {
        div id="menu" popover="auto" role="menu" tabindex="-1" aria-label="Actions" data-words=(words) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_past_the_rules_is_named_by_what_it_skips() {
        let named = |from, to| override_label(from, to);
        assert_eq!(named(Column::Coding, Column::Merge), "Skip QA");
        assert_eq!(named(Column::Backlog, Column::Merge), "Skip coding and QA");
        assert_eq!(named(Column::Upcoming, Column::Coding), "Skip triage");
        assert_eq!(named(Column::Backlog, Column::Coding), "Move to Coding");
        assert_eq!(named(Column::Merge, Column::Backlog), "Move back to Backlog");
        assert_eq!(named(Column::Done, Column::Qa), "Move back to QA");
    }
}
