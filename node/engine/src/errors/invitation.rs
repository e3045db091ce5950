//! Why an invitation was not made or revoked, and why a node that presents a ticket is not admitted.
//!
//! Relies on the rules of the membership. What it says about tickets is also sent to the node that joins, which
//! may run another version. Decides nothing.

use towline_api::failure::{FailureCode, Hint, OperationError};
use towline_crdt::members::MembershipError;
use towline_proto::text::TextError;
use towline_proto::{Millis, Role};

/// Why the membership stays as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvitationError {
    /// The role of this node does not allow it.
    #[error("this node is a {role}; only an owner of {project} can invite")]
    MayNotInvite {
        /// The role of this node.
        role: Role,
        /// The project's name.
        project: String,
    },
    /// The time is out of bounds.
    #[error("a ticket can be valid for at most 30 days, and not for 0")]
    Validity,
    /// Nobody could reach this node.
    #[error("this node has no address that others can reach")]
    NoAddress,
    /// No open invitation matches.
    #[error("no open invitation of this node matches")]
    NoInvitation,
    /// Several invitations match.
    #[error("several invitations match; use more digits")]
    SeveralInvitations,
    /// The rules of the membership refuse it.
    #[error(transparent)]
    Refused(#[from] MembershipError),
    /// The joining node has no proper name.
    #[error("invalid node name: {0}")]
    InvalidName(TextError),
    /// The joining node is in.
    #[error("this node is already a member and needs no ticket")]
    AlreadyMember,
    /// The ticket is unknown.
    #[error("the inviter does not know this ticket; ask for a new one")]
    UnknownTicket,
    /// Another node made the ticket.
    #[error("this ticket was issued by another node; connect to that node")]
    ForeignTicket,
    /// The ticket is spent.
    #[error("this ticket was already used or revoked; ask for a new one")]
    SpentTicket,
    /// The ticket is too old.
    #[error("this ticket expired at {0}; ask for a new one")]
    ExpiredTicket(Millis),
}

impl OperationError for InvitationError {
    fn code(&self) -> FailureCode {
        match self {
            Self::Validity => FailureCode::Usage,
            Self::NoAddress => FailureCode::Unreachable,
            Self::NoInvitation | Self::SeveralInvitations => FailureCode::NotFound,
            Self::MayNotInvite { .. }
            | Self::Refused(_)
            | Self::InvalidName(_)
            | Self::AlreadyMember
            | Self::UnknownTicket
            | Self::ForeignTicket
            | Self::SpentTicket
            | Self::ExpiredTicket(_) => FailureCode::NotAllowed,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::NoAddress => Some(Hint::UpOrAnnounce),
            Self::NoInvitation => Some(Hint::ListMembers),
            _ => None,
        }
    }
}
