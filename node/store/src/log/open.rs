//! Opens a log and distinguishes a crash from damage.
//!
//! A crash during an append leaves a torn batch at the very end, which was never acknowledged: it is cut off.
//! Any other bytes that are not a record are damage: those that a later batch follows, or that were synced
//! according to the head file. Damage, and a log that ends before its head, are not errors here, because the
//! node must start to be repaired; the log is then read-only.

use std::path::Path;

use towline_proto::{ProjectId, Tip};

use super::error::{Damage, LogError};
use super::head::{Head, HeadFile};
use super::record::{Record, SEGMENT_HEADER_BYTES, SegmentHeader, position, split_position};
use super::segment::{self, SearchResult, Segment, WalkEnd};

/// What was found on opening, besides the records.
#[derive(Debug, Default)]
pub struct OpenReport {
    /// The first damaged place; nothing after it was read.
    pub damage: Option<Damage>,
    /// A torn batch that was cut off; it was never acknowledged.
    pub torn_tail: Option<TornTail>,
    /// The log ends before the position that this node had synced.
    pub shortened: Option<Shortened>,
    /// This node's own last entry according to the head file. It may lag behind the log. If the log does not
    /// contain it, the node must ask its peers before it writes.
    pub own: Option<Tip>,
}

/// A torn batch that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TornTail {
    /// Where the batch began; the log ends here now.
    pub position: u64,
    /// How many bytes were cut off, preallocated zeros included.
    pub bytes: u64,
}

/// A log that ends before the position that this node had synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortened {
    /// Where the log must at least reach.
    pub recorded: u64,
    /// Where it ends.
    pub found: u64,
}

/// The state of a log after reading it.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) segments: Vec<Segment>,
    pub(crate) head: Head,
    pub(crate) head_file: HeadFile,
    pub(crate) opened: OpenReport,
}

