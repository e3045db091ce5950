//! From the bytes of a file to UTF-8: UTF-16 by its mark, UTF-8 with or without one.
//!
//! What is no character in UTF-16 comes out as a byte that is none in UTF-8, so that whoever reads a
//! record replaces and counts both in one way ([`lossy`]). Knows nothing of any format and holds a few
//! bytes at a time.

use std::io::{self, BufRead, Cursor, Read};

/// The mark of UTF-8.
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
/// Bytes by which an encoding is known.
const MARK_BYTES: usize = 3;
/// Decoded bytes that are held at once.
const BUFFER_BYTES: usize = 8 * 1024;
/// Stands for what is no character: no byte of UTF-8.
const BAD: u8 = 0xff;

/// A reader of the same text in UTF-8, without a mark.
///
/// # Errors
/// When the first bytes cannot be read.
pub(super) fn utf8<'a>(mut reader: impl BufRead + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    let mut start = Vec::with_capacity(MARK_BYTES);
    reader.by_ref().take(MARK_BYTES as u64).read_to_end(&mut start)?;
    let big = match start.as_slice() {
        [0xff, 0xfe, ..] => false,
        [0xfe, 0xff, ..] => true,
        _ => {
            let from = if start == UTF8_MARK { UTF8_MARK.len() } else { 0 };
            let mut start = Cursor::new(start);
            start.set_position(from as u64);
            return Ok(Box::new(start.chain(reader)));
        }
    };
    let mut start = Cursor::new(start);
    start.set_position(2);
    Ok(Box::new(Utf16::new(start.chain(reader), big)))
}

/// A text, and how many pieces of it were no characters and were replaced.
pub(super) fn lossy(bytes: &[u8]) -> (String, usize) {
    let mut text = String::with_capacity(bytes.len());
    let mut replaced = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            replaced += 1;
        }
    }
    (text, replaced)
}

/// UTF-16 as UTF-8.
struct Utf16<R> {
    reader: R,
    big: bool,
    decoded: Vec<u8>,
    given: usize,
    /// A unit that was read and belongs to the next character.
    next: Option<u16>,
}

impl<R: BufRead> Utf16<R> {
    const fn new(reader: R, big: bool) -> Self {
        Self {
            reader,
            big,
            decoded: Vec::new(),
            given: 0,
            next: None,
        }
    }

    /// The next unit; an odd byte at the end is none.
    fn unit(&mut self) -> io::Result<Option<Result<u16, u8>>> {
        if let Some(unit) = self.next.take() {
            return Ok(Some(Ok(unit)));
        }
        let mut pair = Vec::with_capacity(2);
        self.reader.by_ref().take(2).read_to_end(&mut pair)?;
        Ok(match pair.as_slice() {
            [] => None,
            [one] => Some(Err(*one)),
            [a, b, ..] if self.big => Some(Ok(u16::from_be_bytes([*a, *b]))),
            [a, b, ..] => Some(Ok(u16::from_le_bytes([*a, *b]))),
        })
    }

    fn fill(&mut self) -> io::Result<()> {
        self.decoded.clear();
        self.given = 0;
        while self.decoded.len() < BUFFER_BYTES {
            let Some(unit) = self.unit()? else { break };
            let Ok(unit) = unit else {
                self.decoded.push(BAD);
                continue;
            };
            let mut units = [unit, 0];
            let mut length = 1;
            if matches!(unit, 0xd800..=0xdbff)
                && let Some(Ok(low)) = self.unit()?
            {
                if matches!(low, 0xdc00..=0xdfff) {
                    units = [unit, low];
                    length = 2;
                } else {
                    self.next = Some(low);
                }
            }
            let character = char::decode_utf16(units.into_iter().take(length)).next();
            match character {
                Some(Ok(c)) => {
                    let mut bytes = [0; 4];
                    self.decoded
                        .extend_from_slice(c.encode_utf8(&mut bytes).as_bytes());
                }
                _ => self.decoded.push(BAD),
            }
        }
        Ok(())
    }
}

impl<R: BufRead> BufRead for Utf16<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.given >= self.decoded.len() {
            self.fill()?;
        }
        Ok(self.decoded.get(self.given..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.given = self.given.saturating_add(amount).min(self.decoded.len());
    }
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.fill_buf()?.read(buffer)?;
        self.consume(got);
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (String, usize) {
        let mut all = Vec::new();
        let mut reader = utf8(bytes).expect("memory can be read");
        reader.read_to_end(&mut all).expect("memory can be read");
        lossy(&all)
    }

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units
            .flat_map(|unit| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect()
    }

    #[test]
    fn every_encoding_with_a_mark_gives_the_same_text() {
        let text = format!("{{\"a\":\"ä 😀 登\"}}\r\n{}", "é".repeat(BUFFER_BYTES));
        assert_eq!(read(text.as_bytes()), (text.clone(), 0));
        assert_eq!(read(format!("\u{feff}{text}").as_bytes()), (text.clone(), 0));
        for big in [false, true] {
            assert_eq!(read(&utf16(&text, big)), (text.clone(), 0));
        }
        for short in ["", "a", "ab"] {
            assert_eq!(read(short.as_bytes()), (short.to_owned(), 0));
        }
        assert_eq!(read(&[0xff, 0xfe]), (String::new(), 0));
    }

    #[test]
    fn what_is_no_character_is_replaced_and_counted() {
        assert_eq!(read(b"a\xffb\xc3"), ("a\u{fffd}b\u{fffd}".to_owned(), 2));
        let mut lone = utf16("a", false);
        lone.extend([
            0x3d, 0xd8, b'b', 0, 0x00, 0xdc, 0x3d, 0xd8, 0x3d, 0xd8, 0x00, 0xde, 7,
        ]);
        assert_eq!(
            read(&lone),
            ("a\u{fffd}b\u{fffd}\u{fffd}\u{1f600}\u{fffd}".to_owned(), 4)
        );
    }
}
