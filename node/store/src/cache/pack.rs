//! Compresses values if that pays; the first byte says whether.
//!
//! Documents and events repeat the same words, but each is too short to be compressed alone, so both sides
//! share a dictionary ([`DICTIONARY`]). Invalid bytes give `None`, and a length from a damaged disk allocates
//! no more than the largest value.

use zstd::bulk::{Compressor, Decompressor};

/// The dictionary, the most frequent strings last: field names and enum values of acts and events in
/// MessagePack. Part of the format: changing it requires new versions in the names of the tables that use it.
const DICTIONARY: &[u8] = b"\xa4type\xabitem-edited\xa7changed\xa4what\x82\xa4type\xaafield-edit\xa4type\xacitem-deleted\xa4type\
\xadcomment-added\xa7comment\xa7excerpt\xa4type\xa7claimed\xa6holder\xaageneration\xa4type\xa8released\xa5agent\xa4user\
\xa4type\xa5moved\xa4from\xa7backlog\xa2to\xa6coding\xa2qa\xa5merge\xa4done\xa8archived\xa6closed\xa8upcoming\xa7blocked\xa6reason\
\xa1e\xabset-epic\xa4epic\xc4\x10\x01\xa1e\xadset-criterion\xa9criterion\xa5state\xa3met\xa8evidence\xa1e\xaeadd-criterion\xa4text\
\xa1e\xa7comment\xa4text\xa1e\xa5claim\xa6holder\xa1e\xa7release\xa1e\xa5start\xa1e\xa6submit\xa1e\xa4pass\xa1e\xa7abandon\xa1e\xa7archive\
\xa1e\xa9set-title\xa5title\xa1e\xacset-priority\xa8priority\xa1e\xacset-assignee\xa8assignee\
\x8e\xa8position\xcd\xa7seen_at\xcf\x00\x00\x01\xa8backfill\xc2\xa2id\xc4\x10\xa7project\xc4 \xa4item\xc4\x10\x01\x9b\xa6number\xcd\x04\
\xa4kind\xa5story\xa5title\xd9(\xa6status\xa6active\xa6origin\x82\xa4kind\xa4user\xa2id\xa4node\xc4 \xa2at\xcf\x00\x00\x01\
\xa4what\x82\xa4type\xacitem-created\xa6column\xa7backlog\xa6status\xa4done\xa6origin\x82\xa4kind\xa6import\xa2id\
\x85oJ\x83\x01\x18\x07\x01\x02\x03\x02\x13\x04#\x02@\x03C\x02V\x02\x0c\x01\x05\x02\x07\x11\x05\x13\x08\x15\xd4\x01!\x03#\x0c4\x03B\x06V\x12W\
\x80\x01\x03\x02\x00\x02\x01~\x02\x00~\x00\x01\x7f\x00\x02\x07\x00\x02\x03\x00\x00\x02\x06\x01x\x04acts\x04body \
\xa1b\x82\xa4kind\xa5agent\xa2id\xa1b\x82\xa4kind\xa4user\xa2id\x83\xa1o\x82\xa1e\xaeadd-dependency\xa2on\xc4\x10\x01\x9b\
\x83\xa1o\x82\xa1e\xa9add-label\xa5label\xa9type:task\x83\xa1o\x83\xa1e\xa8add-link\xa4kind\xa8external\xa6target\
\x83\xa1o\x82\xa1e\xabmark-import\xa6digest\xd9 \x83\xa1o\x81\xa1e\xa9edit-body\x84\xa1o\x81\xa1e\xa6merged\xa1s\x91\xc4\x10\
\x83\xa1o\x87\xa1e\xa6create\xa6number\xcd\x04\xa4kind\xa5story\xa5title\xd9*\xa6column\xa7backlog\xa8priority\x02\xa2qa\xa5agent\
\xa1t\xcf\x00\x00\x01\x9b\xa1b\x82\xa4kind\xa6import\xa2id\xaf";

/// The fastest compression level. The next ones take up to twice as long for one percent.
const LEVEL: i32 = 1;
/// Shorter values are not compressed.
const MIN_BYTES: usize = 64;
/// Longer values are not compressed, which bounds the memory for reading one.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// The fraction of its length that a value must lose for compression to pay.
const WORTH: usize = 8;

