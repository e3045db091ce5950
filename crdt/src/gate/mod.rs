//! The admission gate: the checks that a change from a peer must pass before it reaches a document.
//!
//! Automerge trusts its input. A change of 127 bytes can claim a hundred million operations, an absurd `startOp`
//! makes every later write to the document panic, and some damaged changes are accepted but cannot be loaded
//! again. A change therefore passes these steps, cheapest first:
//!
//! 1. [`scan`]: size, chunk kind, header bounds, and the sizes of all run-length columns, added up without
//!    expanding any. Automerge has not seen the bytes yet.
//! 2. [`check`]: the actor is the author's, the change encodes back to the same bytes, and every operation is
//!    part of our schema: an act under its author's own key, or an edit of the body. Needs no document, so it can
//!    run on any thread.
//! 3. [`admit`]: applies the change to a copy of the document, saves the copy, loads it and compares heads.
//!
//! The result depends on the change and its ancestors only, never on what else a replica holds; otherwise replicas
//! would diverge. There is one document schema:
//!
//! ```text
//! ROOT ── acts: Map   op 1 of the item's first change; one Bytes record per act, written once
//!      └─ body: Text  op 2 of the item's first change; insertions and deletions of strings
//! ```
//!
//! Every call of Automerge with foreign bytes runs under `catch_unwind`. A stack overflow cannot be caught, so
//! the caller provides a thread with a large stack (8 MiB; the 2 MiB of a tokio worker are too few). What a panic
//! hook prints is up to the caller. This module does no IO, reads no clock and keeps no state.

mod linear_history;
mod scan;
mod schema;
mod trial_apply;

use automerge::{ActorId, Change, ChangeHash};
use towline_proto::act::ActError;
use towline_proto::ids::to_hex;
use towline_proto::{Act, ActId, AuthorSeq, ItemId};

pub use scan::{ChangeHeader, scan};
pub use trial_apply::{admit, apply, reload};

/// A change that passed every check which needs no document. Only [`check`] makes one.
#[derive(Debug, Clone)]
pub struct CheckedChange {
    /// The change, parsed.
    pub change: Change,
    /// Its acts in order, with the exact bytes of their records.
    pub acts: Vec<(ActId, Act, Vec<u8>)>,
    /// What the scan read.
    pub header: ChangeHeader,
    /// Whether it edits the body.
    pub edits_body: bool,
    /// Whether it is the first change of its item.
    pub creates: bool,
    /// The actor that created the item, taken from the object ids in this change.
    creator: Option<ActorId>,
    /// Elements of the body that it refers to and that earlier changes inserted.
    references: Vec<(u64, ActorId)>,
}

