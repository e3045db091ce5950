//! Reads the header of a change and adds up its run-length columns without expanding them.
//!
//! Relies on the published chunk format and the bounds of `proto::limits` only. Automerge is not called, because a
//! decompression bomb attacks the parser. The time is linear in the number of bytes, whatever they claim. The scan
//! is stricter than Automerge: it refuses unknown columns, trailing bytes, messages and marks, none of which our
//! own changes contain.

use automerge::{Change, ChangeHash};
use towline_proto::{AuthorSeq, limits};

use super::GateError;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// The offset of the chunk's kind, behind the magic bytes and the checksum.
const KIND_AT: usize = 8;
const KIND_CHANGE: u8 = 1;
const KIND_COMPRESSED: u8 = 2;
const HASH_BYTES: usize = 32;
/// The largest operation counter and sequence number. Automerge keeps them in 32 bits and adds to them
/// unchecked, so a change near the maximum makes every later local write panic.
const MAX_COUNTER: u64 = i32::MAX as u64;
/// The end of the year 9999, in milliseconds (or, far less, in seconds).
const MAX_TIME: i64 = 253_402_300_799_999;
/// The bit of a column's specification that says "deflated".
const DEFLATE_BIT: u64 = 8;

/// What a change's header says, and how many operations follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeHeader {
    /// The actor that wrote it.
    pub actor: Vec<u8>,
    /// The sequence number among this actor's changes, from 1.
    pub seq: u64,
    /// The number of its first operation.
    pub start_op: u64,
    /// The changes that it depends on.
    pub deps: Vec<ChangeHash>,
    /// Other actors that its operations name.
    pub other_actors: Vec<Vec<u8>>,
    /// How many operations it holds.
    pub ops: u64,
    /// The byte offset of its dependencies.
    deps_at: usize,
}

/// The encoding of a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// Runs of indexes into the change's actors.
    Actor,
    /// Runs of unsigned numbers.
    Number,
    /// Runs of differences.
    Delta,
    /// Runs of strings.
    Text,
    /// Lengths of alternating runs.
    Flags,
    /// Runs of value kinds and lengths.
    Meta,
    /// The values' bytes.
    Raw,
    /// Runs of how many predecessors an operation has.
    Group,
}

/// The columns that our changes can have, by their specification number. Marks would need two more.
const COLUMNS: [(u64, Rows); 12] = [
    (1, Rows::Actor),   // object
    (2, Rows::Number),  // object
    (17, Rows::Actor),  // key
    (19, Rows::Delta),  // key
    (21, Rows::Text),   // key
    (52, Rows::Flags),  // insert
    (66, Rows::Number), // action
    (86, Rows::Meta),   // value
    (87, Rows::Raw),    // value
    (112, Rows::Group), // predecessors
    (113, Rows::Actor), // predecessors
    (115, Rows::Delta), // predecessors
];
const ACTION: u64 = 66;
const MARKS: [u64; 2] = [148, 165];

/// Reads a change's header and sums its run-length columns without expanding them.
///
/// # Errors
/// When a bound is exceeded or the bytes are not one plain change.
pub fn scan(bytes: &[u8]) -> Result<ChangeHeader, GateError> {
    if bytes.len() > limits::CHANGE_BYTES {
        return Err(GateError::TooLarge {
            got: bytes.len(),
            max: limits::CHANGE_BYTES,
        });
    }
    let mut reader = ByteReader(bytes);
    if reader.take(4)? != MAGIC {
        return Err(malformed("it does not begin as an Automerge chunk"));
    }
    reader.take(4)?; // The checksum: Automerge's hash is compared in `same_encoding`.
    match reader.byte()? {
        KIND_CHANGE => {}
        KIND_COMPRESSED => return Err(GateError::Compressed),
        other => return Err(GateError::ChunkKind(other)),
    }
    if reader.uleb()? != reader.0.len() as u64 {
        return Err(malformed("the chunk's length is not that of its data"));
    }

    let (deps, deps_at) = dependencies(bytes.len(), &mut reader)?;
    let actor = reader.prefixed()?.to_vec();
    let seq = counter("number of the change", reader.uleb()?)?;
    let start_op = counter("number of the first operation", reader.uleb()?)?;
    let time = reader.sleb()?;
    if !(0..=MAX_TIME).contains(&time) {
        return Err(GateError::Time(time));
    }
    if !reader.prefixed()?.is_empty() {
        return Err(GateError::Schema("a message on the change".into()));
    }
    let other_actors = actors(&mut reader, &actor)?;
    let ops = columns(&mut reader, other_actors.len() as u64 + 1)?;
    counter("number of the last operation", start_op.saturating_add(ops))?;
    Ok(ChangeHeader {
        actor,
        seq,
        start_op,
        deps,
        other_actors,
        ops,
        deps_at,
    })
}

