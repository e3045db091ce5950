//! A running towline node.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cache;
pub mod dto;
pub mod handle;
pub mod home;
pub mod log;
pub mod net;
pub mod request;
