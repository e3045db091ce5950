//! What is remembered of one connected peer.
//!
//! ```text
//! asking:   idle ──Have──▶ asked ──Entries(more)──▶ asked ──Entries(last)──▶ idle
//! giving:   idle ──their Have──▶ reading ──Read──▶ sent ──Got──▶ reading … ──last Got──▶ idle
//! taking:   idle ──Entries──▶ some open ──every outcome is in──▶ Got, idle
//! ```
//!
//! The three go on side by side; each has at most one thing in flight. This file holds the states
//! and the rate limit; `conversation` makes the steps.

use towline_proto::{Millis, NodeId, limits};

use crate::send_plan::{PlannedEntry, SendPlan};

/// What there is to know about a connected peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerState {
    /// Whether it has said that it holds exactly what this node holds now.
    pub in_sync: bool,
    /// When anything came from it last.
    pub last_seen: Millis,
}

/// A question of ours that is not answered in full.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    pub(crate) at: Millis,
    /// When a frame of the answer, or part of one, came last.
    pub(crate) heard_at: Millis,
    /// When an entry of the answer was stored last.
    pub(crate) progress_at: Millis,
}

/// An answer of ours to a question of the peer's.
#[derive(Debug)]
pub(crate) struct OutgoingTransfer {
    /// What is left to send.
    pub(crate) plan: SendPlan,
    pub(crate) step: OutgoingStep,
    /// When the step began, or the peer was seen to take something last.
    pub(crate) at: Millis,
}

#[derive(Debug)]
pub(crate) enum OutgoingStep {
    /// The shell reads these.
    Reading {
        request: u64,
        slots: Vec<PlannedEntry>,
        /// How many bytes were asked for.
        bytes: usize,
    },
    /// A frame is out, with so many bytes of entries, since a time.
    Sent { last: bool, bytes: usize, since: Millis },
}

/// A frame of the peer's that is being dealt with.
#[derive(Debug)]
pub(crate) struct IncomingTransfer {
    pub(crate) frame: u64,
    /// Its entries that have no outcome yet.
    pub(crate) open: usize,
    pub(crate) more: bool,
}

/// One connected peer.
#[derive(Debug)]
pub(crate) struct PeerSession {
    pub(crate) last_seen: Millis,
    /// What it said last that it holds.
    pub(crate) theirs: Option<[u8; 32]>,
    /// What we told it last that we hold.
    pub(crate) told: Option<[u8; 32]>,
    pub(crate) told_at: Millis,
    /// Whether to ask it as soon as that is possible.
    pub(crate) want: bool,
    pub(crate) asked: Option<OpenRequest>,
    pub(crate) giving: Option<OutgoingTransfer>,
    pub(crate) taking: Option<IncomingTransfer>,
    /// Entries of its frames that were stored since it last sent a last one.
    pub(crate) stored: u64,
    /// Our and its digest when a question last brought nothing, and when that was.
    pub(crate) barren: Option<([u8; 32], [u8; 32], Millis)>,
    /// Whether there may be proofs of forks that it does not have.
    pub(crate) owed_proofs: bool,
    pub(crate) bucket: TokenBucket,
}

impl PeerSession {
    pub(crate) fn new(now: Millis) -> Self {
        Self {
            last_seen: now,
            theirs: None,
            told: None,
            told_at: now,
            want: false,
            asked: None,
            giving: None,
            taking: None,
            stored: 0,
            barren: None,
            owed_proofs: true,
            bucket: TokenBucket::new(now),
        }
    }

    /// Whether nothing is under way with it.
    pub(crate) const fn is_idle(&self) -> bool {
        self.asked.is_none() && self.giving.is_none() && self.taking.is_none()
    }

    /// What there is to know about it, where this node holds `ours`. What was written here since it last
    /// spoke is not in what it said, so a peer that has fallen silent is never taken to hold it.
    pub(crate) fn state(&self, ours: [u8; 32]) -> PeerState {
        PeerState {
            in_sync: self.theirs == Some(ours),
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

    /// Takes one entry's worth, if there is one.
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

/// Entries on their way through the shell's gate remember where the answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A gossip message that waits for its verdict.
    Gossip { peer: NodeId, token: u64 },
    /// A catch-up frame that waits for all of its entries.
    Frame { peer: NodeId, frame: u64 },
    /// The waiting room: whoever sent it is not waiting for an answer.
    Orphan { peer: Option<NodeId> },
}

impl Source {
    pub(crate) const fn peer(self) -> Option<NodeId> {
        match self {
            Self::Gossip { peer, .. } | Self::Frame { peer, .. } => Some(peer),
            Self::Orphan { peer } => peer,
        }
    }
}
