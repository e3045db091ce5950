//! How rows and cards are packed: with postcard, fields by position and enum values by number.
//!
//! Both are caches with versions of their own, so no format has to be read by another version. Relies on private
//! structs that mirror the packed types ([`super::row`], [`super::stored_card`]): the compiler reports a field that
//! is missing there. Types whose encoding depends on the names of their fields are packed by [`named`].

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use towline_proto::codec;

/// Appends a value.
///
/// # Errors
/// When memory runs out.
pub(super) fn append(into: &mut Vec<u8>, value: &impl Serialize) -> Result<(), postcard::Error> {
    let packed = postcard::to_extend(value, std::mem::take(into))?;
    *into = packed;
    Ok(())
}

/// Reads a value and gives what stands behind it; `None` for invalid bytes.
pub(super) fn read<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Option<(T, &'b [u8])> {
    postcard::take_from_bytes(bytes).ok()
}

/// `#[serde(with = "named")]`: a value in the common encoding, with the names of its fields.
pub(super) mod named {
    use super::*;

    pub(crate) fn serialize<T: Serialize, S: Serializer>(value: &T, into: S) -> Result<S::Ok, S::Error> {
        into.serialize_bytes(&codec::encode(value))
    }

    pub(crate) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        from: D,
    ) -> Result<T, D::Error> {
        let bytes = <&[u8]>::deserialize(from)?;
        codec::decode(bytes).map_err(serde::de::Error::custom)
    }
}
