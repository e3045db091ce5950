//! Why a transition is refused.
//!
//! The reasons come from the transition table. The fold stores their short form with refused acts; that form
//! is not changed here. Nothing here decides what is legal.

use std::ops::RangeInclusive;

use towline_api::failure::{FailureCode, Hint, OperationError};
use towline_api::types::ItemCard;
use towline_proto::table::{IllegalReason, IllegalTransition};
use towline_proto::{Column, HoldKind, Millis, Verb, text};

use super::{ItemError, TakeOverError};

/// The number of hex digits of a commit: from the usual short form to the longest hash.
pub(crate) const COMMIT: RangeInclusive<usize> = 7..=64;

/// Why a transition was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransitionError {
    /// The item was not found.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// The claim cannot be taken over.
    #[error(transparent)]
    TakeOver(#[from] TakeOverError),
    /// The item is not as the asker saw it.
    #[error("{} has changed in the meantime; it is now in {} ({})", .0.handle, .0.column, .0.status)]
    Stale(Box<ItemCard>),
    /// The table forbids it.
    #[error("{}", message(.0))]
    Illegal(IllegalTransition),
    /// It would change nothing.
    #[error("`pass-qa` is not possible: QA has already passed; use `approve` to move it to merge")]
    QaPassed,
    /// It would change nothing.
    #[error(
        "`give-up-merge` is not possible: the merge was already given up; use `retry-merge` to try again"
    )]
    MergeGivenUp,
    /// The commit is not one.
    #[error(
        "invalid commit {:?}: expected {} to {} hex digits, such as 3f2a1c9",
        text::show(.0, 80), COMMIT.start(), COMMIT.end()
    )]
    InvalidCommit(String),
    /// The verb needs a reason.
    #[error("`{0}` needs a reason")]
    NoReason(Verb),
    /// With force the verb needs a reason.
    #[error("a forced `{0}` needs a reason")]
    ForcedWithoutReason(Verb),
    /// `supersede` without the other item.
    #[error("`supersede` needs the item that replaces it")]
    NoReplacement,
    /// An item cannot replace itself.
    #[error("an item cannot replace itself")]
    ReplacesItself,
    /// The replacement depends on what it would replace.
    #[error(
        "{by} cannot replace {this}, because {by} depends on {this}, directly or through other items; \
         remove that dependency first"
    )]
    ReplacementWaits {
        /// The item to be replaced.
        this: String,
        /// Its replacement.
        by: String,
    },
    /// `move` without a column.
    #[error("`move` needs a target column")]
    NoColumn,
    /// The item is there already.
    #[error("{handle} is already in {column}")]
    AlreadyThere {
        /// Which item.
        handle: String,
        /// Where it is.
        column: Column,
    },
    /// The item waits for others.
    #[error("`start` is not possible: it waits for {0}")]
    Waits(String),
    /// The asker has the claim.
    #[error("{0} already holds the claim")]
    AlreadyClaimed(String),
    /// Somebody else has the claim.
    #[error("{holder} on {node} has held the claim since {at} (generation {generation})")]
    Claimed {
        /// Who has it.
        holder: String,
        /// On which node.
        node: String,
        /// Since when.
        at: Millis,
        /// The fencing token.
        generation: u32,
    },
    /// Only the holder can release a claim.
    #[error("only the holder, {holder} on {node}, can release this claim")]
    NotTheHolder {
        /// Who has it.
        holder: String,
        /// On which node.
        node: String,
    },
    /// Nothing is ready.
    #[error("nothing is ready for {}", text::show(.0, 80))]
    NothingReady(String),
}

impl OperationError for TransitionError {
    fn code(&self) -> FailureCode {
        match self {
            Self::Item(error) => error.code(),
            Self::TakeOver(error) => error.code(),
            Self::NothingReady(_) => FailureCode::NotFound,
            Self::InvalidCommit(_)
            | Self::NoReason(_)
            | Self::ForcedWithoutReason(_)
            | Self::NoReplacement
            | Self::ReplacesItself
            | Self::NoColumn => FailureCode::Usage,
            Self::Stale(_)
            | Self::Illegal(_)
            | Self::QaPassed
            | Self::MergeGivenUp
            | Self::ReplacementWaits { .. }
            | Self::AlreadyThere { .. }
            | Self::Waits(_)
            | Self::AlreadyClaimed(_)
            | Self::Claimed { .. }
            | Self::NotTheHolder { .. } => FailureCode::Conflict,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Item(error) => error.hint(),
            Self::TakeOver(error) => error.hint(),
            Self::Illegal(illegal) => match illegal.why {
                IllegalReason::Held(_, verb) => Some(Hint::Transition { verb }),
                IllegalReason::Deleted => Some(Hint::Transition { verb: Verb::Restore }),
                _ => None,
            },
            Self::QaPassed => Some(Hint::Transition { verb: Verb::Approve }),
            Self::MergeGivenUp => Some(Hint::Transition {
                verb: Verb::RetryMerge,
            }),
            Self::ReplacementWaits { by, .. } => Some(Hint::ShowDependencies { item: by.clone() }),
            Self::Waits(_) => Some(Hint::Force { verb: Verb::Start }),
            Self::Claimed { .. } | Self::NotTheHolder { .. } => Some(Hint::TakeOver),
            Self::NothingReady(_) => Some(Hint::ListNotReady),
            Self::Stale(_)
            | Self::InvalidCommit(_)
            | Self::NoReason(_)
            | Self::ForcedWithoutReason(_)
            | Self::NoReplacement
            | Self::ReplacesItself
            | Self::NoColumn
            | Self::AlreadyThere { .. }
            | Self::AlreadyClaimed(_) => None,
        }
    }

    /// Others finish what the item waits for, release claims, and make items ready.
    fn retry(&self) -> bool {
        match self {
            Self::TakeOver(error) => error.retry(),
            Self::Waits(_) | Self::Claimed { .. } | Self::NothingReady(_) => true,
            _ => false,
        }
    }

    fn current(self) -> Option<Box<ItemCard>> {
        match self {
            Self::Stale(card) => Some(card),
            _ => None,
        }
    }
}

/// Why a transition is not possible, and which ones are.
fn message(illegal: &IllegalTransition) -> String {
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
