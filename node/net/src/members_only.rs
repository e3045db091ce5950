//! Wraps a behaviour so that it sees connections of members only.
//!
//! Strangers get a handler without protocols, and the inner behaviour gets no events about them, neither when
//! they connect nor when they leave. The connection policy must have classified the connection before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::ConnectionEstablished;
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::connection_policy::{ConnectionClass, ConnectionClasses};

/// The peer whose event the inner behaviour is handling; `None` between events.
///
/// Gossipsub asks its subscription filter about topics without naming the peer. Filter and behaviour run on
/// one thread, so the wrapper stores the peer before it passes an event on.
#[derive(Debug, Clone, Default)]
pub(crate) struct CurrentPeer(Arc<Mutex<Option<PeerId>>>);

impl CurrentPeer {
    pub(crate) fn get(&self) -> Option<PeerId> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, peer: Option<PeerId>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = peer;
    }
}

/// The wrapper.
pub(crate) struct MembersOnly<B> {
    inner: B,
    classes: ConnectionClasses,
    current_peer: CurrentPeer,
    /// The connections that the inner behaviour knows.
    shown: BTreeMap<PeerId, BTreeSet<ConnectionId>>,
}

impl<B> MembersOnly<B> {
    pub(crate) fn new(inner: B, classes: ConnectionClasses, current_peer: CurrentPeer) -> Self {
        Self {
            inner,
            classes,
            current_peer,
            shown: BTreeMap::new(),
        }
    }

    pub(crate) fn inner_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    fn is_shown(&self, peer: &PeerId, connection: ConnectionId) -> bool {
        self.shown
            .get(peer)
            .is_some_and(|connections| connections.contains(&connection))
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for MembersOnly<B> {
    type ConnectionHandler = Either<THandler<B>, dummy::ConnectionHandler>;
    type ToSwarm = B::ToSwarm;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        match self.classes.of(connection) {
            ConnectionClass::Member => self
                .inner
                .handle_established_inbound_connection(connection, peer, local, remote)
                .map(Either::Left),
            ConnectionClass::Stranger | ConnectionClass::Inviter => {
                Ok(Either::Right(dummy::ConnectionHandler))
            }
        }
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        match self.classes.of(connection) {
            ConnectionClass::Member => self
                .inner
                .handle_established_outbound_connection(connection, peer, address, role, port)
                .map(Either::Left),
            ConnectionClass::Stranger | ConnectionClass::Inviter => {
                Ok(Either::Right(dummy::ConnectionHandler))
            }
        }
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            // The swarm counts all connections of a peer. The inner behaviour must see the count of those
            // that it knows: gossipsub sends its subscriptions on the first one only, and for a stranger that
            // became a member that is the swarm's second.
            FromSwarm::ConnectionEstablished(event) => {
                if self.classes.of(event.connection_id) != ConnectionClass::Member {
                    return;
                }
                let connections = self.shown.entry(event.peer_id).or_default();
                let other_established = connections.len();
                connections.insert(event.connection_id);
                self.inner
                    .on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
                        other_established,
                        ..event
                    }));
            }
            FromSwarm::ConnectionClosed(event) => {
                let Some(connections) = self.shown.get_mut(&event.peer_id) else {
                    return;
                };
                if !connections.remove(&event.connection_id) {
                    return;
                }
                let remaining_established = connections.len();
                if connections.is_empty() {
                    self.shown.remove(&event.peer_id);
                }
                self.inner
                    .on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
                        remaining_established,
                        ..event
                    }));
            }
            FromSwarm::AddressChange(event) => {
                if self.is_shown(&event.peer_id, event.connection_id) {
                    self.inner.on_swarm_event(FromSwarm::AddressChange(event));
                }
            }
            other => self.inner.on_swarm_event(other),
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            Either::Left(event) => {
                self.current_peer.set(Some(peer));
                self.inner.on_connection_handler_event(peer, connection, event);
                self.current_peer.set(None);
            }
            Either::Right(event) => match event {},
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            let Poll::Ready(action) = self.inner.poll(cx) else {
                return Poll::Pending;
            };
            let ToSwarm::NotifyHandler {
                peer_id,
                handler,
                event,
            } = action
            else {
                return Poll::Ready(action.map_in(Either::Left));
            };
            // "Any connection of the peer" could be that of a stranger, whose handler has no such event.
            let connection = match handler {
                NotifyHandler::One(connection) => Some(connection).filter(|id| self.is_shown(&peer_id, *id)),
                NotifyHandler::Any => self.shown.get(&peer_id).and_then(|all| all.first()).copied(),
            };
            if let Some(connection) = connection {
                return Poll::Ready(ToSwarm::NotifyHandler {
                    peer_id,
                    handler: NotifyHandler::One(connection),
                    event: Either::Left(event),
                });
            }
        }
    }
}
