//! The rules of the house that no compiler checks, as tests over the tracked files.
//!
//! Reads the repository through `git ls-files` and `cargo metadata`; changes nothing. An exception
//! stands in a list with its reason, and one that is no longer needed fails too.

mod docs;
mod needs;
mod repo;
mod sources;
