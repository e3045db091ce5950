//! What programs and people ask of a project and what they get back: the requests, and the JSON types of the
//! replies.
//!
//! Plain data with a JSON form, shared by the socket, the HTTP API, the command line, the board and chat. Nothing
//! here performs a request: see [`crate::project`].

pub mod request;
pub mod types;
