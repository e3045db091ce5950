//! The actions that a page offers for an item: targets of a move, and the other legal verbs.
//!
//! A move to a column is the transition that leads there, where the item's legal verbs have one,
//! because that one knows its rules; only what no transition reaches is the human override. Nothing
//! that is not in the card's `legal` is ever offered.

use maud::{Markup, html};
use towline_api::types::ItemCard;
use towline_proto::table::leads_to;
use towline_proto::{Column, Verb};

use super::parts::column_title;

/// One entry of a *Move to* menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MoveTarget {
    /// Where to.
    pub(crate) column: Column,
    /// What the form sends: a verb, or `move:` and a column.
    pub(crate) value: String,
    /// The transition that this is, for people.
    pub(crate) by: &'static str,
    /// What the menu proposes: the next ordinary step, where there is one.
    pub(crate) proposed: bool,
}

/// The label of a move that no transition makes.
const OVERRIDE: &str = "skips rules";

/// Verbs that a menu may use by themselves: they need nothing but the item.
const PLAIN: &[Verb] = &[
    Verb::Triage,
    Verb::Start,
    Verb::Submit,
    Verb::PassQa,
    Verb::Approve,
    Verb::Merged,
    Verb::Reopen,
    Verb::Archive,
];

/// The verbs that a menu may preselect, so that one click executes them. Never `merged`: a mistaken click must not
/// record a merge.
const ONE_CLICK: &[Verb] = &[
    Verb::Triage,
    Verb::Start,
    Verb::Submit,
    Verb::PassQa,
    Verb::Approve,
    Verb::Archive,
];

/// Where an item can be put, in pipeline order.
pub(crate) fn targets(card: &ItemCard) -> Vec<MoveTarget> {
    let mut targets: Vec<_> = Column::ALL
        .iter()
        .filter_map(|column| target(card, *column))
        .collect();
    let ordinary = |target: &&mut MoveTarget| ONE_CLICK.iter().any(|verb| verb.as_str() == target.by);
    if let Some(forward) = targets.iter_mut().find(ordinary) {
        forward.proposed = true;
    }
    targets
}

fn target(card: &ItemCard, column: Column) -> Option<MoveTarget> {
    if column == card.column {
        return None;
    }
    // A start with unmet dependencies is not among them; the override is what is left.
    let leads = |verb: &Verb| card.legal.contains(verb) && leads_to(*verb, card.qa) == Some(column);
    let plain = PLAIN.iter().copied().find(leads);
    match plain {
        Some(verb) => Some(MoveTarget {
            column,
            value: verb.as_str().to_owned(),
            by: verb.as_str(),
            proposed: false,
        }),
        None if column.is_open() && card.legal.contains(&Verb::Move) => Some(MoveTarget {
            column,
            value: format!("move:{column}"),
            by: OVERRIDE,
            proposed: false,
        }),
        None => None,
    }
}

/// The entries of a menu. Where nothing is proposed nothing is chosen, and a press does nothing.
pub(super) fn options(targets: &[MoveTarget]) -> Markup {
    html! {
        @if !targets.iter().any(|target| target.proposed) {
            option value="" selected { "Choose a column" }
        }
        @for target in targets {
            option value=(target.value) data-column=(target.column) selected[target.proposed] {
                (column_title(target.column)) " (" (target.by) ")"
            }
        }
    }
}

/// The input that a verb needs besides the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerbInput {
    /// Nothing.
    Nothing,
    /// A reason, required or welcome.
    Reason {
        /// Whether it is refused without.
        required: bool,
    },
    /// A confirmation, because it cannot be undone.
    Sure,
    /// Another item.
    Item,
    /// A commit, welcome.
    Commit,
    /// The kind of a failed merge, and a word about it.
    Failure,
}

/// The verbs of an item page, each with what it asks for. `move` has its own form.
pub(crate) fn verbs(card: &ItemCard) -> Vec<(Verb, VerbInput)> {
    let shown = card.legal.iter().copied().filter(|verb| *verb != Verb::Move);
    let forced = can_be_forced(card).then_some(Verb::Start);
    let mut verbs: Vec<Verb> = shown.chain(forced).collect();
    verbs.sort_by_key(|verb| *verb as usize);
    verbs
        .into_iter()
        .map(|verb| (verb, verb_input(verb, card)))
        .collect()
}

/// Whether an item that waits for others can be started by force.
pub(super) fn can_be_forced(card: &ItemCard) -> bool {
    let waits = card.unmet > 0 && card.column == Column::Backlog;
    waits && !card.holds.frozen && card.holds.blocked.is_none() && card.legal.contains(&Verb::Move)
}

fn verb_input(verb: Verb, card: &ItemCard) -> VerbInput {
    match verb {
        Verb::Supersede => VerbInput::Item,
        Verb::Merged => VerbInput::Commit,
        Verb::MergeFailed => VerbInput::Failure,
        Verb::Purge => VerbInput::Sure,
        Verb::Abandon | Verb::Delete => VerbInput::Reason { required: false },
        Verb::Start if card.unmet > 0 => VerbInput::Reason { required: true },
        _ if verb.rule().reason => VerbInput::Reason { required: true },
        _ => VerbInput::Nothing,
    }
}

/// Whether a verb moves the item forward: these come first and are highlighted.
pub(crate) fn is_forward(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::Triage
            | Verb::Start
            | Verb::Submit
            | Verb::PassQa
            | Verb::Approve
            | Verb::RetryMerge
            | Verb::Unblock
            | Verb::Unfreeze
            | Verb::Reopen
            | Verb::Restore
    )
}
