//! The address book: the addresses of nodes, where they come from, and when to dial again.
//!
//! Addresses come from address records that nodes have signed themselves, from tickets, configuration, the
//! local network and connected members. None is trusted beyond being dialled, because the handshake proves
//! the identity. The book does no IO and draws no random numbers; the caller stores it on disk: see
//! [`AddressBook::saved_nodes`].

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use towline_proto::{AddressRecord, NodeId, limits};

use super::backoff::{Backoff, LONGEST_WAIT};
use super::identity;

/// The most addresses stored per node besides those of its record, the best first.
const ADDRESSES: usize = 8;
/// The longest wait before dialling a node with which a stream was open within [`RECENTLY`]: it is more
/// likely that the connection was cut than that it was switched off.
const RECENT_WAIT: Duration = Duration::from_secs(3);
/// How long a node counts as recently connected.
const RECENTLY: Duration = Duration::from_secs(10 * 60);
/// The most records of nodes that no project here knows: a newly admitted node sends its record before
/// everybody has its admission.
const STRANGERS: usize = 64;

/// The data of one node that is saved across restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedNode {
    /// Who.
    pub node: NodeId,
    /// Its addresses, the best first, as multiaddresses.
    pub addresses: Vec<String>,
    /// Its own address record, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
}

#[derive(Debug)]
struct AddressEntry {
    /// The address where it was reached last, then the others.
    addresses: Vec<Multiaddr>,
    record: Option<AddressRecord>,
    /// Whether no project here knew it when its record arrived.
    stranger: bool,
    backoff: Backoff,
    due: Instant,
    dialing: bool,
    /// When a stream with it was last open.
    last_link: Option<Instant>,
}

impl AddressEntry {
    /// All addresses: where it was reached last, those of its own record, and the rest.
    fn all(&self) -> Vec<Multiaddr> {
        let said = self.record.iter().flat_map(|record| &record.body().addresses);
        let said = said
            .filter_map(|text| text.parse().ok())
            .filter(identity::is_dialable);
        let first = self.addresses.iter().take(1).cloned();
        let rest = self.addresses.iter().skip(1).cloned();
        let mut all = Vec::new();
        for address in first.chain(said).chain(rest) {
            if !all.contains(&address) {
                all.push(address);
            }
        }
        all
    }
}

/// The book.
#[derive(Debug, Default)]
pub(crate) struct AddressBook {
    nodes: BTreeMap<NodeId, AddressEntry>,
    /// Grows whenever the saved data changes.
    changes: u64,
}

impl AddressBook {
    fn entry(&mut self, now: Instant, node: NodeId) -> Option<&mut AddressEntry> {
        if self.nodes.len() >= limits::MEMBERS && !self.nodes.contains_key(&node) {
            return None;
        }
        Some(self.nodes.entry(node).or_insert_with(|| AddressEntry {
            addresses: Vec::new(),
            record: None,
            stranger: false,
            backoff: Backoff::default(),
            due: now,
            dialing: false,
            last_link: None,
        }))
    }

    /// Adds addresses of a node, after those that are known to work. Addresses that cannot be dialled or
    /// exceed the bounds are dropped.
    pub(crate) fn add(&mut self, now: Instant, node: NodeId, addresses: impl IntoIterator<Item = Multiaddr>) {
        let Some(entry) = self.entry(now, node) else {
            return;
        };
        let before = entry.addresses.len();
        for address in addresses {
            if entry.addresses.len() >= ADDRESSES {
                break;
            }
            if identity::is_dialable(&address) && !entry.addresses.contains(&address) {
                entry.addresses.push(address);
            }
        }
        let changed = entry.addresses.len() != before;
        if entry.addresses.is_empty() && entry.record.is_none() {
            self.nodes.remove(&node);
        }
        self.changes += u64::from(changed);
    }

    /// Stores the address record of a node, whose signature was verified. Returns whether it is new. `member`
    /// says whether the node is a member of any project here.
    pub(crate) fn record(&mut self, now: Instant, record: &AddressRecord, member: bool) -> bool {
        let node = record.body().node;
        let before = self.nodes.get(&node).and_then(|entry| entry.record.as_ref());
        if before.is_some_and(|before| before.body().at >= record.body().at) {
            return false;
        }
        let first = !self.nodes.contains_key(&node);
        if !member && first && self.nodes.values().filter(|entry| entry.stranger).count() >= STRANGERS {
            return false;
        }
        let Some(entry) = self.entry(now, node) else {
            return false;
        };
        entry.record = Some(record.clone());
        entry.stranger = !member && (entry.stranger || first);
        // It was signed recently, so the node is probably online.
        entry.due = entry.due.min(now);
        self.changes += 1;
        true
    }

