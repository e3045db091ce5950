//! The project's part in replication: the replication core with the effects that wait to be performed, and
//! what the network is told.
//!
//! The core ([`towline_sync`]) decides; what it decides about entries is performed in `ingest`, because that
//! takes the other parts of the project. Nothing here reads a clock or looks into an entry's changes.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc;
use towline_api::request::{Failure, FailureCode};
use towline_api::types::PeerInfo;
use towline_crdt::members::{Invitation, Membership};
use towline_net::NetOutput;
use towline_proto::wire::EntryBytes;
use towline_proto::{Entry, Millis, NodeId, ProjectId, limits};
use towline_store::log::Log;
use towline_sync::{Effect, Input, Replica};

use crate::orphan_file::OrphanFile;

/// The replication of one project.
pub(crate) struct Replication {
    project: ProjectId,
    me: NodeId,
    /// The replication core.
    pub(crate) core: Replica,
    /// Its effects that are not performed yet.
    effects: VecDeque<Effect>,
    /// The network; `None` without a running node.
    pub(crate) net: Option<mpsc::Sender<NetOutput>>,
    /// Where this node can be reached, for tickets.
    pub(crate) my_addresses: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    addresses: BTreeMap<NodeId, String>,
    /// Nodes that the inviter named. They count as members for the network until the log shows this node as a
    /// member.
    introduced: Vec<NodeId>,
    /// Nodes that proved their membership with an entry that this log does not have yet; the oldest are
    /// dropped first.
    vouched: VecDeque<NodeId>,
    /// The entry that admitted this node.
    admission: Option<EntryBytes>,
    /// Whether the network does not know the current members yet.
    members_changed: bool,
    /// The file of orphans that were imported without a network.
    orphan_file: OrphanFile,
    /// Why the last batch of entries from peers could not be stored.
    pub(crate) store_failure: Option<Failure>,
}

impl std::fmt::Debug for Replication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Replication");
        debug
            .field("effects", &self.effects.len())
            .finish_non_exhaustive()
    }
}

impl Replication {
    /// Replication without a network.
    pub(crate) fn new(
        (project, me): (ProjectId, NodeId),
        core: Replica,
        admission: Option<EntryBytes>,
        orphan_file: OrphanFile,
    ) -> Self {
        Self {
            project,
            me,
            core,
            effects: VecDeque::new(),
            net: None,
            my_addresses: Arc::new(Vec::new),
            addresses: BTreeMap::new(),
            introduced: Vec::new(),
            vouched: VecDeque::new(),
            admission,
            members_changed: false,
            orphan_file,
            store_failure: None,
        }
    }

    /// Passes an input to the core and queues the resulting effects.
    pub(crate) fn handle(&mut self, now: Millis, input: Input) {
        if let Input::Disconnected { peer } = &input {
            self.addresses.remove(peer);
        }
        let effects = self.core.handle(now, input);
        self.effects.extend(effects);
    }

    /// A peer has connected from an address.
    pub(crate) fn connected(&mut self, now: Millis, peer: NodeId, address: String) {
        self.addresses.insert(peer, address);
        self.handle(now, Input::Connected { peer });
    }

    /// Queues effects as if the core had decided them.
    #[cfg(test)]
    pub(crate) fn queue(&mut self, effects: impl Iterator<Item = Effect>) {
        self.effects.extend(effects);
    }

    /// The next effect to perform.
    pub(crate) fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The next effect to perform, if it passes a check.
    pub(crate) fn next_effect_if(&mut self, passes: impl FnOnce(&Effect) -> bool) -> Option<Effect> {
        self.effects
            .front()
            .is_some_and(passes)
            .then(|| self.effects.pop_front())?
    }

    /// Sends an output to the network, if there is one. Blocks while the network's queue is full; the network
    /// never blocks on a project in return.
    pub(crate) fn send(&self, output: NetOutput) {
        if let Some(net) = &self.net
            && net.blocking_send(output).is_err()
        {
            tracing::debug!("the network has stopped");
        }
    }

    /// Reads log records for a peer, up to `enough` bytes.
    pub(crate) fn read_for_peer(
        &mut self,
        now: Millis,
        log: &Log,
        (peer, request): (NodeId, u64),
        positions: &[u64],
        enough: usize,
    ) {
        let mut entries = Vec::new();
        let mut bytes = 0;
        for position in positions {
            if bytes >= enough {
                break;
            }
            let record = match log.read(*position) {
                Ok(record) => record.bytes,
                Err(error) => {
                    tracing::error!(%error, "a record cannot be read; peers will not get it from here");
                    Arc::from([])
                }
            };
            bytes += record.len();
            entries.push(EntryBytes(record));
        }
        let input = Input::Read {
            peer,
            request,
            entries,
        };
        self.handle(now, input);
    }

