//! Tests of the crate from outside: one binary, one module a subject.
#![allow(clippy::unwrap_used)]

mod export;
mod import;
mod project;
