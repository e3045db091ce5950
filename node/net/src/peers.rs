//! The connected members: their connections and their links.
//!
//! Bookkeeping only; the driver makes the decisions.

use std::collections::BTreeMap;

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;
use tokio::time::Instant;
use towline_proto::NodeId;

use super::backoff::Backoff;
use super::exchange::ExchangeRequest;
use super::link::PeerLink;

/// One connected member.
pub(super) struct Peer {
    pub(super) id: PeerId,
    /// Its connections of the member class, with their addresses.
    pub(super) connections: BTreeMap<ConnectionId, Multiaddr>,
    pub(super) link: Option<PeerLink>,
    /// The connection on which a stream is being opened.
    pub(super) opening: Option<ConnectionId>,
    /// When to open a stream again; only on the side that opens it.
    pub(super) open_at: Option<Instant>,
    pub(super) backoff: Backoff,
    pub(super) exchange: Exchange,
}

/// The exchange of address records with one connected member.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// What to send next.
    pub(super) due: Option<ExchangeRequest>,
    /// Not before this time.
    pub(super) after: Option<Instant>,
    /// What is being sent.
    pub(super) asking: Option<ExchangeRequest>,
    /// Whether an exchange that the peer started is in progress.
    pub(super) answering: bool,
    /// Whether the peer does not support the protocol.
    pub(super) unknown: bool,
}

impl Exchange {
    /// Adds to what to send next.
    pub(super) fn want(&mut self, more: ExchangeRequest) {
        self.due = Some(match (self.due.take(), more) {
            (None, more) => more,
            (Some(ExchangeRequest::Changed(mut nodes)), ExchangeRequest::Changed(more)) => {
                nodes.extend(more);
                ExchangeRequest::Changed(nodes)
            }
            (Some(ExchangeRequest::All), _) | (Some(_), ExchangeRequest::All) => ExchangeRequest::All,
        });
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Peers {
    connected: BTreeMap<NodeId, Peer>,
    /// For each node whose link has not ended yet, a channel that resolves when it has. A link that replaces
    /// another must not report "connected" before the other has reported "disconnected".
    ending: BTreeMap<NodeId, (u64, oneshot::Receiver<()>)>,
    generation: u64,
}

impl Peers {
    pub(super) fn get(&self, node: &NodeId) -> Option<&Peer> {
        self.connected.get(node)
    }

    pub(super) fn get_mut(&mut self, node: &NodeId) -> Option<&mut Peer> {
        self.connected.get_mut(node)
    }

    pub(super) fn contains(&self, node: &NodeId) -> bool {
        self.connected.contains_key(node)
    }

    pub(super) fn len(&self) -> usize {
        self.connected.len()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&NodeId, &mut Peer)> {
        self.connected.iter_mut()
    }

    /// A connection is up.
    pub(super) fn connected(
        &mut self,
        node: NodeId,
        id: PeerId,
        connection: ConnectionId,
        address: Multiaddr,
    ) -> &mut Peer {
        let peer = self.connected.entry(node).or_insert_with(|| Peer {
            id,
            connections: BTreeMap::new(),
            link: None,
            opening: None,
            open_at: None,
            backoff: Backoff::default(),
            exchange: Exchange::default(),
        });
        peer.connections.insert(connection, address);
        peer
    }

    /// A connection ended. Returns whether it was the node's last one; its link ends with it.
    pub(super) fn disconnected(&mut self, node: &NodeId, connection: ConnectionId) -> bool {
        let Some(peer) = self.connected.get_mut(node) else {
            return false;
        };
        if peer.connections.remove(&connection).is_none() {
            return false;
        }
        if peer.opening == Some(connection) {
            peer.opening = None;
        }
        if peer.connections.is_empty() {
            self.connected.remove(node);
            return true;
        }
        false
    }

    /// The number of the next link of a node, the end of the previous link to wait for, and the channel to
    /// resolve at its own end.
    pub(super) fn next_link(
        &mut self,
        node: NodeId,
    ) -> (u64, Option<oneshot::Receiver<()>>, oneshot::Sender<()>) {
        self.generation += 1;
        let (done, over) = oneshot::channel();
        let before = self.ending.insert(node, (self.generation, over));
        (self.generation, before.map(|(_, over)| over), done)
    }

    /// A link has ended. Returns whether it was the node's current one, which is then removed.
    pub(super) fn link_ended(&mut self, node: &NodeId, generation: u64) -> bool {
        if self
            .ending
            .get(node)
            .is_some_and(|(latest, _)| *latest == generation)
        {
            self.ending.remove(node);
        }
        let Some(peer) = self.connected.get_mut(node) else {
            return false;
        };
        let current = peer
            .link
            .as_ref()
            .is_some_and(|link| link.generation == generation);
        if current {
            peer.link = None;
        }
        current
    }
}