    /// The address record of a node.
    pub(crate) fn record_of(&self, node: &NodeId) -> Option<&AddressRecord> {
        self.nodes.get(node)?.record.as_ref()
    }

    /// The node is probably online: resets its backoff and dials at once.
    pub(crate) fn dial_now(&mut self, now: Instant, node: &NodeId) {
        if let Some(entry) = self.nodes.get_mut(node) {
            entry.backoff.reset();
            entry.due = now;
        }
    }

    /// Other nodes report that the node is online: dials it once, without resetting its backoff.
    pub(crate) fn dial_once(&mut self, now: Instant, node: &NodeId) {
        if let Some(entry) = self.nodes.get_mut(node) {
            entry.due = entry.due.min(now);
        }
    }

    /// The network changed or came back: dials every node once.
    pub(crate) fn dial_all_once(&mut self, now: Instant) {
        for entry in self.nodes.values_mut() {
            entry.due = entry.due.min(now);
        }
    }

    /// The node was reached at an address, which is tried first from now on.
    pub(crate) fn reached(&mut self, now: Instant, node: NodeId, address: Multiaddr) {
        let Some(entry) = self.entry(now, node) else {
            return;
        };
        let changed = entry.addresses.first() != Some(&address);
        entry.addresses.retain(|other| *other != address);
        entry.addresses.insert(0, address);
        entry.addresses.truncate(ADDRESSES);
        entry.dialing = false;
        self.changes += u64::from(changed);
    }

    /// The node's direct stream is open, whichever side dialled. A connection alone proves nothing: a node
    /// that does not know us as a member accepts the handshake and then disconnects, every time.
    pub(crate) fn link_opened(&mut self, now: Instant, node: &NodeId) {
        if let Some(entry) = self.nodes.get_mut(node) {
            entry.backoff.reset();
            entry.last_link = Some(now);
        }
    }

    /// A dial failed or a connection ended: waits before the next attempt.
    pub(crate) fn failed(&mut self, now: Instant, jitter: u32, node: &NodeId) {
        if let Some(entry) = self.nodes.get_mut(node) {
            let recently = entry
                .last_link
                .is_some_and(|last_link| now.duration_since(last_link) < RECENTLY);
            let longest = if recently { RECENT_WAIT } else { LONGEST_WAIT };
            entry.due = now + entry.backoff.next_within(longest, jitter);
            entry.dialing = false;
        }
    }

    /// A connection with an open stream ended.
    pub(crate) fn link_lost(&mut self, now: Instant, node: &NodeId) {
        if let Some(entry) = self.nodes.get_mut(node)
            && entry.last_link.is_some()
        {
            entry.last_link = Some(now);
        }
    }

    /// The nodes to dial now, with their addresses; they count as being dialled from here on.
    pub(crate) fn due(
        &mut self,
        now: Instant,
        room: usize,
        wanted: impl Fn(&NodeId) -> bool,
    ) -> Vec<(NodeId, Vec<Multiaddr>)> {
        self.nodes
            .iter_mut()
            .filter(|(node, entry)| !entry.dialing && entry.due <= now && wanted(node))
            .take(room)
            .map(|(node, entry)| {
                entry.dialing = true;
                (*node, entry.all())
            })
            .collect()
    }

    /// The addresses of a node, the best first.
    pub(crate) fn addresses_of(&self, node: &NodeId) -> Vec<String> {
        let entry = self.nodes.get(node).map(AddressEntry::all).unwrap_or_default();
        entry.iter().map(Multiaddr::to_string).collect()
    }

    /// All nodes with their addresses.
    pub(crate) fn all(&self) -> Vec<(NodeId, Vec<String>)> {
        let nodes = self.nodes.keys();
        nodes.map(|node| (*node, self.addresses_of(node))).collect()
    }

    /// The number of changes of the saved data.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// The saved data, for [`AddressBook::restore`].
    pub(crate) fn saved_nodes(&self) -> Vec<SavedNode> {
        let node = |(node, entry): (&NodeId, &AddressEntry)| SavedNode {
            node: *node,
            addresses: entry.addresses.iter().map(Multiaddr::to_string).collect(),
            record: entry
                .record
                .as_ref()
                .map(|record| BASE64_STANDARD.encode(record.bytes())),
        };
        self.nodes.iter().map(node).collect()
    }

