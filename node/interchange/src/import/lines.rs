//! Lines of a file of any size and content, each with its number and bounded by
//! [`super::LINE_BYTES`]. Never holds more than one line.

use std::io::{self, BufRead, Read};

/// One line of a file.
#[derive(Debug)]
pub(super) enum RawLine<'a> {
    /// Its bytes without the line feed, and whether there was one.
    Whole { bytes: &'a [u8], ended: bool },
    /// Longer than allowed; it was skipped to its end.
    TooLong,
}

/// Reads lines one after the other into one buffer.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    max: usize,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(reader: R, max: usize) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            max,
            number: 0,
        }
    }

    /// The number of the line that [`Lines::next`] gave last, counted from 1.
    pub(super) const fn number(&self) -> usize {
        self.number
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<RawLine<'_>>> {
        self.number += 1;
        self.buffer.clear();
        let bound = u64::try_from(self.max).unwrap_or(u64::MAX).saturating_add(1);
        let read = (&mut self.reader)
            .take(bound)
            .read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
            return Ok(Some(RawLine::Whole {
                bytes: &self.buffer,
                ended: true,
            }));
        }
        if read <= self.max {
            return Ok(Some(RawLine::Whole {
                bytes: &self.buffer,
                ended: false,
            }));
        }
        self.skip_to_line_feed()?;
        Ok(Some(RawLine::TooLong))
    }

    fn skip_to_line_feed(&mut self) -> io::Result<()> {
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                return Ok(());
            }
            let found = chunk.iter().position(|byte| *byte == b'\n');
            let used = found.map_or(chunk.len(), |at| at + 1);
            self.reader.consume(used);
            if found.is_some() {
                return Ok(());
            }
        }
    }
}
