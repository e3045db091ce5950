//! Handles the swarm's events.

use libp2p::core::ConnectedPoint;
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{PeerId, gossipsub, identify, mdns};
use tokio::time::Instant;

use super::{Driver, jitter};
use crate::behaviour::NetEvent;
use crate::connection_policy::ConnectionClass;
use crate::gossip::Subject;
use crate::metrics::NetMetrics;
use crate::streams::StreamPurpose;
use crate::{NetError, NetInput, gossip, identity, join, local};

impl Driver {
    pub(super) fn on_event(&mut self, event: SwarmEvent<NetEvent>) {
        match event {
            SwarmEvent::Behaviour(NetEvent::Gossip(event)) => self.on_gossip(*event),
            SwarmEvent::Behaviour(NetEvent::Stream(event)) => self.on_stream(*event),
            SwarmEvent::Behaviour(NetEvent::Identify(event)) => self.on_identify(*event),
            SwarmEvent::Behaviour(NetEvent::Mdns(event)) => self.on_mdns(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => self.on_connected(peer_id, connection_id, &endpoint),
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                ..
            } => self.on_closed(&peer_id, connection_id),
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                peer_id,
                error,
            } => {
                if let Some(asking) = self.outgoing_joins.remove(&connection_id) {
                    let _ = asking.reply.send(Err(NetError::Unreachable(error.to_string())));
                } else if let Some(node) = peer_id.as_ref().and_then(identity::node_of) {
                    self.dial_failed(node, &error);
                }
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                NetMetrics::add(&self.shared.metrics.connections_failed, 1);
                tracing::debug!(%error, "an inbound connection failed");
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::info!(%address, "listening");
                self.addresses_changed = true;
                // An interface came up: nodes may be reachable now.
                self.shared.book().dial_all_once(Instant::now());
                self.listening(|all| {
                    if !all.contains(&address) {
                        all.push(address);
                    }
                });
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.addresses_changed = true;
                self.listening(|all| all.retain(|other| *other != address));
            }
            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => {
                tracing::error!(?addresses, ?reason, "a listener closed");
                self.addresses_changed = true;
                self.listening(|all| all.retain(|other| !addresses.contains(other)));
            }
            SwarmEvent::ListenerError { error, .. } => {
                self.accept_errors.failed(std::time::Instant::now(), &error);
            }
            other => tracing::trace!(event = ?other, "swarm"),
        }
    }

    fn on_connected(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        NetMetrics::add(&self.shared.metrics.connections, 1);
        let Some(node) = identity::node_of(&peer) else {
            self.swarm.close_connection(connection);
            return;
        };
        let now = Instant::now();
        if self.outgoing_joins.contains_key(&connection) {
            self.swarm
                .behaviour_mut()
                .streams
                .open(peer, connection, StreamPurpose::Join);
        }
        match self.classes.of(connection) {
            ConnectionClass::Member => {
                let address = without_peer(endpoint.get_remote_address());
                if endpoint.is_dialer() {
                    self.shared.book().reached(now, node, address.clone());
                    // It may not know this node yet; otherwise it ignores this.
                    if !self.shared.registry.admissions_for(&node).is_empty() {
                        let streams = &mut self.swarm.behaviour_mut().streams;
                        streams.open(peer, connection, StreamPurpose::Admission);
                    }
                }
                tracing::debug!(peer = %node.short(), %address, "connected");
                self.peers.connected(node, peer, connection, address);
                self.open_link(now, node);
            }
            // Without a pending join it was a member when the dial began.
            ConnectionClass::Inviter if !self.outgoing_joins.contains_key(&connection) => {
                self.swarm.close_connection(connection);
            }
            ConnectionClass::Stranger | ConnectionClass::Inviter => {
                self.join_connections.insert(connection, now + join::WITHIN);
            }
        }
    }

    fn on_closed(&mut self, peer: &PeerId, connection: ConnectionId) {
        self.shared
            .metrics
            .connections
            .fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        self.join_connections.remove(&connection);
        if let Some(asking) = self.outgoing_joins.remove(&connection) {
            let why = "it closed the connection; the ticket may have been used, revoked or expired";
            let _ = asking.reply.send(Err(NetError::Unreachable(why.into())));
        }
        let Some(node) = identity::node_of(peer) else {
            return;
        };
        if self.peers.disconnected(&node, connection) {
            tracing::debug!(peer = %node.short(), "disconnected");
            self.refused_subscriptions.forget(node);
            let now = Instant::now();
            let mut book = self.shared.book();
            book.link_lost(now, &node);
            book.failed(now, jitter(), &node);
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        let gossipsub::Event::Message {
            propagation_source,
            message_id,
            message,
        } = event
        else {
            return;
        };
        NetMetrics::add(&self.shared.metrics.gossip_in, 1);
        let now = Instant::now();
        let (token, pushed_out) = self.pending_gossip.add(now, message_id, propagation_source);
        if let Some(oldest) = pushed_out {
            self.report_gossip(&oldest, gossipsub::MessageAcceptance::Ignore);
        }
        let taken = match (
            identity::node_of(&propagation_source),
            gossip::subject_of(&message.topic),
        ) {
            (Some(peer), Some((subject, project))) if self.shared.registry.is_member_of(&peer, &project) => {
                let (token, bytes) = (token.clone(), message.data);
                let input = match subject {
                    Subject::Entries => NetInput::Gossip { peer, token, bytes },
                    Subject::Presence => NetInput::Presence { peer, token, bytes },
                };
                self.shared.route.deliver(&project, input)
            }
            _ => false,
        };
        // A full queue is not the peer's fault, and a member that was just removed is still in the mesh.
        if !taken && let Some(waiting) = self.pending_gossip.take(&token) {
            self.report_gossip(&waiting, gossipsub::MessageAcceptance::Ignore);
        }
    }

    fn on_identify(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id, info, .. } = event else {
            return;
        };
        let Some(node) = identity::node_of(&peer_id) else {
            return;
        };
        let Some(peer) = self.peers.get(&node) else {
            return;
        };
        // Loopback addresses of another machine cannot be dialled from here.
        let same_machine = peer.connections.values().any(identity::is_loopback);
        let addresses = info
            .listen_addrs
            .iter()
            .map(without_peer)
            .filter(|address| same_machine || !identity::is_loopback(address));
        self.shared.book().add(Instant::now(), node, addresses);
    }

    fn on_mdns(&mut self, event: mdns::Event) {
        let mdns::Event::Discovered(found) = event else {
            return;
        };
        for (peer, address) in found {
            // Announcements on the local network are untrusted; only members get into the book.
            if let Some(node) = identity::node_of(&peer)
                && self.shared.registry.is_member(&node)
                && local::is_private(&address)
            {
                self.dial(node, vec![without_peer(&address)]);
            }
        }
    }
}

/// The address without the peer at its end, as the book stores it.
fn without_peer(address: &libp2p::Multiaddr) -> libp2p::Multiaddr {
    address
        .iter()
        .filter(|part| !matches!(part, libp2p::multiaddr::Protocol::P2p(_)))
        .collect()
}
