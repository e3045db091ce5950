//! The records of a beads file, whether they stand one a line, in a list, or in a list in an envelope.
//!
//! Which of them it is shows in the first line. Relies on [`Lines`] and [`Elements`] for the rest; never
//! holds more than one record and that line.

use std::io::{self, BufRead, Cursor, Read};

use crate::import::decode;
use crate::import::elements::{ENVELOPES, Element, Elements};
use crate::import::lines::{Lines, RawLine};

/// How much of the first line is looked at.
const LOOK_BYTES: u64 = 64 * 1024;

type Reader<'a> = Box<dyn BufRead + 'a>;

/// What stands next in a file.
#[derive(Debug)]
pub(super) enum NextRecord<'a> {
    /// A record, and whether its end was seen.
    Record { bytes: &'a [u8], ended: bool },
    /// One that is too long; it was skipped.
    TooLong,
    /// Something about the file as a whole.
    Wrong(&'static str),
}

/// A file of records.
pub(super) enum Source<'a> {
    Lines(Lines<Reader<'a>>),
    Elements(Elements<Reader<'a>>),
}

impl<'a> Source<'a> {
    pub(super) fn open(reader: impl BufRead + 'a, max: usize) -> io::Result<Self> {
        let mut reader = decode::utf8(reader)?;
        let mut start = Vec::new();
        loop {
            let from = start.len();
            let got = reader.by_ref().take(LOOK_BYTES).read_until(b'\n', &mut start)?;
            let is_blank = start.get(from..).is_some_and(|line| line.trim_ascii().is_empty());
            if got == 0 || !is_blank || start.len() as u64 > LOOK_BYTES {
                break;
            }
        }
        let in_list = is_list(start.trim_ascii());
        let whole: Reader<'a> = Box::new(Cursor::new(start).chain(reader));
        Ok(if in_list {
            Self::Elements(Elements::new(whole, max))
        } else {
            Self::Lines(Lines::new(whole, max))
        })
    }

    /// The line of what [`Source::next`] gave last, counted from 1.
    pub(super) const fn line(&self) -> usize {
        match self {
            Self::Lines(lines) => lines.number(),
            Self::Elements(elements) => elements.began(),
        }
    }

    /// What stands next; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<NextRecord<'_>>> {
        Ok(match self {
            Self::Lines(lines) => lines.next()?.map(|line| match line {
                RawLine::Whole { bytes, ended } => NextRecord::Record { bytes, ended },
                RawLine::TooLong => NextRecord::TooLong,
            }),
            Self::Elements(elements) => elements.next()?.map(|element| match element {
                Element::Whole { bytes, ended } => NextRecord::Record { bytes, ended },
                Element::TooLong => NextRecord::TooLong,
                Element::ListCut => NextRecord::Wrong(
                    "the list is not closed; the file seems to be truncated, export it again",
                ),
                Element::Foreign => {
                    NextRecord::Wrong("not JSON; expected issues of beads, one per line or in a list")
                }
                Element::Nothing => NextRecord::Wrong("the file is empty"),
            }),
        })
    }
}

/// Whether a file that begins so is a list, be it in an envelope, and not one issue a line.
fn is_list(start: &[u8]) -> bool {
    match start {
        [b'[', ..] | b"{" => return true,
        [b'{', ..] => {}
        _ => return false,
    }
    let text = String::from_utf8_lossy(start);
    let named = |name: &str| {
        let quoted = format!("\"{name}\"");
        let at = text.find(&quoted)?;
        let behind = text.get(at + quoted.len()..)?.trim_start();
        Some((at, behind.strip_prefix(':')?.trim_start().starts_with('[')))
    };
    let list = ENVELOPES
        .into_iter()
        .filter_map(named)
        .filter(|(_, list)| *list)
        .map(|(at, _)| at)
        .min();
    let id = named("id").map(|(at, _)| at);
    list.is_some_and(|list| id.is_none_or(|id| list < id))
}
