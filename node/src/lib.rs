//! A running towline node.
pub mod dto;
pub mod handle;
pub mod net;
pub mod request;
pub mod web;
