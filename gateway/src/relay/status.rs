//! What an operator asks about the relay: last delivery, lag, what is set aside.
//!
//! The running gateway keeps the answer in a file of its folder, replaced as a whole, so that
//! `relay status` needs neither a socket nor the lock of the store.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use towline_proto::Millis;
use towline_proto::text::show;

/// The file's name.
const FILE: &str = "relay-status.json";

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The file cannot be read or written.
    #[error("no relay status; has the gateway run in this folder?")]
    File(#[from] std::io::Error),
    /// It is not what this version writes.
    #[error("the relay status is not readable: {0}")]
    Shape(#[from] serde_json::Error),
}

/// How one lane does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneStatus {
    /// The destination.
    pub destination: String,
    /// The project.
    pub project: String,
    /// Events in the feed that are not delivered yet.
    pub lag: u64,
    /// Lines that were planned and not accepted yet.
    pub outbox: usize,
    /// Lines that were set aside.
    pub parked: usize,
    /// When something was delivered last.
    #[serde(default)]
    pub last_delivery: Option<Millis>,
    /// What is wrong, if something is.
    #[serde(default)]
    pub trouble: Option<String>,
}

impl fmt::Display for LaneStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ← {}: ",
            show(&self.destination, 80),
            show(&self.project, 40)
        )?;
        match self.last_delivery {
            Some(at) => write!(f, "last delivery {at}")?,
            None => f.write_str("nothing delivered yet")?,
        }
        write!(
            f,
            ", {} behind, {} waiting, {} parked",
            self.lag, self.outbox, self.parked
        )?;
        match &self.trouble {
            Some(trouble) => write!(f, "; {}", show(trouble, 200)),
            None => Ok(()),
        }
    }
}

/// How all lanes do.
#[derive(Debug, Default)]
pub struct StatusBoard {
    lanes: Mutex<BTreeMap<(String, String), LaneStatus>>,
}

impl StatusBoard {
    pub(crate) fn set(&self, status: LaneStatus) {
        if let Ok(mut lanes) = self.lanes.lock() {
            lanes.insert((status.destination.clone(), status.project.clone()), status);
        }
    }

    /// Every lane, sorted by destination and project.
    pub fn lanes(&self) -> Vec<LaneStatus> {
        self.lanes
            .lock()
            .map(|lanes| lanes.values().cloned().collect())
            .unwrap_or_default()
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(dir: &Path, lanes: &[LaneStatus]) -> Result<(), StatusError> {
        let partial = dir.join(format!("{FILE}.new"));
        std::fs::write(&partial, serde_json::to_vec_pretty(lanes)?)?;
        Ok(std::fs::rename(partial, dir.join(FILE))?)
    }

    /// Reads what the running, or last, gateway of a folder wrote.
    ///
    /// # Errors
    /// When there is none or it cannot be read.
    pub fn read(dir: &Path) -> Result<Vec<LaneStatus>, StatusError> {
        Ok(serde_json::from_slice(&std::fs::read(dir.join(FILE))?)?)
    }
}
