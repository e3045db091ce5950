//! The settings of a project as people are shown them, and why an item cannot be started now.

use serde::{Deserialize, Serialize};
use towline_proto::{Millis, Origin};

use super::OpenConflict;

/// One setting of a project. Schema `towline.config/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its name.
    pub key: String,
    /// What holds; empty for one that this version does not know and that was set back.
    pub value: String,
    /// Whether this version knows the setting and can read the value that the project gives it; otherwise
    /// `value` is what the project says, and this node goes by the default.
    pub understood: bool,
    /// Who wrote it; absent where nobody did and the default holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<SetBy>,
    /// A concurrent value that is not resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Box<OpenConflict>>,
}

/// Who wrote a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetBy {
    /// Who asked.
    pub origin: Origin,
    /// What people call the node that signed.
    pub node_name: String,
    /// When, by that node's clock.
    pub at: Millis,
}

/// Why nobody can start an item now. Only of items that wait to be started or are being coded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum NotReadyReason {
    /// It is an epic: its items are what is started.
    Epic,
    /// It stands before the backlog.
    Upcoming,
    /// Something holds it: see `holds`.
    Held,
    /// It waits for others: see `depends_on`.
    Waits,
    /// An epic that it belongs to, directly or not, is held.
    EpicHeld {
        /// What to type for the epic.
        epic: String,
    },
    /// An epic that it belongs to, directly or not, waits for others.
    EpicWaits {
        /// What to type for the epic.
        epic: String,
    },
    /// Somebody works on it: see `claim`.
    Claimed,
    /// It is assigned to somebody else than who asks. Only where it is known who asks.
    Assigned,
    /// It was being worked on where it was imported from, and nobody says by whom.
    Underway,
}
