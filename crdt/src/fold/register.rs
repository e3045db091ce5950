//! Registers: the things about an item that acts contend for, and which operation writes which.

use towline_proto::{ActId, ItemId, LinkKind, Op, Qa};

/// One thing that an act can write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Register {
    /// Where it stands.
    Column,
    /// Hold: frozen.
    Frozen,
    /// Hold: blocked.
    Blocked,
    /// Hold: review.
    Review,
    /// Hold: merge failure.
    Failure,
    /// The trash.
    Deleted,
    /// Who works on it.
    Claim,
    /// Field.
    Title,
    /// Field.
    Kind,
    /// Field.
    Priority,
    /// Field.
    Qa,
    /// Field.
    Epic,
    /// Field.
    Assignee,
    /// Field: the foreign record it was last imported from.
    Imported,
    /// Whether it has a label.
    Label(String),
    /// Whether it has a dependency.
    Dependency(ItemId),
    /// Whether it has a link.
    Link(LinkKind, String),
    /// How far a criterion is met.
    Criterion(ActId),
}

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

impl Register {
    /// The name that conflicts are listed under.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Column => "column".into(),
            Self::Frozen => "frozen".into(),
            Self::Blocked => "blocked".into(),
            Self::Review => "review-hold".into(),
            Self::Failure => "merge-failure".into(),
            Self::Deleted => "deleted".into(),
            Self::Claim => "claim".into(),
            Self::Title => "title".into(),
            Self::Kind => "kind".into(),
            Self::Priority => "priority".into(),
            Self::Qa => "qa".into(),
            Self::Epic => "epic".into(),
            Self::Assignee => "assignee".into(),
            Self::Imported => "import".into(),
            Self::Label(label) => format!("label {label}"),
            Self::Dependency(on) => format!("dependency on {}", on.key()),
            Self::Link(kind, target) => format!("{kind} link {target}"),
            Self::Criterion(id) => format!("criterion {}", id.short()),
        }
    }
}

/// A change of column also ends what only means something in the column that is left.
fn column() -> Vec<Register> {
    vec![Register::Column, Register::Review, Register::Failure]
}

/// The registers that an operation writes, given the QA mode that its author saw.
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
        Op::MergeFailed { .. } | Op::RetryMerge | Op::GiveUpMerge => vec![Register::Failure],
        Op::Block { .. } | Op::Unblock => vec![Register::Blocked],
        Op::Freeze | Op::Unfreeze => vec![Register::Frozen],
        Op::Claim { .. } | Op::Release { .. } | Op::TakeOver { .. } => vec![Register::Claim],
        Op::Delete { .. } | Op::Restore => vec![Register::Deleted],
        Op::SetTitle { .. } => vec![Register::Title],
        Op::SetKind { .. } => vec![Register::Kind],
        Op::SetPriority { .. } => vec![Register::Priority],
        Op::SetQa { .. } => vec![Register::Qa],
        Op::SetEpic { .. } => vec![Register::Epic],
        Op::Assign { .. } => vec![Register::Assignee],
        Op::MarkImport { .. } => vec![Register::Imported],
        Op::AddLabel { label } | Op::RemoveLabel { label } => vec![Register::Label(label.clone())],
        Op::AddDependency { on } | Op::RemoveDependency { on } => vec![Register::Dependency(*on)],
        Op::AddLink { kind, target } | Op::RemoveLink { kind, target } => {
            vec![Register::Link(*kind, target.clone())]
        }
        Op::SetCriterion { criterion, .. } => vec![Register::Criterion(*criterion)],
        Op::EditBody | Op::Comment { .. } | Op::AddCriterion { .. } | Op::Unknown => Vec::new(),
    }
}
