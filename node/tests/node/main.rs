//! Tests of the crate from outside: one binary, one module a subject.
#![allow(clippy::unwrap_used)]

mod cache;
mod cluster;
mod export;
mod import;
mod log;
mod net;
mod project;
mod tools;
mod web;
