//! Entries: signed records in an author's append-only log of a project.
//!
//! ```text
//! byte 0        format version, 1
//! bytes 1..65   ed25519 signature over  "towline/entry/1" ‖ version ‖ body
//! bytes 65..    body: an `EntryBody` in MessagePack with named fields
//! ```
//!
//! The hash of an entry is BLAKE3 in key-derivation mode over version ‖ body (context `towline/entry/1`). It leaves
//! the signature out and covers, through `prev`, everything before the entry in its log, so one verified signature
//! vouches for a whole contiguous run. What is verified and hashed is what was received, never a re-encoding
//! (docs/spec/replication.md, *The log*).

use std::sync::Arc;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError};
use crate::member::Genesis;
use crate::{EntryHash, Epoch, ItemId, MemberAct, Millis, NodeId, ProjectId, Tip, limits};

/// The version byte that this build writes and reads.
pub const ENTRY_VERSION: u8 = 1;
const DOMAIN: &str = "towline/entry/1";
const BODY_AT: usize = 65;

/// The number of an entry in its author's log: node, epoch and seq. Two entries share one only when the author
/// forked its log; an [`EntryHash`] is always unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthorSeq {
    /// The node that signs.
    pub node: NodeId,
    /// The node's epoch: one run of its process.
    pub epoch: Epoch,
    /// The entry's number in the node's log, from 0. It continues across epochs.
    pub seq: u64,
}

impl AuthorSeq {
    /// The length of an Automerge actor id in bytes.
    pub const ACTOR_BYTES: usize = 24;

    /// The Automerge actor under which this author writes: 16 bytes of the node, 8 of the epoch.
    pub fn actor(&self) -> [u8; Self::ACTOR_BYTES] {
        let mut bytes = [0u8; Self::ACTOR_BYTES];
        bytes[..16].copy_from_slice(&self.node.0[..16]);
        bytes[16..].copy_from_slice(&self.epoch.0.to_be_bytes());
        bytes
    }
}

/// One Automerge change of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemChange {
    /// The item.
    #[serde(rename = "i")]
    pub item: ItemId,
    /// The raw, uncompressed change.
    #[serde(rename = "c", with = "serde_bytes")]
    pub change: Vec<u8>,
}

/// The content of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// The first entry of a project.
    Genesis(Genesis),
    /// A change of the membership.
    Member(MemberAct),
    /// Changes of items, ordered so that they can be applied one after the other.
    Changes(Vec<ItemChange>),
}

/// The signed body of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryBody {
    /// The project. All zero in the genesis entry, because its hash is the project id.
    pub project: ProjectId,
    /// The node that signs.
    pub author: NodeId,
    /// The author's epoch.
    pub epoch: Epoch,
    /// The number in the author's log, from 0. It continues across epochs.
    pub seq: u64,
    /// The entries of the same author that this one follows: exactly one within an epoch, every known head of the
    /// author in the first entry of an epoch, and none in the author's first entry.
    pub prev: Vec<Tip>,
    /// The membership heads that the author knew.
    pub members: Vec<EntryHash>,
    /// When, by the author's clock; for showing only.
    pub at: Millis,
    /// The content.
    pub payload: Payload,
}

impl EntryBody {
    /// Checks what every reader of the entry checks besides its size.
    ///
    /// # Errors
    /// [`EntryError::TooMany`].
    pub fn check_bounds(&self) -> Result<(), EntryError> {
        let changes = match &self.payload {
            Payload::Changes(changes) => changes.len(),
            Payload::Genesis(_) | Payload::Member(_) => 0,
        };
        for (what, got, max) in [
            ("changes", changes, limits::CHANGES_PER_ENTRY),
            ("predecessors", self.prev.len(), limits::HEADS_PER_ENTRY),
            ("membership heads", self.members.len(), limits::HEADS_PER_ENTRY),
        ] {
            if got > max {
                return Err(EntryError::TooMany { what, got, max });
            }
        }
        Ok(())
    }

    /// The entry's number in its author's log.
    pub const fn author_seq(&self) -> AuthorSeq {
        AuthorSeq {
            node: self.author,
            epoch: self.epoch,
            seq: self.seq,
        }
    }
}

