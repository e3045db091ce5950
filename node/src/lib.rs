//! A running towline node.
pub mod cli;
pub mod dto;
pub mod handle;
pub mod net;
pub mod request;
pub mod socket;
