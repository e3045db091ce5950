//! The one integration binary of this crate: a second would be linked against Automerge again.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "crdt/gate.rs"]
mod gate;
#[path = "crdt/gate_fuzz.rs"]
mod gate_fuzz;
#[path = "crdt/gate_schema.rs"]
mod gate_schema;
#[path = "crdt/gate_world.rs"]
mod gate_world;
