//! The words for conflicts: what one is about, what keeping a side means, and why a side cannot be kept.
//!
//! Faces and the texts of JSON use them. They are made from types and decide nothing. A face that has commands passes
//! a [`Hint`] that names the one for a verb; otherwise the text says what to do without a command.

use towline_proto::{Column, OpKind, Register, Verb, text};

use crate::activity_text::detail;
use crate::labels::{register_name, unkeepable_text};
use crate::types::{ConflictTopic, OpenConflict, Side, SideResult, Unkeepable};

/// Characters of the text that says what keeping a side means.
const MEANS_CHARS: usize = 80;

/// What somebody can do about something, for which a face may have a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Apply a transition to an item.
    Transition(towline_proto::Verb, &'a str),
    /// Remove the dependency of an item on another.
    RemoveDependency(&'a str, &'a str),
}

/// Names the command for a step, or gives none.
pub type Hint<'h> = Option<&'h dyn Fn(Step<'_>) -> Option<String>>;

/// What a conflict is about, as people call it; a criterion by its position and text.
pub fn about(topic: &ConflictTopic) -> String {
    match topic {
        ConflictTopic::Register {
            register: Register::Criterion(_),
            criterion: Some(criterion),
        } => format!(
            "criterion {} ({})",
            criterion.place,
            text::show(&criterion.text, MEANS_CHARS)
        ),
        ConflictTopic::Register { register, .. } => register_name(register),
        ConflictTopic::Dependencies => "dependencies".to_owned(),
    }
}

/// What keeping a side means.
pub fn means(side: &Side) -> String {
    match &side.result {
        SideResult::Stays { column } => format!("stay in {column}"),
        SideResult::Column { column } => column.to_string(),
        SideResult::Closed { status } => status.to_string(),
        SideResult::Superseded { by } => format!("superseded by {}", by.handle),
        SideResult::Frozen { set: true } => "frozen".to_owned(),
        SideResult::Frozen { set: false } => "not frozen".to_owned(),
        SideResult::Blocked { set: true } => "blocked".to_owned(),
        SideResult::Blocked { set: false } => "not blocked".to_owned(),
        SideResult::Trash { deleted: true } => "in the trash".to_owned(),
        SideResult::Trash { deleted: false } => "out of the trash".to_owned(),
        SideResult::Purged => "deleted permanently".to_owned(),
        SideResult::Claimed { holder } => format!("claimed by {}", text::show(holder, MEANS_CHARS)),
        SideResult::Setting { value } => value.clone().unwrap_or_else(|| "the default".to_owned()),
        SideResult::Value { value: Some(value) } => text::show(&detail(value), MEANS_CHARS),
        SideResult::Value { value: None } => side.line.what.to_string(),
        SideResult::Waits { item, on } => format!("{} waits for {}", item.handle, on.handle),
        SideResult::Replaces { item, by } => format!("{} replaces {}", by.handle, item.handle),
    }
}

/// What somebody does who keeps a side, as the words of a button: "Mark done", "Keep blocked", "Use this title".
pub fn keep_text(conflict: &OpenConflict, side: &Side) -> String {
    let either = |keep: &str, change: &str| if side.effective { keep } else { change }.to_owned();
    match &side.result {
        SideResult::Stays { column } => match side.line.what {
            OpKind::Transition(Verb::Block) => either("Keep blocked", "Block"),
            OpKind::Transition(Verb::Freeze) => either("Keep frozen", "Freeze"),
            OpKind::Transition(_) | OpKind::Edit(_) => format!("Keep in {column}"),
        },
        SideResult::Column { column: Column::Done } => either("Keep done", "Mark done"),
        SideResult::Column {
            column: Column::Archived,
        } => either("Keep archived", "Archive"),
        SideResult::Column { column } => either(&format!("Keep in {column}"), &format!("Move to {column}")),
        SideResult::Closed { status } => either(&format!("Keep {status}"), &format!("Mark {status}")),
        SideResult::Superseded { by } => either(
            &format!("Keep replaced by {}", by.handle),
            &format!("Replace by {}", by.handle),
        ),
        SideResult::Frozen { set: true } => either("Keep frozen", "Freeze"),
        SideResult::Frozen { set: false } => either("Keep unfrozen", "Unfreeze"),
        SideResult::Blocked { set: true } => either("Keep blocked", "Block"),
        SideResult::Blocked { set: false } => either("Keep unblocked", "Unblock"),
        SideResult::Trash { deleted: true } => either("Keep in the trash", "Move to the trash"),
        SideResult::Trash { deleted: false } => either("Keep out of the trash", "Restore"),
        SideResult::Purged => "Delete permanently".to_owned(),
        SideResult::Claimed { holder } => {
            let holder = text::show(holder, MEANS_CHARS);
            either(
                &format!("Keep the claim of {holder}"),
                &format!("Give the claim to {holder}"),
            )
        }
        SideResult::Setting { .. } => either("Keep this value", "Use this value"),
        SideResult::Value { .. } => {
            let what = value_name(&conflict.topic);
            either(&format!("Keep this {what}"), &format!("Use this {what}"))
        }
        SideResult::Waits { item, on } => format!("Let {} wait for {}", item.handle, on.handle),
        SideResult::Replaces { item, by } => format!("Let {} replace {}", by.handle, item.handle),
    }
}

/// What the value of a register is called on a button.
fn value_name(topic: &ConflictTopic) -> String {
    match topic {
        ConflictTopic::Register {
            register: Register::Criterion(_),
            ..
        } => "judgement".to_owned(),
        ConflictTopic::Register { register, .. } => register_name(register),
        ConflictTopic::Dependencies => "dependency".to_owned(),
    }
}

/// The state before and after a side, where both are known: columns, or the values of a field.
pub fn before_and_after(conflict: &OpenConflict, side: &Side) -> Option<(String, String)> {
    let before = match (&side.result, &conflict.before) {
        (SideResult::Value { value: Some(_) }, Some(before)) => text::show(&detail(before), MEANS_CHARS),
        (SideResult::Column { .. } | SideResult::Closed { .. } | SideResult::Superseded { .. }, _) => {
            side.line.from?.to_string()
        }
        _ => return None,
    };
    Some((before, means(side)))
}

/// Why a side cannot be kept, with what is possible instead.
pub fn unkeepable(why: &Unkeepable, hint: Hint<'_>) -> String {
    let hint = |step: Step<'_>| hint.and_then(|hint| hint(step));
    match why {
        Unkeepable::Rule { rule } => unkeepable_text(*rule).to_owned(),
        Unkeepable::Replaces { item, replaced } => {
            let (from, on) = (&item.handle, &replaced.handle);
            let reopen = Step::Transition(towline_proto::Verb::Reopen, on);
            let instead = match hint(reopen) {
                Some(command) => format!("use `{command}`"),
                None => format!("reopen {on}"),
            };
            format!(
                "{from} replaces {on}, directly or through other items, and cannot wait for itself; {instead} to do {on} separately"
            )
        }
        Unkeepable::OtherDependencies { item, on, others } => {
            let others: Vec<_> = others
                .iter()
                .map(
                    |(from, on)| match hint(Step::RemoveDependency(&from.handle, &on.handle)) {
                        Some(command) => format!("`{command}`"),
                        None => format!("{} waits for {}", from.handle, on.handle),
                    },
                )
                .collect();
            format!(
                "{} waits for {} only if another dependency of the cycle is removed; remove one of them: {}",
                item.handle,
                on.handle,
                others.join(", ")
            )
        }
    }
}
