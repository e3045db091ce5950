//! The one binary encoding: MessagePack with named fields, decoded strictly.
//!
//! Named fields let a newer version add one without breaking an older reader. Decoding refuses trailing bytes and
//! nesting deeper than [`limits::DECODE_DEPTH`]. A value is never encoded again in order to check it: signatures and
//! hashes cover the bytes that were received.

use serde::{Serialize, de::DeserializeOwned};

use crate::limits;

/// Why bytes could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not an encoding of the type.
    #[error("malformed: {0}")]
    Malformed(String),
    /// There are bytes behind the end of the value.
    #[error("{0} unexpected bytes at the end")]
    Trailing(usize),
    /// A version byte that this build does not know.
    #[error("format version {got}; this build reads version {known}")]
    Version {
        /// What the bytes say.
        got: u8,
        /// What this build reads.
        known: u8,
    },
    /// More bytes than the limit allows.
    #[error("{got} bytes; at most {max} are allowed")]
    TooLarge {
        /// Size in bytes.
        got: usize,
        /// Largest size in bytes.
        max: usize,
    },
    /// Fewer bytes than the shortest valid value has.
    #[error("the data ends too early")]
    Short,
}

/// Encodes a value. The types of this crate are plain data, which always encodes; a failure would be a bug here and
/// not in the caller.
///
/// # Panics
/// When a type of this crate cannot be serialised, which the golden tests would show.
#[allow(clippy::expect_used)]
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("plain data encodes")
}

/// Decodes a value and checks that nothing follows it.
///
/// # Errors
/// [`DecodeError::Malformed`] or [`DecodeError::Trailing`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut rest = std::io::Cursor::new(bytes);
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    deserializer.set_max_depth(limits::DECODE_DEPTH);
    let value =
        T::deserialize(&mut deserializer).map_err(|error| DecodeError::Malformed(error.to_string()))?;
    let read = usize::try_from(rest.position()).unwrap_or(usize::MAX);
    match bytes.len().saturating_sub(read) {
        0 => Ok(value),
        left => Err(DecodeError::Trailing(left)),
    }
}
