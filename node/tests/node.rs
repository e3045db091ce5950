//! The integration tests of the node, in one binary so that there is one thing to link. Each part
//! has a file of its own in `tests/node/`.

#![allow(clippy::unwrap_used)]

#[path = "node/cache.rs"]
mod cache;
#[path = "node/log.rs"]
mod log;
#[path = "node/tools.rs"]
mod tools;
