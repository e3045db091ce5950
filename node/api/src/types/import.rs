//! What an import came to. Plain data; nothing here decides or counts.

use serde::{Deserialize, Serialize};
use towline_proto::ItemId;

/// Counts of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// Items made.
    pub created: usize,
    /// Items changed.
    pub updated: usize,
    /// Items that were there already, the same.
    pub unchanged: usize,
    /// Records that are older than what their items were brought up to date from; nothing was changed.
    #[serde(default)]
    pub older: usize,
    /// Records that say an issue again: equal copies, and what a newer record of the file replaces.
    #[serde(default)]
    pub repeated: usize,
    /// Records that could not be taken.
    #[serde(default)]
    pub refused: usize,
    /// Records about something else than an issue.
    #[serde(default)]
    pub others: usize,
    /// Records of the source in all: each is in one of the counts above.
    #[serde(default)]
    pub records: usize,
    /// Relations made.
    pub related: usize,
    /// Relations that were there already, or that somebody here took away.
    pub related_before: usize,
    /// Relations that only a record says that is older than what is here.
    #[serde(default)]
    pub related_older: usize,
    /// Relations of which one end is not here: kept as a link of the other.
    #[serde(default)]
    pub linked: usize,
    /// The items of records that share an id, by the references that tell them apart in this import.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<(String, ItemId)>,
    /// What could not be brought over, one line each.
    pub problems: Vec<String>,
    /// What was left as it is here, and what else somebody should know; one line each.
    #[serde(default)]
    pub notes: Vec<String>,
}
