//! Writing a project out for people and other programs. Reads pages, never the store.

pub mod jsonl;
