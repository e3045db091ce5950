//! Membership: who may do what in a project, as typed entries in the authors' logs.
//!
//! A project begins with a genesis entry, whose author is its first owner. Every later change is a [`MemberAct`] in
//! an owner's log. `towline-crdt` folds them; this module only defines them.

use serde::{Deserialize, Serialize};

use crate::stage::words;
use crate::{Millis, NodeId};

words!(
    /// What a member may do, from least to most.
    Role, "role" {
        /// Read everything.
        Reader = "reader",
        /// And write items.
        Writer = "writer",
        /// And change the project's settings.
        Maintainer = "maintainer",
        /// And change the membership.
        Owner = "owner",
    }
);

impl Role {
    /// Whether items may be written.
    pub const fn may_write(self) -> bool {
        match self {
            Self::Reader => false,
            Self::Writer | Self::Maintainer | Self::Owner => true,
        }
    }

    /// Whether the project's settings may be changed.
    pub const fn may_set(self) -> bool {
        match self {
            Self::Reader | Self::Writer => false,
            Self::Maintainer | Self::Owner => true,
        }
    }

    /// Whether the membership may be changed.
    pub const fn may_invite(self) -> bool {
        match self {
            Self::Reader | Self::Writer | Self::Maintainer => false,
            Self::Owner => true,
        }
    }
}

/// The first entry of a project. The project id is the hash of that entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// The name of the project.
    pub name: String,
    /// The name of the founding node.
    pub node_name: String,
    /// Random, so that two projects with the same name and time differ.
    #[serde(with = "serde_bytes")]
    pub nonce: Vec<u8>,
}

/// The hash of a ticket's secret. The log holds only the hash, so reading the log admits nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TicketHash(#[serde(with = "serde_bytes")] pub [u8; 32]);

/// A change of the membership, in an owner's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberAct {
    /// Issues a ticket: a node that presents its secret to this author before `expires` becomes a member.
    Invite {
        /// The hash of the secret.
        ticket: TicketHash,
        /// The role of the new member.
        role: Role,
        /// When it expires, by the inviter's clock.
        expires: Millis,
    },
    /// Revokes a ticket.
    Withdraw {
        /// The ticket.
        ticket: TicketHash,
    },
    /// Admits a node by a ticket of this author, which can then not be used again.
    Admit {
        /// The new member.
        node: NodeId,
        /// Its name.
        name: String,
        /// The ticket.
        ticket: TicketHash,
    },
}
