//! Why a handle refers to no item, or the item cannot be edited.
//!
//! Relies on nothing but the texts that [`crate::index`] gives it. Names no other items than those.

use towline_api::failure::{FailureCode, Hint, OperationError};
use towline_proto::{Verb, text};

/// The most characters of a handle in a message.
const SHOWN: usize = 80;

/// Why no single item was found, or why it takes no edits.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ItemError {
    /// No item has the number.
    #[error("no item {wanted}")]
    NoNumber {
        /// The number, with letters if some were written.
        wanted: String,
    },
    /// A letter behind a number that only one item has.
    #[error("no item {wanted}: only one item has the number {number}")]
    NotShared {
        /// What was written.
        wanted: String,
        /// Its number.
        number: u32,
    },
    /// A letter beyond those of the items that share the number.
    #[error("no item {wanted}: there are {number}a to {last}")]
    NoSuchLetter {
        /// What was written.
        wanted: String,
        /// Its number.
        number: u32,
        /// The last handle with this number.
        last: String,
    },
    /// A full id that is unknown.
    #[error("no item {:?}: no item has this id", text::show(.wanted, SHOWN))]
    NoId {
        /// What was written.
        wanted: String,
    },
    /// Digits that no key begins with.
    #[error("no item {:?}: no key begins with these digits", text::show(.wanted, SHOWN))]
    NoKey {
        /// What was written.
        wanted: String,
    },
    /// Digits that several keys begin with.
    #[error("no item {:?}: several keys begin with these digits; use more digits", text::show(.wanted, SHOWN))]
    SeveralKeys {
        /// What was written.
        wanted: String,
    },
    /// A text that is no handle.
    #[error(
        "no item {:?}: use a number such as 42, at least four digits of a key, or an id from another tracker",
        text::show(.wanted, SHOWN)
    )]
    NotAHandle {
        /// What was written.
        wanted: String,
    },
    /// A text that means several items.
    #[error("no item {:?}: several items match; choose one: {names}", text::show(.wanted, SHOWN))]
    SeveralMatch {
        /// What was written.
        wanted: String,
        /// Some of the items.
        names: String,
    },
    /// A number that several items share, for a change.
    #[error("{wanted} matches {count} items; choose one: {names}")]
    Ambiguous {
        /// What was written.
        wanted: String,
        /// How many match.
        count: usize,
        /// Some of the items.
        names: String,
    },
    /// The item was purged.
    #[error("{} was purged: it is not shown any more, and its number is not reused", text::show(.wanted.trim(), SHOWN))]
    Purged {
        /// What was written.
        wanted: String,
    },
    /// The index has no row for the item.
    #[error("no such item")]
    NoRow,
    /// The item is in the trash and would be edited.
    #[error("the item is in the trash; use `restore` first")]
    InTrash,
}

impl OperationError for ItemError {
    fn code(&self) -> FailureCode {
        match self {
            Self::InTrash => FailureCode::Conflict,
            Self::NoNumber { .. }
            | Self::NotShared { .. }
            | Self::NoSuchLetter { .. }
            | Self::NoId { .. }
            | Self::NoKey { .. }
            | Self::SeveralKeys { .. }
            | Self::NotAHandle { .. }
            | Self::SeveralMatch { .. }
            | Self::Ambiguous { .. }
            | Self::Purged { .. }
            | Self::NoRow => FailureCode::NotFound,
        }
    }

    fn hint(&self) -> Option<Hint> {
        matches!(self, Self::InTrash).then_some(Hint::Transition { verb: Verb::Restore })
    }
}
