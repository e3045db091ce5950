//! The gate: which connections are let past the handshake, and as what.
//!
//! A member of a shared project gets everything. Anybody else is denied, unless a ticket of ours is
//! out; then a few strangers at a time get a connection on which only the join stream exists. What
//! this node dials that is not a member is an inviter whose ticket it holds: a stranger too. The
//! class of a connection never changes; a stranger who became a member dials again.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::identity;
use super::roll::Roll;

/// Strangers that may be connected at one time. A join takes a fraction of a second, so this is
/// plenty for honest ones and little for others.
const STRANGERS: usize = 8;

/// What a connection may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Everything.
    Member,
    /// The join stream only; it dialled us.
    Stranger,
    /// The join stream only; we dialled it.
    Inviter,
}

/// The class of every live connection, for the behaviours that come after the gate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Classes(Arc<Mutex<BTreeMap<ConnectionId, Class>>>);

impl Classes {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<ConnectionId, Class>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the connection may be used for; nothing but joining when it is not known.
    pub(crate) fn of(&self, connection: ConnectionId) -> Class {
        self.with(|classes| classes.get(&connection).copied())
            .unwrap_or(Class::Stranger)
    }
}

/// Why a connection was denied.
#[derive(Debug, thiserror::Error)]
enum Denied {
    #[error("the peer's key is not an ed25519 key")]
    Key,
    #[error("the peer is banned for the moment")]
    Banned,
    #[error("the peer is a member of no project here, and no invitation is out")]
    NotAMember,
    #[error("{STRANGERS} strangers are being heard already")]
    Busy,
}

/// The behaviour that admits connections; it has no protocol of its own.
pub(crate) struct Gate {
    roll: Arc<Roll>,
    classes: Classes,
}

impl Gate {
    pub(crate) fn new(roll: Arc<Roll>, classes: Classes) -> Self {
        Self { roll, classes }
    }

    fn admit(&self, peer: &PeerId, inbound: bool) -> Result<Class, Denied> {
        let node = identity::node_of(peer).ok_or(Denied::Key)?;
        if self.roll.is_banned(Instant::now(), &node) {
            return Err(Denied::Banned);
        }
        if self.roll.is_member(&node) {
            return Ok(Class::Member);
        }
        if !inbound {
            return Ok(Class::Inviter);
        }
        if !self.roll.any_joinable() {
            return Err(Denied::NotAMember);
        }
        let strangers = self.classes.with(|classes| {
            classes
                .values()
                .filter(|class| **class == Class::Stranger)
                .count()
        });
        if strangers >= STRANGERS {
            return Err(Denied::Busy);
        }
        Ok(Class::Stranger)
    }

    fn decide(
        &self,
        connection: ConnectionId,
        peer: &PeerId,
        inbound: bool,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        let class = self.admit(peer, inbound).map_err(|denied| {
            tracing::debug!(%peer, inbound, why = %denied, "connection denied");
            ConnectionDenied::new(denied)
        })?;
        self.classes.with(|classes| classes.insert(connection, class));
        Ok(dummy::ConnectionHandler)
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.decide(connection, &peer, true)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.decide(connection, &peer, false)
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
        Poll::Pending
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
    fn a_stranger_is_denied_until_a_ticket_is_out_and_then_only_a_few_are_heard() {
        let roll = Arc::new(Roll::new());
        let gate = Gate::new(Arc::clone(&roll), Classes::default());
        let anna = identity::node_of(&peer(1)).unwrap();
        roll.set(ProjectId([9; 32]), vec![anna], false);

        let id = ConnectionId::new_unchecked;
        assert!(gate.decide(id(0), &peer(1), true).is_ok());
        assert!(gate.decide(id(1), &peer(2), true).is_err());
        roll.set(ProjectId([9; 32]), vec![anna], true);
        for n in 0..STRANGERS {
            assert!(gate.decide(id(10 + n), &peer(3), true).is_ok());
        }
        assert!(gate.decide(id(99), &peer(3), true).is_err());
        assert_eq!(gate.classes.of(id(0)), Class::Member);
        assert_eq!(gate.classes.of(id(10)), Class::Stranger);
        assert!(gate.decide(id(100), &PeerId::random(), true).is_err());
    }
}
