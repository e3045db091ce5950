//! Identifiers: newtypes of bytes from one macro, shown as hex.
//!
//! Every id prints as lower-case hex and parses back from it. Binary formats hold an id as a byte string, JSON as
//! hex. This module never makes up an id: randomness and time are arguments.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a string is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must have {want} hex digits; got {got:?}")]
pub struct ParseIdError {
    /// The kind of id.
    pub what: &'static str,
    /// How many hex digits it has.
    pub want: usize,
    /// The given text, cut to 80 characters.
    pub got: String,
}

fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Reads exactly `N` bytes of hex; `None` when the length or a digit is wrong.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut out = [0u8; N];
    for (slot, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *slot = (nibble(*high)? << 4) | nibble(*low)?;
    }
    Some(out)
}

/// Writes bytes as lower-case hex.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The raw bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The first eight hex digits, for logs and people.
            pub fn short(&self) -> String {
                to_hex(&self.0[..4])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&to_hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                from_hex(text).map(Self).ok_or_else(|| ParseIdError {
                    what: $what,
                    want: $len * 2,
                    got: text.chars().take(80).collect(),
                })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.serialize_str(&to_hex(&self.0))
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "{} of {} bytes", $what, $len)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<$name, E> {
                        <[u8; $len]>::try_from(bytes)
                            .map($name)
                            .map_err(|_| E::invalid_length(bytes.len(), &self))
                    }
                }
                // Inside a tagged enum, serde replays buffered content and forgets which kind of format it
                // came from, so the visitor accepts both forms.
                if deserializer.is_human_readable() {
                    deserializer.deserialize_str(Visitor)
                } else {
                    deserializer.deserialize_bytes(Visitor)
                }
            }
        }
    };
}

byte_id!(
    /// A node: its ed25519 public key, which is also its libp2p identity.
    NodeId, 32, "a node id"
);
byte_id!(
    /// A project: the hash of its genesis entry.
    ProjectId, 32, "a project id"
);
byte_id!(
    /// An entry: the BLAKE3 hash of its signed bytes (see [`crate::entry`]).
    EntryHash, 32, "an entry hash"
);
byte_id!(
    /// An item: a UUIDv7 (RFC 9562, section 5.7), so that ids sort by creation.
    ItemId, 16, "an item id"
);
byte_id!(
    /// An act: derived from its position in its author's log, so that nobody can write under the key of somebody
    /// else's act. See [`ActId::derive`].
    ActId, 16, "an act id"
);
byte_id!(
    /// An event: derived from the item, the kind of event and the act that caused it, so that it
    /// is the same on every replica. See [`EventId::derive`].
    EventId, 16, "an event id"
);
byte_id!(
    /// A request that is carried out at most once, however often it is sent: a hash of where it was made and of its
    /// name there. See [`RequestId::derive`].
    RequestId, 16, "a request id"
);

/// One run of a node as an author: drawn at random when a process first writes, and never used again.
///
/// A store that was restored from an old backup therefore continues under a new epoch, and can never use the same
/// (author, epoch, seq) twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The first 16 bytes of a BLAKE3 hash in key-derivation mode over length-prefixed parts.
fn derive16(context: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut out = [0u8; 16];
    hasher.finalize_xof().fill(&mut out);
    out
}

impl ItemId {
    /// The number of hex digits of a [`key`](ItemId::key).
    pub const KEY_DIGITS: usize = 16;

    /// The id of the item that the `ordinal`th act of the entry at `author` creates: a UUIDv7 (RFC 9562, section
    /// 5.7) whose random bits are derived from the entry's author, epoch (which is random) and seq. The gate checks
    /// them, so nobody can create another item under somebody else's id.
    pub fn derive(at: crate::Millis, author: &crate::AuthorSeq, ordinal: u32) -> Self {
        let random = derive16(
            "towline/item-id/1",
            &[
                &author.node.0,
                &author.epoch.0.to_le_bytes(),
                &author.seq.to_le_bytes(),
                &ordinal.to_le_bytes(),
            ],
        );
        let mut bytes = [0u8; 16];
        bytes[..6].copy_from_slice(&at.0.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random[..10]);
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// The id of a project's settings document: derived from the project alone, so that every member writes to the
    /// same document. Its time is 0, which no real item has.
    pub fn settings(project: &ProjectId) -> Self {
        let random = derive16("towline/settings-id/1", &[&project.0]);
        let mut bytes = [0u8; 16];
        bytes[6..].copy_from_slice(&random[..10]);
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// When the item was created, by its creator's clock.
    pub fn at(&self) -> crate::Millis {
        let [a, b, c, d, e, f, ..] = self.0;
        crate::Millis(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// The key that people may type instead of a number: hex digits of the hash of the id. (The id begins with a
    /// time, so its own first digits do not distinguish items.)
    pub fn key(&self) -> String {
        to_hex(&derive16("towline/item-key/1", &[&self.0])[..Self::KEY_DIGITS / 2])
    }
}

impl ActId {
    /// The id of the `ordinal`th act of the entry at (`author`, `epoch`, `seq`). The gate admits no other key, so an
    /// act can neither be overwritten nor forged in the name of another author.
    pub fn derive(author: &NodeId, epoch: Epoch, seq: u64, ordinal: u32) -> Self {
        Self(derive16(
            "towline/act-id/1",
            &[
                &author.0,
                &epoch.0.to_le_bytes(),
                &seq.to_le_bytes(),
                &ordinal.to_le_bytes(),
            ],
        ))
    }
}

impl RequestId {
    /// The id of the request with the name `message` in `scope`: a chat service and room, or an agent's session.
    pub fn derive(scope: &str, message: &str) -> Self {
        Self(derive16(
            "towline/request-id/1",
            &[scope.as_bytes(), message.as_bytes()],
        ))
    }
}

impl EventId {
    /// The id of the event of `kind` that the act `cause` caused on `item`.
    pub fn derive(item: &ItemId, kind: &str, cause: &ActId) -> Self {
        Self(derive16(
            "towline/event-id/1",
            &[&item.0, kind.as_bytes(), &cause.0],
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author_seq() -> crate::AuthorSeq {
        crate::AuthorSeq {
            node: NodeId([3; 32]),
            epoch: Epoch(9),
            seq: 4,
        }
    }

    #[test]
    fn an_id_prints_and_parses_and_refuses_anything_else() {
        let id = ItemId::derive(crate::Millis(1_700_000_000_000), &author_seq(), 0);
        assert_eq!(id.to_string().parse::<ItemId>(), Ok(id));
        assert_eq!(id.to_string().len(), 32);
        assert!("42".parse::<ItemId>().is_err());
        assert!("g".repeat(32).parse::<ItemId>().is_err());
        assert!("é".repeat(16).parse::<ItemId>().is_err());
    }

    #[test]
    fn an_item_id_is_a_version_seven_uuid_that_holds_its_time() {
        let id = ItemId::derive(crate::Millis(0x0123_4567_89ab), &author_seq(), 0);
        assert!(id.to_string().starts_with("0123456789ab7"));
        assert_eq!(id.at(), crate::Millis(0x0123_4567_89ab));
        assert_ne!(
            id,
            ItemId::derive(crate::Millis(0x0123_4567_89ab), &author_seq(), 1)
        );
    }
}
