//! towline-node
pub mod dto;
pub mod request;