/// Checks that `rebuilt`, encoded by Automerge from the operations of `change`, has the same bytes.
///
/// Only the order of the dependencies may differ: a local Automerge transaction puts its author's own last change
/// behind the sorted heads, while building a change sorts all of them.
pub(super) fn same_encoding(
    bytes: &[u8],
    header: &ChangeHeader,
    change: &Change,
    rebuilt: &Change,
) -> Result<(), GateError> {
    let ours = rebuilt.raw_bytes();
    let deps_end = header.deps_at + header.deps.len() * HASH_BYTES;
    let mut sorted = header.deps.clone();
    sorted.sort_unstable();
    let same = ours.get(KIND_AT..header.deps_at) == bytes.get(KIND_AT..header.deps_at)
        && ours.get(deps_end..) == bytes.get(deps_end..)
        && rebuilt.deps() == sorted
        && bytes.get(4..KIND_AT) == change.hash().0.get(..4);
    if same {
        Ok(())
    } else {
        Err(GateError::NotCanonical)
    }
}

/// Reads the dependencies; also returns their offset in the change of `total` bytes.
fn dependencies(total: usize, reader: &mut ByteReader<'_>) -> Result<(Vec<ChangeHash>, usize), GateError> {
    let got = reader.uleb()?;
    if got > limits::DEPS_PER_CHANGE as u64 {
        return Err(GateError::TooManyDeps {
            got,
            max: limits::DEPS_PER_CHANGE,
        });
    }
    let at = total - reader.0.len();
    let mut deps = Vec::new();
    for _ in 0..got {
        let hash = ChangeHash::try_from(reader.take(HASH_BYTES)?).map_err(|_| malformed("a dependency"))?;
        if deps.contains(&hash) {
            return Err(malformed("a dependency is named twice"));
        }
        deps.push(hash);
    }
    // The author's own last change may come after the others, which are sorted.
    if !deps[..deps.len().saturating_sub(1)].is_sorted() {
        return Err(malformed("the dependencies are not sorted"));
    }
    Ok((deps, at))
}

fn actors(reader: &mut ByteReader<'_>, own: &[u8]) -> Result<Vec<Vec<u8>>, GateError> {
    let got = reader.uleb()?;
    if got > limits::ACTORS_PER_CHANGE as u64 {
        return Err(GateError::TooManyActors {
            got,
            max: limits::ACTORS_PER_CHANGE,
        });
    }
    let mut actors: Vec<Vec<u8>> = Vec::new();
    for _ in 0..got {
        let actor = reader.prefixed()?;
        if actor.len() != AuthorSeq::ACTOR_BYTES || actor == own {
            return Err(malformed("it names an actor that no author writes as"));
        }
        if actors.last().is_some_and(|last| last.as_slice() >= actor) {
            return Err(malformed("the actors are not sorted"));
        }
        actors.push(actor.to_vec());
    }
    Ok(actors)
}

/// Reads the columns up to the last byte and returns the number of operations.
fn columns(reader: &mut ByteReader<'_>, actors: u64) -> Result<u64, GateError> {
    let count = reader.uleb()?;
    let mut found: Vec<(u64, Rows, u64)> = Vec::new();
    for _ in 0..count {
        let (spec, length) = (reader.uleb()?, reader.uleb()?);
        if spec & DEFLATE_BIT != 0 {
            return Err(GateError::Compressed);
        }
        if MARKS.contains(&spec) {
            return Err(GateError::Schema("a mark in the body".into()));
        }
        let Some((_, rows)) = COLUMNS.into_iter().find(|(known, _)| *known == spec) else {
            return Err(malformed("a column of an unknown kind"));
        };
        // Strictly ascending, so at most as many as are known.
        if found.last().is_some_and(|(last, _, _)| *last >= spec) {
            return Err(malformed("the columns are not sorted"));
        }
        found.push((spec, rows, length));
    }
    let (mut ops, mut described, mut raw) = (0, 0, 0);
    for (spec, rows, length) in found {
        let length = usize::try_from(length).map_err(|_| malformed("cut short"))?;
        let data = reader.take(length)?;
        match rows {
            Rows::Flags => {
                flags(data)?;
            }
            Rows::Raw => raw = data.len() as u64,
            Rows::Meta => {
                let lengths = |meta| meta >> 4;
                described = runs(data, rows, |run, meta| run.checked_mul(lengths(meta)))?.1;
            }
            Rows::Group => {
                let (_, heads) = runs(data, rows, |run, heads| run.checked_mul(heads))?;
                bounded(heads)?;
            }
            Rows::Actor => {
                let known = |_, index| (index < actors).then_some(0);
                runs(data, rows, known)?;
            }
            Rows::Number | Rows::Delta | Rows::Text => {
                let (rows, _) = runs(data, rows, |_, _| Some(0))?;
                if spec == ACTION {
                    ops = rows;
                }
            }
        }
    }
    if !reader.0.is_empty() {
        return Err(malformed("bytes behind the last column"));
    }
    if described != raw {
        return Err(malformed("the values are not as long as they claim"));
    }
    if ops == 0 {
        return Err(malformed("it holds no operation"));
    }
    Ok(ops)
}

