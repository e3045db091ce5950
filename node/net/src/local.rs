//! The local network: multicast DNS, for private addresses only.
//!
//! The inner behaviour announces and discovers only addresses of local networks: a machine with a public
//! address does not announce it to everybody who listens, and other addresses are not accepted from the local
//! network. A machine on which it cannot be set up (no interface, no multicast) runs without it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent,
    ToSwarm, behaviour::toggle::Toggle,
};
use libp2p::{Multiaddr, PeerId, mdns};

type Mdns = mdns::tokio::Behaviour;

/// The behaviour.
pub(crate) struct LocalNetwork(Mdns);

impl LocalNetwork {
    /// Starts discovery, if wanted and possible.
    pub(crate) fn new(wanted: bool, me: PeerId) -> Toggle<Self> {
        let made = wanted.then(|| Mdns::new(mdns::Config::default(), me));
        Toggle::from(made.and_then(|made| {
            made.inspect_err(|error| {
                tracing::warn!(%error, "cannot search the local network for members");
            })
            .ok()
            .map(Self)
        }))
    }
}

/// Whether an address is one of a local network.
pub(crate) fn is_private(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => is_private_ip4(ip),
        Some(Protocol::Ip6(ip)) => is_private_ip6(ip),
        _ => false,
    }
}

const fn is_private_ip4(ip: Ipv4Addr) -> bool {
    ip.is_private() || ip.is_link_local()
}

const fn is_private_ip6(ip: Ipv6Addr) -> bool {
    ip.is_unique_local() || ip.is_unicast_link_local()
}

impl NetworkBehaviour for LocalNetwork {
    type ConnectionHandler = <Mdns as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = mdns::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.0
            .handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let mut found = self
            .0
            .handle_pending_outbound_connection(connection, peer, addresses, role)?;
        found.retain(is_private);
        Ok(found)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.0
            .handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let address = match &event {
            FromSwarm::NewListenAddr(event) => Some(event.addr),
            FromSwarm::ExpiredListenAddr(event) => Some(event.addr),
            _ => None,
        };
        if address.is_none_or(is_private) {
            self.0.on_swarm_event(event);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.0.on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.0.poll(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_a_local_network_are_said_and_believed() {
        let private = |text: &str| is_private(&text.parse().unwrap());
        for near in [
            "/ip4/192.168.1.7/tcp/1",
            "/ip4/10.1.2.3/tcp/1",
            "/ip4/169.254.1.1/tcp/1",
            "/ip6/fd00::1/tcp/1",
        ] {
            assert!(private(near), "{near}");
        }
        for far in [
            "/ip4/203.0.113.7/tcp/1",
            "/ip4/127.0.0.1/tcp/1",
            "/ip6/2001:db8::1/tcp/1",
            "/dns4/a.example/tcp/1",
        ] {
            assert!(!private(far), "{far}");
        }
    }
}
