//! Writing a project out for people and other programs. Reads lines and pages, never the store.

pub mod bundle;
pub mod csv;
pub mod jsonl;
pub mod markdown;
