//! Address records: the addresses at which a node can be dialled, signed by that node.
//!
//! Members pass them on to other members, so that two nodes which never met can connect while the node that
//! introduced them is off. They are signed because they are relayed: a forged record could separate the members of
//! a project. The `at` of a node's records grows, so the newest record is known, whatever way it comes. Nothing
//! here dials; only the handshake proves that an address leads to the node.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::codec::DecodeError;
use crate::signed::{SignatureError, SignedFormat};
use crate::{Millis, NodeId, limits};

/// The version byte in front of every address record.
pub const ADDRESS_VERSION: u8 = 1;

const FORMAT: SignedFormat = SignedFormat {
    domain: "towline/addresses/1",
    version: ADDRESS_VERSION,
    max: limits::RECORD_BYTES,
};

/// The content of an address record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBody {
    /// The node that the addresses belong to, and that signs.
    pub node: NodeId,
    /// When, by its own clock; greater than in each of its earlier records.
    pub at: Millis,
    /// Multiaddresses without the node id, the best first; at most [`limits::RECORD_ADDRESSES`].
    pub addresses: Vec<String>,
}

/// An address record as it was signed or received. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRecord {
    bytes: Arc<[u8]>,
    body: AddressBody,
}

/// Why bytes are not an address record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not readable.
    #[error("the address record cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// More than the limit allows.
    #[error("the address record has {got} {what}; at most {max} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        got: usize,
        /// How many are allowed.
        max: usize,
    },
    /// The node is not a valid key.
    #[error("the node is not an ed25519 key")]
    Key,
    /// The signature does not fit.
    #[error("the signature is wrong")]
    Signature,
}

impl AddressRecord {
    /// Signs a record. Addresses past the limits are left out.
    pub fn sign(mut body: AddressBody, key: &SigningKey) -> Self {
        body.addresses
            .retain(|address| address.len() <= limits::RECORD_ADDRESS_BYTES);
        body.addresses.truncate(limits::RECORD_ADDRESSES);
        Self {
            bytes: FORMAT.sign(&body, key),
            body,
        }
    }

    /// Reads a record and checks its bounds, not its signature: see [`AddressRecord::verify`].
    ///
    /// # Errors
    /// When it is too large, of another version, not readable or out of bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, AddressError> {
        let body: AddressBody = FORMAT.decode(bytes)?;
        let longest = body.addresses.iter().map(String::len).max().unwrap_or(0);
        for (what, got, max) in [
            ("addresses", body.addresses.len(), limits::RECORD_ADDRESSES),
            ("bytes in one address", longest, limits::RECORD_ADDRESS_BYTES),
        ] {
            if got > max {
                return Err(AddressError::TooMany { what, got, max });
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
    pub fn verify(&self) -> Result<(), AddressError> {
        FORMAT
            .verify(&self.bytes, &self.body.node)
            .map_err(|error| match error {
                SignatureError::Key => AddressError::Key,
                SignatureError::Signature => AddressError::Signature,
            })
    }

    /// The exact bytes.
    pub const fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The content.
    pub const fn body(&self) -> &AddressBody {
        &self.body
    }
}
