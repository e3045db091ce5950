//! towline-crdt
pub mod view;