    /// Restores saved data. Unreadable parts are dropped.
    pub(crate) fn restore(&mut self, now: Instant, kept: Vec<SavedNode>) {
        for SavedNode {
            node,
            addresses,
            record,
        } in kept
        {
            let record = record.and_then(|text| BASE64_STANDARD.decode(text).ok());
            let record = record.and_then(|bytes| AddressRecord::decode(&bytes).ok());
            let good = |record: &AddressRecord| record.body().node == node && record.verify().is_ok();
            if let Some(record) = record.filter(good) {
                self.record(now, &record, true);
            }
            self.add(now, node, addresses.iter().filter_map(|text| text.parse().ok()));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ed25519_dalek::SigningKey;
    use towline_proto::{AddressBody, Millis};

    use super::super::backoff::FIRST_WAIT;
    use super::*;

    const BEN: NodeId = NodeId([2; 32]);

    fn at(port: u16) -> Multiaddr {
        format!("/ip4/10.0.0.1/tcp/{port}").parse().unwrap()
    }

    #[test]
    fn a_failing_node_is_dialled_less_and_less_often_and_at_once_on_a_sign_of_life() {
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
        book.dial_now(now, &BEN);
        assert_eq!(book.due(now, 9, |_| true).len(), 1);
    }

    #[test]
    fn a_recently_connected_node_is_dialled_every_few_seconds_and_a_reported_one_at_once() {
        let mut book = AddressBook::default();
        let now = Instant::now();
        book.add(now, BEN, [at(1)]);
        book.link_opened(now, &BEN);
        for _ in 0..99 {
            book.failed(now, u32::MAX, &BEN);
        }
        let soon = now + RECENT_WAIT * 2;
        assert_eq!(book.due(soon, 9, |_| true).len(), 1);
        let later = now + RECENTLY;
        book.failed(later, 0, &BEN);
        assert!(book.due(later + RECENT_WAIT * 2, 9, |_| true).is_empty());
        book.dial_once(later, &BEN);
        assert_eq!(book.due(later, 9, |_| true).len(), 1);
        book.failed(later, 0, &BEN);
        book.dial_all_once(later);
        assert_eq!(book.due(later, 9, |_| true).len(), 1);
    }

    fn record(seed: u8, at: u64, port: u16) -> AddressRecord {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let body = AddressBody {
            node: NodeId(key.verifying_key().to_bytes()),
            at: Millis(at),
            addresses: vec![format!("/ip4/10.0.0.1/tcp/{port}"), "nonsense".into()],
        };
        AddressRecord::sign(body, &key)
    }

    #[test]
    fn the_newest_record_of_a_node_counts_and_comes_back_from_disk() {
        let mut book = AddressBook::default();
        let now = Instant::now();
        let ann = record(7, 5, 50).body().node;
        assert!(book.record(now, &record(7, 5, 50), true));
        assert!(
            !book.record(now, &record(7, 5, 51), true),
            "as old as what is known"
        );
        assert!(!book.record(now, &record(7, 4, 40), true));
        assert!(book.record(now, &record(7, 6, 60), true));
        book.reached(now, ann, at(1));
        book.add(now, ann, [at(2)]);
        let expected = [at(1), at(60), at(2)].map(|address| address.to_string());
        assert_eq!(book.addresses_of(&ann), expected);

        let mut again = AddressBook::default();
        let mut kept = book.saved_nodes();
        again.restore(now, kept.clone());
        assert_eq!(again.addresses_of(&ann), expected);
        assert_eq!(again.record_of(&ann).unwrap().body().at, Millis(6));
        // A record that was changed on disk, or is somebody else's, is left out.
        kept[0].node = BEN;
        let mut forged = AddressBook::default();
        forged.restore(now, kept);
        assert!(forged.record_of(&BEN).is_none() && forged.record_of(&ann).is_none());
    }

    #[test]
    fn records_of_nodes_that_nobody_here_knows_are_few() {
        let mut book = AddressBook::default();
        let now = Instant::now();
        let news = (0..200).filter(|seed| book.record(now, &record(*seed, 1, 1), false));
        assert_eq!(news.count(), STRANGERS);
        assert!(
            book.record(now, &record(250, 1, 1), true),
            "a member always has its place"
        );
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
