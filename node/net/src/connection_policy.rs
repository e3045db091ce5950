//! The connection policy: which connections are accepted after the handshake, and for what.
//!
//! A member of a shared project may use everything. A limited number of other nodes get a connection with
//! only two kinds of streams: to join by a ticket, and to prove a membership that this node does not know. A
//! connection that has used neither can be evicted by a new one (see `limiter.rs`). A non-member that this
//! node dials is an inviter whose ticket it has: a stranger too. The class of a connection never changes; a
//! stranger who became a member dials again.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    CloseConnection, ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::handshake_limits::source_of;
use super::identity;
use super::member_registry::MemberRegistry;
use crate::limiter::{Limiter, Limits, Permit, Source};

/// Limits of connected strangers. A join takes a fraction of a second, so this is plenty for honest nodes and
/// little for others.
const STRANGERS: Limits = Limits {
    total: 32,
    per_source: 8,
    grace: Duration::ZERO,
};

/// What a connection may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionClass {
    /// Everything.
    Member,
    /// Only to join or to prove a membership; it dialled us.
    Stranger,
    /// The join stream only; we dialled it.
    Inviter,
}

/// An accepted connection.
#[derive(Debug)]
struct KnownConnection {
    class: ConnectionClass,
    peer: PeerId,
    /// The permit of a stranger.
    permit: Option<Permit>,
}

/// The class of every open connection, for the behaviours after the policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionClasses(Arc<Mutex<BTreeMap<ConnectionId, KnownConnection>>>);

impl ConnectionClasses {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<ConnectionId, KnownConnection>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The class of a connection; an unknown one may only be used for joining.
    pub(crate) fn of(&self, connection: ConnectionId) -> ConnectionClass {
        self.with(|classes| {
            classes
                .get(&connection)
                .map(|connection_info| connection_info.class)
        })
        .unwrap_or(ConnectionClass::Stranger)
    }

    /// A stranger has sent a request: its connection is not evicted until it is answered.
    pub(crate) fn mark_active(&self, connection: ConnectionId) {
        self.with(|classes| {
            if let Some(permit) = classes
                .get(&connection)
                .and_then(|connection_info| connection_info.permit.as_ref())
            {
                permit.finished();
            }
        });
    }
}

/// Why a connection was denied.
#[derive(Debug, thiserror::Error)]
enum Denied {
    #[error("the peer's key is not an ed25519 key")]
    Key,
    #[error("the peer is banned temporarily")]
    Banned,
    #[error("this node has no project yet")]
    NoProject,
    #[error("this node already has {} connections of unknown nodes", STRANGERS.total)]
    Busy,
}

/// The behaviour that accepts connections; it has no protocol of its own.
pub(crate) struct ConnectionPolicy {
    registry: Arc<MemberRegistry>,
    classes: ConnectionClasses,
    strangers: Limiter,
    /// Evicted strangers.
    evicted: VecDeque<(PeerId, ConnectionId)>,
}

impl ConnectionPolicy {
    pub(crate) fn new(registry: Arc<MemberRegistry>, classes: ConnectionClasses) -> Self {
        Self {
            registry,
            classes,
            strangers: Limiter::new(STRANGERS),
            evicted: VecDeque::new(),
        }
    }

    /// The class of a connection, and the permit of a stranger. `from` is the source of an inbound
    /// connection.
    fn admit(
        &self,
        peer: &PeerId,
        from: Option<Source>,
    ) -> Result<(ConnectionClass, Option<Permit>), Denied> {
        let node = identity::node_of(peer).ok_or(Denied::Key)?;
        if self.registry.is_banned(Instant::now(), &node) {
            return Err(Denied::Banned);
        }
        if self.registry.is_member(&node) {
            return Ok((ConnectionClass::Member, None));
        }
        let Some(from) = from else {
            return Ok((ConnectionClass::Inviter, None));
        };
        if !self.registry.has_projects() {
            return Err(Denied::NoProject);
        }
        let permit = self.strangers.enter(from).ok_or(Denied::Busy)?;
        Ok((ConnectionClass::Stranger, Some(permit)))
    }

    fn decide(
        &mut self,
        connection: ConnectionId,
        peer: &PeerId,
        from: Option<Source>,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        let (class, permit) = self.admit(peer, from).map_err(|denied| {
            tracing::debug!(%peer, inbound = from.is_some(), why = %denied, "connection denied");
            ConnectionDenied::new(denied)
        })?;
        let evicted = &mut self.evicted;
        self.classes.with(|classes| {
            if permit.is_some() {
                evicted.extend(take_evicted(classes));
            }
            let peer = *peer;
            classes.insert(connection, KnownConnection { class, peer, permit });
        });
        Ok(dummy::ConnectionHandler)
    }
}

/// The evicted strangers. Each is returned once.
fn take_evicted(classes: &mut BTreeMap<ConnectionId, KnownConnection>) -> Vec<(PeerId, ConnectionId)> {
    let mut evicted = Vec::new();
    for (connection, connection_info) in classes {
        if connection_info.permit.as_ref().is_some_and(Permit::is_evicted) {
            connection_info.permit = None;
            evicted.push((connection_info.peer, *connection));
        }
    }
    evicted
}

impl NetworkBehaviour for ConnectionPolicy {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.decide(connection, &peer, Some(source_of(remote)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.decide(connection, &peer, None)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) = event {
            self.classes.with(|classes| classes.remove(&connection_id));
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // The swarm polls again after each connection, so no waker is needed.
        match self.evicted.pop_front() {
            Some((peer_id, connection)) => Poll::Ready(ToSwarm::CloseConnection {
                peer_id,
                connection: CloseConnection::One(connection),
            }),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use towline_proto::ProjectId;

    use super::*;

    fn peer(seed: u8) -> PeerId {
        identity::keypair([seed; 32]).unwrap().public().to_peer_id()
    }

    #[test]
    fn a_stranger_is_accepted_if_there_is_a_project_and_silent_ones_are_evicted() {
        let registry = Arc::new(MemberRegistry::new());
        let mut policy = ConnectionPolicy::new(Arc::clone(&registry), ConnectionClasses::default());
        let anna = identity::node_of(&peer(1)).unwrap();

        let here = Some(Source::LOCAL);
        let id = ConnectionId::new_unchecked;
        assert!(policy.decide(id(1), &peer(2), here).is_err());
        registry.set(ProjectId([9; 32]), vec![anna], false);
        assert!(policy.decide(id(0), &peer(1), here).is_ok());
        for n in 0..STRANGERS.per_source {
            assert!(policy.decide(id(10 + n), &peer(3), here).is_ok());
        }
        assert!(policy.evicted.is_empty());
        policy.classes.mark_active(id(10));
        assert!(policy.decide(id(99), &peer(3), here).is_ok());
        assert_eq!(policy.evicted, [(peer(3), id(11))]);
        for n in 0..STRANGERS.per_source {
            policy.classes.mark_active(id(10 + n));
        }
        policy.classes.mark_active(id(99));
        assert!(policy.decide(id(100), &peer(3), here).is_err());
        assert_eq!(policy.classes.of(id(0)), ConnectionClass::Member);
        assert_eq!(policy.classes.of(id(10)), ConnectionClass::Stranger);
        assert!(policy.decide(id(101), &PeerId::random(), here).is_err());
    }
}
