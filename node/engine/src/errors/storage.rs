//! Why the log or the cache of a project could not be read or written.
//!
//! Relies on the errors of the store. Repairs nothing.

use towline_api::failure::{FailureCode, Hint, OperationError};
use towline_crdt::doc::DocError;
use towline_proto::ItemId;
use towline_proto::codec::DecodeError;
use towline_store::cache::CacheError;
use towline_store::log::LogError;

/// Why the store of a project failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    /// A document in the cache cannot be read.
    #[error(transparent)]
    Document(DocError),
    /// A document is missing from the cache.
    #[error("the document of item {} is not in the cache", .0.short())]
    NoDocument(ItemId),
    /// A document cannot be read from the cache.
    #[error(transparent)]
    ReadCache(CacheError),
    /// The cache refused something else.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// An event in the cache cannot be read.
    #[error("the feed is damaged: {0}")]
    Feed(#[from] DecodeError),
    /// The body of a document cannot be read, or no document can be made.
    #[error(transparent)]
    Body(DocError),
    /// A document has no act that creates the item, which the gate rules out.
    #[error("item {} has no create act", .0.short())]
    NoCreation(ItemId),
    /// An item was written and has no row.
    #[error("the item is not in the index")]
    NotIndexed,
    /// The disk was full when the project was opened, so that there are no cursors.
    #[error("the disk was full when this project was opened; free some space and start the node again")]
    NoCursors,
    /// The log is damaged, so that nothing is done.
    #[error("nothing was {not_done}: {damage}")]
    Damaged {
        /// What was not done: `"written"`.
        not_done: &'static str,
        /// What is wrong.
        damage: String,
    },
    /// The log lacks this node's own last entry.
    #[error(
        "nothing was written: this node's log is missing its own last entry, so writing is disabled until a peer \
         sends it back. If no peer has it, the log has to be repaired"
    )]
    LacksOwnEntry,
    /// The log refused an append.
    #[error("nothing was written: {0}")]
    Append(LogError),
    /// The log cannot be read.
    #[error("cannot read the log: {0}")]
    ReadLog(LogError),
    /// A project cannot be opened, repaired or rebuilt.
    #[error("{0:#}")]
    Open(anyhow::Error),
}

impl StorageError {
    /// The error that was given to `anyhow` on the way, if it was one of these.
    fn cause<E: std::error::Error + Send + Sync + 'static>(error: &anyhow::Error) -> Option<&E> {
        error.chain().find_map(|cause| cause.downcast_ref())
    }
}

impl OperationError for StorageError {
    fn code(&self) -> FailureCode {
        FailureCode::Failure
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Document(_) | Self::NoDocument(_) | Self::ReadCache(_) | Self::Feed(_) => {
                Some(Hint::Rebuild)
            }
            Self::NotIndexed | Self::ReadLog(_) => Some(Hint::Doctor),
            Self::Damaged { .. } | Self::LacksOwnEntry => Some(Hint::Repair),
            Self::Open(error) => match (Self::cause::<LogError>(error), Self::cause::<Self>(error)) {
                (Some(LogError::Missing { .. }), _) => Some(Hint::RepairOrJoin),
                (_, Some(inner)) => inner.hint(),
                _ => None,
            },
            Self::Cache(_) | Self::Body(_) | Self::NoCreation(_) | Self::NoCursors | Self::Append(_) => None,
        }
    }

    /// A full disk may have space later, a cache may be free, and a peer may send the missing entry.
    fn retry(&self) -> bool {
        let cache = |error: &CacheError| matches!(error, CacheError::Full { .. } | CacheError::Busy { .. });
        let log = |error: &LogError| matches!(error, LogError::Full { .. });
        match self {
            Self::LacksOwnEntry => true,
            Self::ReadCache(error) | Self::Cache(error) => cache(error),
            Self::Append(error) | Self::ReadLog(error) => log(error),
            Self::Open(error) => {
                Self::cause(error).is_some_and(cache)
                    || Self::cause(error).is_some_and(log)
                    || Self::cause::<Self>(error).is_some_and(Self::retry)
            }
            Self::Document(_)
            | Self::NoDocument(_)
            | Self::Feed(_)
            | Self::Body(_)
            | Self::NoCreation(_)
            | Self::NotIndexed
            | Self::NoCursors
            | Self::Damaged { .. } => false,
        }
    }
}
