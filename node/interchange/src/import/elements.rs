//! The elements of a JSON list of any size, each bounded by a number of bytes; objects one after the
//! other, as in JSON Lines; or the list in an envelope, such as `{"count": 2, "issues": [ … ]}`.
//!
//! Only brackets, strings and line feeds are looked at: what an element says is for a JSON parser. So a
//! broken element costs itself and, as long as its brackets and quotes are there, no other. Never holds
//! more than one element.

use std::io::{self, BufRead};

/// What the list in an envelope is called. No record has such a field.
pub(super) const ENVELOPES: [&str; 5] = ["issues", "data", "items", "results", "nodes"];

/// What stands next in a file.
#[derive(Debug)]
pub(super) enum Element<'a> {
    /// One element, and whether its end was seen.
    Whole { bytes: &'a [u8], ended: bool },
    /// Longer than allowed; it was skipped to its end.
    TooLong,
    /// The file ends inside a list.
    ListCut,
    /// The file does not begin like JSON; nothing more is read of it.
    Foreign,
    /// There is nothing in the file.
    Nothing,
}

/// How far a file has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Start,
    Outside,
    InList,
    End,
}

/// Reads elements one after the other into one buffer.
#[derive(Debug)]
pub(super) struct Elements<R> {
    reader: R,
    buffer: Vec<u8>,
    max: usize,
    position: Position,
    /// The line of the next byte, counted from 1.
    line: usize,
    at_line_start: bool,
    /// The line on which the last element began.
    began: usize,
    /// Whether what is read now stands in an envelope.
    in_envelope: bool,
}

/// How far into one element reading has come.
#[derive(Debug, Default)]
struct ElementState {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The last string directly in the object, as long as it could name a list.
    name: Vec<u8>,
    /// Whether a colon follows that string.
    is_named: bool,
}

impl ElementState {
    /// Takes one byte; whether the list of an envelope begins with it.
    fn take(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                // No string holds a line feed: one that is not closed ends with its line.
                b'"' | b'\n' => self.in_string = false,
                _ if self.depth == 1 && self.name.len() < 16 => self.name.push(byte),
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.name.clear();
                self.is_named = false;
            }
            b':' => self.is_named = true,
            b'{' | b'[' => {
                let is_list = byte == b'[' && self.depth == 1 && self.is_named;
                self.depth += 1;
                self.is_named = false;
                return is_list && ENVELOPES.iter().any(|name| name.as_bytes() == self.name);
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            byte if byte.is_ascii_whitespace() => {}
            _ => self.is_named = false,
        }
        false
    }
}

