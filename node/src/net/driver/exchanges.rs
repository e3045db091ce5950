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
use crate::net::exchange::{self, Exchanged, Sending};
use crate::net::streams::Purpose;
use crate::project::{SystemWorld, World};

/// How long after one that broke off the next is tried.
const AGAIN: Duration = Duration::from_secs(10);

impl Driver {
    /// A link is up: the side that opens streams asks for everything.
    pub(super) fn greet(&mut self, node: NodeId) {
        if self.me < node
            && let Some(peer) = self.peers.get_mut(&node)
        {
            peer.exchange.want(Sending::All);
        }
        self.exchange_due(Instant::now());
    }

    /// Somebody became known as a member: one peer may have a record that was passed over before.
    pub(super) fn ask_somebody(&mut self, project: &ProjectId) {
        let members = self.shared.roll.members_of(project);
        let somebody = members.iter().find(|node| self.peers.contains(node));
        if let Some(peer) = somebody.and_then(|node| self.peers.get_mut(node)) {
            peer.exchange.want(Sending::All);
        }
    }

    /// Says where this node is, when that has changed.
    pub(super) fn sign_if_moved(&mut self) {
        if std::mem::take(&mut self.moved) && self.shared.sign_addresses(SystemWorld.now(), &self.key) {
            let me = self.me;
            self.tell_on(&[me], None);
        }
    }

    /// Tells every peer but one of news.
    fn tell_on(&mut self, news: &[NodeId], but: Option<NodeId>) {
        for (node, peer) in self.peers.iter_mut() {
            let news: BTreeSet<NodeId> = news.iter().copied().filter(|about| about != node).collect();
            if but != Some(*node) && !news.is_empty() {
                peer.exchange.want(Sending::News(news));
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
            streams.open(peer, connection, Purpose::Addresses);
        }
    }

    pub(super) fn give_addresses(&mut self, node: NodeId, stream: Stream) {
        let asking = self
            .peers
            .get(&node)
            .and_then(|peer| peer.exchange.asking.clone());
        let Some(sending) = asking else {
            return;
        };
        let (shared, report) = (Arc::clone(&self.shared), self.report.clone());
        self.tasks.spawn(async move {
            let exchanged = exchange::give(&shared, node, stream, sending).await;
            let asked = true;
            // An error means that the driver is gone.
            let _ = report
                .send(Report::Exchanged {
                    node,
                    asked,
                    exchanged,
                })
                .await;
        });
    }

    pub(super) fn take_addresses(&mut self, node: NodeId, stream: Stream) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        // One at a time: a second one is reset, and honest peers try again later.
        if std::mem::replace(&mut peer.exchange.answering, true) {
            return;
        }
        let (shared, report) = (Arc::clone(&self.shared), self.report.clone());
        self.tasks.spawn(async move {
            let exchanged = exchange::take(&shared, node, stream).await;
            let asked = false;
            let _ = report
                .send(Report::Exchanged {
                    node,
                    asked,
                    exchanged,
                })
                .await;
        });
    }

    /// The peer is of a version that does not exchange addresses, or the connection is ending.
    pub(super) fn no_exchange(&mut self, node: NodeId, why: &str) {
        tracing::debug!(peer = %node.short(), why, "no exchange of addresses");
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.exchange.asking = None;
            peer.exchange.unknown = true;
        }
    }

    pub(super) fn on_exchanged(&mut self, node: NodeId, asked: bool, exchanged: Exchanged) {
        if let Some(peer) = self.peers.get_mut(&node) {
            let exchange = &mut peer.exchange;
            let sent = if asked {
                exchange.asking.take()
            } else {
                exchange.answering = false;
                None
            };
            if let (Some(sent), Exchanged::Broken(_)) = (sent, &exchanged) {
                exchange.want(sent);
                exchange.after = Some(Instant::now() + AGAIN);
            }
        }
        match exchanged {
            Exchanged::Fresh(fresh) if fresh.is_empty() => {}
            Exchanged::Fresh(fresh) => {
                // What is news about this node itself is answered by a newer one.
                self.moved |= fresh.contains(&self.me);
                self.tell_on(&fresh, Some(node));
                self.dial_due();
            }
            Exchanged::Broken(why) => {
                tracing::debug!(peer = %node.short(), why, "an exchange of addresses was interrupted")
            }
            Exchanged::Foul(why) => self.penalize(node, &why),
        }
    }
}
