//! Tests of the crate from outside: one binary, one module a subject.
#![allow(clippy::unwrap_used)]

mod export;
mod import;
mod project;
#[path = "../../../../crdt/tests/crdt/seed.rs"]
mod seed;
#[path = "../../../store/tests/store/tiny_disk.rs"]
mod tiny_disk;
