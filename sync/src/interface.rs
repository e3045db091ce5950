//! The inputs of a replica and its effects.
//!
//! Plain data with the types of `towline-proto`. The only logic is [`AdmissionBatch`], the rule that the shell must
//! keep when several admissions share a disk sync.

use std::collections::BTreeSet;
use std::sync::Arc;

use towline_proto::wire::{EntryBytes, Message};
use towline_proto::{Entry, EntryHash, NodeId};

use crate::ForkProof;

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// A member's direct stream is open. For a peer that is connected already, the session starts again.
    Connected {
        /// Who.
        peer: NodeId,
    },
    /// The stream is closed, and everything in progress with the peer is lost.
    Disconnected {
        /// Who.
        peer: NodeId,
    },
    /// A message arrived on the direct stream.
    Message {
        /// From whom.
        peer: NodeId,
        /// What.
        message: Message,
    },
    /// Part of a long message was received from the peer or sent to it: the connection is slow, not dead.
    Progress {
        /// With whom.
        peer: NodeId,
    },
    /// An entry arrived by gossip. It waits for exactly one [`Effect::Verdict`].
    Gossip {
        /// Who forwarded it.
        peer: NodeId,
        /// Returned with the verdict.
        token: u64,
        /// The exact bytes of an entry.
        bytes: Vec<u8>,
    },
    /// Entries came in a file and not over the network.
    OfflineEntries {
        /// The entries, in any order; best after those that they depend on.
        entries: Vec<Entry>,
    },
    /// This node wrote an entry, which is durable.
    Written {
        /// The entry.
        entry: Entry,
        /// Its log position.
        position: u64,
    },
    /// The answer to an [`Effect::Admit`], in the order of those effects.
    AdmissionOutcome {
        /// Which entry.
        hash: EntryHash,
        /// The outcome.
        outcome: AdmissionOutcome,
    },
    /// The answer to an [`Effect::Read`].
    Read {
        /// For whom.
        peer: NodeId,
        /// As in the effect.
        request: u64,
        /// The records at the first positions of the effect, in its order: at least one, and no more once the
        /// bytes of the effect are reached. The others are requested again. Empty bytes stand for a record that
        /// cannot be read.
        entries: Vec<EntryBytes>,
    },
    /// A few seconds have passed.
    Tick,
}

/// The outcome of an admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdmissionOutcome {
    /// It is in the log, durably.
    Stored {
        /// Its log position, which grows with every entry.
        position: u64,
    },
    /// Something that it depends on has not arrived yet: a dependency of a change, a membership head, or (see
    /// [`AdmissionBatch`]) its own predecessor.
    Missing,
    /// It will never be admitted.
    Refused {
        /// Why, for the log.
        why: String,
        /// Whether the peer that sent it is penalised, because an honest one would not have.
        blame: bool,
    },
}

/// What to do with a gossip message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GossipVerdict {
    /// Forward it.
    Accept,
    /// Do not forward it; nobody is penalised.
    Ignore,
    /// Do not forward it, and penalise the peer that sent it.
    Reject,
}

/// Something that the shell has to do.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Run the gate, append, sync, apply; then hand in an [`Input::AdmissionOutcome`].
    Admit {
        /// The entry. Its predecessors are in the log or among the admissions before it.
        entry: Entry,
        /// Who sent it.
        peer: Option<NodeId>,
        /// Whether its own signature was checked. If not, that of a later entry was, which vouches for this one
        /// by the chain of hashes.
        verified: bool,
        /// Whether it came by gossip and not by catch-up.
        live: bool,
    },
    /// Send on a peer's direct stream.
    Send {
        /// To whom.
        peer: NodeId,
        /// What.
        message: Message,
    },
    /// Publish an entry of this node to the project's topic.
    Publish {
        /// The exact bytes of the entry.
        bytes: Arc<[u8]>,
    },
    /// A gossip message's verdict.
    Verdict {
        /// As in [`Input::Gossip`].
        token: u64,
        /// Who forwarded it.
        peer: NodeId,
        /// What to do with it.
        verdict: GossipVerdict,
    },
    /// Read these records, in this order, and hand in an [`Input::Read`].
    Read {
        /// For whom.
        peer: NodeId,
        /// To be returned.
        request: u64,
        /// Ascending log positions, at most `limits::CATCH_UP_ENTRIES`.
        positions: Vec<u64>,
        /// The number of bytes after which to stop reading, at most `limits::CATCH_UP_BYTES`.
        bytes: usize,
    },
    /// Penalise a peer that did something that an honest one does not do.
    Penalize {
        /// Who.
        peer: NodeId,
        /// What, for the log.
        why: String,
    },
    /// An author signed two histories: keep the proof for `doctor`. Emitted once per author and epoch.
    Fork {
        /// The proof.
        proof: ForkProof,
    },
}

/// The rule for admissions that share a disk sync: an entry must not be stored when an entry that it follows was not
/// stored, or the log would have a gap.
///
/// A replica admits a run of one author's entries together, each relying on the one before it. When the gate refuses
/// the third of five, the shell answers [`AdmissionOutcome::Missing`] for the fourth and fifth without checking them.
/// Start with a new batch whenever no admission is unanswered.
#[derive(Debug, Default)]
pub struct AdmissionBatch {
    unstored: BTreeSet<EntryHash>,
}

impl AdmissionBatch {
    /// Whether the entry may be stored; if not, its outcome is [`AdmissionOutcome::Missing`].
    pub fn allows(&mut self, entry: &Entry) -> bool {
        let allowed = !entry
            .body()
            .prev
            .iter()
            .any(|tip| self.unstored.contains(&tip.hash));
        if !allowed {
            self.unstored.insert(entry.hash());
        }
        allowed
    }

    /// Records that an entry was not stored, for whatever reason.
    pub fn not_stored(&mut self, entry: &Entry) {
        self.unstored.insert(entry.hash());
    }
}
