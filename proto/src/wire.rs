//! The messages that two nodes send each other on a direct stream.
//!
//! A frame is a length-prefixed and possibly compressed [`Message`]; the node does the framing. To synchronise a
//! project, each side sends [`Message::Hello`]. When the digests differ, each sends its vector ([`Message::Have`]).
//! Each then sends the entries that the other lacks in [`Message::Entries`] frames, one at a time, each acknowledged
//! by [`Message::Got`] (docs/spec/replication.md, *Sync*).

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::{self, DecodeError};
use crate::ticket::Secret;
use crate::{NodeId, ProjectId, VersionVector, limits};

/// The version byte in front of every message.
pub const WIRE_VERSION: u8 = 1;

/// The exact bytes of an entry, as a byte string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryBytes(pub Arc<[u8]>);

impl Serialize for EntryBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for EntryBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_bytes::ByteBuf::deserialize(deserializer).map(|bytes| Self(bytes.into_vec().into()))
    }
}

/// One message about one project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// The digest of the sender's vector. Equal digests end the exchange.
    Hello {
        /// The project.
        project: ProjectId,
        /// [`VersionVector::digest`].
        #[serde(with = "serde_bytes")]
        digest: [u8; 32],
    },
    /// The sender's vector, and a request for the entries that it lacks.
    Have {
        /// The project.
        project: ProjectId,
        /// The vector.
        vector: VersionVector,
    },
    /// Entries that the receiver lacks, ordered so that they can be admitted one after the other.
    Entries {
        /// The project.
        project: ProjectId,
        /// Complete entries, with their signatures.
        entries: Vec<EntryBytes>,
        /// Whether another frame follows once this one is acknowledged.
        more: bool,
    },
    /// All entries of the last [`Message::Entries`] frame have been handled; the next frame can be sent.
    Got {
        /// The project.
        project: ProjectId,
    },
}

impl Message {
    /// The project that it is about.
    pub const fn project(&self) -> ProjectId {
        match self {
            Self::Hello { project, .. }
            | Self::Have { project, .. }
            | Self::Entries { project, .. }
            | Self::Got { project } => *project,
        }
    }

    /// The bytes of a frame, before compression.
    pub fn encode(&self) -> Vec<u8> {
        versioned(self)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When it is too large, of another version or not readable.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let message: Self = unversioned(bytes)?;
        let rows = match &message {
            Self::Have { vector, .. } => vector.rows(),
            Self::Hello { .. } | Self::Entries { .. } | Self::Got { .. } => 0,
        };
        if rows > limits::VECTOR_ROWS {
            return Err(DecodeError::TooLarge {
                got: rows,
                max: limits::VECTOR_ROWS,
            });
        }
        Ok(message)
    }
}

/// The request of a node that wants to join, sent to its inviter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The project.
    pub project: ProjectId,
    /// The secret of the ticket.
    pub secret: Secret,
    /// The name of the new node, for people.
    pub name: String,
}

impl JoinRequest {
    /// The bytes of a frame.
    pub fn encode(&self) -> Vec<u8> {
        versioned(self)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When it is too large, of another version or not readable.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        unversioned(bytes)
    }
}

/// The inviter's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JoinReply {
    /// The node is a member now. It checks everything that follows against the genesis entry.
    Welcome {
        /// The project's first entry.
        genesis: EntryBytes,
        /// Other members with their last known multiaddresses.
        peers: Vec<(NodeId, Vec<String>)>,
    },
    /// The node was not admitted.
    Refused {
        /// The reason, as a sentence for people.
        why: String,
    },
}

impl JoinReply {
    /// The bytes of a frame.
    pub fn encode(&self) -> Vec<u8> {
        versioned(self)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When it is too large, of another version or not readable.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        unversioned(bytes)
    }
}

/// Address records. They have a stream of their own, on which each side sends one such message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressExchange {
    /// The exact bytes of address records, at most [`limits::EXCHANGE_RECORDS`].
    pub records: Vec<serde_bytes::ByteBuf>,
    /// Whether these are all records that the sender has of nodes which both may know, so that the receiver can
    /// answer with those that it lacks.
    pub all: bool,
}

impl AddressExchange {
    /// The bytes of a frame.
    pub fn encode(&self) -> Vec<u8> {
        versioned(self)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When it is too large, of another version, not readable, or holds too many records.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let exchange: Self = unversioned(bytes)?;
        if exchange.records.len() > limits::EXCHANGE_RECORDS {
            return Err(DecodeError::TooLarge {
                got: exchange.records.len(),
                max: limits::EXCHANGE_RECORDS,
            });
        }
        Ok(exchange)
    }
}

/// Proof of a node's membership, for a member that may not have its entries yet: the entries by which owners admitted
/// the node to the projects that both share. The signatures are the proof. There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipProofs {
    /// Complete entries, at most [`limits::MEMBERSHIP_PROOFS`].
    pub entries: Vec<EntryBytes>,
}

impl MembershipProofs {
    /// The bytes of a frame.
    pub fn encode(&self) -> Vec<u8> {
        versioned(self)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When it is too large, of another version or not readable.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let admissions: Self = unversioned(bytes)?;
        let got = admissions.entries.len();
        if got > limits::MEMBERSHIP_PROOFS {
            let max = limits::MEMBERSHIP_PROOFS;
            return Err(DecodeError::TooLarge { got, max });
        }
        Ok(admissions)
    }
}

fn versioned<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![WIRE_VERSION];
    bytes.extend_from_slice(&codec::encode(value));
    bytes
}

fn unversioned<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    if bytes.len() > limits::FRAME_BYTES {
        return Err(DecodeError::TooLarge {
            got: bytes.len(),
            max: limits::FRAME_BYTES,
        });
    }
    match bytes.split_first() {
        None => Err(DecodeError::Short),
        Some((&WIRE_VERSION, rest)) => codec::decode(rest),
        Some((&got, _)) => Err(DecodeError::Version {
            got,
            known: WIRE_VERSION,
        }),
    }
}
