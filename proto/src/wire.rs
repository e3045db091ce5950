//! What two nodes say to each other on a direct stream.
//!
//! A frame is a length-prefixed, possibly compressed [`Message`]; the framing itself belongs to the
//! node. A conversation about one project: each side opens with [`Message::Hello`]; when the
//! digests differ each sends its vector ([`Message::Have`]); each then sends what the other lacks in
//! [`Message::Entries`] frames, one in flight at a time, each answered by [`Message::Got`]
//! (replication spec, *Sync*).

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
    /// What I hold, in 32 bytes. Equal digests end the conversation.
    Hello {
        /// Which project.
        project: ProjectId,
        /// [`VersionVector::digest`].
        #[serde(with = "serde_bytes")]
        digest: [u8; 32],
    },
    /// What I hold, exactly.
    Have {
        /// Which project.
        project: ProjectId,
        /// The whole vector.
        vector: VersionVector,
    },
    /// Entries that you lack, in an order in which they can be admitted.
    Entries {
        /// Which project.
        project: ProjectId,
        /// Whole entries, signatures and all.
        entries: Vec<EntryBytes>,
        /// Whether another frame follows once this one is answered.
        more: bool,
    },
    /// Your last [`Message::Entries`] frame is dealt with; send the next.
    Got {
        /// Which project.
        project: ProjectId,
    },
}

impl Message {
    /// Which project it is about.
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

/// What a node that is not a member yet says to its inviter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// Which project.
    pub project: ProjectId,
    /// The ticket's secret.
    pub secret: Secret,
    /// What people call the new node.
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

/// What the inviter answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JoinReply {
    /// You are a member now. The genesis entry lets you check everything that follows.
    Welcome {
        /// The project's first entry.
        genesis: EntryBytes,
        /// Other members and where they were last seen, as multiaddresses.
        peers: Vec<(NodeId, Vec<String>)>,
    },
    /// You are not, and why, in a sentence for people.
    Refused {
        /// The sentence.
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

/// Address records, in either direction on a stream of their own: one such message each way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressExchange {
    /// The exact bytes of address records, at most [`limits::EXCHANGE_RECORDS`].
    pub records: Vec<serde_bytes::ByteBuf>,
    /// Whether this is all that the sender knows of nodes that both may know of, so that the answer is
    /// what it lacks.
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

/// What a member shows to one that may not have heard of it: the entries by which owners let it into the
/// projects that the two share. Their signatures are the proof; nothing is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipProofs {
    /// Whole entries, at most [`limits::MEMBERSHIP_PROOFS`].
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
