//! The relay: sends the events of every project to every destination, durably and in order per item.
//!
//! A [`Delivery`] is the task for one destination and one project. It reads the project's feed from the
//! last acknowledged position, combines events into messages ([`plan`], without IO), stores each message
//! in its [`outbox`] and only then sends it. A delivery pulls and is never pushed to, so the order in which
//! the parts of a gateway start does not matter.
//!
//! Delivery is at least once. It is exactly once where the destination drops a repeated transaction id,
//! as Matrix does. The receiver of a webhook does the same by `webhook-id`.

mod acked_ranges;
mod coalesce;
mod delivery;
mod delivery_state;
mod digest;
mod outbox;
mod plan;
#[cfg(test)]
mod plan_tests;
mod resume;
mod status;
#[cfg(test)]
mod test_feed;

use std::time::Duration;

pub(crate) use coalesce::escape_html;
pub(crate) use delivery::Delivery;
pub(crate) use delivery_state::DeliveryContext;
pub(crate) use outbox::{MessageBody, OutboxMessage};
pub use plan::Preset;
pub use status::DeliveryStatus;
pub(crate) use status::{RelayStatus, StatusError, StatusRegistry, request_refresh, take_refresh_request};

use crate::{matrix, webhook};

/// The result of an attempt to deliver a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeliveryOutcome {
    /// The destination accepted it.
    Delivered,
    /// It failed for now.
    RetryLater {
        /// The minimum wait that the destination asked for.
        after: Option<Duration>,
        /// Why.
        why: String,
    },
    /// The destination rejected it, and repeating it will not help.
    Rejected {
        /// Why.
        why: String,
    },
    /// The destination no longer exists and accepts nothing.
    Gone {
        /// Why.
        why: String,
    },
}

/// Where a delivery sends its messages.
#[derive(Debug, Clone)]
pub(crate) enum Sink {
    /// A chat room.
    Matrix(matrix::RoomSink),
    /// A webhook endpoint.
    Webhook(webhook::Endpoint),
}

impl Sink {
    /// The prefix of commands in the room; empty for an endpoint.
    fn command_prefix(&self) -> &str {
        match self {
            Self::Matrix(room) => room.command_prefix(),
            Self::Webhook(_) => "",
        }
    }

    /// Tries to deliver a message.
    async fn deliver(&self, message: &OutboxMessage) -> DeliveryOutcome {
        match self {
            Self::Matrix(room) => room.deliver(message).await,
            Self::Webhook(endpoint) => endpoint.deliver(message).await,
        }
    }

    /// The wait after `attempts` failed attempts; `None` when the message has failed for good.
    fn backoff(&self, attempts: u32) -> Option<Duration> {
        match self {
            // A homeserver that is down comes back, so a room is retried for ever: after half a second,
            // then twice as long each time, up to a minute.
            Self::Matrix(_) => Some(Duration::from_millis(
                500u64
                    .saturating_mul(1 << attempts.saturating_sub(1).min(7))
                    .min(60_000),
            )),
            Self::Webhook(_) => webhook::backoff(attempts),
        }
    }

    /// Maximum number of queued messages. One in a room, because messages must arrive in order. More at an
    /// endpoint, so that an event that it rejects does not delay the others.
    const fn window(&self) -> usize {
        match self {
            Self::Matrix(_) => 1,
            Self::Webhook(_) => 64,
        }
    }
}
