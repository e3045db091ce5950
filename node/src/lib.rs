//! A running towline node.
pub mod dto;
pub mod export;
pub mod handle;
pub mod import;
pub mod net;
pub mod request;
