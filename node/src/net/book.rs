//! The address book: where nodes were last reached, and when to try again.
//!
//! Addresses come from tickets, configuration, the local network and from connected members
//! themselves; none is trusted beyond being dialled, because the handshake proves who answers. The
//! book does no IO and draws no random numbers; who keeps it on disk is the caller's affair.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::Multiaddr;
use tokio::time::Instant;
use towline_proto::{NodeId, limits};

use super::identity;

/// Addresses that are kept of one node, the best first.
const ADDRESSES: usize = 8;
/// How long after the first failure a node is dialled again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest that a node is not dialled.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Waits that double from half a second to half a minute, each stretched by up to a quarter so that
/// nodes that lost each other do not all dial at the same moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next wait; `jitter` is any random number.
    pub(crate) fn next(&mut self, jitter: u32) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(1u32.checked_shl(self.failures.min(16)).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        let wait = doubled.min(LONGEST_WAIT);
        wait + wait.mul_f64(f64::from(jitter) / f64::from(u32::MAX) / 4.0)
    }

    /// It worked.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[derive(Debug)]
struct Known {
    addresses: Vec<Multiaddr>,
    backoff: Backoff,
    due: Instant,
    dialing: bool,
}

/// The book.
#[derive(Debug, Default)]
pub(crate) struct AddressBook {
    nodes: BTreeMap<NodeId, Known>,
}

impl AddressBook {
    fn known(&mut self, now: Instant, node: NodeId) -> Option<&mut Known> {
        if self.nodes.len() >= limits::MEMBERS && !self.nodes.contains_key(&node) {
            return None;
        }
        Some(self.nodes.entry(node).or_insert_with(|| Known {
            addresses: Vec::new(),
            backoff: Backoff::default(),
            due: now,
            dialing: false,
        }))
    }

    /// Adds addresses where a node may be, behind those that are known to work. What cannot be dialled
    /// is left out, and so is everything past the bounds.
    pub(crate) fn add(&mut self, now: Instant, node: NodeId, addresses: impl IntoIterator<Item = Multiaddr>) {
        let Some(known) = self.known(now, node) else {
            return;
        };
        for address in addresses {
            if known.addresses.len() >= ADDRESSES {
                break;
            }
            if identity::is_dialable(&address) && !known.addresses.contains(&address) {
                known.addresses.push(address);
            }
        }
        if known.addresses.is_empty() {
            self.nodes.remove(&node);
        }
    }

    /// Somebody has reason to think that the node is there now: dial at once.
    pub(crate) fn hurry(&mut self, now: Instant, node: &NodeId) {
        if let Some(known) = self.nodes.get_mut(node) {
            known.backoff.reset();
            known.due = now;
        }
    }

    /// The node was reached at an address, which is tried first from now on.
    pub(crate) fn reached(&mut self, now: Instant, node: NodeId, address: Multiaddr) {
        let Some(known) = self.known(now, node) else {
            return;
        };
        known.addresses.retain(|other| *other != address);
        known.addresses.insert(0, address);
        known.addresses.truncate(ADDRESSES);
        known.dialing = false;
    }

    /// The node's direct stream is up, whoever dialled. A connection alone proves nothing: a node that
    /// does not know us as a member lets the handshake through and then hangs up, every time.
    pub(crate) fn linked(&mut self, node: &NodeId) {
        if let Some(known) = self.nodes.get_mut(node) {
            known.backoff.reset();
        }
    }

    /// A dial failed, or a connection ended: wait a little before the next.
    pub(crate) fn failed(&mut self, now: Instant, jitter: u32, node: &NodeId) {
        if let Some(known) = self.nodes.get_mut(node) {
            known.due = now + known.backoff.next(jitter);
            known.dialing = false;
        }
    }

    /// Nodes that are due, with their addresses; they count as being dialled from here on.
    pub(crate) fn due(
        &mut self,
        now: Instant,
        room: usize,
        wanted: impl Fn(&NodeId) -> bool,
    ) -> Vec<(NodeId, Vec<Multiaddr>)> {
        self.nodes
            .iter_mut()
            .filter(|(node, known)| !known.dialing && known.due <= now && wanted(node))
            .take(room)
            .map(|(node, known)| {
                known.dialing = true;
                (*node, known.addresses.clone())
            })
            .collect()
    }

    /// Everything in it.
    pub(crate) fn all(&self) -> Vec<(NodeId, Vec<String>)> {
        self.nodes
            .iter()
            .map(|(node, known)| {
                let addresses = known.addresses.iter().map(Multiaddr::to_string).collect();
                (*node, addresses)
            })
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const BEN: NodeId = NodeId([2; 32]);

    fn at(port: u16) -> Multiaddr {
        format!("/ip4/10.0.0.1/tcp/{port}").parse().unwrap()
    }

    #[test]
    fn a_node_that_fails_is_tried_less_and_less_often_and_at_once_when_there_is_news() {
        let mut book = AddressBook::default();
        let now = Instant::now();
        book.add(now, BEN, [at(1)]);
        assert_eq!(book.due(now, 9, |_| true).len(), 1);
        assert!(book.due(now, 9, |_| true).is_empty(), "it is being dialled");
        book.failed(now, 0, &BEN);
        assert!(book.due(now, 9, |_| true).is_empty());
        assert_eq!(book.due(now + FIRST_WAIT, 9, |_| true).len(), 1);
        for _ in 0..99 {
            book.failed(now, u32::MAX, &BEN);
        }
        assert_eq!(book.due(now + LONGEST_WAIT * 2, 9, |_| true).len(), 1);
        book.failed(now, 0, &BEN);
        book.hurry(now, &BEN);
        assert_eq!(book.due(now, 9, |_| true).len(), 1);
    }

    #[test]
    fn the_address_that_worked_comes_first_and_there_are_never_too_many() {
        let mut book = AddressBook::default();
        let now = Instant::now();
        book.add(now, BEN, (1..100).map(at));
        book.add(now, BEN, ["/ip4/0.0.0.0/tcp/1".parse().unwrap()]);
        book.reached(now, BEN, at(77));
        let all = book.all();
        assert_eq!(all[0].1.len(), ADDRESSES);
        assert_eq!(all[0].1[0], at(77).to_string());
    }
}
