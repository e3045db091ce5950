//! The vocabulary and the byte formats of towline, shared by every other crate.
//!
//! This crate defines the terms of the domain ([`stage`], [`act`]), which transitions are legal ([`table`]), how a
//! record is signed and hashed ([`entry`]), what peers send each other ([`wire`], [`presence`], [`address`]), the
//! events for subscribers ([`event`]) and the limits ([`limits`]).
//!
//! It never does IO, reads a clock, draws a random number or touches Automerge. Everything that is signed, hashed,
//! stored or sent is pinned by the golden tests in `tests/proto/golden.rs`.

pub mod act;
pub mod address;
pub mod codec;
pub mod entry;
pub mod event;
pub mod ids;
pub mod limits;
pub mod member;
pub mod op_kind;
pub mod presence;
pub mod register;
mod signed;
pub mod stage;
pub mod table;
pub mod text;
pub mod ticket;
pub mod time;
pub mod vector;
pub mod wire;

pub use act::{Act, LinkKind, Op};
pub use address::{AddressBody, AddressRecord};
pub use entry::{AuthorSeq, Entry, EntryBody, ItemChange, Payload};
pub use event::{
    ConflictSubject, Contender, Event, EventKind, Field, HoldReason, ItemName, RegisterValue, Wait, WaitKind,
};
pub use ids::{ActId, EntryHash, Epoch, EventId, ItemId, NodeId, ProjectId, RequestId};
pub use member::{MemberAct, Role};
pub use op_kind::{EditKind, OpKind};
pub use presence::{Presence, PresenceBody, Renewal};
pub use register::{Register, Rule};
pub use stage::{
    Closing, Column, CriterionState, FailureKind, HoldKind, Kind, Origin, OriginKind, Qa, Status,
};
pub use table::{ItemState, Verb};
pub use ticket::Ticket;
pub use time::Millis;
pub use vector::{Tip, VersionVector};
