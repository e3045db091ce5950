//! Replication tests: small fleets in memory ([`sim`]) and scenarios of single exchanges ([`stories`]). One binary, no
//! network, no clock, no threads.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "tests take seeds from the environment and read files"
)]

#[path = "../../crdt/tests/crdt/seed.rs"]
mod seed;
mod sim;
mod stories;
