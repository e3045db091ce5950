//! Whole-system tests: one binary, so that linking happens once.
#![allow(clippy::unwrap_used, missing_docs)]

mod browser;
mod crash;
mod daily;
mod doors;
mod dry_run;
mod first;
mod fleet;
mod lines;
mod matrix;
mod nodes;
mod refusals;
mod transfer;
mod webhook;
