//! The formats in which work items leave and enter towline: files of other trackers, and our own exports.
//!
//! [`import`] parses files into items and relations, [`export`] writes items as lines, pages and tables. Both
//! work on data that a caller reads and writes; nothing here opens a store.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backlog_escape;
pub mod export;
pub mod import;
