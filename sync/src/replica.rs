//! The state of one project's replication, and the dispatch of inputs.
//!
//! It relies on [`crate::author_logs`] for what is here and on [`crate::peer_session`] for who is connected. The
//! steps themselves are in `admission` (entries) and `conversation` (messages). A replica never
//! holds an entry that is in the log: it knows places.

use std::collections::{BTreeMap, VecDeque};

use towline_proto::{
    AuthorSeq, Entry, EntryHash, Epoch, Millis, NodeId, ProjectId, Tip, VersionVector, limits,
};

use crate::author_logs::{AuthorLogs, PendingEntries, Placement, TipStatus};
use crate::fork_proofs::ForkProofs;
use crate::frame_size::FrameSizes;
use crate::orphan_pool::{GateAttempts, OrphanPool};
use crate::peer_session::{PeerSession, Source};
use crate::{Effect, ForkProof, Input, PeerState};

/// Refused entries that are remembered, so that one which comes again is not judged again.
const REFUSED: usize = 1_024;

/// Why nothing follows behind a fork.
pub(crate) const FORKED: &str =
    "its author signed two histories here, of which this is not the one that is kept";
/// How much of a reason is remembered, in characters.
const REASON_CHARS: usize = 300;

/// An entry on its way through the shell's gate.
#[derive(Debug)]
pub(crate) struct PendingAdmission {
    pub(crate) entry: Entry,
    pub(crate) source: Source,
    pub(crate) verified: bool,
    pub(crate) live: bool,
    pub(crate) tried: Option<GateAttempts>,
}

/// The replication of one project, as a state machine: see the crate's documentation.
#[derive(Debug)]
pub struct Replica {
    pub(crate) project: ProjectId,
    pub(crate) me: NodeId,
    pub(crate) chain: AuthorLogs,
    pub(crate) pending: PendingEntries,
    pub(crate) flights: VecDeque<PendingAdmission>,
    pub(crate) waiting: OrphanPool,
    pub(crate) refused: RefusedEntries,
    pub(crate) forks: ForkProofs,
    pub(crate) peers: BTreeMap<NodeId, PeerSession>,
    pub(crate) paces: FrameSizes,
    /// Entries stored since the start.
    pub(crate) stored: u64,
    /// `stored` when no held entry was worth another try last.
    pub(crate) settled_at: Option<u64>,
    /// Numbers frames and reads, so that a late answer is not taken for another one's.
    pub(crate) serial: u64,
    /// The digest at the last tick.
    pub(crate) ticked: Option<[u8; 32]>,
}

impl Replica {
    /// A replica that holds nothing yet.
    pub fn new(project: ProjectId, me: NodeId) -> Self {
        Self {
            project,
            me,
            chain: AuthorLogs::default(),
            pending: PendingEntries::default(),
            flights: VecDeque::new(),
            waiting: OrphanPool::default(),
            refused: RefusedEntries::default(),
            forks: ForkProofs::default(),
            peers: BTreeMap::new(),
            paces: FrameSizes::default(),
            stored: 0,
            settled_at: None,
            serial: 0,
            ticked: None,
        }
    }

    /// Rebuilds what is known while the log is read at start, in log order. `position` is where the
    /// entry stands in the log and grows strictly.
    ///
    /// False says that the entry does not follow what was replayed before, because a record in
    /// between is damaged or because it stands in the log twice. It is then not part of the chain,
    /// and will be fetched from peers together with what is missing before it.
    #[must_use]
    pub fn replay(&mut self, entry: &Entry, position: u64) -> bool {
        entry.project() == self.project && self.chain.append(entry, position)
    }

