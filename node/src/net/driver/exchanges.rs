//! When address records are exchanged with whom: with everybody once when a link is up, and whenever
//! there is news.
//!
//! One exchange of each direction at a time with each peer, and no more often than the driver ticks, so that
//! news that comes in a hurry goes out together. What is sent and taken is decided in
//! [`crate::net::exchange`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use libp2p::swarm::Stream;
use tokio::time::Instant;
use towline_proto::{NodeId, ProjectId};

use super::{Driver, Report};
use crate::net::exchange::{self, ExchangeOutcome, ExchangeRequest};
use crate::net::streams::StreamPurpose;
use crate::project::{Environment, SystemEnvironment};

/// How long after one that broke off the next is tried.
const AGAIN: Duration = Duration::from_secs(10);

impl Driver {
    /// A link is up: the side that opens streams asks for everything.
    pub(super) fn start_exchange(&mut self, node: NodeId) {
        if self.me < node
            && let Some(peer) = self.peers.get_mut(&node)
        {
            peer.exchange.want(ExchangeRequest::All);
        }
        self.exchange_due(Instant::now());
    }

    /// Somebody became known as a member: one peer may have a record that was passed over before.
    pub(super) fn ask_one_member(&mut self, project: &ProjectId) {
        let members = self.shared.registry.members_of(project);
        let somebody = members.iter().find(|node| self.peers.contains(node));
        if let Some(peer) = somebody.and_then(|node| self.peers.get_mut(node)) {
            peer.exchange.want(ExchangeRequest::All);
        }
    }

    /// Says where this node is, when that has changed.
    pub(super) fn sign_addresses_if_changed(&mut self) {
        if std::mem::take(&mut self.addresses_changed)
            && self.shared.sign_addresses(SystemEnvironment.now(), &self.key)
        {
            let me = self.me;
            self.forward_changes(&[me], None);
        }
    }

    /// Tells every peer but one of news.
    fn forward_changes(&mut self, news: &[NodeId], but: Option<NodeId>) {
        for (node, peer) in self.peers.iter_mut() {
            let news: BTreeSet<NodeId> = news.iter().copied().filter(|about| about != node).collect();
            if but != Some(*node) && !news.is_empty() {
                peer.exchange.want(ExchangeRequest::Changed(news));
            }
        }
    }

    /// Asks for the streams of exchanges whose time has come.
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
        // One at a time: a second one is reset, and honest peers try again later.
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

    /// The peer is of a version that does not exchange addresses, or the connection is ending.
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
                // What is news about this node itself is answered by a newer one.
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
