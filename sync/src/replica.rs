//! The state of one project's replication, and the dispatch of inputs.
//!
//! Relies on [`crate::author_logs`] for the known entries and on [`crate::peer_session`] for connected peers. The
//! steps are in `admission` (entries) and `conversation` (messages). A replica keeps no entry that is in the log;
//! it knows log positions only.

use std::collections::{BTreeMap, VecDeque};

use towline_proto::{
    AuthorSeq, Entry, EntryHash, Epoch, Millis, NodeId, ProjectId, Tip, VersionVector, limits,
};

use crate::author_logs::{AuthorLogs, PendingEntries, Placement, TipStatus};
use crate::fork_proofs::ForkProofs;
use crate::frame_size::FrameSizes;
use crate::orphan_pool::{GateAttempts, OrphanPool};
use crate::peer_session::{AdmissionSource, PeerSession};
use crate::{Effect, ForkProof, Input, PeerState};

/// How many refused entries are remembered, so that an entry which arrives again is not checked again.
const REFUSED: usize = 1_024;

/// The reason for refusing an entry of a forked epoch.
pub(crate) const FORKED: &str =
    "its author signed two histories here, of which this is not the one that is kept";
/// The most characters of a reason that are remembered.
const REASON_CHARS: usize = 300;

/// An entry that is at the shell's gate.
#[derive(Debug)]
pub(crate) struct PendingAdmission {
    pub(crate) entry: Entry,
    pub(crate) source: AdmissionSource,
    pub(crate) verified: bool,
    pub(crate) live: bool,
    pub(crate) attempts: Option<GateAttempts>,
}

/// The replication of one project, as a state machine: see the crate's documentation.
#[derive(Debug)]
pub struct Replica {
    pub(crate) project: ProjectId,
    pub(crate) me: NodeId,
    pub(crate) logs: AuthorLogs,
    pub(crate) pending: PendingEntries,
    pub(crate) pending_admissions: VecDeque<PendingAdmission>,
    pub(crate) orphans: OrphanPool,
    pub(crate) refused: RefusedEntries,
    pub(crate) forks: ForkProofs,
    pub(crate) peers: BTreeMap<NodeId, PeerSession>,
    pub(crate) frame_sizes: FrameSizes,
    /// How many entries have been stored since the start.
    pub(crate) stored: u64,
    /// The value of `stored` when there was last no orphan to try again.
    pub(crate) retried_at: Option<u64>,
    /// Numbers frames and reads, so that a late answer is not taken for the answer to another one.
    pub(crate) serial: u64,
    /// The digest at the last tick.
    pub(crate) ticked: Option<[u8; 32]>,
}

impl Replica {
    /// A replica without any entry.
    pub fn new(project: ProjectId, me: NodeId) -> Self {
        Self {
            project,
            me,
            logs: AuthorLogs::default(),
            pending: PendingEntries::default(),
            pending_admissions: VecDeque::new(),
            orphans: OrphanPool::default(),
            refused: RefusedEntries::default(),
            forks: ForkProofs::default(),
            peers: BTreeMap::new(),
            frame_sizes: FrameSizes::default(),
            stored: 0,
            retried_at: None,
            serial: 0,
            ticked: None,
        }
    }

    /// Adds an entry while the log is read at start, in log order. `position` is the entry's position in the log and
    /// grows strictly.
    ///
    /// Returns false when the entry does not follow the entries before it, because a record in between is damaged
    /// or the entry is in the log twice. It is then ignored, and fetched from peers together with what is missing
    /// before it.
    #[must_use]
    pub fn replay(&mut self, entry: &Entry, position: u64) -> bool {
        entry.project() == self.project && self.logs.append(entry, position)
    }

    /// Handles one input and returns its effects, which the shell performs in order.
    pub fn handle(&mut self, now: Millis, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        match input {
            Input::Connected { peer } => self.connected(now, peer, &mut out),
            Input::Disconnected { peer } => self.disconnected(now, &peer, &mut out),
            Input::Message { peer, message } => self.message(now, peer, message, &mut out),
            Input::Progress { peer } => self.progress(now, &peer),
            Input::Gossip { peer, token, bytes } => self.gossip(now, peer, token, bytes, &mut out),
            Input::OfflineEntries { entries } => self.offline_entries(entries, &mut out),
            Input::Written { entry, position } => self.written(now, &entry, position, &mut out),
            Input::AdmissionOutcome { hash, outcome } => self.admission_outcome(now, hash, outcome, &mut out),
            Input::Read {
                peer,
                request,
                entries,
            } => self.read(now, peer, request, entries, &mut out),
            Input::Tick => self.tick(now, &mut out),
        }
        self.retry(false, &mut out);
        self.offer_proofs(now, &mut out);
        out
    }

    /// The project.
    pub const fn project(&self) -> ProjectId {
        self.project
    }

    /// The node that this replica belongs to.
    pub const fn me(&self) -> NodeId {
        self.me
    }