/// Why a change is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// More bytes than a change may have.
    #[error("the change has {got} bytes; at most {max} are allowed")]
    TooLarge {
        /// Bytes.
        got: usize,
        /// Most bytes.
        max: usize,
    },
    /// The chunk or a column of it is compressed: half a megabyte can inflate to gigabytes.
    #[error("the change is compressed; changes travel uncompressed")]
    Compressed,
    /// The chunk is a document, a bundle or of an unknown kind.
    #[error("the chunk is of kind {0}; a change is of kind 1")]
    ChunkKind(u8),
    /// Not readable.
    #[error("the change cannot be read: {0}")]
    Malformed(String),
    /// More operations than a change may hold.
    #[error("the change claims {got} operations; at most {max} are allowed")]
    TooManyOps {
        /// Operations, or rows of one column.
        got: u64,
        /// Most operations.
        max: u64,
    },
    /// More dependencies than a change may name.
    #[error("the change names {got} dependencies; at most {max} are allowed")]
    TooManyDeps {
        /// Dependencies.
        got: u64,
        /// Most dependencies.
        max: usize,
    },
    /// More actors than a change may name.
    #[error("the change names {got} other actors; at most {max} are allowed")]
    TooManyActors {
        /// Actors.
        got: u64,
        /// Most actors.
        max: usize,
    },
    /// A number with which arithmetic would overflow.
    #[error("the {what} is {got}; it may be 1 to {max}")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// What it is.
        got: u64,
        /// The largest that is accepted.
        max: u64,
    },
    /// A time that no clock shows.
    #[error("the change's time is {0}; it may be 0 to the year 9999")]
    Time(i64),
    /// The first operation's number does not follow from the dependencies.
    #[error("the change starts at operation {got}; after its dependencies that would be {want}")]
    StartOp {
        /// What it says.
        got: u64,
        /// One past its dependencies.
        want: u64,
    },
    /// Not the author's next change of this item.
    #[error("the change is number {got} of its author; the next would be {want}")]
    Seq {
        /// What it says.
        got: u64,
        /// One past the author's last.
        want: u64,
    },
    /// Written under an actor that is not the author's.
    #[error("the change is by actor {got}; its entry's author writes as {want}")]
    Actor {
        /// Hex of the actor, cut to 64 bytes.
        got: String,
        /// Hex of the author's actor.
        want: String,
    },
    /// Something that is not part of the document schema.
    #[error("not part of an item: {0}")]
    Schema(String),
    /// The key of an act is not derived from its position in its author's log.
    #[error("an act stands under {got:?}; its place in its author's log gives {want}")]
    ActKey {
        /// The key, cut to 80 characters.
        got: String,
        /// The only key that is right.
        want: ActId,
    },
    /// The item's id is not derived from the position of the act that creates it.
    #[error("the change creates item {got}; its place in its author's log gives {want}")]
    Item {
        /// The id that the entry names.
        got: ItemId,
        /// The only id that is right.
        want: ItemId,
    },
    /// An act is not well formed.
    #[error(transparent)]
    Act(#[from] ActError),
    /// The change is not byte for byte what Automerge writes for the same content.
    #[error("the change is not in its canonical encoding")]
    NotCanonical,
    /// It depends on changes that have not arrived yet. This is the only temporary error.
    #[error("{} changes that this one depends on are not here", .0.len())]
    Missing(Vec<ChangeHash>),
    /// The document already contains it.
    #[error("change {0} is in the document already")]
    Known(ChangeHash),
    /// It refers to something outside its ancestors, or does not follow its author's previous change.
    #[error("the change does not follow from its dependencies: {0}")]
    Lineage(String),
    /// Automerge refused it.
    #[error("the change cannot be applied: {0}")]
    Inapplicable(String),
    /// Automerge panicked on it.
    #[error("the change makes Automerge panic: {0}")]
    Panicked(String),
    /// A document with this change cannot be loaded again.
    #[error("the document with the change cannot be read again: {0}")]
    Unloadable(String),
}

impl GateError {
    /// Whether the change may be admitted later, when more changes have arrived.
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }
}

/// Makes every check of a change that needs no document.
///
/// `ordinal` counts the acts of the whole entry: the n-th act must have the key [`ActId::derive`] of the author
/// and n. It is advanced only when the change passes. A change without dependencies creates its item: it makes
/// both objects, its first act is the item's only `Create`, and `item` must be derived from that act's position.
///
/// # Errors
/// The first rule that the change breaks.
pub fn check(
    item: &ItemId,
    bytes: &[u8],
    author: &AuthorSeq,
    ordinal: &mut u32,
) -> Result<CheckedChange, GateError> {
    let header = scan(bytes)?;
    let actor = author.actor();
    if header.actor != actor {
        return Err(GateError::Actor {
            got: to_hex(&header.actor[..header.actor.len().min(64)]),
            want: to_hex(&actor),
        });
    }
    let (checked, next) = trial_apply::guarded(|| {
        let change = Change::try_from(bytes).map_err(|error| GateError::Malformed(error.to_string()))?;
        if change.len() as u64 != header.ops {
            return Err(GateError::NotCanonical);
        }
        let expanded = change.decode();
        let (found, next) = schema::read(item, &expanded, author, *ordinal)?;
        scan::same_encoding(bytes, &header, &change, &Change::from(expanded))?;
        let checked = CheckedChange {
            change,
            acts: found.acts,
            edits_body: found.edits_body,
            creates: header.deps.is_empty(),
            creator: found.creator,
            references: found.references,
            header,
        };
        Ok((checked, next))
    })?;
    *ordinal = next;
    Ok(checked)
}
