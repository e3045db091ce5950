//! The identity of a node on the network: its ed25519 key as a libp2p peer id, and its addresses.
//!
//! A [`NodeId`] is the public key itself and a [`PeerId`] wraps the same 32 bytes, so they are converted
//! without a table. Peer ids with other kinds of keys belong to no node. This file does no IO.

use libp2p::identity::{Keypair, PublicKey, ed25519};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use towline_proto::NodeId;

use crate::NetError;

/// The multihash code of "the digest is the value itself", which short public keys use.
const IDENTITY_HASH: u64 = 0;

/// The libp2p identity of an ed25519 seed.
pub(crate) fn keypair(seed: [u8; 32]) -> Result<Keypair, NetError> {
    Keypair::ed25519_from_bytes(seed).map_err(|_| NetError::Key)
}

/// The node that a public key belongs to; `None` when it is not an ed25519 key.
pub(crate) fn node_of_key(key: &PublicKey) -> Option<NodeId> {
    let key = key.clone().try_into_ed25519().ok()?;
    Some(NodeId(key.to_bytes()))
}

/// The node behind a peer id; `None` when it does not hold an ed25519 key.
pub(crate) fn node_of(peer: &PeerId) -> Option<NodeId> {
    let hash = peer.as_ref();
    if hash.code() != IDENTITY_HASH {
        return None;
    }
    node_of_key(&PublicKey::try_decode_protobuf(hash.digest()).ok()?)
}

/// The peer id of a node; `None` when its 32 bytes are not a point of the curve.
pub(crate) fn peer_of(node: &NodeId) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(&node.0).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}

/// Checks that a text is a multiaddress.
///
/// # Errors
/// Why it is not one.
pub fn check_syntax(text: &str) -> Result<(), String> {
    text.parse::<Multiaddr>().map(drop).map_err(|why| why.to_string())
}

/// Parses a multiaddress and splits off a `/p2p/` at its end.
pub(crate) fn parse(text: &str) -> Result<(Multiaddr, Option<NodeId>), NetError> {
    let mut address: Multiaddr = text.parse().map_err(|error| NetError::Address {
        address: text.to_owned(),
        why: format!("{error}"),
    })?;
    match address.pop() {
        Some(Protocol::P2p(peer)) => {
            let node = node_of(&peer).ok_or_else(|| NetError::Address {
                address: text.to_owned(),
                why: "the part after /p2p/ is not the id of a towline node".into(),
            })?;
            Ok((address, Some(node)))
        }
        Some(last) => {
            address.push(last);
            Ok((address, None))
        }
        None => Err(NetError::Address {
            address: text.to_owned(),
            why: "it is empty".into(),
        }),
    }
}

/// Parses a multiaddress with its node, as `towline peers --me` prints it.
///
/// # Errors
/// Why the address cannot be used.
pub fn named(text: &str) -> Result<(Multiaddr, NodeId), NetError> {
    let (address, node) = parse(text)?;
    if !is_dialable(&address) {
        return Err(refused(
            text,
            "it must be a host, a TCP port and the id of the node, such as /ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…; \
             run `towline peers --me` on that node to get it",
        ));
    }
    let why = "it does not end in /p2p/ and the id of the node; run `towline peers --me` on that node to get such an address";
    Ok((address, node.ok_or_else(|| refused(text, why))?))
}

fn refused(text: &str, why: &str) -> NetError {
    NetError::Address {
        address: text.to_owned(),
        why: why.to_owned(),
    }
}

/// Checks that others could dial it, with or without the node at its end.
///
/// # Errors
/// Why the address cannot be used.
pub fn reachable(text: &str) -> Result<(), NetError> {
    let (address, _) = parse(text)?;
    let why = "it must be a host and a TCP port, such as /ip4/203.0.113.7/tcp/4001";
    is_dialable(&address)
        .then_some(())
        .ok_or_else(|| refused(text, why))
}

/// Checks that a node could listen there.
///
/// # Errors
/// Why the address cannot be used.
pub fn bindable(text: &str) -> Result<(), NetError> {
    let (address, _) = parse(text)?;
    let mut parts = address.iter();
    let host = matches!(parts.next(), Some(Protocol::Ip4(_) | Protocol::Ip6(_)));
    let port = matches!(parts.next(), Some(Protocol::Tcp(_)));
    let why = "it must be an IP address of this machine and a TCP port, such as /ip4/0.0.0.0/tcp/4001";
    let good = host && port && parts.next().is_none();
    good.then_some(()).ok_or_else(|| refused(text, why))
}

/// Whether an address is a loopback address.
pub(crate) fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

/// Whether an address is one that this node's transport can dial: a host and a TCP port.
pub(crate) fn is_dialable(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified(),
        Some(Protocol::Ip6(ip)) => !ip.is_unspecified(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)) => true,
        _ => false,
    };
    host && matches!(parts.next(), Some(Protocol::Tcp(port)) if port != 0) && parts.next().is_none()
}

/// An address with its node at the end, as people copy it.
pub(crate) fn full(address: &Multiaddr, peer: PeerId) -> String {
    match address.clone().with_p2p(peer) {
        Ok(address) | Err(address) => address.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_node_id_and_a_peer_id_are_the_same_key() {
        let key = keypair([7; 32]).unwrap();
        let node = node_of_key(&key.public()).unwrap();
        assert_eq!(peer_of(&node), Some(key.public().to_peer_id()));
        assert_eq!(node_of(&key.public().to_peer_id()), Some(node));
        assert_eq!(node_of(&PeerId::random()), None);
    }

    #[test]
    fn addresses_give_up_their_node_and_bad_ones_are_refused() {
        let key = keypair([7; 32]).unwrap();
        let peer = key.public().to_peer_id();
        let (address, node) = parse(&format!("/ip4/10.0.0.1/tcp/4001/p2p/{peer}")).unwrap();
        assert_eq!(address.to_string(), "/ip4/10.0.0.1/tcp/4001");
        assert_eq!(node, node_of(&peer));
        assert_eq!(full(&address, peer), format!("/ip4/10.0.0.1/tcp/4001/p2p/{peer}"));
        assert!(parse("10.0.0.1:4001").is_err());
        assert!(named(&full(&address, peer)).is_ok());
        for bad in ["/ip4/10.0.0.1/tcp/4001", "/ip4/0.0.0.0/tcp/1", "10.0.0.1", ""] {
            assert!(named(bad).is_err(), "{bad}");
        }
        let udp = format!("/ip4/10.0.0.1/udp/4001/p2p/{peer}");
        assert!(named(&udp).unwrap_err().to_string().contains("TCP"));
        assert!(is_dialable(&address));
        assert!(!is_dialable(&"/ip4/0.0.0.0/tcp/4001".parse().unwrap()));
        assert!(!is_dialable(&"/ip4/10.0.0.1/udp/4001".parse().unwrap()));
    }
}
