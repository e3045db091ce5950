//! Members, peers, and projects that cannot be opened. Computed by `towline-engine`; nothing here is stored.

use serde::{Deserialize, Serialize};
use towline_proto::{Millis, NodeId, Role};

use crate::failure::Hint;

/// A member or an open invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberInfo {
    /// The node; absent for an invitation.
    pub node: Option<NodeId>,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Since when, or until when the invitation stands.
    pub at: Millis,
    /// The first hex digits of the ticket's hash, for an invitation.
    pub ticket: Option<String>,
    /// Whether this is the node itself.
    pub me: bool,
}

/// A connected peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerInfo {
    /// Who.
    pub node: NodeId,
    /// What people call it.
    pub name: String,
    /// Where, as a multiaddress.
    pub address: String,
    /// Whether it holds what this node holds now.
    pub in_sync: bool,
    /// When it was last seen.
    pub seen_at: Millis,
}

/// A project of a home that could not be opened; the others go on without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnavailableProject {
    /// What people call it here, or its folder where nothing says so.
    pub name: String,
    /// Why it could not be opened.
    pub why: String,
    /// What to do about it. Not sent: whoever asks for the project gets it with the failure.
    #[serde(skip)]
    pub hint: Option<Hint>,
}