    /// The version vector of this replica.
    pub fn vector(&self) -> VersionVector {
        self.logs.vector()
    }

    /// The digest of the version vector; computed once after each change.
    pub fn digest(&self) -> [u8; 32] {
        self.logs.digest()
    }

    /// The heads of an author's log: one, or several after a fork that its next epoch has not joined yet. Within an
    /// epoch, the next entry's `prev` is the head of that epoch only.
    pub fn heads_of(&self, author: &NodeId) -> Vec<Tip> {
        self.logs.tips(author).to_vec()
    }

    /// The seq and `prev` of the entry with which the author opens a new epoch.
    pub fn opening(&self, author: &NodeId) -> (u64, Vec<Tip>) {
        let mut heads = self.heads_of(author);
        heads.sort_by(|a, b| b.seq.cmp(&a.seq).then(a.epoch.cmp(&b.epoch)));
        heads.truncate(limits::HEADS_PER_ENTRY);
        (self.next_seq(author), heads)
    }

    /// The seq of the author's next entry: one past its highest, 0 when it has none.
    pub fn next_seq(&self, author: &NodeId) -> u64 {
        let highest = self.logs.tips(author).iter().map(|tip| tip.seq).max();
        highest.map_or(0, |seq| seq.saturating_add(1))
    }

    /// Whether this entry of the author is known.
    pub fn contains(&self, author: &NodeId, tip: &Tip) -> bool {
        self.logs.tip_status(author, tip) == TipStatus::Known
    }

    /// The log position of an entry.
    pub fn position(&self, entry: &AuthorSeq) -> Option<u64> {
        self.logs.epoch(&entry.node, entry.epoch)?.position(entry.seq)
    }

    /// Whether this entry is an orphan, which waits for a predecessor or a dependency.
    pub fn is_orphan(&self, entry: &Entry) -> bool {
        self.orphans.contains(entry)
    }

    /// Why an entry that is neither known nor an orphan is refused, if the reason is known: the gate's reason, which
    /// is remembered for the last [`REFUSED`] entries, or a broken rule.
    pub fn refusal_reason(&self, entry: &Entry) -> Option<String> {
        if let Some(why) = self.refused.why(&entry.hash()) {
            return Some(why.to_owned());
        }
        match self.placement(entry) {
            Placement::Invalid(why) => Some(why.to_owned()),
            Placement::Forked(..) => Some(FORKED.to_owned()),
            Placement::Known | Placement::Next | Placement::Gap => {
                let body = entry.body();
                self.is_forked(&body.author, body.epoch)
                    .then(|| FORKED.to_owned())
            }
        }
    }

    /// The orphans that came as offline entries. No peer is asked for them again.
    pub fn offline_orphans(&self) -> impl Iterator<Item = &Entry> {
        self.orphans.without_peer()
    }

    /// The number of orphans.
    pub const fn orphan_count(&self) -> usize {
        self.orphans.len()
    }

    /// The size of all orphans in bytes.
    pub const fn orphan_bytes(&self) -> usize {
        self.orphans.bytes()
    }

    /// How many orphans have been dropped since the start. They are requested again.
    pub const fn orphans_dropped(&self) -> u64 {
        self.orphans.dropped()
    }

    /// The connected peers.
    pub fn peers(&self) -> impl Iterator<Item = (NodeId, PeerState)> {
        let ours = self.digest();
        self.peers.iter().map(move |(id, peer)| (*id, peer.state(ours)))
    }

    /// The proofs against authors who signed two histories.
    pub fn forks(&self) -> &[ForkProof] {
        self.forks.all()
    }

    pub(crate) fn placement(&self, entry: &Entry) -> Placement {
        self.logs.placement(entry, &self.pending)
    }

    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// Whether an author's epoch has forked. Then only an entry that directly follows a known one can still be
    /// admitted.
    pub(crate) fn is_forked(&self, author: &NodeId, epoch: Epoch) -> bool {
        self.forks.find(author, epoch).is_some()
    }
}

/// The last [`REFUSED`] refused entries, with the reasons.
#[derive(Debug, Default)]
pub(crate) struct RefusedEntries {
    reasons: BTreeMap<EntryHash, String>,
    order: VecDeque<EntryHash>,
}

impl RefusedEntries {
    pub(crate) fn insert(&mut self, hash: EntryHash, why: &str) {
        let why = why.chars().take(REASON_CHARS).collect();
        if self.reasons.insert(hash, why).is_none() {
            self.order.push_back(hash);
        }
        if self.order.len() > REFUSED
            && let Some(oldest) = self.order.pop_front()
        {
            self.reasons.remove(&oldest);
        }
    }

    pub(crate) fn contains(&self, hash: &EntryHash) -> bool {
        self.reasons.contains_key(hash)
    }

    pub(crate) fn why(&self, hash: &EntryHash) -> Option<&str> {
        self.reasons.get(hash).map(String::as_str)
    }
}
