//! Membership: who may do what in a project, as a small typed log inside the authors' logs.
//!
//! A project begins with a genesis entry whose author is its first owner. Everything after that is
//! a [`MemberAct`] in an owner's entry. What they add up to is folded in `towline-crdt`; this file
//! only says what can be said.

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
        /// And settle what others dispute.
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
    /// What people call the project.
    pub name: String,
    /// What people call the founding node.
    pub node_name: String,
    /// Random, so that two projects of one name and time differ.
    #[serde(with = "serde_bytes")]
    pub nonce: Vec<u8>,
}

/// The hash of a ticket's secret: what the log holds, so that reading the log admits nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TicketHash(#[serde(with = "serde_bytes")] pub [u8; 32]);

/// A change of the membership, in an owner's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberAct {
    /// Whoever shows the ticket's secret to this author before `expires` becomes a member.
    Invite {
        /// The hash of the secret.
        ticket: TicketHash,
        /// What the new member may do.
        role: Role,
        /// Until when, by the inviter's clock.
        expires: Millis,
    },
    /// The ticket is void.
    Withdraw {
        /// Which ticket.
        ticket: TicketHash,
    },
    /// A node becomes a member by a ticket of this author, which is used up by that.
    Admit {
        /// The new member.
        node: NodeId,
        /// What people call it.
        name: String,
        /// By which ticket.
        ticket: TicketHash,
    },
}
