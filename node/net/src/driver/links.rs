//! The driver's part in links and joins.

use std::sync::Arc;
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, Stream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use towline_proto::NodeId;
use towline_proto::wire::Message;

use super::{Driver, OutgoingJoin, Report, jitter};
use crate::link::{self, LinkEnd, PeerLink};
use crate::metrics::NetMetrics;
use crate::streams::{Pace, StreamEvent, StreamOutcome, StreamPurpose};
use crate::{NetError, admission, identity, join};

/// The most joins answered at one time: those of all accepted strangers, and of some members.
const ANSWERING: usize = 64;
/// The most pending joins of this node.
const ASKING: usize = 16;
/// After a link that lasted this long the next one is opened without a wait.
const GOOD_LINK: Duration = Duration::from_secs(30);

impl Driver {
    /// Opens the stream of a link if this node is the side that does: of two members the one with the smaller
    /// id, so that there is one stream and not two.
    pub(super) fn open_link(&mut self, now: Instant, node: NodeId) {
        if self.me > node {
            return;
        }
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        let Some((connection, _)) = peer.connections.last_key_value() else {
            return;
        };
        if peer.link.is_some() || peer.opening.is_some() || peer.open_at.is_some_and(|at| now < at) {
            return;
        }
        peer.opening = Some(*connection);
        peer.open_at = None;
        let (id, connection) = (peer.id, *connection);
        self.swarm
            .behaviour_mut()
            .streams
            .open(id, connection, StreamPurpose::Sync(Pace::Quick));
    }

    /// Opens the streams that are due.
    pub(super) fn open_due(&mut self, now: Instant) {
        let due: Vec<_> = self
            .peers
            .iter_mut()
            .filter(|(_, peer)| peer.link.is_none() && peer.opening.is_none())
            .map(|(node, _)| *node)
            .collect();
        for node in due {
            self.open_link(now, node);
        }
    }

    pub(super) fn on_stream(&mut self, event: StreamEvent) {
        let StreamEvent {
            peer,
            connection,
            purpose,
            outcome,
        } = event;
        let Some(node) = identity::node_of(&peer) else {
            return;
        };
        match (purpose, outcome) {
            (StreamPurpose::Sync(pace), StreamOutcome::Opened(stream)) => {
                if let Some(peer) = self.peers.get_mut(&node) {
                    peer.opening = None;
                }
                self.start_link(node, connection, stream, pace);
            }
            (StreamPurpose::Sync(pace), StreamOutcome::Accepted(stream)) => {
                if self.me > node {
                    self.start_link(node, connection, stream, pace);
                }
            }
            (StreamPurpose::Addresses, StreamOutcome::Opened(stream)) => self.send_addresses(node, stream),
            (StreamPurpose::Addresses, StreamOutcome::Accepted(stream)) => {
                self.receive_addresses(node, stream)
            }
            (StreamPurpose::Addresses, StreamOutcome::Failed(why)) => self.exchange_unsupported(node, &why),
            (StreamPurpose::Sync(_), StreamOutcome::Failed(why)) => {
                tracing::debug!(peer = %node.short(), why, "no stream");
                if let Some(peer) = self.peers.get_mut(&node) {
                    peer.opening = None;
                    peer.open_at = Some(Instant::now() + peer.backoff.next(jitter()));
                }
            }
            (StreamPurpose::Admission, StreamOutcome::Opened(stream)) => {
                let entries = self.shared.registry.admissions_for(&node);
                self.tasks.spawn(admission::send(node, stream, entries));
            }
            (StreamPurpose::Admission, StreamOutcome::Accepted(stream)) => {
                self.receive_admission(node, connection, stream)
            }
            // A node of an earlier version, or the connection is ending.
            (StreamPurpose::Admission, StreamOutcome::Failed(why)) => {
                tracing::debug!(peer = %node.short(), why, "no admission was shown");
            }
            (StreamPurpose::Join, StreamOutcome::Accepted(stream)) => self.answer(node, connection, stream),
            (StreamPurpose::Join, StreamOutcome::Opened(stream)) => self.ask(connection, stream),
            (StreamPurpose::Join, StreamOutcome::Failed(why)) => {
                if let Some(asking) = self.outgoing_joins.remove(&connection) {
                    let _ = asking.reply.send(Err(NetError::Unreachable(why)));
                }
                self.close_join_connection(connection);
            }
        }
    }

    fn start_link(&mut self, node: NodeId, connection: ConnectionId, stream: Stream, pace: Pace) {
        let Some(address) = self
            .peers
            .get(&node)
            .and_then(|peer| peer.connections.get(&connection))
            .map(Multiaddr::to_string)
        else {
            return;
        };
        let (generation, after, done) = self.peers.next_link(node);
        let (outbox, waiting) = mpsc::channel(link::QUEUE);
        let (cancel, cancelled) = oneshot::channel();
        let task = link::LinkTask {
            shared: Arc::clone(&self.shared),
            peer: node,
            address,
            stream,
            pace,
            outbox: waiting,
            cancel: cancelled,
            after,
        };
        if let Some(peer) = self.peers.get_mut(&node) {
            // The peer opens a second stream only if it has given up the first, which ends here.
            peer.link = Some(PeerLink {
                generation,
                since: Instant::now(),
                outbox,
                _cancel: cancel,
            });
        }
        let now = Instant::now();
        let mut book = self.shared.book();
        book.link_opened(now, &node);
        // One peer came back; after a network outage the others are back too.
        book.dial_all_once(now);
        drop(book);
        self.start_exchange(node);
        let report = self.report.clone();
        self.tasks.spawn(async move {
            let end = link::run(task).await;
            drop(done);
            // An error means that the driver is gone.
            let _ = report
                .send(Report::LinkEnded {
                    node,
                    generation,
                    end,
                })
                .await;
        });
    }

