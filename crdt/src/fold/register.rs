//! Which registers an operation writes.
//!
//! Relies on the vocabulary of `towline_proto::register`. Decides nothing about who wins.

use towline_proto::{Op, Qa, Register};

/// The registers that decide whether a transition is legal. Every transition names their heads as seen, so
/// whether its author knew of a hold can be read from the act itself.
pub(crate) const STAGE: &[Register] = &[
    Register::Column,
    Register::Frozen,
    Register::Blocked,
    Register::Review,
    Register::Failure,
    Register::Deleted,
    Register::Claim,
    Register::Qa,
    Register::Kind,
];

/// What a step of the column writes: it also resets the registers that have a meaning in one column only.
fn column() -> Vec<Register> {
    vec![
        Register::Column,
        Register::Review,
        Register::Failure,
        Register::Claim,
    ]
}

/// The registers that an operation writes, given the QA mode that its author saw. The first one is its main
/// register.
pub(crate) fn writes(op: &Op, qa: Qa) -> Vec<Register> {
    match op {
        Op::Create { .. } => {
            vec![
                Register::Column,
                Register::Title,
                Register::Kind,
                Register::Priority,
                Register::Qa,
            ]
        }
        Op::PassQa if qa == Qa::Human => vec![Register::Review],
        Op::Triage
        | Op::Start { .. }
        | Op::Submit
        | Op::RequestChanges { .. }
        | Op::PassQa
        | Op::Approve
        | Op::Merged { .. }
        | Op::Abandon { .. }
        | Op::Supersede { .. }
        | Op::Reject { .. }
        | Op::Reopen
        | Op::Archive
        | Op::Move { .. } => column(),
        Op::Resolve { over, .. } if *over == Register::Column => column(),
        Op::Resolve { over, .. } => vec![over.clone()],
        Op::MergeFailed { .. } | Op::RetryMerge | Op::GiveUpMerge => vec![Register::Failure],
        Op::Block { .. } | Op::Unblock => vec![Register::Blocked],
        Op::Freeze | Op::Unfreeze => vec![Register::Frozen],
        Op::Claim { .. } | Op::Release { .. } | Op::TakeOver { .. } => vec![Register::Claim],
        Op::Delete { .. } | Op::Restore | Op::Purge => vec![Register::Deleted],
        Op::SetTitle { .. } => vec![Register::Title],
        Op::SetKind { .. } => vec![Register::Kind],
        Op::SetPriority { .. } => vec![Register::Priority],
        Op::SetQa { .. } => vec![Register::Qa],
        Op::SetEpic { .. } => vec![Register::Epic],
        Op::Assign { .. } => vec![Register::Assignee],
        Op::MarkImport { .. } => vec![Register::Imported],
        Op::Set { key, .. } => vec![Register::Setting(key.clone())],
        Op::AddLabel { label } | Op::RemoveLabel { label } => vec![Register::Label(label.clone())],
        Op::AddDependency { on } | Op::RemoveDependency { on } => vec![Register::Dependency(*on)],
        Op::AddLink { kind, target } | Op::RemoveLink { kind, target } => {
            vec![Register::Link(*kind, target.clone())]
        }
        Op::SetCriterion { criterion, .. } => vec![Register::Criterion(*criterion)],
        Op::Comment { .. } => vec![Register::Comments],
        Op::EditBody => vec![Register::Body],
        Op::AddCriterion { .. } => vec![Register::Criteria],
        Op::Unknown => Vec::new(),
    }
}

/// Whether an act in this register replaces earlier ones. In the others all acts stay in effect: having read a
/// comment does not replace it.
pub(crate) const fn replaces(register: &Register) -> bool {
    !matches!(register, Register::Comments | Register::Body | Register::Criteria)
}
