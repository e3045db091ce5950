//! The behaviours of a node's swarm and the swarm itself, put together.
//!
//! Order matters: libp2p asks the fields in order about a new connection. The limits and the connection
//! policy come first, because they can deny it; the others never do, so they never see a connection that is
//! not established.

use std::convert::Infallible;
use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{Swarm, SwarmBuilder, gossipsub, identify, mdns};
use towline_proto::limits;

use super::connection_policy::{ConnectionClasses, ConnectionPolicy};
use super::gossip::{self, Gossipsub, MemberTopics, RefusedSubscriptions};
use super::handshake_limits::LimitedTransport;
use super::local::LocalNetwork;
use super::members_only::{CurrentPeer, MembersOnly};
use super::streams::{StreamEvent, Streams};
use super::{NetError, Shared, transport};

/// The most concurrent outbound handshakes; `handshake_limits.rs` limits inbound ones.
const PENDING_DIALS: u32 = 32;
/// The most connections with one peer: two, because two nodes that dial each other at once create two, and as
/// many that died and are not known to be dead yet, which must not keep new ones out.
const PER_PEER: u32 = 4;
/// How long a connection may be idle. Direct streams keep theirs alive; this only ends leftovers.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// Inbound streams of one connection whose protocol is being negotiated.
const NEGOTIATING_STREAMS: usize = 32;

/// Everything that runs on a connection.
#[derive(NetworkBehaviour)]
#[behaviour(to_swarm = "NetEvent")]
pub(crate) struct Behaviour {
    limits: connection_limits::Behaviour,
    policy: ConnectionPolicy,
    pub(crate) gossip: MembersOnly<Gossipsub>,
    pub(crate) streams: Streams,
    identify: MembersOnly<identify::Behaviour>,
    local: Toggle<LocalNetwork>,
}

/// Events of the behaviours for the driver.
#[derive(Debug)]
pub(crate) enum NetEvent {
    /// About gossip.
    Gossip(Box<gossipsub::Event>),
    /// About a stream.
    Stream(Box<StreamEvent>),
    /// A member said where it listens.
    Identify(Box<identify::Event>),
    /// A node was discovered on the local network.
    Mdns(mdns::Event),
}

impl From<Infallible> for NetEvent {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<gossipsub::Event> for NetEvent {
    fn from(event: gossipsub::Event) -> Self {
        Self::Gossip(Box::new(event))
    }
}

impl From<StreamEvent> for NetEvent {
    fn from(event: StreamEvent) -> Self {
        Self::Stream(Box::new(event))
    }
}

impl From<identify::Event> for NetEvent {
    fn from(event: identify::Event) -> Self {
        Self::Identify(Box::new(event))
    }
}

impl From<mdns::Event> for NetEvent {
    fn from(event: mdns::Event) -> Self {
        Self::Mdns(event)
    }
}

/// Builds a swarm without listeners.
pub(super) fn swarm(
    key: Keypair,
    shared: &Shared,
    classes: &ConnectionClasses,
    refused: &RefusedSubscriptions,
    with_mdns: bool,
) -> Result<Swarm<Behaviour>, NetError> {
    let broken = |what, error: &dyn std::fmt::Display| NetError::Setup {
        what,
        why: error.to_string(),
    };
    let peer = key.public().to_peer_id();
    let current_peer = CurrentPeer::default();
    let topics = MemberTopics {
        registry: shared.registry.clone(),
        current_peer: current_peer.clone(),
        refused: refused.clone(),
    };
    let total = u32::try_from(limits::PEERS).unwrap_or(u32::MAX);
    let identify = identify::Config::new("towline/1".into(), key.public())
        .with_agent_version(concat!("towline/", env!("CARGO_PKG_VERSION")).into())
        .with_push_listen_addr_updates(true)
        .with_cache_size(0);
    let behaviour = Behaviour {
        limits: connection_limits::Behaviour::new(
            ConnectionLimits::default()
                .with_max_pending_outgoing(Some(PENDING_DIALS))
                .with_max_established_per_peer(Some(PER_PEER))
                .with_max_established(Some(total)),
        ),
        policy: ConnectionPolicy::new(shared.registry.clone(), classes.clone()),
        gossip: MembersOnly::new(gossip::behaviour(topics)?, classes.clone(), current_peer),
        streams: Streams::new(classes.clone()),
        identify: MembersOnly::new(
            identify::Behaviour::new(identify),
            classes.clone(),
            CurrentPeer::default(),
        ),
        local: LocalNetwork::new(with_mdns, peer),
    };
    let configure = |config: libp2p::swarm::Config| {
        config
            .with_idle_connection_timeout(IDLE)
            .with_max_negotiating_inbound_streams(NEGOTIATING_STREAMS)
    };
    Ok(SwarmBuilder::with_existing_identity(key.clone())
        .with_tokio()
        .with_other_transport(|key| transport::tcp(key).map(LimitedTransport::new))
        .map_err(|error| broken("encryption", &error))?
        .with_behaviour(|_| behaviour)
        .map_err(|error| broken("protocols", &error))?
        .with_swarm_config(configure)
        .build())
}