    pub(super) fn send(&mut self, node: NodeId, message: Message) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        let Some(link) = &peer.link else {
            return;
        };
        match link.outbox.try_send(message) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::warn!(peer = %node.short(), "the peer does not read its messages; its stream is closed");
                NetMetrics::add(&self.shared.metrics.dropped, 1);
                peer.link = None;
                peer.open_at = Some(Instant::now() + peer.backoff.next(jitter()));
            }
        }
    }

    pub(super) fn on_report(&mut self, report: Report) {
        match report {
            Report::LinkEnded {
                node,
                generation,
                end,
            } => self.on_link_ended(node, generation, end),
            Report::ExchangeOutcome {
                node,
                asked,
                exchanged,
            } => self.on_exchanged(node, asked, exchanged),
            Report::JoinOver { connection } => {
                self.incoming_joins.remove(&connection);
                self.close_join_connection(connection);
            }
        }
    }

    fn on_link_ended(&mut self, node: NodeId, generation: u64, end: LinkEnd) {
        let now = Instant::now();
        let lasted = self
            .peers
            .get(&node)
            .and_then(|peer| peer.link.as_ref())
            .map(|link| now.duration_since(link.since));
        if self.peers.link_ended(&node, generation)
            && let Some(peer) = self.peers.get_mut(&node)
        {
            if lasted.is_some_and(|lasted| lasted >= GOOD_LINK) {
                peer.backoff.reset();
            }
            peer.open_at = Some(now + peer.backoff.next(jitter()));
        }
        match end {
            LinkEnd::Closed => {}
            LinkEnd::Broken(why) => tracing::debug!(peer = %node.short(), why, "a stream broke"),
            LinkEnd::ProjectBusy(project) => {
                tracing::warn!(%project, "a project does not process its messages; the link was closed");
            }
            // Nothing arrives through this connection.
            LinkEnd::TimedOut => self.disconnect(&node),
            LinkEnd::Violation(why) => {
                self.penalize(node, &why);
                self.disconnect(&node);
            }
        }
    }

    /// Starts a join on an existing connection to a member, or dials the inviter.
    pub(super) fn join(&mut self, inviter: NodeId, addresses: Vec<Multiaddr>, asking: OutgoingJoin) {
        let connected = self
            .peers
            .get(&inviter)
            .and_then(|peer| Some((peer.id, *peer.connections.first_key_value()?.0)));
        let refuse = |asking: OutgoingJoin, why: &str| {
            let _ = asking.reply.send(Err(NetError::Unreachable(why.to_owned())));
        };
        if self.outgoing_joins.len() >= ASKING {
            return refuse(asking, "too many joins are in progress; try again in a moment");
        }
        if let Some((peer, connection)) = connected {
            if self.outgoing_joins.contains_key(&connection) {
                return refuse(asking, "another join with that node is in progress");
            }
            self.outgoing_joins.insert(connection, asking);
            self.swarm
                .behaviour_mut()
                .streams
                .open(peer, connection, StreamPurpose::Join);
            return;
        }
        let Some(peer) = identity::peer_of(&inviter) else {
            return refuse(asking, "the ticket names a node that cannot exist");
        };
        if addresses.is_empty() {
            return refuse(asking, "the ticket names no address of the inviting node");
        }
        let dial = DialOpts::peer_id(peer)
            .condition(PeerCondition::Always)
            .addresses(addresses)
            .build();
        let connection = dial.connection_id();
        match self.swarm.dial(dial) {
            Ok(()) => {
                self.outgoing_joins.insert(connection, asking);
            }
            Err(error) => refuse(asking, &error.to_string()),
        }
    }

    fn ask(&mut self, connection: ConnectionId, stream: Stream) {
        let Some(OutgoingJoin { request, reply }) = self.outgoing_joins.remove(&connection) else {
            // The caller gave up meanwhile.
            self.close_join_connection(connection);
            return;
        };
        let report = self.report.clone();
        self.tasks.spawn(async move {
            let _ = reply.send(join::ask(stream, request).await);
            let _ = report.send(Report::JoinOver { connection }).await;
        });
    }

    fn answer(&mut self, node: NodeId, connection: ConnectionId, stream: Stream) {
        if self.incoming_joins.len() >= ANSWERING || !self.incoming_joins.insert(connection) {
            // Dropping the stream resets it; the other side gets an error.
            return;
        }
        let shared = Arc::clone(&self.shared);
        let report = self.report.clone();
        let classes = self.classes.clone();
        self.tasks.spawn(async move {
            join::answer(&shared, node, stream, || classes.mark_active(connection)).await;
            let _ = report.send(Report::JoinOver { connection }).await;
        });
    }

    /// Handles a membership proof. A stranger's connection is closed afterwards, and it dials again.
    fn receive_admission(&mut self, node: NodeId, connection: ConnectionId, stream: Stream) {
        if self.incoming_joins.len() >= ANSWERING || !self.incoming_joins.insert(connection) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let report = self.report.clone();
        let classes = self.classes.clone();
        self.tasks.spawn(async move {
            admission::receive(&shared, node, stream, || classes.mark_active(connection)).await;
            let _ = report.send(Report::JoinOver { connection }).await;
        });
    }

    /// Closes a connection that was for joining only; a member's stays.
    fn close_join_connection(&mut self, connection: ConnectionId) {
        if self.join_connections.remove(&connection).is_some() {
            self.swarm.close_connection(connection);
        }
    }
}
