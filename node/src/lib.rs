//! A running towline node.
pub mod cache;
pub mod dto;
pub mod handle;
pub mod home;
pub mod log;
pub mod net;
pub mod request;
