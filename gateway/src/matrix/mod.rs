//! Matrix: a hand-written client for the few endpoints that a relay and its commands need.
//!
//! [`client`] speaks HTTP, [`account`] keeps one device logged in, [`room`] sends one thing at a
//! time into a room, [`sync`] reads what people say there, [`hear`] does and answers it, [`turns`] shares
//! that with other gateways. Messages are `m.notice`, never mention
//! anybody by accident, and are never answered by us. Encrypted rooms are said to be so, once.

mod account;
mod client;
mod hear;
mod room;
mod said;
mod sync;
mod turns;
mod wire;

pub use account::{Account, AccountError};
pub use client::{Client, MatrixError};
pub(crate) use room::{RoomSink, Rooms};
pub(crate) use sync::Sync;
pub(crate) use turns::Turns;
