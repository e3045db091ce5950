//! Words for people in place of the machine words of statuses, holds, merge failures, rules, registers and values.
//!
//! Pages, the terminal and chat show these; `--json`, filters and formats keep the machine words. Decides nothing, so
//! every word here can be changed without changing a row, an event or an id.

use towline_proto::{FailureKind, HoldKind, Register, RegisterValue, Rule, Status};

/// The label of a status.
pub const fn status_label(status: Status) -> &'static str {
    match status {
        Status::MergeFailure => "merge failed",
        Status::MergeFailureFinal => "merge given up",
        Status::ReviewHold => "waits for approval",
        Status::Active
        | Status::Frozen
        | Status::Blocked
        | Status::Done
        | Status::Abandoned
        | Status::Superseded
        | Status::Rejected => status.as_str(),
    }
}

/// The label of a hold.
pub const fn hold_label(hold: HoldKind) -> &'static str {
    match hold {
        HoldKind::Frozen => "frozen",
        HoldKind::Blocked => "blocked",
        HoldKind::ReviewHold => "waits for approval",
        HoldKind::MergeFailure => "merge failed",
    }
}

/// The label of a kind of merge failure.
pub const fn failure_label(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Conflict => "conflict",
        FailureKind::GatesFailed => "checks failed",
        FailureKind::EmptyDiff => "no changes",
        FailureKind::NoCommits => "no commits",
        FailureKind::Other => "other failure",
    }
}

/// A rule as a sentence for people who have not read the rules.
pub const fn rule_text(rule: Rule) -> &'static str {
    match rule {
        Rule::Fact => "a recorded merge overrides other changes",
        Rule::Hold => "it was put on hold at the same time and stays here until the hold is lifted",
        Rule::Cautious => "of concurrent changes, the more cautious one takes effect",
        Rule::Tie => {
            "both are equally cautious: the higher role takes effect (equal roles: a fixed tie-break)"
        }
        Rule::ColumnLeft => {
            "the item left the column at the same time, and this change applies only in that column"
        }
        Rule::Claim => "only one claim can hold: people come before agents, then a fixed tie-break decides",
        Rule::Generation => "a newer claim was made or released at the same time",
        Rule::Field => "concurrent edits: the higher role takes effect (equal roles: a fixed tie-break)",
        Rule::Cycle => "the dependencies form a cycle, so one of them is ignored",
    }
}

/// Why a side that lost by a rule cannot be kept, with what is possible instead.
pub const fn unkeepable_text(rule: Rule) -> &'static str {
    match rule {
        Rule::Fact => "a recorded merge cannot be undone here; use `reopen` or `move` instead",
        Rule::Generation => {
            "a newer claim was made, so this one cannot take effect again; use `claim` instead"
        }
        rule => rule_text(rule),
    }
}

/// The refusal to keep such a side.
pub fn cannot_keep_text(rule: Rule) -> String {
    format!("this side cannot be kept: {}", unkeepable_text(rule))
}

/// A register as people call it.
pub fn register_name(register: &Register) -> String {
    match register {
        Register::Deleted => "trash".to_owned(),
        register => register.to_string(),
    }
}

/// The value of a register.
pub fn value_text(register: &Register, value: &RegisterValue) -> String {
    match value {
        RegisterValue::Column { column } => column.to_string(),
        RegisterValue::Closed { status } => status.to_string(),
        RegisterValue::Hold { set } => match (register, set) {
            (Register::Frozen, true) => "frozen",
            (Register::Frozen, false) => "not frozen",
            (Register::Review, true) => "waits for approval",
            (Register::Review, false) => "approved",
            (Register::Failure, true) => "merge failed",
            (Register::Failure, false) => "to be merged",
            (_, true) => "blocked",
            (_, false) => "not blocked",
        }
        .to_owned(),
        RegisterValue::Trash { deleted: true } => "deleted".to_owned(),
        RegisterValue::Trash { deleted: false } => "not deleted".to_owned(),
        RegisterValue::Claim { holder: Some(holder) } => format!("claimed by {holder}"),
        RegisterValue::Claim { holder: None } => "not claimed".to_owned(),
        RegisterValue::Title { title } => title.clone(),
        RegisterValue::Kind { kind } => kind.to_string(),
        RegisterValue::Priority { priority } => format!("P{priority}"),
        RegisterValue::Qa { qa } => qa.to_string(),
        RegisterValue::Epic { epic } => epic.map_or_else(|| "no epic".to_owned(), |epic| epic.key()),
        RegisterValue::Assignee { who } => who.clone().unwrap_or_else(|| "nobody".to_owned()),
        RegisterValue::Criterion { state } => state.to_string(),
    }
}
