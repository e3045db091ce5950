//! The driver: the one task that owns the swarm.
//!
//! It handles outputs of the projects, commands of the handles and events of the swarm, and starts a task for
//! each link and each join. It never waits for any of them: everything that could take time is in a task of
//! its own, which reports back when it has ended.

mod events;
mod exchanges;
mod links;
mod listen;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use futures::StreamExt;
use libp2p::identity::Keypair;
use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, Swarm, gossipsub};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use towline_proto::wire::{JoinReply, JoinRequest};
use towline_proto::{NodeId, ProjectId, limits};

use super::behaviour::{self, Behaviour};
use super::connection_policy::ConnectionClasses;
use super::exchange::ExchangeOutcome;
use super::gossip::{self, PendingMessages, RefusedSubscriptions, Subject};
use super::link::LinkEnd;
use super::metrics::NetMetrics;
use super::peer_penalties::{self, PeerPenalties};
use super::peers::Peers;
use super::{GossipToken, GossipVerdict, NetError, NetOutput, Shared, identity};
use crate::log_throttle::LogThrottle;

/// The interval between checks for due dials, deadlines and expired entries; the shortest possible wait.
const TICK: Duration = Duration::from_millis(500);
/// The most dials started at once.
const DIALS: usize = 16;
/// Connections reserved for inbound dials.
const INBOUND_ROOM: usize = limits::PEERS / 4;
/// The capacity of the report channel; a task waits while it is full.
const REPORTS: usize = 64;

/// Commands of the handles.
#[derive(Debug)]
pub(super) enum Command {
    /// Dial a node.
    Dial { node: NodeId, addresses: Vec<Multiaddr> },
    /// Show a ticket.
    Join {
        inviter: NodeId,
        addresses: Vec<Multiaddr>,
        request: JoinRequest,
        reply: oneshot::Sender<Result<JoinReply, NetError>>,
    },
    /// Stop, and signal when that is done.
    Stop(oneshot::Sender<()>),
}

/// Reports of tasks.
#[derive(Debug)]
enum Report {
    /// A link has ended.
    LinkEnded {
        node: NodeId,
        generation: u64,
        end: LinkEnd,
    },
    /// A join has ended, on either side, and does not need the connection any more.
    JoinOver { connection: ConnectionId },
    /// An exchange of address records has ended, which this node started or answered.
    ExchangeOutcome {
        node: NodeId,
        asked: bool,
        exchanged: ExchangeOutcome,
    },
}

/// A join of this node that waits for its stream.
struct OutgoingJoin {
    request: JoinRequest,
    reply: oneshot::Sender<Result<JoinReply, NetError>>,
}

/// The task's state.
pub(super) struct Driver {
    me: NodeId,
    key: SigningKey,
    /// Whether this node's addresses may have changed since its last address record.
    addresses_changed: bool,
    swarm: Swarm<Behaviour>,
    shared: Arc<Shared>,
    classes: ConnectionClasses,
    refused_subscriptions: RefusedSubscriptions,
    peers: Peers,
    /// Connections for joining only, and when they are closed.
    join_connections: BTreeMap<ConnectionId, Instant>,
    /// Joins of this node, by connection.
    outgoing_joins: BTreeMap<ConnectionId, OutgoingJoin>,
    /// Connections on which a join of another node is being answered.
    incoming_joins: BTreeSet<ConnectionId>,
    pending_gossip: PendingMessages,
    penalties: PeerPenalties,
    /// Throttles log lines about connections that could not be accepted.
    accept_errors: LogThrottle,
    tasks: JoinSet<()>,
    report: mpsc::Sender<Report>,
    reports: mpsc::Receiver<Report>,
}