    /// Stores the nodes that the inviter named.
    pub(crate) fn introduce(&mut self, nodes: Vec<NodeId>) {
        self.introduced = nodes;
    }

    /// Notes a node that has proved its membership with an entry that this log does not have; false if it was
    /// known.
    pub(crate) fn vouch(&mut self, node: NodeId) -> bool {
        if self.vouched.contains(&node) {
            return false;
        }
        while self.vouched.len() >= limits::VOUCHED_MEMBERS {
            self.vouched.pop_front();
        }
        self.vouched.push_back(node);
        true
    }

    /// Notes a membership entry that was applied.
    pub(crate) fn membership_changed(&mut self, members: &Membership, entry: &Entry) {
        if members.vouched_by(entry) == Some(self.me) {
            self.admission = Some(EntryBytes(entry.bytes().clone()));
        }
        self.vouched.retain(|node| members.member(node).is_none());
        self.members_changed = true;
    }

    /// Tells the network which nodes may connect, if it does not know that yet.
    pub(crate) fn publish_changed_members(&mut self, members: &Membership, now: Millis) {
        if std::mem::take(&mut self.members_changed) {
            self.publish_members(members, now);
        }
    }

    /// Tells the network which nodes may connect.
    pub(crate) fn publish_members(&self, members: &Membership, now: Millis) {
        let me = self.me;
        // A newly admitted node that has only the first entry of the log knows only the project's creator.
        let outside = members.member(&me).is_none();
        let introduced = self.introduced.iter().filter(|_| outside).copied();
        let known = members.members().map(|member| member.node);
        let known = known.chain(introduced).chain(self.vouched.iter().copied());
        // A node with a used or withdrawn ticket gets that as an answer until the ticket would have expired.
        let open = |invitation: &Invitation| invitation.inviter == me && invitation.expires > now;
        let joinable = members.invitations().any(|(_, invitation)| open(invitation));
        if let Some(entry) = &self.admission {
            self.send(NetOutput::Admission {
                project: self.project,
                entry: entry.clone(),
            });
        }
        self.send(NetOutput::Members {
            project: self.project,
            members: known.filter(|node| *node != me).collect(),
            joinable,
        });
    }

    /// Tells the network that this project accepts no more inputs.
    pub(crate) fn publish_closed(&self) {
        self.send(NetOutput::Members {
            project: self.project,
            members: Vec::new(),
            joinable: false,
        });
    }

    /// Connected peers.
    pub(crate) fn peers(&self, name_of: impl Fn(&NodeId) -> String) -> Vec<PeerInfo> {
        let info = |(node, state): (NodeId, towline_sync::PeerState)| PeerInfo {
            node,
            name: name_of(&node),
            address: self.addresses.get(&node).cloned().unwrap_or_default(),
            in_sync: state.in_sync,
            seen_at: state.last_seen,
        };
        self.core.peers().map(info).collect()
    }

    /// The addresses for a ticket.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn ticket_addresses(&self) -> Result<Vec<String>, Failure> {
        let addresses = (self.my_addresses)();
        if addresses.is_empty() {
            let why = "this node has no address that others can reach; start it with `towline up`, or set one with `towline config announce`";
            return Err(Failure::new(FailureCode::Unreachable, why));
        }
        Ok(addresses)
    }

    /// The addresses under which others can dial this node; loopback addresses are left out if there are
    /// others.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn own_addresses(&self) -> Result<Vec<String>, Failure> {
        let local = |address: &String| address.starts_with("/ip4/127.") || address.starts_with("/ip6/::1/");
        let (near, far): (Vec<_>, Vec<_>) = self.ticket_addresses()?.into_iter().partition(local);
        Ok(if far.is_empty() { near } else { far })
    }

    /// Stores the current orphans durably. Entries that wait no more leave the file only with `tidy`.
    ///
    /// # Errors
    /// When the file cannot be written; its earlier content is unchanged.
    pub(crate) fn save_orphans(&mut self, tidy: bool) -> std::io::Result<()> {
        self.orphan_file.save(self.core.offline_orphans(), tidy)
    }
}
