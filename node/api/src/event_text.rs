//! The words for the parts of events that take more than a word: reasons of holds, conflicts, and what a merge changed.
//!
//! The terminal, the board and chat each make their own lines of events and share these. They are made from types
//! and decide nothing. Text of users is returned as it is; the caller makes it safe.

use towline_proto::{ConflictSubject, HoldReason, ItemName, Register, RegisterValue, Rule, Wait, WaitKind};

use crate::labels::{rule_text, value_text};

/// Why an item is held.
pub fn hold_reason_text(reason: &HoldReason) -> String {
    match reason {
        HoldReason::Blocked(blocked) => blocked.reason.clone(),
        HoldReason::MergeFailure(failure) => format!(
            "{}{}: {}",
            failure.kind,
            if failure.is_final { ", given up" } else { "" },
            failure.detail
        ),
    }
}

/// Why one side of a new conflict is in effect.
pub fn conflict_text(rule: Rule, about: &ConflictSubject) -> String {
    match about {
        ConflictSubject::Register { .. } => rule_text(rule).to_owned(),
        ConflictSubject::Cycle { waits, more } => cycle_text(waits, *more),
    }
}

/// The register that a merge changed, and its value before and after.
pub fn merge_texts(register: &Register, before: &RegisterValue, after: &RegisterValue) -> [String; 3] {
    [
        register.to_string(),
        value_text(register, before),
        value_text(register, after),
    ]
}

/// A cycle of dependencies, for people who have not read the rules. The last dependency is suspended.
fn cycle_text(waits: &[Wait], more: usize) -> String {
    let Some(Wait { item, on, .. }) = waits.last() else {
        return String::new();
    };
    let (from, on) = (&item.handle, &on.handle);
    match waits {
        [_] => format!("{from} waits for itself; this dependency is ignored until somebody removes it"),
        [
            Wait {
                why: WaitKind::Dependency,
                ..
            },
            _,
        ] => format!(
            "{on} and {from} wait for each other; until somebody removes one of the two dependencies, {from} does not wait for {on}"
        ),
        _ => {
            let mut steps: Vec<_> = waits.iter().map(step).collect();
            if more > 0 {
                steps.insert(steps.len() / 2, format!("… {more} more …"));
            }
            format!(
                "they wait for each other in a cycle; until somebody removes one of these dependencies, {from} does not wait for {on}: {}",
                steps.join(", ")
            )
        }
    }
}

fn step(wait: &Wait) -> String {
    let [ItemName { handle: from, .. }, ItemName { handle: on, .. }] = [&wait.item, &wait.on];
    match wait.why {
        WaitKind::Dependency => format!("{from} waits for {on}"),
        WaitKind::Successor => format!("{from} was superseded by {on}"),
    }
}
