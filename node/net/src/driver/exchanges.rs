//! The schedule of address record exchanges: with every peer once when a link opens, and whenever records
//! change.
//!
//! At most one exchange in each direction at a time with each peer, and no more often than the driver ticks,
//! so that changes in quick succession are sent together. [`crate::exchange`] decides what is sent and
//! accepted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use libp2p::swarm::Stream;
use tokio::time::Instant;
use towline_proto::{NodeId, ProjectId};
use towline_store::env::{Environment, SystemEnvironment};

use super::{Driver, Report};
use crate::exchange::{self, ExchangeOutcome, ExchangeRequest};
use crate::streams::StreamPurpose;

/// The wait after a failed exchange.
const AGAIN: Duration = Duration::from_secs(10);

impl Driver {
    /// A link is open: the side that opens streams requests all records.
    pub(super) fn start_exchange(&mut self, node: NodeId) {
        if self.me < node
            && let Some(peer) = self.peers.get_mut(&node)
        {
            peer.exchange.want(ExchangeRequest::All);
        }
        self.exchange_due(Instant::now());
    }

    /// A node became known as a member: a peer may have a record of it that was dropped before.
    pub(super) fn ask_one_member(&mut self, project: &ProjectId) {
        let members = self.shared.registry.members_of(project);
        let somebody = members.iter().find(|node| self.peers.contains(node));
        if let Some(peer) = somebody.and_then(|node| self.peers.get_mut(node)) {
            peer.exchange.want(ExchangeRequest::All);
        }
    }

    /// Signs and sends a new address record if this node's addresses have changed.
    pub(super) fn sign_addresses_if_changed(&mut self) {
        if std::mem::take(&mut self.addresses_changed)
            && self.shared.sign_addresses(SystemEnvironment.now(), &self.key)
        {
            let me = self.me;
            self.forward_changes(&[me], None);
        }
    }

    /// Sends changed records to every peer but one.
    fn forward_changes(&mut self, news: &[NodeId], but: Option<NodeId>) {
        for (node, peer) in self.peers.iter_mut() {
            let news: BTreeSet<NodeId> = news.iter().copied().filter(|about| about != node).collect();
            if but != Some(*node) && !news.is_empty() {
                peer.exchange.want(ExchangeRequest::Changed(news));
            }
        }
    }

    /// Opens the streams of due exchanges.
    pub(super) fn exchange_due(&mut self, now: Instant) {
        let mut open = Vec::new();
        for (_, peer) in self.peers.iter_mut() {
            let Some((connection, _)) = peer.connections.last_key_value() else {
                continue;
            };
            let exchange = &mut peer.exchange;
            let waits = exchange.asking.is_some() || exchange.after.is_some_and(|after| now < after);
            if exchange.unknown || waits || peer.link.is_none() {
                continue;
            }
            if let Some(sending) = exchange.due.take() {
                exchange.asking = Some(sending);
                open.push((peer.id, *connection));
            }
        }
        for (peer, connection) in open {
            let streams = &mut self.swarm.behaviour_mut().streams;
            streams.open(peer, connection, StreamPurpose::Addresses);
        }
    }

    pub(super) fn send_addresses(&mut self, node: NodeId, stream: Stream) {
        let asking = self
            .peers
            .get(&node)
            .and_then(|peer| peer.exchange.asking.clone());
        let Some(sending) = asking else {
            return;
        };
        let (shared, report) = (Arc::clone(&self.shared), self.report.clone());
        self.tasks.spawn(async move {
            let exchanged = exchange::initiate(&shared, node, stream, sending).await;
            let asked = true;
            // An error means that the driver is gone.
            let _ = report
                .send(Report::ExchangeOutcome {
                    node,
                    asked,
                    exchanged,
                })
                .await;
        });
    }

    pub(super) fn receive_addresses(&mut self, node: NodeId, stream: Stream) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        // One at a time: a second one is reset, and honest peers retry later.
        if std::mem::replace(&mut peer.exchange.answering, true) {
            return;
        }
        let (shared, report) = (Arc::clone(&self.shared), self.report.clone());
        self.tasks.spawn(async move {
            let exchanged = exchange::respond(&shared, node, stream).await;
            let asked = false;
            let _ = report
                .send(Report::ExchangeOutcome {
                    node,
                    asked,
                    exchanged,
                })
                .await;
        });
    }

    /// The peer is an earlier version that does not exchange addresses, or the connection is closing.
    pub(super) fn exchange_unsupported(&mut self, node: NodeId, why: &str) {
        tracing::debug!(peer = %node.short(), why, "no exchange of addresses");
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.exchange.asking = None;
            peer.exchange.unknown = true;
        }
    }

    pub(super) fn on_exchanged(&mut self, node: NodeId, asked: bool, exchanged: ExchangeOutcome) {
        if let Some(peer) = self.peers.get_mut(&node) {
            let exchange = &mut peer.exchange;
            let sent = if asked {
                exchange.asking.take()
            } else {
                exchange.answering = false;
                None
            };
            if let (Some(sent), ExchangeOutcome::Broken(_)) = (sent, &exchanged) {
                exchange.want(sent);
                exchange.after = Some(Instant::now() + AGAIN);
            }
        }
        match exchanged {
            ExchangeOutcome::Fresh(fresh) if fresh.is_empty() => {}
            ExchangeOutcome::Fresh(fresh) => {
                // A newer record of this node itself is replaced by a new one.
                self.addresses_changed |= fresh.contains(&self.me);
                self.forward_changes(&fresh, Some(node));
                self.dial_due();
            }
            ExchangeOutcome::Broken(why) => {
                tracing::debug!(peer = %node.short(), why, "an exchange of addresses was interrupted")
            }
            ExchangeOutcome::Violation(why) => self.penalize(node, &why),
        }
    }
}