/// The first byte of an uncompressed value.
const PLAIN: u8 = 0;
/// The first byte of a compressed value; its length before that follows, u32, little-endian.
const ZSTD: u8 = 1;

/// Compresses values one after the other. Preparing for the first one takes longer than compressing it.
#[derive(Default)]
pub(super) struct Packer(Option<Compressor<'static>>);

impl Packer {
    /// A value with its first byte.
    pub(super) fn pack(&mut self, value: &[u8]) -> Vec<u8> {
        self.compressed(value).unwrap_or_else(|| {
            let mut plain = Vec::with_capacity(1 + value.len());
            plain.push(PLAIN);
            plain.extend_from_slice(value);
            plain
        })
    }

    fn compressed(&mut self, value: &[u8]) -> Option<Vec<u8>> {
        if !(MIN_BYTES..=MAX_BYTES).contains(&value.len()) {
            return None;
        }
        let len = u32::try_from(value.len()).ok()?;
        if self.0.is_none() {
            self.0 = Compressor::with_dictionary(LEVEL, DICTIONARY).ok();
        }
        let frame = self.0.as_mut()?.compress(value).ok()?;
        if frame.len() > value.len() - value.len() / WORTH {
            return None;
        }
        let mut packed = Vec::with_capacity(5 + frame.len());
        packed.push(ZSTD);
        packed.extend_from_slice(&len.to_le_bytes());
        packed.extend_from_slice(&frame);
        Some(packed)
    }
}

/// Decompresses values one after the other.
#[derive(Default)]
pub(super) struct Unpacker(Option<Decompressor<'static>>);

impl Unpacker {
    /// The value; `None` if the bytes are invalid.
    pub(super) fn unpack(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (first, rest) = bytes.split_first()?;
        match *first {
            PLAIN => Some(rest.to_vec()),
            ZSTD => {
                let (len, frame) = rest.split_first_chunk()?;
                let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
                if self.0.is_none() {
                    self.0 = Decompressor::with_dictionary(DICTIONARY).ok();
                }
                let value = self.0.as_mut()?.decompress(frame, len.min(MAX_BYTES)).ok()?;
                (value.len() == len).then_some(value)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Values of which some repeat themselves, as documents do.
    fn value() -> impl Strategy<Value = Vec<u8>> {
        (vec(any::<u8>(), 0..300), 0usize..20).prop_map(|(part, times)| part.repeat(times))
    }

    proptest! {
        #[test]
        fn a_value_comes_back_as_it_went_in(values in vec(value(), 1..4)) {
            let mut packer = Packer::default();
            for value in values {
                let packed = packer.pack(&value);
                prop_assert!(packed.len() <= value.len() + 1);
                prop_assert_eq!(Unpacker::default().unpack(&packed), Some(value));
            }
        }

        #[test]
        fn damaged_bytes_are_none_or_another_value(value in value(), at in any::<usize>(), byte in any::<u8>()) {
            let mut packed = Packer::default().pack(&value);
            let at = at % packed.len();
            packed[at] = byte;
            if let Some(other) = Unpacker::default().unpack(&packed) {
                prop_assert!(other.len() <= MAX_BYTES);
            }
        }
    }

    #[test]
    fn what_repeats_itself_is_compressed_and_what_is_short_or_random_is_not() {
        let mut packer = Packer::default();
        let long = packer.pack(&b"the same words again and again ".repeat(100));
        assert_eq!(long.first(), Some(&ZSTD));
        assert!(long.len() < 100, "{} bytes", long.len());
        assert_eq!(packer.pack(b"short").first(), Some(&PLAIN));
        let mut random = vec![0; 4_096];
        blake3::Hasher::new().finalize_xof().fill(&mut random);
        assert_eq!(packer.pack(&random).first(), Some(&PLAIN));
    }

    /// Caches with another dictionary cannot be read.
    #[test]
    fn the_dictionary_is_part_of_the_format() {
        let hash = blake3::hash(DICTIONARY).to_hex();
        assert_eq!(
            &hash[..16],
            "81d525ff428bfa82",
            "raise docs/2 and feed/3 when this changes"
        );
    }
}
