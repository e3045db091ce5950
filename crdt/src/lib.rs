//! towline-crdt
pub mod gate;
pub mod view;
