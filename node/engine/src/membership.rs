//! Invitations: creating and revoking tickets, and admitting nodes that present one.

use towline_api::request::{Failure, FailureCode, Reply};
use towline_proto::ids::to_hex;
use towline_proto::member::TicketHash;
use towline_proto::ticket::Secret;
use towline_proto::wire::{EntryBytes, JoinReply, JoinRequest};
use towline_proto::{Entry, MemberAct, NodeId, Role, Ticket, limits, text};

use super::Project;

/// The longest validity of a ticket: 30 days, in milliseconds.
const MAX_VALID_MS: u64 = 30 * 24 * 3_600 * 1_000;

fn not_allowed(message: impl Into<String>) -> Failure {
    Failure::new(FailureCode::NotAllowed, message)
}

impl Project {
    /// Creates a ticket.
    pub(crate) fn invite(&mut self, role: Role, valid_ms: u64) -> Result<Reply, Failure> {
        let role_here = self.query().role();
        if !role_here.may_invite() {
            let name = self.name();
            let message = format!("this node is a {role_here}; only an owner of {name} can invite");
            return Err(not_allowed(message));
        }
        if valid_ms == 0 || valid_ms > MAX_VALID_MS {
            return Err(Failure::new(
                FailureCode::Usage,
                "a ticket can be valid for at most 30 days, and not for 0",
            ));
        }
        let mut addresses = self.replication.ticket_addresses()?;
        addresses.truncate(limits::TICKET_ADDRESSES);
        let mut secret = [0; 32];
        self.env.random(&mut secret);
        let secret = Secret(secret);
        let expires = self.now().plus(valid_ms);
        self.write_member(MemberAct::Invite {
            ticket: secret.hash(),
            role,
            expires,
        })?;
        let ticket = Ticket {
            project: self.id,
            name: self.name().to_owned(),
            inviter: self.author.node,
            addresses,
            role,
            expires,
            secret,
        };
        Ok(Reply::Ticket {
            ticket: ticket.to_string(),
            expires,
        })
    }

    /// Revokes a ticket of this node, given by the first digits of its hash.
    pub(crate) fn withdraw(&mut self, prefix: &str) -> Result<Entry, Failure> {
        let prefix = prefix.to_lowercase();
        let mine = self
            .members
            .invitations()
            .filter(|(_, invitation)| invitation.inviter == self.author.node);
        let fits: Vec<_> = mine
            .filter(|(_, invitation)| !invitation.spent)
            .filter(|(ticket, _)| !prefix.is_empty() && to_hex(&ticket.0).starts_with(&prefix))
            .map(|(ticket, _)| *ticket)
            .collect();
        let ticket = match fits.as_slice() {
            [ticket] => *ticket,
            [] => {
                let message = "no open invitation of this node matches; run `towline members` to list them";
                return Err(Failure::new(FailureCode::NotFound, message));
            }
            _ => {
                return Err(Failure::new(
                    FailureCode::NotFound,
                    "several invitations match; use more digits",
                ));
            }
        };
        self.write_member(MemberAct::Withdraw { ticket })
    }

    /// Whether a ticket was used or withdrawn, as far as this node knows.
    pub(crate) fn is_spent(&self, ticket: &TicketHash) -> bool {
        let invitation = self.members.invitation(ticket);
        invitation.is_some_and(|invitation| invitation.spent)
    }

    /// Admits a node that shows a ticket, or returns why not.
    pub(crate) fn handle_join(&mut self, peer: NodeId, request: JoinRequest) -> JoinReply {
        match self.try_join(peer, request) {
            Ok(reply) => reply,
            Err(failure) => {
                tracing::info!(peer = %peer.short(), why = %failure, "a node was not admitted");
                JoinReply::Refused { why: failure.message }
            }
        }
    }

    fn try_join(&mut self, peer: NodeId, request: JoinRequest) -> Result<JoinReply, Failure> {
        let ticket = request.secret.hash();
        let was_member = self.members.member(&peer).is_some();
        let invitation = self.members.invitation(&ticket);
        // A node that the ticket admitted gets the welcome again if it was lost.
        let lost_welcome = was_member && invitation.is_some();
        if !lost_welcome {
            self.check_ticket(&ticket)?;
            text::name(&request.name).map_err(|why| not_allowed(format!("invalid node name: {why}")))?;
            if was_member {
                return Err(not_allowed("this node is already a member and needs no ticket"));
            }
            self.write_member(MemberAct::Admit {
                node: peer,
                name: request.name,
                ticket,
            })?;
            self.commit_pending()?;
            self.replication.publish_members(&self.members, self.env.now());
        }
        Ok(JoinReply::Welcome {
            genesis: EntryBytes(self.genesis.bytes().clone()),
            peers: Vec::new(),
        })
    }

    /// Handles the entry that proves the membership of a node unknown to this one. From here on the two sync,
    /// and the rest of the log before that entry arrives by catch-up.
    pub(crate) fn handle_admission(&mut self, peer: NodeId, entry: &Entry) {
        let fits = entry.project() == self.id && entry.verify().is_ok();
        if !fits || self.members.vouched_by(entry) != Some(peer) {
            tracing::debug!(peer = %peer.short(), "it shows an invalid admission");
            return;
        }
        if self.members.member(&peer).is_some() || !self.replication.vouch(peer) {
            return;
        }
        tracing::info!(peer = %peer.short(), "connected to a member that this node did not know yet");
        self.replication.publish_members(&self.members, self.env.now());
    }

    fn check_ticket(&self, ticket: &TicketHash) -> Result<(), Failure> {
        let unknown = "the inviter does not know this ticket; ask for a new one";
        let invitation = self
            .members
            .invitation(ticket)
            .ok_or_else(|| not_allowed(unknown))?;
        if invitation.inviter != self.author.node {
            return Err(not_allowed(
                "this ticket was issued by another node; connect to that node",
            ));
        }
        if invitation.spent {
            return Err(not_allowed(
                "this ticket was already used or revoked; ask for a new one",
            ));
        }
        if invitation.expires <= self.now() {
            return Err(not_allowed(format!(
                "this ticket expired at {}; ask for a new one",
                invitation.expires
            )));
        }
        Ok(())
    }
}
