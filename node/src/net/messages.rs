//! What the swarm and the projects' threads say to each other.
//!
//! Plain values: nothing here does anything.

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
    /// It is gone.
    Disconnected {
        /// Who.
        peer: NodeId,
    },
    /// A message came on its direct stream.
    Message {
        /// From whom.
        peer: NodeId,
        /// What.
        message: Message,
    },
    /// Part of a long message came on its direct stream, or went out: it is there, and not done.
    Progress {
        /// With whom.
        peer: NodeId,
    },
    /// An entry came by gossip and waits for a verdict before it is forwarded.
    Gossip {
        /// Who forwarded it.
        peer: NodeId,
        /// To be given back with the verdict.
        token: GossipToken,
        /// The exact bytes of an entry.
        bytes: Vec<u8>,
    },
    /// A presence came by gossip and waits for a verdict before it is forwarded.
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
    /// A node that is not known as a member shows the entry by which it was let in.
    Admission {
        /// Who.
        peer: NodeId,
        /// The entry; nobody has verified it yet.
        entry: Entry,
        /// Told when it has been looked at.
        seen: oneshot::Sender<()>,
    },
}

/// Names one gossip message until its verdict; opaque to projects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GossipToken(pub u64);

/// From the projects' threads to the swarm.
#[derive(Debug)]
pub enum NetOutput {
    /// Who may connect for a project: replaces what was said before.
    Members {
        /// Which project.
        project: ProjectId,
        /// Its members, this node left out.
        members: Vec<NodeId>,
        /// Whether there are tickets out, so that strangers may dial to join.
        joinable: bool,
    },
    /// The entry by which this node was let in, to be shown to members that have not heard of it.
    Admission {
        /// Which project.
        project: ProjectId,
        /// The exact bytes.
        entry: EntryBytes,
    },
    /// Send on a peer's direct stream; dropped when it is not connected.
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
    /// Say to the project's members that this node is there.
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
    /// A node is there, as others say: worth a dial when it is not connected.
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

/// Where the swarm hands in what it has for the projects.
pub trait Route: Send + Sync {
    /// Puts an input in a project's queue, without waiting. `false` when there is no such project or
    /// its queue is full: a message is then tried again for 30 s, a gossiped entry is not forwarded, a
    /// joiner is asked to come back. A project that ends says so with an empty
    /// [`NetOutput::Members`], so that nobody keeps trying.
    fn deliver(&self, project: &ProjectId, input: NetInput) -> bool;
}
