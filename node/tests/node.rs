//! Whole parts of a node, for real: one test binary, a module for each part.
#![allow(clippy::unwrap_used)]

mod net;
