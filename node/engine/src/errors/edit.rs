//! Why an item was not created, or a field, label, dependency or criterion of it not changed.
//!
//! Relies on the texts that [`crate::write`] gives it. Decides nothing.

use towline_api::failure::{FailureCode, Hint, OperationError};
use towline_api::types::ItemCard;
use towline_proto::text::TextError;
use towline_proto::{Field, Kind, limits};

use super::{ItemError, StorageError};

/// Why an edit was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditError {
    /// An item was not found, or takes no edits.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The field is not as the asker saw it.
    #[error("the {field} of {} has changed in the meantime; nothing was written", .card.handle)]
    Changed {
        /// Which field.
        field: Field,
        /// The item as it stands.
        card: Box<ItemCard>,
    },
    /// Too many labels.
    #[error("{whose} would have {labels} labels; at most {} are allowed", limits::LABELS)]
    TooManyLabels {
        /// The item.
        whose: String,
        /// How many it would have.
        labels: usize,
    },
    /// The title is not one legible line.
    #[error("invalid title: {0}")]
    InvalidTitle(TextError),
    /// The item that was named as the epic is none.
    #[error("{handle} is a {kind}, not an epic")]
    NotAnEpic {
        /// Which item.
        handle: String,
        /// What it is.
        kind: Kind,
    },
    /// The epic belongs to the item.
    #[error("{epic} belongs to {this}, so {this} cannot belong to {epic}")]
    EpicBelow {
        /// The item.
        this: String,
        /// The epic.
        epic: String,
    },
    /// An epic of itself.
    #[error("an epic cannot belong to itself")]
    EpicOfItself,
    /// Items belong to the epic whose kind would change.
    #[error("cannot change the kind of {epic}: items belong to it, such as {item}; remove them first")]
    EpicHasItems {
        /// The epic.
        epic: String,
        /// An item of it.
        item: String,
    },
    /// A dependency on itself.
    #[error("{0} cannot wait for itself: that would be a cycle")]
    WaitsForItself(String),
    /// A dependency that closes a cycle.
    #[error("{this} cannot wait for {other}: that would be a cycle, {cycle}")]
    Cycle {
        /// The item.
        this: String,
        /// What it would wait for.
        other: String,
        /// The items of the cycle.
        cycle: String,
    },
    /// There is no criterion with this position.
    #[error("no criterion {place}: the item has {count}, numbered from 1")]
    NoCriterion {
        /// The position.
        place: usize,
        /// How many there are.
        count: usize,
    },
}

impl OperationError for EditError {
    fn code(&self) -> FailureCode {
        match self {
            Self::Item(error) => error.code(),
            Self::Storage(error) => error.code(),
            Self::TooManyLabels { .. }
            | Self::InvalidTitle(_)
            | Self::NotAnEpic { .. }
            | Self::EpicBelow { .. }
            | Self::EpicOfItself => FailureCode::Usage,
            Self::Changed { .. }
            | Self::EpicHasItems { .. }
            | Self::WaitsForItself(_)
            | Self::Cycle { .. } => FailureCode::Conflict,
            Self::NoCriterion { .. } => FailureCode::NotFound,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Item(error) => error.hint(),
            Self::Storage(error) => error.hint(),
            Self::EpicHasItems { item, .. } => Some(Hint::LeaveEpic { item: item.clone() }),
            Self::Changed { .. }
            | Self::TooManyLabels { .. }
            | Self::InvalidTitle(_)
            | Self::NotAnEpic { .. }
            | Self::EpicBelow { .. }
            | Self::EpicOfItself
            | Self::WaitsForItself(_)
            | Self::Cycle { .. }
            | Self::NoCriterion { .. } => None,
        }
    }

    fn retry(&self) -> bool {
        matches!(self, Self::Storage(error) if error.retry())
    }

    fn current(self) -> Option<Box<ItemCard>> {
        match self {
            Self::Changed { card, .. } => Some(card),
            _ => None,
        }
    }
}
