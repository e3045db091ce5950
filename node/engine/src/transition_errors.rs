//! Messages for transitions that the table refuses, or that it allows although they would change nothing.
//!
//! The reasons come from the transition table. The fold stores their short form with refused acts; that form
//! is not changed here. Nothing here decides what is legal.

use towline_crdt::view::ItemView;
use towline_proto::table::{IllegalReason, IllegalTransition};
use towline_proto::{HoldKind, Verb};

/// Why a transition is not possible, and which ones are.
pub(super) fn message(illegal: &IllegalTransition) -> String {
    let legal: Vec<_> = illegal.legal.iter().map(|verb| verb.as_str()).collect();
    let legal = match legal.as_slice() {
        [] => "No transition is possible now".to_owned(),
        _ => format!("Possible now: {}", legal.join(", ")),
    };
    format!("`{}` is not possible: {}. {legal}", illegal.verb, why(illegal))
}

fn why(illegal: &IllegalTransition) -> String {
    let lift = |hold, lift: Verb| format!("the item {}; use `{lift}` first", held(hold));
    match illegal.why {
        IllegalReason::NotHeld(HoldKind::Frozen) => "the item is not frozen".to_owned(),
        IllegalReason::NotHeld(HoldKind::Blocked) => "the item is not blocked".to_owned(),
        IllegalReason::NotHeld(HoldKind::ReviewHold) => "the item does not wait for approval".to_owned(),
        IllegalReason::NotHeld(HoldKind::MergeFailure) => "no merge of the item has failed".to_owned(),
        IllegalReason::Held(hold, verb) => lift(hold, verb),
        IllegalReason::AlreadyHeld(hold) => format!("the item {} already", held(hold)),
        IllegalReason::Deleted => "the item is in the trash; use `restore` first".to_owned(),
        IllegalReason::NotDeleted => "the item is not in the trash".to_owned(),
        IllegalReason::Column(_)
        | IllegalReason::Purged
        | IllegalReason::Epic
        | IllegalReason::Claimed
        | IllegalReason::NotClaimed
        | IllegalReason::AlreadyThere(_) => illegal.why.to_string(),
    }
}

const fn held(hold: HoldKind) -> &'static str {
    match hold {
        HoldKind::Frozen => "is frozen",
        HoldKind::Blocked => "is blocked",
        HoldKind::ReviewHold => "waits for approval",
        HoldKind::MergeFailure => "has a failed merge",
    }
}

/// Why a transition that the table allows would change nothing.
pub(super) fn redundant(verb: Verb, row: &ItemView) -> Option<&'static str> {
    let given_up = row.holds.failure.as_ref().is_some_and(|failure| failure.is_final);
    match verb {
        Verb::PassQa if row.holds.review => {
            Some("`pass-qa` is not possible: QA has already passed; use `approve` to move it to merge")
        }
        Verb::GiveUpMerge if given_up => Some(
            "`give-up-merge` is not possible: the merge was already given up; use `retry-merge` to try again",
        ),
        _ => None,
    }
}
