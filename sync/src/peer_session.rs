//! The state of the session with one connected peer.
//!
//! ```text
//! request:   idle ──Have──▶ open ──Entries(more)──▶ open ──Entries(last)──▶ idle
//! outgoing:  idle ──their Have──▶ reading ──Read──▶ sent ──Got──▶ reading … ──last Got──▶ idle
//! incoming:  idle ──Entries──▶ entries at the gate ──every outcome is in──▶ Got, idle
//! ```
//!
//! The three run side by side, and each has at most one thing in progress. This module holds the states and the
//! rate limit; `conversation` makes the steps.

use towline_proto::{Millis, NodeId, limits};

use crate::send_plan::{PlannedEntry, SendPlan};

/// What a node reports about a connected peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerState {
    /// Whether the last digest that it announced is the digest of this node now.
    pub in_sync: bool,
    /// When anything was last received from it.
    pub last_seen: Millis,
}

/// A request of this node (a Have) that is not fully answered yet.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    pub(crate) at: Millis,
    /// When a frame of the answer, or part of one, last arrived.
    pub(crate) last_frame_at: Millis,
    /// When an entry of the answer was last stored.
    pub(crate) progress_at: Millis,
}

/// The answer to a request of the peer.
#[derive(Debug)]
pub(crate) struct OutgoingTransfer {
    /// What is left to send.
    pub(crate) plan: SendPlan,
    pub(crate) step: OutgoingStep,
    /// When the step began, or the peer last received part of it.
    pub(crate) at: Millis,
}

/// The step that an outgoing transfer is at.
#[derive(Debug)]
pub(crate) enum OutgoingStep {
    /// The shell reads these entries from the log.
    Reading {
        request: u64,
        planned: Vec<PlannedEntry>,
        /// How many bytes were requested.
        bytes: usize,
    },
    /// A frame with so many bytes of entries was sent at `since` and is not acknowledged yet.
    Sent { last: bool, bytes: usize, since: Millis },
}

/// A frame from the peer whose entries are at the gate.
#[derive(Debug)]
pub(crate) struct IncomingTransfer {
    pub(crate) frame: u64,
    /// How many of its entries have no outcome yet.
    pub(crate) open: usize,
    pub(crate) more: bool,
}

/// One connected peer.
#[derive(Debug)]
pub(crate) struct PeerSession {
    pub(crate) last_seen: Millis,
    /// The last digest that it announced.
    pub(crate) their_digest: Option<[u8; 32]>,
    /// The last digest that was announced to it.
    pub(crate) announced: Option<[u8; 32]>,
    pub(crate) announced_at: Millis,
    /// Whether to send it a request as soon as possible.
    pub(crate) ask_soon: bool,
    pub(crate) open_request: Option<OpenRequest>,
    pub(crate) outgoing: Option<OutgoingTransfer>,
    pub(crate) incoming: Option<IncomingTransfer>,
    /// How many entries of its current answer have been stored.
    pub(crate) stored: u64,
    /// The digest here and that of the peer when a request last brought nothing, and when that was.
    pub(crate) fruitless: Option<([u8; 32], [u8; 32], Millis)>,
    /// Whether there may be fork proofs that it does not have.
    pub(crate) owes_proofs: bool,
    pub(crate) bucket: TokenBucket,
}

impl PeerSession {
    pub(crate) fn new(now: Millis) -> Self {
        Self {
            last_seen: now,
            their_digest: None,
            announced: None,
            announced_at: now,
            ask_soon: false,
            open_request: None,
            outgoing: None,
            incoming: None,
            stored: 0,
            fruitless: None,
            owes_proofs: true,
            bucket: TokenBucket::new(now),
        }
    }

    /// Whether nothing is in progress with it.
    pub(crate) const fn is_idle(&self) -> bool {
        self.open_request.is_none() && self.outgoing.is_none() && self.incoming.is_none()
    }

    /// The state to report, when the digest of this node is `ours`. A peer is in sync only by a digest that it
    /// announced itself, so a silent peer does not count as having what was written here since.
    pub(crate) fn state(&self, ours: [u8; 32]) -> PeerState {
        PeerState {
            in_sync: self.their_digest == Some(ours),
            last_seen: self.last_seen,
        }
    }
}

/// A token bucket of `PEER_ENTRIES_BURST` entries that fills at `PEER_ENTRIES_PER_S`.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    /// In thousandths of an entry, so that a millisecond's share is a whole number.
    milli: u64,
    at: Millis,
}

const FULL_MILLI: u64 = limits::PEER_ENTRIES_BURST as u64 * 1_000;

impl TokenBucket {
    pub(crate) const fn new(now: Millis) -> Self {
        Self {
            milli: FULL_MILLI,
            at: now,
        }
    }

    /// Takes the tokens for one entry, if there are enough.
    pub(crate) fn take(&mut self, now: Millis) -> bool {
        let gained = now
            .since(self.at)
            .saturating_mul(u64::from(limits::PEER_ENTRIES_PER_S));
        self.milli = self.milli.saturating_add(gained).min(FULL_MILLI);
        self.at = now.max(self.at);
        let enough = self.milli >= 1_000;
        if enough {
            self.milli -= 1_000;
        }
        enough
    }
}

/// Where a pending admission came from, and so where its outcome is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdmissionSource {
    /// A gossip message that waits for its verdict.
    Gossip { peer: NodeId, token: u64 },
    /// A catch-up frame that waits for all of its entries.
    Frame { peer: NodeId, frame: u64 },
    /// The orphan pool: its sender does not wait for an answer.
    Orphan { peer: Option<NodeId> },
}

impl AdmissionSource {
    pub(crate) const fn peer(self) -> Option<NodeId> {
        match self {
            Self::Gossip { peer, .. } | Self::Frame { peer, .. } => Some(peer),
            Self::Orphan { peer } => peer,
        }
    }
}