/// Counts the rows of a column, and adds up what `weigh` returns for each run; `None` refuses the change.
fn runs(data: &[u8], rows: Rows, weigh: impl Fn(u64, u64) -> Option<u64>) -> Result<(u64, u64), GateError> {
    let mut reader = ByteReader(data);
    let (mut total, mut weight) = (0u64, 0u64);
    while !reader.0.is_empty() {
        let run = reader.sleb()?;
        if run == 0 {
            total = bounded(total.saturating_add(reader.uleb()?))?;
            continue;
        }
        total = bounded(total.saturating_add(run.unsigned_abs()))?;
        // A positive run repeats one value; a negative run of n lists n values.
        let (values, repeated) = if run > 0 {
            (1, run.unsigned_abs())
        } else {
            (run.unsigned_abs(), 1)
        };
        for _ in 0..values {
            let value = match rows {
                Rows::Text => reader.prefixed()?.len() as u64,
                Rows::Delta => reader.sleb()?.unsigned_abs(),
                Rows::Actor | Rows::Number | Rows::Flags | Rows::Meta | Rows::Raw | Rows::Group => {
                    reader.uleb()?
                }
            };
            weight = weigh(repeated, value)
                .and_then(|weighed| weight.checked_add(weighed))
                .ok_or_else(|| malformed("a value out of range"))?;
        }
    }
    Ok((total, weight))
}

/// Counts the rows of a column of flags, which holds the lengths of alternating runs.
fn flags(data: &[u8]) -> Result<u64, GateError> {
    let mut reader = ByteReader(data);
    let mut total = 0u64;
    while !reader.0.is_empty() {
        total = bounded(total.saturating_add(reader.uleb()?))?;
    }
    Ok(total)
}

fn bounded(got: u64) -> Result<u64, GateError> {
    if got <= limits::OPS_PER_CHANGE {
        return Ok(got);
    }
    Err(GateError::TooManyOps {
        got,
        max: limits::OPS_PER_CHANGE,
    })
}

fn counter(what: &'static str, got: u64) -> Result<u64, GateError> {
    if (1..=MAX_COUNTER).contains(&got) {
        return Ok(got);
    }
    Err(GateError::OutOfRange {
        what,
        got,
        max: MAX_COUNTER,
    })
}

fn malformed(what: &str) -> GateError {
    GateError::Malformed(what.into())
}

/// The bytes that are left to read.
struct ByteReader<'a>(&'a [u8]);

impl<'a> ByteReader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], GateError> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| malformed("cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, GateError> {
        let (first, rest) = self.0.split_first().ok_or_else(|| malformed("cut short"))?;
        self.0 = rest;
        Ok(*first)
    }

    /// Bytes with their length in front.
    fn prefixed(&mut self) -> Result<&'a [u8], GateError> {
        let length = usize::try_from(self.uleb()?).map_err(|_| malformed("cut short"))?;
        self.take(length)
    }

    /// An unsigned LEB128 number of at most 64 bits.
    fn uleb(&mut self) -> Result<u64, GateError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed("a number of more than 64 bits"))
    }

    /// A signed LEB128 number of at most 64 bits.
    fn sleb(&mut self) -> Result<i64, GateError> {
        let mut value = 0i64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte != 0 && byte != 0x7f {
                break;
            }
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let negative = shift < 57 && byte & 0x40 != 0;
                return Ok(if negative {
                    value | (-1 << (shift + 7))
                } else {
                    value
                });
            }
        }
        Err(malformed("a number of more than 64 bits"))
    }
}
