//! Whole-system tests: one binary, so that linking happens once.
#![allow(clippy::unwrap_used, missing_docs)]

mod fleet;
mod matrix;
mod webhook;