/// An entry as it was signed or received. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Entry {
    bytes: Arc<[u8]>,
    hash: EntryHash,
    body: Arc<EntryBody>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Entry {}

/// Why bytes are not an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not readable.
    #[error("the entry cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// More changes or heads than the limit allows.
    #[error("the entry has {got} {what}; at most {max} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        got: usize,
        /// How many are allowed.
        max: usize,
    },
    /// The author is not a valid key.
    #[error("the author is not an ed25519 key")]
    Key,
    /// The signature does not fit.
    #[error("the signature is wrong")]
    Signature,
}

impl Entry {
    /// Signs a body.
    pub fn sign(body: EntryBody, key: &SigningKey) -> Self {
        let encoded = codec::encode(&body);
        let signature = key.sign(&signed_bytes(ENTRY_VERSION, &encoded));
        let mut bytes = Vec::with_capacity(BODY_AT + encoded.len());
        bytes.push(ENTRY_VERSION);
        bytes.extend_from_slice(&signature.to_bytes());
        bytes.extend_from_slice(&encoded);
        Self {
            hash: hash_of(ENTRY_VERSION, &encoded),
            bytes: bytes.into(),
            body: body.into(),
        }
    }

    /// Reads an entry and checks its bounds, not its signature: see [`Entry::verify`].
    ///
    /// # Errors
    /// When it is too large, of another version, not readable or out of bounds.
    pub fn decode(bytes: Arc<[u8]>) -> Result<Self, EntryError> {
        if bytes.len() > limits::ENTRY_BYTES {
            return Err(DecodeError::TooLarge {
                got: bytes.len(),
                max: limits::ENTRY_BYTES,
            }
            .into());
        }
        let version = *bytes.first().ok_or(DecodeError::Short)?;
        if version != ENTRY_VERSION {
            return Err(DecodeError::Version {
                got: version,
                known: ENTRY_VERSION,
            }
            .into());
        }
        let encoded = bytes.get(BODY_AT..).ok_or(DecodeError::Short)?;
        let body: EntryBody = codec::decode(encoded)?;
        body.check_bounds()?;
        Ok(Self {
            hash: hash_of(version, encoded),
            body: body.into(),
            bytes,
        })
    }

    /// Checks the signature over the exact bytes, strictly (no small-order keys, no malleability).
    ///
    /// # Errors
    /// When the author is not a key or did not sign this.
    pub fn verify(&self) -> Result<(), EntryError> {
        let key = VerifyingKey::from_bytes(&self.body.author.0).map_err(|_| EntryError::Key)?;
        let version = *self.bytes.first().ok_or(DecodeError::Short)?;
        let signature = self.bytes.get(1..BODY_AT).ok_or(DecodeError::Short)?;
        let signature = Signature::from_slice(signature).map_err(|_| EntryError::Signature)?;
        let encoded = self.bytes.get(BODY_AT..).ok_or(DecodeError::Short)?;
        key.verify_strict(&signed_bytes(version, encoded), &signature)
            .map_err(|_| EntryError::Signature)
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The hash, which also covers everything before the entry in its author's log.
    pub const fn hash(&self) -> EntryHash {
        self.hash
    }

    /// The signed body.
    pub fn body(&self) -> &EntryBody {
        &self.body
    }

    /// The project that it belongs to; for a genesis entry its own hash.
    pub fn project(&self) -> ProjectId {
        match self.body.payload {
            Payload::Genesis(_) => ProjectId(self.hash.0),
            Payload::Member(_) | Payload::Changes(_) => self.body.project,
        }
    }

    /// The entry as a tip of its author's log.
    pub fn tip(&self) -> Tip {
        Tip {
            epoch: self.body.epoch,
            seq: self.body.seq,
            hash: self.hash,
        }
    }
}

fn signed_bytes(version: u8, encoded: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(DOMAIN.len() + 1 + encoded.len());
    bytes.extend_from_slice(DOMAIN.as_bytes());
    bytes.push(version);
    bytes.extend_from_slice(encoded);
    bytes
}

fn hash_of(version: u8, encoded: &[u8]) -> EntryHash {
    let mut hasher = blake3::Hasher::new_derive_key(DOMAIN);
    hasher.update(&[version]);
    hasher.update(encoded);
    EntryHash(*hasher.finalize().as_bytes())
}
