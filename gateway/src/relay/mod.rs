//! The relay: every project's events to every destination, durably, in order per item, quietly.
//!
//! A *lane* is one destination and one project. It reads the project's feed from where its ledger
//! stands, makes lines of events ([`plan`], pure), writes each line to its [`outbox`] and only then
//! sends it. Nothing is pushed at a lane, so the order in which parts start does not matter.
//!
//! Delivery is at least once. Where the receiver drops a repeated transaction id, as Matrix does, it
//! is exactly once; a webhook's receiver does that itself, by `webhook-id`.

mod begin;
mod digest;
mod lane;
mod outbox;
mod plan;
#[cfg(test)]
mod plan_tests;
mod running;
mod spans;
mod status;
mod story;
#[cfg(test)]
mod testing;

use std::time::Duration;

pub(crate) use lane::Lane;
pub use lane::{LaneError, subscriber};
pub(crate) use outbox::{Body, Line};
pub use plan::{BACKLOG_EVENTS, BACKLOG_MS, HOLD_MS, Preset, WINDOW_MS};
pub(crate) use running::Shared;
pub(crate) use status::is_asked;
pub use status::{LaneStatus, RelayStatus, StatusBoard, StatusError, ask};
pub(crate) use story::escape;

use crate::{matrix, webhook};

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The receiver has it.
    Delivered,
    /// Not now; the receiver may have said when.
    Later {
        /// At least so long.
        after: Option<Duration>,
        /// Why.
        why: String,
    },
    /// Never in this form: a person has to look at it.
    Refused {
        /// Why.
        why: String,
    },
    /// The receiver wants nothing any more.
    Gone {
        /// Why.
        why: String,
    },
}

/// Where a lane leads.
#[derive(Debug, Clone)]
pub(crate) enum Sink {
    /// A chat room.
    Matrix(matrix::RoomSink),
    /// An endpoint.
    Webhook(webhook::Endpoint),
}

impl Sink {
    /// What a command begins with where the line is read.
    fn prefix(&self) -> &str {
        match self {
            Self::Matrix(room) => room.prefix(),
            Self::Webhook(_) => "",
        }
    }

    /// Attempts to deliver a line.
    async fn deliver(&self, line: &Line) -> Outcome {
        match self {
            Self::Matrix(room) => room.deliver(line).await,
            Self::Webhook(endpoint) => endpoint.deliver(line).await,
        }
    }

    /// The wait after so many failed attempts; `None` when it is time to set the line aside.
    fn backoff(&self, attempts: u32) -> Option<Duration> {
        match self {
            // A homeserver that is down comes back: half a second, doubling, at most a minute.
            Self::Matrix(_) => Some(Duration::from_millis(
                500u64
                    .saturating_mul(1 << attempts.saturating_sub(1).min(7))
                    .min(60_000),
            )),
            Self::Webhook(_) => webhook::backoff(attempts),
        }
    }

    /// Lines that may be on their way at once. In a room order is everything: one. At an endpoint
    /// one event that is refused must not keep back the others.
    const fn window(&self) -> usize {
        match self {
            Self::Matrix(_) => 1,
            Self::Webhook(_) => 64,
        }
    }
}