impl Driver {
    pub(super) fn new(
        seed: [u8; 32],
        key: Keypair,
        shared: Arc<Shared>,
        mdns: bool,
    ) -> Result<Self, NetError> {
        let classes = ConnectionClasses::default();
        let refused = RefusedSubscriptions::default();
        let swarm = behaviour::swarm(key, &shared, &classes, &refused, mdns)?;
        let (report, reports) = mpsc::channel(REPORTS);
        Ok(Self {
            me: shared.me,
            key: SigningKey::from_bytes(&seed),
            addresses_changed: true,
            swarm,
            shared,
            classes,
            refused_subscriptions: refused,
            peers: Peers::default(),
            join_connections: BTreeMap::new(),
            outgoing_joins: BTreeMap::new(),
            incoming_joins: BTreeSet::new(),
            pending_gossip: PendingMessages::default(),
            penalties: PeerPenalties::default(),
            accept_errors: LogThrottle::new("cannot accept a connection of another node"),
            tasks: JoinSet::new(),
            report,
            reports,
        })
    }

    /// Runs until it is stopped or the last handle is dropped.
    pub(super) async fn run(
        mut self,
        mut outputs: mpsc::Receiver<NetOutput>,
        mut commands: mpsc::Receiver<Command>,
    ) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stopped = loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                Some(output) = outputs.recv() => self.on_output(output),
                Some(report) = self.reports.recv() => self.on_report(report),
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
                _ = ticks.tick() => self.on_tick(),
                command = commands.recv() => match command {
                    Some(Command::Dial { node, addresses }) => self.dial(node, addresses),
                    Some(Command::Join { inviter, addresses, request, reply }) => {
                        self.join(inviter, addresses, OutgoingJoin { request, reply });
                    }
                    Some(Command::Stop(stopped)) => break Some(stopped),
                    None => break None,
                },
            }
        };
        // Closes sockets and tasks before the stop is signalled.
        drop(self);
        if let Some(stopped) = stopped {
            let _ = stopped.send(());
        }
    }

    fn on_output(&mut self, output: NetOutput) {
        match output {
            NetOutput::Members {
                project,
                members,
                joinable,
            } => self.set_members(project, members, joinable),
            NetOutput::Admission { project, entry } => self.shared.registry.set_admission(project, entry),
            NetOutput::Send { peer, message } => self.send(peer, message),
            NetOutput::Publish { project, bytes } => self.publish(Subject::Entries, &project, bytes),
            NetOutput::Presence { project, bytes } => self.publish(Subject::Presence, &project, bytes),
            NetOutput::Verdict { token, peer, verdict } => self.judge(&token, peer, verdict),
            NetOutput::SignOfLife { node } => {
                self.shared.book().dial_once(Instant::now(), &node);
                self.dial_due();
            }
            NetOutput::Penalize { peer, why } => self.penalize(peer, &why),
        }
    }

    fn set_members(&mut self, project: ProjectId, members: Vec<NodeId>, joinable: bool) {
        let members = members.into_iter().filter(|node| *node != self.me).collect();
        let change = self.shared.registry.set(project, members, joinable);
        for subject in [Subject::Entries, Subject::Presence] {
            let gossip = self.swarm.behaviour_mut().gossip.inner_mut();
            if change.first
                && let Err(error) = gossip.subscribe(&gossip::topic(subject, &project))
            {
                tracing::error!(%project, %error, "no gossip for a project; catch-up still works");
            }
        }
        // A node that left one project is disconnected even if it stays in another: otherwise gossipsub keeps
        // its old subscription. It may connect again at once, and its subscriptions are checked anew.
        for node in change.removed {
            self.disconnect(&node);
        }
        if !change.added.is_empty() {
            // Records of nodes that were unknown when they arrived were dropped.
            self.ask_one_member(&project);
        }
        for node in change.added {
            if self.refused_subscriptions.take(node, project) {
                self.disconnect(&node);
            }
            self.shared.book().dial_now(Instant::now(), &node);
        }
        self.dial_due();
    }

    fn publish(&mut self, subject: Subject, project: &ProjectId, bytes: Vec<u8>) {
        if bytes.len() > limits::ENTRY_GOSSIP_BYTES {
            tracing::trace!(%project, bytes = bytes.len(), "an entry too large for gossip is left to catch-up");
            return;
        }
        let gossip = self.swarm.behaviour_mut().gossip.inner_mut();
        match gossip.publish(gossip::topic(subject, project), bytes) {
            Ok(_) => NetMetrics::add(&self.shared.metrics.gossip_out, 1),
            // No peer is connected, or the message was sent already: catch-up covers the former, and the
            // latter needs nothing.
            Err(error) => tracing::trace!(%project, %error, "not gossiped"),
        }
    }

    fn judge(&mut self, token: &GossipToken, peer: NodeId, verdict: GossipVerdict) {
        let Some(waiting) = self.pending_gossip.take(token) else {
            tracing::trace!(?token, "a verdict came too late");
            return;
        };
        let acceptance = match verdict {
            GossipVerdict::Accept => gossipsub::MessageAcceptance::Accept,
            GossipVerdict::Ignore => gossipsub::MessageAcceptance::Ignore,
            GossipVerdict::Reject => gossipsub::MessageAcceptance::Reject,
        };
        self.report_gossip(&waiting, acceptance);
        if verdict == GossipVerdict::Reject {
            self.penalize(peer, "it sent an invalid gossip message");
        }
    }

    fn report_gossip(&mut self, waiting: &gossip::PendingMessage, acceptance: gossipsub::MessageAcceptance) {
        let gossip = self.swarm.behaviour_mut().gossip.inner_mut();
        gossip.report_message_validation_result(&waiting.id, &waiting.from, acceptance);
    }

    fn penalize(&mut self, node: NodeId, why: &str) {
        NetMetrics::add(&self.shared.metrics.penalties, 1);
        tracing::warn!(peer = %node.short(), why, "penalty");
        let now = Instant::now();
        if self.penalties.penalize(now, node) {
            tracing::warn!(peer = %node.short(), seconds = peer_penalties::BAN.as_secs(), "banned");
            self.shared.registry.ban(node, now + peer_penalties::BAN);
            self.disconnect(&node);
        }
    }

    fn disconnect(&mut self, node: &NodeId) {
        if let Some(peer) = identity::peer_of(node) {
            // An error means that it is not connected.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    fn dial(&mut self, node: NodeId, addresses: Vec<Multiaddr>) {
        let now = Instant::now();
        let mut book = self.shared.book();
        book.add(now, node, addresses);
        book.dial_now(now, &node);
        drop(book);
        self.dial_due();
    }

    /// Dials members that are not connected and due.
    fn dial_due(&mut self) {
        let now = Instant::now();
        let room = (limits::PEERS - INBOUND_ROOM)
            .saturating_sub(self.peers.len())
            .min(DIALS);
        let due = self.shared.book().due(now, room, |node| {
            *node != self.me
                && !self.peers.contains(node)
                && self.shared.registry.is_member(node)
                && !self.shared.registry.is_banned(now, node)
        });
        for (node, addresses) in due {
            let Some(peer) = identity::peer_of(&node) else {
                continue;
            };
            let dial = DialOpts::peer_id(peer)
                .condition(PeerCondition::NotDialing)
                .addresses(addresses)
                .build();
            if let Err(error) = self.swarm.dial(dial) {
                self.dial_failed(node, &error);
            }
        }
    }

    fn dial_failed(&mut self, node: NodeId, why: &dyn std::fmt::Display) {
        tracing::debug!(peer = %node.short(), %why, "cannot reach the node");
        NetMetrics::add(&self.shared.metrics.connections_failed, 1);
        self.shared.book().failed(Instant::now(), jitter(), &node);
    }

    fn on_tick(&mut self) {
        let now = Instant::now();
        self.pending_gossip.expire(now);
        self.penalties.expire(now);
        self.shared.registry.expire(now);
        // A caller that gave up has dropped its end.
        self.outgoing_joins.retain(|_, asking| !asking.reply.is_closed());
        let overdue: Vec<_> = self
            .join_connections
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(connection, _)| *connection)
            .collect();
        for connection in overdue {
            self.join_connections.remove(&connection);
            self.swarm.close_connection(connection);
        }
        self.open_due(now);
        self.sign_addresses_if_changed();
        self.exchange_due(now);
        self.dial_due();
    }

    fn listening(&self, act: impl FnOnce(&mut Vec<Multiaddr>)) {
        let mut listening = self
            .shared
            .listening
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        act(&mut listening);
    }
}

/// A random number for waits; without randomness waits are merely not spread.
fn jitter() -> u32 {
    getrandom::u32().unwrap_or(0)
}
