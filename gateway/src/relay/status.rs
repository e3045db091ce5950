//! The status of the relay: last delivery, lag, and queued, in-flight and failed messages.
//!
//! The running gateway writes the status to a file in its folder and replaces the file atomically, so
//! `relay status` needs neither a socket nor the lock of the store. The file contains the time of writing,
//! and a running gateway rewrites it on request ([`request_refresh`]), so old figures are never shown as
//! current.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use towline_proto::Millis;
use towline_proto::text::show;

/// The name of the status file.
const FILE: &str = "relay-status.json";
/// While this file exists, the running gateway is asked to rewrite the status file.
const REFRESH_REQUEST: &str = "relay-status-asked";
/// Maximum number of rooms with a note.
const ROOMS: usize = 1_000;

/// Why the status cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StatusError {
    /// The file cannot be read or written.
    #[error("cannot read or write the relay status ({0}); has the gateway run in this folder?")]
    File(#[from] std::io::Error),
    /// The file is not in the format of this version.
    #[error("the relay status file is invalid: {0}; the gateway rewrites it at its next start")]
    Shape(#[from] serde_json::Error),
}

/// The status of one delivery. The names in JSON are read by scripts and stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryStatus {
    /// The destination.
    pub destination: String,
    /// The project.
    pub project: String,
    /// Events in the feed that are not delivered yet.
    pub lag: u64,
    /// Events that were read and are held back, because more events of the same item may follow.
    #[serde(default)]
    pub held_back: u64,
    /// Messages in the outbox: stored and not accepted by the destination yet.
    pub outbox: usize,
    /// Messages of the outbox that are being sent right now.
    #[serde(default)]
    pub in_flight: usize,
    /// Messages that failed for good; `relay resend` sends them again.
    #[serde(rename = "parked")]
    pub failed: usize,
    /// The time of the last successful delivery.
    #[serde(default)]
    pub last_delivery: Option<Millis>,
    /// The time of the next attempt, if messages are waiting for it.
    #[serde(default)]
    pub next_attempt: Option<Millis>,
    /// The current error, if there is one.
    #[serde(default, rename = "trouble")]
    pub error: Option<String>,
}

impl fmt::Display for DeliveryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ← {}: ",
            show(&self.destination, 80),
            show(&self.project, 60)
        )?;
        match self.last_delivery {
            Some(at) => write!(f, "last delivery {at}")?,
            None => f.write_str("no delivery since the gateway started")?,
        }
        write!(
            f,
            ", {} events behind, {} held back, {} messages queued, {} in flight, {} failed",
            self.lag, self.held_back, self.outbox, self.in_flight, self.failed
        )?;
        if let Some(at) = self.next_attempt {
            write!(f, ", next attempt {at}")?;
        }
        match &self.error {
            Some(error) => write!(f, "; error: {}", show(error, 200)),
            None => Ok(()),
        }
    }
}

/// The status of all deliveries of a gateway at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RelayStatus {
    /// The time at which the status was written.
    pub(crate) as_of: Millis,
    /// Whether the gateway is running; set by the reader of the file.
    #[serde(default)]
    pub(crate) running: bool,
    /// Every delivery, sorted by destination and project.
    #[serde(rename = "lanes")]
    pub(crate) deliveries: Vec<DeliveryStatus>,
    /// Notes about rooms, for example that a room is encrypted or muted.
    #[serde(default)]
    pub(crate) rooms: BTreeMap<String, String>,
}

/// The current status of all deliveries and rooms, shared between the tasks of the gateway.
#[derive(Debug, Default)]
pub(crate) struct StatusRegistry {
    deliveries: Mutex<BTreeMap<(String, String), DeliveryStatus>>,
    rooms: Mutex<BTreeMap<String, String>>,
}

impl StatusRegistry {
    pub(crate) fn set(&self, status: DeliveryStatus) {
        if let Ok(mut deliveries) = self.deliveries.lock() {
            deliveries.insert((status.destination.clone(), status.project.clone()), status);
        }
    }

    pub(crate) fn remove(&self, destination: &str, project: &str) {
        if let Ok(mut deliveries) = self.deliveries.lock() {
            deliveries.remove(&(destination.to_owned(), project.to_owned()));
        }
    }

    /// Sets the note of a room, or removes it.
    pub(crate) fn set_room_note(&self, room: &str, note: Option<String>) {
        let Ok(mut rooms) = self.rooms.lock() else { return };
        match note {
            Some(note) if rooms.len() < ROOMS || rooms.contains_key(room) => {
                rooms.insert(room.to_owned(), note);
            }
            Some(_) => {}
            None => drop(rooms.remove(room)),
        }
    }

    /// The status of every delivery, sorted by destination and project.
    pub(crate) fn deliveries(&self) -> Vec<DeliveryStatus> {
        self.deliveries
            .lock()
            .map(|deliveries| deliveries.values().cloned().collect())
            .unwrap_or_default()
    }

    /// The status of everything, with the given time.
    pub(crate) fn snapshot(&self, as_of: Millis) -> RelayStatus {
        RelayStatus {
            as_of,
            running: true,
            deliveries: self.deliveries(),
            rooms: self.rooms.lock().map(|rooms| rooms.clone()).unwrap_or_default(),
        }
    }

    /// Writes the status file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(dir: &Path, status: &RelayStatus) -> Result<(), StatusError> {
        let partial = dir.join(format!("{FILE}.new"));
        std::fs::write(&partial, serde_json::to_vec_pretty(status)?)?;
        Ok(std::fs::rename(partial, dir.join(FILE))?)
    }

    /// Reads the status file of the gateway that runs, or last ran, in a folder.
    ///
    /// # Errors
    /// When there is no file or it cannot be read.
    pub(crate) fn read(dir: &Path) -> Result<RelayStatus, StatusError> {
        Ok(serde_json::from_slice(&std::fs::read(dir.join(FILE))?)?)
    }
}

/// Asks the gateway that runs in a folder to rewrite the status file.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn request_refresh(dir: &Path) -> std::io::Result<()> {
    std::fs::write(dir.join(REFRESH_REQUEST), b"")
}

/// Whether a refresh was requested. Removes the request, so that each is answered once.
pub(crate) fn take_refresh_request(dir: &Path) -> bool {
    std::fs::remove_file(dir.join(REFRESH_REQUEST)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_keeps_its_names_in_json() {
        let status = RelayStatus {
            deliveries: vec![DeliveryStatus {
                failed: 3,
                error: Some("a".to_owned()),
                ..DeliveryStatus::default()
            }],
            ..RelayStatus::default()
        };
        let json = serde_json::to_value(&status).expect("JSON");
        assert_eq!(json["lanes"][0]["parked"], 3);
        assert_eq!(json["lanes"][0]["trouble"], "a");
        let names: Vec<_> = json["lanes"][0].as_object().expect("an object").keys().collect();
        assert_eq!(
            names,
            [
                "destination",
                "held_back",
                "in_flight",
                "lag",
                "last_delivery",
                "next_attempt",
                "outbox",
                "parked",
                "project",
                "trouble"
            ]
        );
    }
}
