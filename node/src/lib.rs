//! A running towline node: the shell around the pure core.
//!
//! [`home`] is the folder on disk, [`log`] the truth in it, [`cache`] everything derived.
//! [`project`] owns one project's store and answers [requests](api::request); [`handle`] is how the rest of the
//! process talks to it. [`net`] carries bytes between nodes.
//!
//! Nothing here is process-global: many nodes can live in one process. No rule of the domain is
//! decided here; those are `towline-crdt`'s and `towline-sync`'s.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod ages;
pub mod api;
pub mod cache;
pub mod cli;
pub mod deeds;
pub mod export;
pub mod handle;
pub mod home;
pub mod import;
pub mod labels;
mod limiter;
pub mod log;
pub mod logging;
mod marks;
mod naming;
pub mod net;
mod outage;
pub mod project;
pub mod run;
pub mod serving;
pub mod socket;
pub mod web;
