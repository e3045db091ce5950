//! What programs and people ask of a project and what they get back: the requests, and the JSON types of the
//! replies.
//!
//! Plain data with a JSON form, shared by the socket, the HTTP API, the command line, the board and chat, and the
//! words that all of these use for it. Nothing here performs a request or does IO: see `towline-engine`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod activity_text;
pub mod conflict_text;
pub mod document;
pub mod event_text;
pub mod explanation_text;
pub mod export_line;
pub mod failure;
pub mod labels;
pub mod notice_text;
pub mod project_names;
pub mod relative_time;
pub mod reply;
pub mod request;
pub mod types;
