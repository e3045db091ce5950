//! What a lane knows while it runs: where it reads, what is on its way, what is dealt with.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use towline_node::handle::NodeHandle;
use towline_proto::Millis;

use super::outbox::Line;
use super::plan::Planner;
use super::spans::Ledger;
use super::status::StatusBoard;
use crate::store::Store;

/// What a lane needs besides its destination.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) handle: NodeHandle,
    pub(crate) store: Store,
    pub(crate) board: Arc<StatusBoard>,
    pub(crate) resend: watch::Receiver<u64>,
    pub(crate) stop: CancellationToken,
}

/// How events become lines.
pub(super) enum Intake {
    /// Folded and held back, for people.
    Chat(Box<Planner>),
    /// One line each, for programs.
    Each {
        /// The last position that was taken in.
        read: u64,
    },
}

/// A lane that has begun.
pub(super) struct Running {
    /// The end of the feed.
    pub(super) feed: watch::Receiver<u64>,
    /// How events become lines.
    pub(super) intake: Intake,
    /// What is planned or not wanted.
    pub(super) ledger: Ledger,
    /// What is planned and not accepted, in order.
    pub(super) lines: Vec<Line>,
    /// Whether one of them is being sent.
    pub(super) in_flight: bool,
    /// The place of the next line.
    pub(super) next_seq: u64,
    /// How many lines are set aside.
    pub(super) parked: usize,
    /// What the node's cursor says.
    pub(super) cursor: u64,
    /// When it was written, in milliseconds of this lane.
    pub(super) cursor_at: u64,
    /// Whether something was delivered since the cursor was written.
    pub(super) fresh: bool,
    /// Why the receiver wants nothing any more.
    pub(super) closed: Option<String>,
    /// What went wrong last, until something goes well.
    pub(super) trouble: Option<String>,
    /// When something was accepted last.
    pub(super) last_delivery: Option<Millis>,
    /// When the lane began.
    pub(super) started: Instant,
}

impl Running {
    /// Milliseconds since the lane began.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Events that were taken in and are in no line yet.
    pub(super) fn held_back(&self) -> u64 {
        match &self.intake {
            Intake::Chat(planner) => planner.waiting(),
            Intake::Each { .. } => 0,
        }
    }

    /// When something is tried next, where that is not now.
    pub(super) fn next_attempt(&self, now: Millis) -> Option<Millis> {
        let next = self.lines.iter().map(|line| line.not_before).min();
        next.filter(|at| *at > now && self.closed.is_none())
    }

    /// The last position that was taken in.
    pub(super) fn read(&self) -> u64 {
        match &self.intake {
            Intake::Chat(planner) => planner.read(),
            Intake::Each { read } => *read,
        }
    }

    /// The last position before which everything was accepted by the receiver.
    pub(super) fn safe(&self) -> u64 {
        let waiting = self.lines.iter().filter_map(|line| line.spans.first()).min();
        waiting.map_or(self.ledger.through, |first| {
            self.ledger.through.min(first.saturating_sub(1))
        })
    }
}
