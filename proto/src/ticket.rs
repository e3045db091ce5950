//! Tickets: a single string with which one node can join a project.
//!
//! A ticket is `towline1` followed by base64url of a MessagePack [`Ticket`] and a four-byte checksum. Whoever has the
//! secret in it is admitted. The project's log holds only the hash of the secret, and the inviter's node admits at
//! most one node by it, before it expires (docs/spec/replication.md, *Identity and membership*).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::member::TicketHash;
use crate::{Millis, NodeId, ProjectId, Role, codec, limits};

const PREFIX: &str = "towline1";
const CHECK_BYTES: usize = 4;
/// The longest ticket that is parsed, in characters.
const MAX_CHARS: usize = 4_096;

/// An invitation to a project. Its `Debug` output does not contain the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The project.
    pub project: ProjectId,
    /// The project's name.
    pub name: String,
    /// The node that invites; only this node admits by the ticket.
    pub inviter: NodeId,
    /// The inviter's addresses, as libp2p multiaddresses.
    pub addresses: Vec<String>,
    /// The role of the new member.
    pub role: Role,
    /// When it expires, by the inviter's clock.
    pub expires: Millis,
    /// The secret, which is shown to the inviter once.
    pub secret: Secret,
}

/// A ticket's one-time secret. Its `Debug` output does not contain any of its bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl Secret {
    /// Its hash, which the log holds.
    pub fn hash(&self) -> TicketHash {
        TicketHash(blake3::derive_key("towline/ticket/1", &self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("project", &self.project)
            .field("inviter", &self.inviter)
            .field("role", &self.role)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Why a string is not a ticket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// It does not have the prefix of a ticket.
    #[error(
        "this is not a ticket: a ticket begins with `{PREFIX}`; copy the whole line that `towline invite` printed"
    )]
    NotATicket,
    /// It is cut off or changed.
    #[error("the ticket is damaged; copy the whole line that `towline invite` printed")]
    Damaged,
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = codec::encode(self);
        bytes.extend_from_slice(&check(&bytes));
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Ticket {
    type Err = TicketError;
    fn from_str(text: &str) -> Result<Self, TicketError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(TicketError::NotATicket)?;
        if encoded.len() > MAX_CHARS {
            return Err(TicketError::Damaged);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(encoded)
            .map_err(|_| TicketError::Damaged)?;
        let at = bytes.len().checked_sub(CHECK_BYTES).ok_or(TicketError::Damaged)?;
        let (body, given) = bytes.split_at(at);
        if given != check(body) {
            return Err(TicketError::Damaged);
        }
        let ticket: Self = codec::decode(body).map_err(|_| TicketError::Damaged)?;
        if ticket.addresses.len() > limits::TICKET_ADDRESSES {
            return Err(TicketError::Damaged);
        }
        Ok(ticket)
    }
}

fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = blake3::derive_key("towline/ticket-check/1", bytes);
    [hash[0], hash[1], hash[2], hash[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_survives_its_string_and_shows_no_secret() {
        let ticket = Ticket {
            project: ProjectId([1; 32]),
            name: "demo".into(),
            inviter: NodeId([2; 32]),
            addresses: vec!["/ip4/127.0.0.1/tcp/4001".into()],
            role: Role::Writer,
            expires: Millis(5),
            secret: Secret([9; 32]),
        };
        let text = ticket.to_string();
        assert_eq!(text.parse::<Ticket>(), Ok(ticket.clone()));
        assert!(!format!("{ticket:?}").contains("9, 9"));
        assert_eq!(
            text[..text.len() - 2].parse::<Ticket>(),
            Err(TicketError::Damaged)
        );
        assert_eq!("hello".parse::<Ticket>(), Err(TicketError::NotATicket));
    }
}
