//! A running towline node: the projects of a home, the network, the socket and the board in one process.
//!
//! [`node`] runs the projects and the network, [`server`] adds the socket for the command line and the board,
//! and [`launcher`] lets the command line start both.
//!
//! Nothing here is process-global: many nodes can run in one process. The parts are crates of their own
//! (`towline-engine`, `towline-net`, `towline-web` and others); no rule of the domain is decided here.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod board_sessions;
pub mod launcher;
pub mod node;
pub mod server;
