//! The state of a running delivery: what it has read, what it has queued, what is acknowledged.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use towline_engine::handle::NodeHandle;
use towline_proto::Millis;

use super::acked_ranges::AckedPositions;
use super::outbox::OutboxMessage;
use super::plan::Planner;
use super::status::StatusRegistry;
use crate::store::GatewayStore;

/// What every delivery of a gateway shares.
#[derive(Debug, Clone)]
pub(crate) struct DeliveryContext {
    pub(crate) handle: NodeHandle,
    pub(crate) store: GatewayStore,
    pub(crate) registry: Arc<StatusRegistry>,
    pub(crate) resend: watch::Receiver<u64>,
    pub(crate) stop: CancellationToken,
}

/// How events are combined into messages.
pub(super) enum Grouping {
    /// Events of an item are combined into one line, for people.
    Coalesced(Box<Planner>),
    /// Each event is one message, for programs.
    PerEvent {
        /// The last position that was read.
        read: u64,
    },
}

/// The state of a running delivery.
pub(super) struct DeliveryState {
    /// The last position of the project's feed.
    pub(super) feed: watch::Receiver<u64>,
    /// How events are combined into messages.
    pub(super) grouping: Grouping,
    /// The acknowledged positions.
    pub(super) acked: AckedPositions,
    /// The queued messages, in order.
    pub(super) messages: Vec<OutboxMessage>,
    /// Whether one of them is being sent.
    pub(super) in_flight: bool,
    /// The sequence number of the next message.
    pub(super) next_seq: u64,
    /// Number of messages that failed for good.
    pub(super) failed: usize,
    /// The position of the node's cursor.
    pub(super) cursor: u64,
    /// When the cursor was written, in milliseconds since the start.
    pub(super) cursor_written_ms: u64,
    /// Whether something was delivered since the cursor was written.
    pub(super) delivered_since_cursor: bool,
    /// Why the destination accepts nothing any more, if so.
    pub(super) closed: Option<String>,
    /// The last error, until the next success.
    pub(super) error: Option<String>,
    /// The time of the last delivery.
    pub(super) last_delivery: Option<Millis>,
    /// When the delivery started.
    pub(super) started: Instant,
}

impl DeliveryState {
    /// Milliseconds since the delivery started.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Number of events that were read and are in no message yet.
    pub(super) fn held_back(&self) -> u64 {
        match &self.grouping {
            Grouping::Coalesced(planner) => planner.held_back(),
            Grouping::PerEvent { .. } => 0,
        }
    }

    /// The time of the next attempt, if it is in the future.
    pub(super) fn next_attempt(&self, now: Millis) -> Option<Millis> {
        let next = self.messages.iter().map(|message| message.not_before).min();
        next.filter(|at| *at > now && self.closed.is_none())
    }

    /// The last position that was read.
    pub(super) fn read(&self) -> u64 {
        match &self.grouping {
            Grouping::Coalesced(planner) => planner.read(),
            Grouping::PerEvent { read } => *read,
        }
    }

    /// The last position up to which everything is delivered.
    pub(super) fn delivered_through(&self) -> u64 {
        let first_queued = self
            .messages
            .iter()
            .filter_map(|message| message.positions.first())
            .min();
        first_queued.map_or(self.acked.through, |first| {
            self.acked.through.min(first.saturating_sub(1))
        })
    }
}
