//! What a node keeps on disk: its home, the log of each project, and the cache that is derived from the log.
//!
//! [`home`] is the folder with the configuration, the key and the projects, [`log`] the signed entries,
//! [`cache`] everything that can be rebuilt from them, in a [`sled_store`]. [`env`](mod@env) has the clock and the source
//! of randomness. No rule of the domain is decided here.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cache;
pub mod env;
pub mod home;
pub mod log;
pub mod sled_store;
