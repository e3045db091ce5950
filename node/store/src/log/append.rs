//! The writing half of the log: preallocation, one write, one sync, and the rollback when either fails.
//!
//! A failed sync is never retried: page cache and disk may differ for good then.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use towline_proto::{Millis, Tip};

use super::error::LogError;
use super::head::Head;
use super::record::{self, RECORD_BYTES, RECORD_HEADER_BYTES, SegmentHeader, position};
use super::segment::{self, Segment};
use super::{BATCH_BYTES, GROW_MAX_BYTES, GROW_MIN_BYTES, Log, ReadOnlyReason};
use crate::home::files::is_full;

impl Log {
    /// Appends records, each with the time at which it was seen, and syncs once for all of them. `own` is
    /// this node's own last entry if the batch contains a new one. All records are durable when this returns,
    /// and none is in the log after an error.
    ///
    /// # Errors
    /// [`LogError::Full`] and [`LogError::Size`] leave the log usable; after anything else it is
    /// closed for good.
    pub fn append(
        &mut self,
        records: &[(Millis, Arc<[u8]>)],
        own: Option<Tip>,
    ) -> Result<Vec<u64>, LogError> {
        self.check_open()?;
        check_sizes(records)?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        self.reserve
            .fill()
            .map_err(LogError::io("reserve space in", &self.dir))?;
        let written = self.roll().and_then(|()| self.write(records));
        if let Err(LogError::Full { .. }) = &written {
            self.reserve.release();
        }
        let positions = written?;
        self.entries += records.len() as u64;
        self.head = Head {
            end: self.end(),
            own: own.or(self.head.own),
        };
        if let Err(error) = self.head_file.write(&self.head) {
            // The batch is durable and stays acknowledged; the head file may always lag behind.
            tracing::warn!(%error, dir = %self.dir.display(), "the head of the log could not be written");
        }
        Ok(positions)
    }

    /// Releases preallocated space except for the smallest step: after an import that may be megabytes. For a
    /// log that is about to be closed; the next append preallocates again.
    pub fn release_preallocated(&mut self) {
        let Some(last) = self.segments.last().filter(|_| self.closed.is_none()) else {
            return;
        };
        let kept = last.end.saturating_add(GROW_MIN_BYTES);
        // Only zeros are cut off, so a crash before or after it makes no difference.
        if self.allocated > kept && last.file.set_len(kept).is_ok() {
            self.allocated = kept;
        }
    }

    fn check_open(&self) -> Result<(), LogError> {
        match self.closed.clone() {
            None => Ok(()),
            Some(ReadOnlyReason::Poisoned(why)) => Err(LogError::Poisoned { why }),
            Some(ReadOnlyReason::Damaged(why) | ReadOnlyReason::Shortened(why)) => {
                Err(LogError::ReadOnly { why })
            }
        }
    }

    /// Closes a full segment and begins the next.
    fn roll(&mut self) -> Result<(), LogError> {
        let Some(last) = self
            .segments
            .last()
            .filter(|last| last.end >= self.options.segment_bytes)
        else {
            return Ok(());
        };
        if self.allocated != last.end {
            if let Err(error) = last.truncate(last.end) {
                return Err(self.poison("close", error));
            }
            self.allocated = last.end;
        }
        let header = SegmentHeader {
            project: self.project,
            segment: last.number + 1,
            before_end: last.end,
        };
        let next = Segment::create(&self.dir, &header, GROW_MIN_BYTES)?;
        self.segments.push(next);
        self.allocated = GROW_MIN_BYTES;
        Ok(())
    }

    fn write(&mut self, records: &[(Millis, Arc<[u8]>)]) -> Result<Vec<u64>, LogError> {
        let Some(last) = self.segments.last() else {
            return Err(LogError::Missing {
                dir: self.dir.clone(),
            });
        };
        let begin = last.end;
        let mut batch = Vec::new();
        let mut positions = Vec::with_capacity(records.len());
        for (at, (seen_at, bytes)) in records.iter().enumerate() {
            let position = position(last.number, begin + batch.len() as u64);
            record::encode_record(&mut batch, position, at == 0, *seen_at, bytes);
            positions.push(position);
        }
        let end = begin + batch.len() as u64;
        self.grow(end)?;
        let Some(last) = self.segments.last_mut() else {
            return Ok(positions);
        };
        if let Err(error) = last.file.write_all_at(&batch, begin) {
            return Err(self.undo("write", error));
        }
        if let Err(error) = last.file.sync_data() {
            // After a failed sync the page cache may say one thing and the disk another, for good.
            let error = self.poison("sync", error);
            self.drop_tail();
            return Err(error);
        }
        last.end = end;
        Ok(positions)
    }

    /// Preallocates up to `end` in growing steps, so that an append changes no metadata. If the disk has no
    /// room for a step, the records alone may still fit.
    fn grow(&mut self, end: u64) -> Result<(), LogError> {
        if end <= self.allocated {
            return Ok(());
        }
        let Some(last) = self.segments.last() else {
            return Ok(());
        };
        let step = self.allocated.clamp(GROW_MIN_BYTES, GROW_MAX_BYTES);
        let mut target = end.max(self.allocated + step);
        loop {
            let grown =
                segment::write_zeros(&last.file, self.allocated, target).and_then(|()| last.file.sync_all());
            match grown {
                Ok(()) => {
                    self.allocated = target;
                    return Ok(());
                }
                Err(error) if is_full(&error) && target > end => {
                    if let Err(error) = last.file.set_len(self.allocated) {
                        return Err(self.poison("grow", error));
                    }
                    target = end;
                }
                Err(error) => return Err(self.undo("grow", error)),
            }
        }
    }

    /// Rolls back a failed write; after a full disk the log stays usable, anything else closes it.
    fn undo(&mut self, what: &'static str, error: io::Error) -> LogError {
        let full = is_full(&error);
        let error = if full {
            let path = self.segments.last().map_or(&self.dir, |last| &last.path).clone();
            LogError::Full { path }
        } else {
            self.poison(what, error)
        };
        if !self.drop_tail() && full {
            self.closed = Some(ReadOnlyReason::Poisoned(
                "the disk was full and a partial batch could not be removed".to_owned(),
            ));
        }
        error
    }

    /// Truncates the file to its records. Returns whether that worked.
    fn drop_tail(&mut self) -> bool {
        let Some(last) = self.segments.last() else {
            return false;
        };
        let cut = last.file.set_len(last.end).is_ok();
        if cut {
            self.allocated = last.end;
        }
        cut
    }

    fn poison(&mut self, what: &'static str, source: io::Error) -> LogError {
        let path = self.segments.last().map_or(&self.dir, |last| &last.path).clone();
        self.closed = Some(ReadOnlyReason::Poisoned(format!(
            "{what} {}: {source}",
            path.display()
        )));
        LogError::Io { what, path, source }
    }
}

fn check_sizes(records: &[(Millis, Arc<[u8]>)]) -> Result<(), LogError> {
    let mut total = 0;
    for (_, bytes) in records {
        if bytes.is_empty() || bytes.len() > RECORD_BYTES {
            return Err(LogError::Size {
                what: "a record",
                got: bytes.len(),
                max: RECORD_BYTES,
            });
        }
        total += RECORD_HEADER_BYTES + bytes.len();
    }
    if total > BATCH_BYTES {
        return Err(LogError::Size {
            what: "a batch",
            got: total,
            max: BATCH_BYTES,
        });
    }
    Ok(())
}
