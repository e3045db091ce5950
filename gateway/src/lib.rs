//! Many projects on one board and in one chat.
//!
//! The gateway adds two things to a running node: a **relay** that sends every project's events to chat
//! rooms and webhooks, durably and in few messages (`relay`), and **commands** that people type in those
//! rooms (`commands`). Both reach projects only through a [`NodeHandle`](towline_engine::handle::NodeHandle):
//! the gateway reads and writes as every other part of a node does.
//!
//! If its folder is lost, only the record of what was delivered is lost: see `store`.

pub mod cli;
mod commands;
pub mod config;
mod gateway;
mod http;
mod matrix;
mod relay;
pub mod run;
mod store;
pub mod webhook;

pub use gateway::{Gateway, StartError};
pub use relay::{DeliveryStatus, Preset};
