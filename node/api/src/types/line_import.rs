//! The replies to imports of exports and bundles: what became of each line, and of the entries.

use serde::{Deserialize, Serialize};

/// One of the two passes over a file, or the dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportPass {
    /// Create the items that do not exist yet.
    #[serde(rename = "make")]
    Create,
    /// Write what refers to other items, and compare items that existed before this import.
    #[serde(rename = "fill")]
    Complete,
    /// Report what an import would do, and change nothing.
    #[serde(rename = "look")]
    DryRun,
}

/// What became of one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "taken", rename_all = "kebab-case")]
pub enum LineOutcome {
    /// The item was created.
    #[serde(rename = "made")]
    Created {
        /// Whether the second pass has something left to write.
        more: bool,
        /// Whether an item that is not in the file has the same number.
        shared: bool,
        /// The fields in which the item differs from its line.
        differs: Vec<String>,
    },
    /// The item existed before this import: the second pass compares it.
    #[serde(rename = "here")]
    Existing,
    /// Changes that the item lacked were written.
    Updated {
        /// The fields in which the item differs from its line; empty where it was edited independently.
        differs: Vec<String>,
    },
    /// The item has every act of the line already.
    Unchanged,
    /// The item is in the trash of this project and stays there.
    InTrash {
        /// A sentence about it for people.
        note: String,
    },
    /// The line was not imported.
    #[serde(rename = "refused")]
    Rejected {
        /// Why.
        why: String,
    },
}

/// What became of imported entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryImportReport {
    /// Admitted.
    pub new: usize,
    /// Known before.
    pub known: usize,
    /// Orphans: they wait for an entry that they depend on.
    pub waiting: usize,
    /// Refused.
    pub refused: usize,
    /// Why the first of those were refused, one line each.
    pub reasons: Vec<String>,
}

/// The most reasons in an [`EntryImportReport`].
const MAX_REASONS: usize = 8;

impl EntryImportReport {
    /// Counts a refused entry and keeps the reason if there is room.
    pub fn reject(&mut self, why: &str) {
        self.refused += 1;
        if self.reasons.len() < MAX_REASONS {
            self.reasons.push(towline_proto::text::show(why, 200));
        }
    }
}
