//! A running towline node: the shell around the pure core.
//!
//! [`home`] is the folder on disk, [`log`] the truth in it, [`cache`] everything derived.
//! [`project`] owns one project's store and answers [requests](api::request); [`handle`] is how the rest of the
//! process talks to it. [`net`] carries bytes between nodes.
//!
//! Nothing here is process-global: many nodes can live in one process. No rule of the domain is
//! decided here; those are `towline-crdt`'s and `towline-sync`'s.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod activity_text;
pub mod api;
mod backlog_escape;
pub mod cache;
pub mod cli;
pub mod export;
pub mod handle;
pub mod home;
pub mod import;
pub mod labels;
mod limiter;
pub mod log;
mod log_throttle;
pub mod logging;
pub mod net;
pub mod node;
pub mod project;
mod project_names;
mod relative_time;
pub mod server;
pub mod sled_store;
pub mod socket;
pub mod web;
