//! Many projects on one board and in one chat.
//!
//! The gateway adds two things to a running node: a **relay** that brings every project's events to
//! chat rooms and webhooks, durably and quietly ([`relay`]), and **commands** that people type in
//! those rooms ([`commands`]). Both reach projects through a [`NodeHandle`](towline_node::handle::NodeHandle)
//! and nothing else: the gateway has no other way to read or to write than any part of a node has.
//!
//! Losing its folder loses nothing but the memory of what was delivered: see [`store`].

pub mod cli;
pub mod commands;
pub mod config;
mod gateway;
mod http;
pub mod matrix;
pub mod relay;
pub mod run;
pub mod store;
pub mod webhook;

pub use gateway::{Gateway, StartError};
