//! A Matrix client for the few endpoints that the relay and chat commands need.
//!
//! [`client`] makes HTTP calls, [`account`] keeps one device logged in, [`room`] sends one message at a time to
//! a room, [`sync`] reads rooms, [`incoming`] executes commands and responds, and [`responder_order`] decides
//! which of several gateways responds. Our messages are `m.notice`, never mention anybody, and are never read as
//! commands. An encrypted room gets one message that says that it is not supported.

mod account;
mod client;
mod extract;
mod incoming;
mod responder_order;
mod room;
mod sync;
mod wire;

pub(crate) use account::{Account, AccountError};
pub(crate) use responder_order::ResponderOrder;
pub(crate) use room::{RoomSink, Rooms};
pub(crate) use sync::RoomSync;
