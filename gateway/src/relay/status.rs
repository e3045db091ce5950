//! What an operator asks about the relay: last delivery, lag, what is on its way, what is set aside.
//!
//! The running gateway keeps the answer in a file of its folder, replaced as a whole, so that
//! `relay status` needs neither a socket nor the lock of the store. The file says of when it is, and a
//! running gateway writes it anew when it is asked ([`ask`]), so that old figures never look like new
//! ones.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use towline_proto::Millis;
use towline_proto::text::show;

/// The file's name.
const FILE: &str = "relay-status.json";
/// Its presence asks the running gateway to write the file anew.
const ASK: &str = "relay-status-asked";
/// Rooms of which something is noted at most.
const ROOMS: usize = 1_000;

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The file cannot be read or written.
    #[error("no relay status: {0}; has the gateway run in this folder?")]
    File(#[from] std::io::Error),
    /// It is not what this version writes.
    #[error("the relay status is not readable: {0}; the next start of the gateway writes it anew")]
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
    /// Events that were read and wait to become a line, because more may come.
    #[serde(default)]
    pub held_back: u64,
    /// Lines that were planned and not accepted yet.
    pub outbox: usize,
    /// Those of them that are being sent at this moment.
    #[serde(default)]
    pub in_flight: usize,
    /// Lines that were set aside.
    pub parked: usize,
    /// When something was delivered last.
    #[serde(default)]
    pub last_delivery: Option<Millis>,
    /// When something is tried again, where it has to wait.
    #[serde(default)]
    pub next_attempt: Option<Millis>,
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
            show(&self.project, 60)
        )?;
        match self.last_delivery {
            Some(at) => write!(f, "last delivery {at}")?,
            None => f.write_str("nothing delivered since it started")?,
        }
        write!(
            f,
            ", {} events behind, {} held back, {} lines waiting, {} in flight, {} parked",
            self.lag, self.held_back, self.outbox, self.in_flight, self.parked
        )?;
        if let Some(at) = self.next_attempt {
            write!(f, ", next attempt {at}")?;
        }
        match &self.trouble {
            Some(trouble) => write!(f, "; {}", show(trouble, 200)),
            None => Ok(()),
        }
    }
}

/// How the relay of a gateway does, and of when that is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayStatus {
    /// When it was written.
    pub as_of: Millis,
    /// Whether the gateway runs; said by whoever reads it.
    #[serde(default)]
    pub running: bool,
    /// Every lane.
    pub lanes: Vec<LaneStatus>,
    /// Rooms of which there is something to know, such as that nothing is sent there.
    #[serde(default)]
    pub rooms: BTreeMap<String, String>,
}

/// How all lanes do.
#[derive(Debug, Default)]
pub struct StatusBoard {
    lanes: Mutex<BTreeMap<(String, String), LaneStatus>>,
    rooms: Mutex<BTreeMap<String, String>>,
}

impl StatusBoard {
    pub(crate) fn set(&self, status: LaneStatus) {
        if let Ok(mut lanes) = self.lanes.lock() {
            lanes.insert((status.destination.clone(), status.project.clone()), status);
        }
    }

    pub(crate) fn forget(&self, destination: &str, project: &str) {
        if let Ok(mut lanes) = self.lanes.lock() {
            lanes.remove(&(destination.to_owned(), project.to_owned()));
        }
    }

    /// Notes what is to be known of a room; nothing takes the note back.
    pub(crate) fn room(&self, room: &str, note: Option<String>) {
        let Ok(mut rooms) = self.rooms.lock() else { return };
        match note {
            Some(note) if rooms.len() < ROOMS || rooms.contains_key(room) => {
                rooms.insert(room.to_owned(), note);
            }
            Some(_) => {}
            None => drop(rooms.remove(room)),
        }
    }

    /// Every lane, sorted by destination and project.
    pub fn lanes(&self) -> Vec<LaneStatus> {
        self.lanes
            .lock()
            .map(|lanes| lanes.values().cloned().collect())
            .unwrap_or_default()
    }

    /// Everything, as it is at a time.
    pub fn status(&self, as_of: Millis) -> RelayStatus {
        RelayStatus {
            as_of,
            running: true,
            lanes: self.lanes(),
            rooms: self.rooms.lock().map(|rooms| rooms.clone()).unwrap_or_default(),
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(dir: &Path, status: &RelayStatus) -> Result<(), StatusError> {
        let partial = dir.join(format!("{FILE}.new"));
        std::fs::write(&partial, serde_json::to_vec_pretty(status)?)?;
        Ok(std::fs::rename(partial, dir.join(FILE))?)
    }

    /// Reads what the running, or last, gateway of a folder wrote.
    ///
    /// # Errors
    /// When there is none or it cannot be read.
    pub fn read(dir: &Path) -> Result<RelayStatus, StatusError> {
        Ok(serde_json::from_slice(&std::fs::read(dir.join(FILE))?)?)
    }
}

/// Asks the gateway that runs in a folder to write its status anew.
///
/// # Errors
/// When the folder cannot be written.
pub fn ask(dir: &Path) -> std::io::Result<()> {
    std::fs::write(dir.join(ASK), b"")
}

/// Whether somebody has asked for the status; asked once, it is answered once.
pub(crate) fn is_asked(dir: &Path) -> bool {
    std::fs::remove_file(dir.join(ASK)).is_ok()
}
