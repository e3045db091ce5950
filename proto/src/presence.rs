//! Presence: the periodic message of a running node, which also renews its claims.
//!
//! Presence is gossip and not history: it is stored in no document, log or cache, and says nothing about the state
//! of an item. It is signed because it is relayed: a forged one could keep a dead node's claims from being taken
//! over. The `at` of a node's messages grows, so that an old message which somebody sends again is recognised.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::codec::DecodeError;
use crate::signed::{SignatureError, SignedFormat};
use crate::{ItemId, Millis, NodeId, ProjectId, limits};

/// The version byte in front of every presence.
pub const PRESENCE_VERSION: u8 = 1;

const FORMAT: SignedFormat = SignedFormat {
    domain: "towline/presence/1",
    version: PRESENCE_VERSION,
    max: limits::PRESENCE_BYTES,
};

/// The content of a presence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceBody {
    /// The project.
    pub project: ProjectId,
    /// The node that is running, and that signs.
    pub node: NodeId,
    /// When, by its own clock; greater than in each of its earlier messages.
    pub at: Millis,
    /// The claims that it renews, at most [`limits::PRESENCE_CLAIMS`]; a node with more renews them in turn.
    pub claims: Vec<Renewal>,
    /// The chat accounts under which it takes commands, such as `matrix @towline:example.org`, at most
    /// [`limits::PRESENCE_ACCOUNTS`], so that gateways which share a room know each other.
    #[serde(rename = "chat", default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
}

/// A claim that is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// The claimed item.
    #[serde(rename = "i")]
    pub item: ItemId,
    /// The generation of the claim.
    #[serde(rename = "g")]
    pub generation: u32,
}

/// A presence as it was signed or received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    bytes: Arc<[u8]>,
    body: PresenceBody,
}

/// Why bytes are not a presence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresenceError {
    /// Not readable.
    #[error("the presence message cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// More claims than the limit allows.
    #[error("the presence message has {got} claims; at most {max} are allowed")]
    TooMany {
        /// How many.
        got: usize,
        /// How many are allowed.
        max: usize,
    },
    /// A chat account that is too long, or too many of them.
    #[error("the presence message has invalid chat accounts: {0}")]
    Accounts(String),
    /// The node is not a valid key.
    #[error("the node is not an ed25519 key")]
    Key,
    /// The signature does not fit.
    #[error("the signature is wrong")]
    Signature,
}

impl Presence {
    /// Signs a presence.
    pub fn sign(body: PresenceBody, key: &SigningKey) -> Self {
        Self {
            bytes: FORMAT.sign(&body, key),
            body,
        }
    }

    /// Reads a presence and checks its bounds, not its signature: see [`Presence::verify`].
    ///
    /// # Errors
    /// When it is too large, of another version, not readable or out of bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, PresenceError> {
        let body: PresenceBody = FORMAT.decode(bytes)?;
        if body.claims.len() > limits::PRESENCE_CLAIMS {
            return Err(PresenceError::TooMany {
                got: body.claims.len(),
                max: limits::PRESENCE_CLAIMS,
            });
        }
        if body.accounts.len() > limits::PRESENCE_ACCOUNTS {
            let got = body.accounts.len();
            return Err(PresenceError::Accounts(format!("{got} of them")));
        }
        for account in &body.accounts {
            let bytes = account.len();
            if bytes > limits::PRESENCE_ACCOUNT_BYTES {
                return Err(PresenceError::Accounts(format!("one of {bytes} bytes")));
            }
        }
        Ok(Self {
            bytes: bytes.into(),
            body,
        })
    }

    /// Checks the signature over the exact bytes, strictly.
    ///
    /// # Errors
    /// When the node is not a key or did not sign this.
    pub fn verify(&self) -> Result<(), PresenceError> {
        FORMAT
            .verify(&self.bytes, &self.body.node)
            .map_err(|error| match error {
                SignatureError::Key => PresenceError::Key,
                SignatureError::Signature => PresenceError::Signature,
            })
    }

    /// The exact bytes.
    pub const fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The content.
    pub const fn body(&self) -> &PresenceBody {
        &self.body
    }
}