impl<R: BufRead> Elements<R> {
    pub(super) const fn new(reader: R, max: usize) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            max,
            position: Position::Start,
            line: 1,
            at_line_start: true,
            began: 1,
            in_envelope: false,
        }
    }

    /// The line on which the element that [`Elements::next`] gave last began, counted from 1.
    pub(super) const fn began(&self) -> usize {
        self.began
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.reader.fill_buf()?.first().copied())
    }

    fn advance(&mut self, byte: u8) {
        self.reader.consume(1);
        self.at_line_start = byte == b'\n';
        if self.at_line_start {
            self.line += 1;
        }
    }

    /// The next element; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Element<'_>>> {
        loop {
            let byte = self.peek()?;
            self.began = self.line;
            match (self.position, byte) {
                (Position::End, _) | (Position::Outside, None) => return Ok(None),
                (Position::Start, None) => {
                    self.position = Position::End;
                    return Ok(Some(Element::Nothing));
                }
                (Position::InList, None) => {
                    self.position = Position::End;
                    return Ok(Some(Element::ListCut));
                }
                (Position::InList, Some(byte @ b']')) => {
                    self.position = Position::Outside;
                    self.advance(byte);
                    if self.in_envelope {
                        self.rest_of_envelope()?;
                    }
                }
                (Position::Start | Position::Outside, Some(byte @ b'[')) => {
                    self.position = Position::InList;
                    self.advance(byte);
                }
                (Position::InList, Some(byte @ b',')) => self.advance(byte),
                (Position::Start, Some(byte @ (0xef | 0xbb | 0xbf))) => self.advance(byte),
                (_, Some(byte)) if byte.is_ascii_whitespace() => self.advance(byte),
                (Position::Start, Some(byte)) if byte != b'{' => {
                    self.position = Position::End;
                    return Ok(Some(Element::Foreign));
                }
                (Position::Start, Some(_)) => self.position = Position::Outside,
                (Position::Outside | Position::InList, Some(_)) => {
                    if let Some((ended, too_long)) = self.read_element()? {
                        return Ok(Some(self.element(ended, too_long)));
                    }
                }
            }
        }
    }

    /// Reads on to the end of an element, and says whether that was there and whether it is too long;
    /// nothing where the element turns out to be an envelope, whose list is read next.
    fn read_element(&mut self) -> io::Result<Option<(bool, bool)>> {
        self.buffer.clear();
        let in_list = self.position == Position::InList;
        let mut state = ElementState::default();
        let mut too_long = false;
        let ended = loop {
            let Some(byte) = self.peek()? else { break false };
            // Objects one a line: where the next begins, the one before has ended, whatever it lacks.
            if !in_list && state.depth > 0 && self.at_line_start && byte == b'{' {
                break true;
            }
            if !state.in_string && state.depth == 0 {
                match byte {
                    b']' | b',' if in_list => break true,
                    b'\n' => break true,
                    _ => {}
                }
            }
            let is_envelope = state.take(byte) && !in_list;
            if self.buffer.len() < self.max {
                self.buffer.push(byte);
            } else {
                too_long = true;
            }
            self.advance(byte);
            if is_envelope {
                self.position = Position::InList;
                self.in_envelope = true;
                return Ok(None);
            }
            if matches!(byte, b'}' | b']') && !state.in_string && state.depth == 0 {
                break true;
            }
        };
        if !ended {
            self.position = Position::End;
        }
        Ok(Some((ended, too_long)))
    }

    fn element(&self, ended: bool, too_long: bool) -> Element<'_> {
        if too_long {
            return Element::TooLong;
        }
        Element::Whole {
            bytes: &self.buffer,
            ended,
        }
    }

    /// Passes over what follows the list in its envelope, unless another list does.
    fn rest_of_envelope(&mut self) -> io::Result<()> {
        let mut state = ElementState {
            depth: 1,
            ..ElementState::default()
        };
        while state.depth > 0 {
            let Some(byte) = self.peek()? else { break };
            let is_list = state.take(byte);
            self.advance(byte);
            if is_list {
                self.position = Position::InList;
                return Ok(());
            }
        }
        self.in_envelope = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(usize, String)> {
        let mut elements = Elements::new(text.as_bytes(), 40);
        let mut all = Vec::new();
        while let Some(element) = elements.next().expect("memory can be read") {
            let said = match element {
                Element::Whole { bytes, ended } => {
                    let cut = if ended { "" } else { "…" };
                    format!("{}{cut}", String::from_utf8_lossy(bytes))
                }
                other => format!("{other:?}"),
            };
            all.push((elements.began(), said));
        }
        all
    }

    fn said(text: &str) -> Vec<String> {
        all(text).into_iter().map(|(_, said)| said).collect()
    }

    #[test]
    fn a_list_gives_its_elements_with_their_lines() {
        assert_eq!(
            all("\u{feff}[\n {\"a\": [1, {}]},\n\n {\"b\": \"]},{\\\"\"}\n]\n"),
            [
                (2, r#"{"a": [1, {}]}"#.to_owned()),
                (4, r#"{"b": "]},{\""}"#.to_owned())
            ]
        );
        assert_eq!(said("[]"), [""; 0]);
        assert_eq!(
            said("[1, \"two\" ,{}][{}]{}"),
            ["1", "\"two\" ", "{}", "{}", "{}"]
        );
    }

    #[test]
    fn objects_may_stand_one_a_line() {
        assert_eq!(said("{\"a\":1}\r\n{\"b\":2}\n"), [r#"{"a":1}"#, r#"{"b":2}"#]);
        assert_eq!(said("{\"a\":\n{\"b\":2}"), ["{\"a\":\n", r#"{"b":2}"#]);
    }

    #[test]
    fn a_list_may_stand_in_an_envelope() {
        let (one, two) = (r#"{"a":1}"#, r#"{"issues":[2]}"#);
        assert_eq!(
            said(
                r#"{"version": 1, "why": "[issues]", "issues": [{"a":1},{"issues":[2]}], "next": {"data": [3]}}"#
            ),
            [one, two]
        );
        assert_eq!(
            all("{\n \"data\" :\n [\n{\"a\":1}\n],\n\"issues\": [{\"issues\":[2]}]}\n{\"b\":2}"),
            [
                (4, one.to_owned()),
                (6, two.to_owned()),
                (7, r#"{"b":2}"#.to_owned())
            ]
        );
        assert_eq!(said(r#"{"issues":[{"a":1}"#), [one, "ListCut"]);
        assert_eq!(
            said(r#"{"labels":["x"],"id":"issues"}"#),
            [r#"{"labels":["x"],"id":"issues"}"#]
        );
    }

    #[test]
    fn a_string_that_is_not_closed_ends_with_its_line() {
        assert_eq!(said("[{\"a\":\"b},\n}, {}]"), ["{\"a\":\"b},\n}", "{}"]);
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(said("[{},{\"a"), ["{}", "{\"a…"]);
        assert_eq!(said("[{},\n"), ["{}", "ListCut"]);
        assert_eq!(said("{\"a"), ["{\"a…"]);
        assert_eq!(said(""), ["Nothing"]);
        assert_eq!(said("\u{7f}ELF"), ["Foreign"]);
    }

    #[test]
    fn an_element_without_end_is_skipped_and_the_next_is_read() {
        let long = format!("[{{\"a\":\"{}\"}},{{}}]", "x".repeat(100));
        assert_eq!(said(&long), ["TooLong", "{}"]);
    }
}
