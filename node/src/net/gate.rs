//! The gate: which connections are let past the handshake, and as what.
//!
//! A member of a shared project gets everything. Of anybody else a few at a time get a connection on which
//! only two streams exist: one to join by a ticket, and one to show an admission that this node has not heard
//! of. One that has asked for neither yet gives way to the next (see `limiter.rs`). What this node dials that is not a member is an inviter whose ticket it holds: a stranger too. The
//! class of a connection never changes; a stranger who became a member dials again.

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

use super::entrance::source_of;
use super::identity;
use super::roll::Roll;
use crate::limiter::{Limiter, Limits, Permit, Source};

/// Strangers that may be connected at one time. A join takes a fraction of a second, so this is
/// plenty for honest ones and little for others.
const STRANGERS: Limits = Limits {
    total: 32,
    per_source: 8,
    grace: Duration::ZERO,
};

/// What a connection may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Everything.
    Member,
    /// To join or to show an admission only; it dialled us.
    Stranger,
    /// The join stream only; we dialled it.
    Inviter,
}

/// A connection that was let past.
#[derive(Debug)]
struct Known {
    class: Class,
    peer: PeerId,
    /// The place of a stranger.
    permit: Option<Permit>,
}

/// The class of every live connection, for the behaviours that come after the gate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Classes(Arc<Mutex<BTreeMap<ConnectionId, Known>>>);

impl Classes {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<ConnectionId, Known>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the connection may be used for; nothing but joining when it is not known.
    pub(crate) fn of(&self, connection: ConnectionId) -> Class {
        self.with(|classes| classes.get(&connection).map(|known| known.class))
            .unwrap_or(Class::Stranger)
    }

    /// A stranger has shown a ticket: its connection keeps its place until it is answered.
    pub(crate) fn has_asked(&self, connection: ConnectionId) {
        self.with(|classes| {
            if let Some(permit) = classes.get(&connection).and_then(|known| known.permit.as_ref()) {
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

/// The behaviour that admits connections; it has no protocol of its own.
pub(crate) struct Gate {
    roll: Arc<Roll>,
    classes: Classes,
    strangers: Limiter,
    /// Strangers whose place somebody else has now.
    leaving: VecDeque<(PeerId, ConnectionId)>,
}

impl Gate {
    pub(crate) fn new(roll: Arc<Roll>, classes: Classes) -> Self {
        Self {
            roll,
            classes,
            strangers: Limiter::new(STRANGERS),
            leaving: VecDeque::new(),
        }
    }

    /// What a connection may be used for, and the place of a stranger. `from` is where an inbound
    /// connection comes from.
    fn admit(&self, peer: &PeerId, from: Option<Source>) -> Result<(Class, Option<Permit>), Denied> {
        let node = identity::node_of(peer).ok_or(Denied::Key)?;
        if self.roll.is_banned(Instant::now(), &node) {
            return Err(Denied::Banned);
        }
        if self.roll.is_member(&node) {
            return Ok((Class::Member, None));
        }
        let Some(from) = from else {
            return Ok((Class::Inviter, None));
        };
        if !self.roll.has_projects() {
            return Err(Denied::NoProject);
        }
        let permit = self.strangers.enter(from).ok_or(Denied::Busy)?;
        Ok((Class::Stranger, Some(permit)))
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
        let leaving = &mut self.leaving;
        self.classes.with(|classes| {
            if permit.is_some() {
                leaving.extend(take_leaving(classes));
            }
            let peer = *peer;
            classes.insert(connection, Known { class, peer, permit });
        });
        Ok(dummy::ConnectionHandler)
    }
}

/// The strangers that have to give way. Each is named once.
fn take_leaving(classes: &mut BTreeMap<ConnectionId, Known>) -> Vec<(PeerId, ConnectionId)> {
    let mut leaving = Vec::new();
    for (connection, known) in classes {
        if known.permit.as_ref().is_some_and(Permit::is_evicted) {
            known.permit = None;
            leaving.push((known.peer, *connection));
        }
    }
    leaving
}

impl NetworkBehaviour for Gate {
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
        // The swarm asks again after each connection that it was told of, so nobody needs to be woken.
        match self.leaving.pop_front() {
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
    fn a_stranger_is_heard_where_there_is_a_project_and_the_silent_ones_give_way() {
        let roll = Arc::new(Roll::new());
        let mut gate = Gate::new(Arc::clone(&roll), Classes::default());
        let anna = identity::node_of(&peer(1)).unwrap();

        let here = Some(Source::LOCAL);
        let id = ConnectionId::new_unchecked;
        assert!(gate.decide(id(1), &peer(2), here).is_err());
        roll.set(ProjectId([9; 32]), vec![anna], false);
        assert!(gate.decide(id(0), &peer(1), here).is_ok());
        for n in 0..STRANGERS.per_source {
            assert!(gate.decide(id(10 + n), &peer(3), here).is_ok());
        }
        assert!(gate.leaving.is_empty());
        gate.classes.has_asked(id(10));
        assert!(gate.decide(id(99), &peer(3), here).is_ok());
        assert_eq!(gate.leaving, [(peer(3), id(11))]);
        for n in 0..STRANGERS.per_source {
            gate.classes.has_asked(id(10 + n));
        }
        gate.classes.has_asked(id(99));
        assert!(gate.decide(id(100), &peer(3), here).is_err());
        assert_eq!(gate.classes.of(id(0)), Class::Member);
        assert_eq!(gate.classes.of(id(10)), Class::Stranger);
        assert!(gate.decide(id(101), &PeerId::random(), here).is_err());
    }
}