    /// One input, many effects.
    pub fn handle(&mut self, now: Millis, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        match input {
            Input::Connected { peer } => self.connected(now, peer, &mut out),
            Input::Disconnected { peer } => self.disconnected(now, &peer, &mut out),
            Input::Message { peer, message } => self.message(now, peer, message, &mut out),
            Input::Progress { peer } => self.progress(now, &peer),
            Input::Gossip { peer, token, bytes } => self.gossip(now, peer, token, bytes, &mut out),
            Input::OfflineEntries { entries } => self.carried(entries, &mut out),
            Input::Written { entry, position } => self.written(now, &entry, position, &mut out),
            Input::AdmissionOutcome { hash, outcome } => self.outcome(now, hash, outcome, &mut out),
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

    /// Which project.
    pub const fn project(&self) -> ProjectId {
        self.project
    }

    /// Whose replica.
    pub const fn me(&self) -> NodeId {
        self.me
    }

    /// What is here, exactly.
    pub fn vector(&self) -> VersionVector {
        self.chain.vector()
    }

    /// What is here, in 32 bytes; computed once after each change.
    pub fn digest(&self) -> [u8; 32] {
        self.chain.digest()
    }

    /// The heads of an author's log: one, or several after a fork that its next epoch has not
    /// joined yet. Inside an epoch the next entry's `prev` is that epoch's head alone.
    pub fn heads_of(&self, author: &NodeId) -> Vec<Tip> {
        self.chain.tips(author).to_vec()
    }

    /// The seq and `prev` of an entry with which the author opens a new epoch.
    pub fn opening(&self, author: &NodeId) -> (u64, Vec<Tip>) {
        let mut heads = self.heads_of(author);
        heads.sort_by(|a, b| b.seq.cmp(&a.seq).then(a.epoch.cmp(&b.epoch)));
        heads.truncate(limits::HEADS_PER_ENTRY);
        (self.next_seq(author), heads)
    }

    /// The seq of the author's next entry: one past its highest, 0 when it has none.
    pub fn next_seq(&self, author: &NodeId) -> u64 {
        let highest = self.chain.tips(author).iter().map(|tip| tip.seq).max();
        highest.map_or(0, |seq| seq.saturating_add(1))
    }

    /// Whether this very entry of the author is here.
    pub fn contains(&self, author: &NodeId, tip: &Tip) -> bool {
        self.chain.standing(author, tip) == TipStatus::Here
    }

    /// Where in the log the entry of that place is.
    pub fn position(&self, place: &AuthorSeq) -> Option<u64> {
        self.chain.epoch(&place.node, place.epoch)?.position(place.seq)
    }

    /// Whether this very entry waits for a predecessor or a dependency.
    pub fn is_orphan(&self, entry: &Entry) -> bool {
        self.waiting.contains(entry)
    }

    /// Why an entry that is neither here nor waiting cannot be taken, as far as that is known: what the
    /// gate said, or that it fits nowhere. The gate's last words are remembered for [`REFUSED`] entries.
    pub fn refusal_reason(&self, entry: &Entry) -> Option<String> {
        if let Some(why) = self.refused.why(&entry.hash()) {
            return Some(why.to_owned());
        }
        match self.place(entry) {
            Placement::Invalid(why) => Some(why.to_owned()),
            Placement::Forked(..) => Some(FORKED.to_owned()),
            Placement::Known | Placement::Next | Placement::Gap => {
                let body = entry.body();
                self.is_forked(&body.author, body.epoch)
                    .then(|| FORKED.to_owned())
            }
        }
    }

    /// Entries that wait and that no peer sent: nobody is asked for them again.
    pub fn offline_orphans(&self) -> impl Iterator<Item = &Entry> {
        self.waiting.without_peer()
    }

    /// How many entries wait for a predecessor or a dependency.
    pub const fn orphan_count(&self) -> usize {
        self.waiting.len()
    }

    /// How many bytes those entries have.
    pub const fn orphan_bytes(&self) -> usize {
        self.waiting.bytes()
    }

    /// How many waiting entries had to make room since the start. They are asked for again.
    pub const fn orphans_dropped(&self) -> u64 {
        self.waiting.dropped()
    }

    /// Who is connected.
    pub fn peers(&self) -> impl Iterator<Item = (NodeId, PeerState)> {
        let ours = self.digest();
        self.peers.iter().map(move |(id, peer)| (*id, peer.state(ours)))
    }

    /// Authors who signed two histories.
    pub fn forks(&self) -> &[ForkProof] {
        self.forks.all()
    }

    pub(crate) fn place(&self, entry: &Entry) -> Placement {
        self.chain.place(entry, &self.pending)
    }

    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// Whether an author's epoch is cut, so that nothing more of it can follow what is here unless
    /// it follows directly.
    pub(crate) fn is_forked(&self, author: &NodeId, epoch: Epoch) -> bool {
        self.forks.find(author, epoch).is_some()
    }
}

/// Entries that were refused and why, the last [`REFUSED`] of them.
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
