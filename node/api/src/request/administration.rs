//! Requests about a whole project: its store, its members, import and export.
//!
//! Plain data with a JSON form. Most of them are for the machine of the node only: see [`super::properties`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use towline_proto::{ProjectId, Role};

use super::import::{ImportItem, ImportRelation};
use crate::export_line::{ItemLine, SettingsLine};
use crate::types::ImportPass;

/// A request about a whole project.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Administration {
    /// Check the store: recompute everything derived, compare, and check the log.
    Doctor,
    /// Delete the cache and rebuild it from the log.
    Rebuild,
    /// How many connected peers are in sync.
    #[serde(rename = "sync-now")]
    SyncStatus,
    /// A ticket for a new member.
    Invite {
        /// What it may do.
        role: Role,
        /// Valid for so many milliseconds.
        valid_ms: u64,
    },
    /// Revoke an invitation.
    #[serde(rename = "withdraw")]
    Revoke {
        /// The first hex digits of its hash, as `members` shows them.
        ticket: String,
    },
    /// The settings with everything that was done to them, for export; nothing where nobody set any.
    SettingsLine,
    /// Every item with everything that was done to it, in order of creation. Paged like
    /// [`super::Query::Export`]; a page may hold fewer than `limit`, and the last is empty.
    ExportLines {
        /// Items to skip.
        offset: usize,
        /// At most so many.
        limit: usize,
    },
    /// Entries of the log in its order, as they were signed.
    #[serde(rename = "records")]
    ExportEntries {
        /// Where the last answer ended; 0 for the beginning.
        after: u64,
    },
    /// The settings of an export of ours.
    ImportSettings {
        /// The line.
        line: Box<SettingsLine>,
        /// Only say what would happen.
        dry_run: bool,
    },
    /// Items from another tracker, found again by their external reference.
    ImportItems {
        /// At most [`IMPORT_CHUNK`] of them.
        items: Vec<ImportItem>,
        /// Only count what would happen.
        dry_run: bool,
    },
    /// Relations between imported items, once all are there.
    ImportRelations {
        /// At most [`IMPORT_CHUNK`] of them.
        relations: Vec<ImportRelation>,
        /// Only count what would happen.
        dry_run: bool,
    },
    /// Lines of an export of ours.
    ImportLines {
        /// At most [`IMPORT_CHUNK`] of them.
        lines: Vec<ItemLine>,
        /// The references of the items that they name, by what the file calls them.
        names: BTreeMap<String, String>,
        /// Which pass over the file.
        pass: ImportPass,
    },
    /// Entries of this project from a bundle. They pass the same checks as entries from peers; importing them
    /// again changes nothing.
    #[serde(rename = "carried")]
    ImportEntries {
        /// Which project they are of.
        project: ProjectId,
        /// Entries in base64, at most [`MAX_ENTRIES`] of them.
        records: Vec<String>,
    },
}

/// At most so many items or relations in one import request.
pub const IMPORT_CHUNK: usize = 200;

/// At most so many entries in one [`Administration::ImportEntries`].
pub const MAX_ENTRIES: usize = 1_024;