/// Opens every segment and passes the records from `from` on to `each`.
pub(crate) fn read(
    dir: &Path,
    project: ProjectId,
    from: u64,
    each: &mut dyn FnMut(Record) -> Result<(), LogError>,
) -> Result<Parts, LogError> {
    let numbers = match segment::list(dir) {
        Ok(numbers) if !numbers.is_empty() => numbers,
        Ok(_) => return Err(LogError::Missing { dir: dir.to_owned() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(LogError::Missing { dir: dir.to_owned() });
        }
        Err(error) => return Err(LogError::io("list", dir)(error)),
    };
    let path = dir.join("head");
    let (head_file, head) = HeadFile::open(&path).map_err(LogError::io("open", &path))?;
    let head = head.unwrap_or_default();
    let (mut segments, headers, mut damage) = open_segments(dir, project, &numbers)?;
    let mut opened = OpenReport {
        own: head.own,
        ..OpenReport::default()
    };
    for (at, segment) in segments.iter_mut().enumerate() {
        let next = headers.get(at + 1);
        let begin = match split_position(from) {
            (number, _) if number > segment.number => {
                // Verified before: only its end matters.
                segment.end = next.map_or(SEGMENT_HEADER_BYTES, |next| next.before_end);
                continue;
            }
            (number, offset) if number == segment.number => offset.max(SEGMENT_HEADER_BYTES),
            _ => SEGMENT_HEADER_BYTES,
        };
        let stop = segment.walk(begin, each)?;
        let bad = match (stop, next) {
            (WalkEnd::End(end), Some(next)) if end == next.before_end => {
                segment.end = end;
                continue;
            }
            (WalkEnd::End(end), Some(next)) => Some((
                end,
                format!(
                    "the segment ends here, but had data up to byte {}",
                    next.before_end
                ),
            )),
            (WalkEnd::Bad(end, why), Some(_)) => Some((end, why)),
            (stop, None) => classify_end(segment, stop, &head, damage.is_some(), &mut opened)?,
        };
        if let Some((offset, why)) = bad {
            segment.end = offset;
            damage = Some(Damage {
                segment: segment.number,
                offset,
                why,
            });
            break;
        }
    }
    opened.damage = damage;
    if opened.damage.is_none() {
        check_end(&segments, &head, &mut opened)?;
    }
    Ok(Parts {
        segments,
        head,
        head_file,
        opened,
    })
}

type Openable = (Vec<Segment>, Vec<SegmentHeader>, Option<Damage>);

/// Opens the segments up to the first that is missing or has a damaged header.
fn open_segments(dir: &Path, project: ProjectId, numbers: &[u32]) -> Result<Openable, LogError> {
    let mut segments = Vec::with_capacity(numbers.len());
    let mut headers = Vec::with_capacity(numbers.len());
    for (expected, number) in (1u32..).zip(numbers.iter().copied()) {
        if number != expected {
            let damage = Damage {
                segment: expected,
                offset: 0,
                why: "the segment is missing".to_owned(),
            };
            return Ok((segments, headers, Some(damage)));
        }
        let (segment, header) = Segment::open(dir, number, project)?;
        match header {
            Ok(header) => {
                segments.push(segment);
                headers.push(header);
            }
            Err(damage) => return Ok((segments, headers, Some(damage))),
        }
    }
    Ok((segments, headers, None))
}

/// Classifies the end of the last readable segment: `Some` for damage, `None` for a clean end, possibly after
/// a torn batch was cut off.
fn classify_end(
    segment: &mut Segment,
    stop: WalkEnd,
    head: &Head,
    more_was_there: bool,
    opened: &mut OpenReport,
) -> Result<Option<(u64, String)>, LogError> {
    let (end, why) = match stop {
        WalkEnd::End(end) if segment.is_zero_after(end)? => {
            segment.end = end;
            return Ok(None);
        }
        WalkEnd::End(end) => (end, "zeros where a record should be".to_owned()),
        WalkEnd::Bad(end, why) => (end, why),
    };
    let synced = more_was_there || head.end > position(segment.number, end);
    // A batch begins only after the previous one was synced, so an intact first record further on proves that
    // these bytes were once valid. Without one they are a batch that a crash tore.
    if synced || segment.find(end + 1, true)? != SearchResult::Nothing {
        return Ok(Some((end, why)));
    }
    let bytes = segment.size()?.saturating_sub(end);
    segment
        .truncate(end)
        .map_err(LogError::io("truncate", &segment.path))?;
    segment.end = end;
    opened.torn_tail = Some(TornTail {
        position: position(segment.number, end),
        bytes,
    });
    Ok(None)
}

/// Compares the end with the head file, and syncs what a killed process may have left unsynced: from here on
/// it is read, shown and sent to peers.
fn check_end(segments: &[Segment], head: &Head, opened: &mut OpenReport) -> Result<(), LogError> {
    let Some(last) = segments.last() else {
        return Ok(());
    };
    let found = position(last.number, last.end);
    if head.end > found {
        opened.shortened = Some(Shortened {
            recorded: head.end,
            found,
        });
    }
    if head.end != found {
        last.file.sync_data().map_err(LogError::io("sync", &last.path))?;
    }
    Ok(())
}

/// The result of salvaging a damaged log.
#[derive(Debug, Default)]
pub struct SalvageReport {
    /// How many records were intact.
    pub records: u64,
    /// The damaged places between them.
    pub gaps: Vec<Damage>,
}

/// Passes every intact record to `each`, skipping damaged places. Changes nothing on disk.
pub(crate) fn salvage(
    dir: &Path,
    project: ProjectId,
    each: &mut dyn FnMut(Record) -> Result<(), LogError>,
) -> Result<SalvageReport, LogError> {
    let mut salvaged = SalvageReport::default();
    let mut records = 0;
    for number in segment::list(dir).map_err(LogError::io("list", dir))? {
        let (segment, header) = Segment::open(dir, number, project)?;
        salvaged.gaps.extend(header.err());
        let mut from = SEGMENT_HEADER_BYTES;
        loop {
            let stop = segment.walk(from, &mut |record| {
                records += 1;
                each(record)
            })?;
            let (offset, why) = match stop {
                WalkEnd::End(end) if segment.is_zero_after(end)? => break,
                WalkEnd::End(end) => (end, "zeros where a record should be".to_owned()),
                WalkEnd::Bad(end, why) => (end, why),
            };
            salvaged.gaps.push(Damage {
                segment: number,
                offset,
                why,
            });
            match segment.find(offset + 1, false)? {
                SearchResult::At(next) => from = next,
                SearchResult::Nothing | SearchResult::GaveUp => break,
            }
        }
    }
    salvaged.records = records;
    Ok(salvaged)
}
