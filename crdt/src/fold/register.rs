//! Which operation writes which register.
//!
//! Relies on the words of `towline_proto::register`. Decides nothing about who wins.

use towline_proto::{Op, Qa, Register};

/// The registers that decide whether a transition is legal. Every transition names their heads as
/// seen, so that "did this author know of that hold" is answered by looking into its own list.
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

/// A change of column also ends what only means something in the column that is left.
fn column() -> Vec<Register> {
    vec![
        Register::Column,
        Register::Review,
        Register::Failure,
        Register::Claim,
    ]
}

/// The registers that an operation writes, given the QA mode that its author saw. The first is what
/// it is about.
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
        Op::Settle { over, .. } if *over == Register::Column => column(),
        Op::Settle { over, .. } => vec![over.clone()],
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

/// Whether a later act in a register takes the earlier one's place. Of the others both stand: to have
/// read a comment does not replace it.
pub(crate) const fn replaces(register: &Register) -> bool {
    !matches!(register, Register::Comments | Register::Body | Register::Criteria)
}
