//! Everything that goes into a replica and comes out of it.
//!
//! Plain data that relies on the words of `towline-proto`. Nothing here decides anything; the one
//! piece of logic is [`AdmissionBatch`], the rule that the shell must keep while several admissions share a
//! disk sync.

use std::collections::BTreeSet;
use std::sync::Arc;

use towline_proto::wire::{EntryBytes, Message};
use towline_proto::{Entry, EntryHash, NodeId};

use crate::ForkProof;

/// What happens to a replica.
#[derive(Debug)]
pub enum Input {
    /// A member's direct stream is open. Said again for a peer that is known, it begins anew.
    Connected {
        /// Who.
        peer: NodeId,
    },
    /// It is gone, and with it all that was under way.
    Disconnected {
        /// Who.
        peer: NodeId,
    },
    /// A message came on the direct stream.
    Message {
        /// From whom.
        peer: NodeId,
        /// What.
        message: Message,
    },
    /// Part of a long message came from the peer, or went to it: the line is slow and not dead.
    Progress {
        /// With whom.
        peer: NodeId,
    },
    /// An entry came by gossip and waits for an [`Effect::Verdict`], of which it gets exactly one.
    Gossip {
        /// Who forwarded it.
        peer: NodeId,
        /// Given back with the verdict.
        token: u64,
        /// The exact bytes of an entry.
        bytes: Vec<u8>,
    },
    /// Entries came without a network: from a file that somebody carried here.
    OfflineEntries {
        /// The entries, in any order; what they build on best before them.
        entries: Vec<Entry>,
    },
    /// An entry was made here and is durable.
    Written {
        /// The entry.
        entry: Entry,
        /// Where it stands in the log.
        position: u64,
    },
    /// The answer to an [`Effect::Admit`], in the order of those effects.
    AdmissionOutcome {
        /// Which entry.
        hash: EntryHash,
        /// What became of it.
        outcome: AdmissionOutcome,
    },
    /// The answer to an [`Effect::Read`].
    Read {
        /// For whom.
        peer: NodeId,
        /// As in the effect.
        request: u64,
        /// The records at the first so many of the positions, in their order: at least one, and no
        /// more once the bytes of the effect are reached. The rest is asked for again. Empty
        /// bytes stand for a record that cannot be read.
        entries: Vec<EntryBytes>,
    },
    /// A few seconds went by.
    Tick,
}

/// What became of an entry that was to be admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdmissionOutcome {
    /// It is in the log, durably.
    Stored {
        /// Where: grows with every entry.
        position: u64,
    },
    /// Something that it builds on is not here yet: a dependency of a change, a membership head,
    /// or (see [`AdmissionBatch`]) its own predecessor.
    Missing,
    /// It will never be admitted.
    Refused {
        /// Why, for the log.
        why: String,
        /// Whether an honest peer would not have sent it.
        blame: bool,
    },
}

/// What to do with a gossip message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GossipVerdict {
    /// Forward it.
    Accept,
    /// Do not forward it; nobody is to blame.
    Ignore,
    /// Do not forward it and hold it against whoever sent it.
    Reject,
}

/// What the shell is to do.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Run the gate, append, sync, apply; then hand in an [`Input::AdmissionOutcome`].
    Admit {
        /// The entry. Its predecessors are in the log or among the admissions before it.
        entry: Entry,
        /// Who sent it.
        peer: Option<NodeId>,
        /// Whether its own signature was checked here. When not, a later entry's was, which
        /// vouches for this one through the chain of hashes.
        verified: bool,
        /// Whether it came by gossip rather than by catch-up.
        live: bool,
    },
    /// Send on a peer's direct stream.
    Send {
        /// To whom.
        peer: NodeId,
        /// What.
        message: Message,
    },
    /// Publish an entry of ours to the project's topic.
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
        /// To be given back.
        request: u64,
        /// Positions in the log, growing; at most `limits::CATCH_UP_ENTRIES`.
        positions: Vec<u64>,
        /// How many bytes are enough; at most `limits::CATCH_UP_BYTES`.
        bytes: usize,
    },
    /// The peer did something that an honest one does not.
    Penalize {
        /// Who.
        peer: NodeId,
        /// What, for the log.
        why: String,
    },
    /// An author signed two histories: keep this for `doctor`. Said once per author and epoch.
    Fork {
        /// The proof.
        proof: ForkProof,
    },
}

/// The rule for admissions that share a disk sync: what follows an entry that was not stored may
/// not be stored either, or the log would have a hole.
///
/// A replica admits a run of one author's entries at once, each relying on the one before it. When
/// the gate refuses the third of five, the shell answers [`AdmissionOutcome::Missing`] for the fourth and
/// fifth without looking at them. Start with a fresh one whenever no admission is unanswered.
#[derive(Debug, Default)]
pub struct AdmissionBatch {
    unstored: BTreeSet<EntryHash>,
}

impl AdmissionBatch {
    /// Whether the entry may be stored; when not, its outcome is [`AdmissionOutcome::Missing`].
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

    /// Notes an entry that was not stored, for whatever reason.
    pub fn not_stored(&mut self, entry: &Entry) {
        self.unstored.insert(entry.hash());
    }
}
