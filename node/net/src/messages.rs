//! The messages between the swarm and the projects' threads.
//!
//! Plain values without behaviour.

use tokio::sync::oneshot;
use towline_proto::wire::{EntryBytes, JoinReply, JoinRequest, Message};
use towline_proto::{Entry, NodeId, ProjectId};
use towline_sync::GossipVerdict;

/// From the swarm to one project's thread.
#[derive(Debug)]
pub enum NetInput {
    /// A member of the project is connected and its direct stream is open.
    Connected {
        /// Who.
        peer: NodeId,
        /// Where, as a multiaddress.
        address: String,
    },
    /// The member is disconnected.
    Disconnected {
        /// Who.
        peer: NodeId,
    },
    /// A message arrived on its direct stream.
    Message {
        /// From whom.
        peer: NodeId,
        /// What.
        message: Message,
    },
    /// Part of a long message was received or sent on its direct stream: the peer is alive.
    Progress {
        /// With whom.
        peer: NodeId,
    },
    /// An entry arrived by gossip and waits for a verdict before it is forwarded.
    Gossip {
        /// Who forwarded it.
        peer: NodeId,
        /// To be given back with the verdict.
        token: GossipToken,
        /// The exact bytes of an entry.
        bytes: Vec<u8>,
    },
    /// A presence message arrived by gossip and waits for a verdict before it is forwarded.
    Presence {
        /// Who forwarded it.
        peer: NodeId,
        /// To be given back with the verdict.
        token: GossipToken,
        /// The exact bytes of a presence.
        bytes: Vec<u8>,
    },
    /// A node that is not a member shows a ticket.
    Join {
        /// Who.
        peer: NodeId,
        /// What it says.
        request: JoinRequest,
        /// Where the answer goes.
        reply: oneshot::Sender<JoinReply>,
    },
    /// A node that is not known as a member sends the entry by which it was admitted.
    Admission {
        /// Who.
        peer: NodeId,
        /// The entry; nobody has verified it yet.
        entry: Entry,
        /// Signalled when it has been processed.
        seen: oneshot::Sender<()>,
    },
}

/// Identifies one gossip message until its verdict; opaque to projects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GossipToken(pub u64);

/// From the projects' threads to the swarm.
#[derive(Debug)]
pub enum NetOutput {
    /// The nodes that may connect for a project; replaces the previous list.
    Members {
        /// Which project.
        project: ProjectId,
        /// Its members, without this node.
        members: Vec<NodeId>,
        /// Whether there are open tickets, so that strangers may dial to join.
        joinable: bool,
    },
    /// The entry by which this node was admitted, to be sent to members that do not know it.
    Admission {
        /// Which project.
        project: ProjectId,
        /// The exact bytes.
        entry: EntryBytes,
    },
    /// Send on a peer's direct stream; dropped if it is not connected.
    Send {
        /// To whom.
        peer: NodeId,
        /// What.
        message: Message,
    },
    /// Publish an entry to the project's topic.
    Publish {
        /// Which project.
        project: ProjectId,
        /// The exact bytes of an entry.
        bytes: Vec<u8>,
    },
    /// Publish this node's presence to the project's members.
    Presence {
        /// Which project.
        project: ProjectId,
        /// The exact bytes of a presence.
        bytes: Vec<u8>,
    },
    /// A gossip message's verdict.
    Verdict {
        /// Which message.
        token: GossipToken,
        /// Who forwarded it.
        peer: NodeId,
        /// What to do with it.
        verdict: GossipVerdict,
    },
    /// Other nodes report that a node is online: dial it if it is not connected.
    SignOfLife {
        /// Which.
        node: NodeId,
    },
    /// The peer did something that an honest one does not.
    Penalize {
        /// Who.
        peer: NodeId,
        /// What, for the log.
        why: String,
    },
}

/// Delivers inputs of the swarm to the projects.
pub trait Route: Send + Sync {
    /// Puts an input into a project's queue, without waiting. `false` if there is no such project or its
    /// queue is full: a message is then retried for 30 s, a gossiped entry is not forwarded, and a joining
    /// node is asked to retry. A project that closes sends an empty [`NetOutput::Members`], so that nothing
    /// is retried.
    fn deliver(&self, project: &ProjectId, input: NetInput) -> bool;
}
