//! Words for people in place of the machine words of statuses, holds and merge failures.
//!
//! Pages, the terminal and chat show these; `--json`, filters and formats keep the machine words. Decides nothing.

use towline_proto::{FailureKind, HoldKind, Status};

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
