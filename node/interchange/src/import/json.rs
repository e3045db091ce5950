//! JSON as other programs write it: half a surrogate pair, a raw control character or a byte that is no
//! text costs that character and not the record.
//!
//! What is well formed is parsed as it is. Only what is not is looked at twice: bytes and escapes that
//! stand for no character become U+FFFD and are counted. Knows nothing of what a value means.

use serde_json::Value;

use super::decode;

/// A value, and how many of its characters were replaced.
pub(super) type Lossy = (Value, usize);

/// Parses one value.
///
/// # Errors
/// When it is no JSON even so.
pub(super) fn parse(bytes: &[u8]) -> Result<Lossy, serde_json::Error> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok((value, 0)),
        Err(error) => error,
    };
    let (text, bad_bytes) = decode::lossy(bytes);
    let (text, bad_escapes) = repaired(&text);
    match serde_json::from_str(&text) {
        Ok(value) => Ok((value, bad_bytes + bad_escapes)),
        // Where something is wrong is said of the text as it stands in the file.
        Err(_) => Err(error),
    }
}

/// A text in which every escape in a string stands for a character, and no string holds a raw control
/// character. Tabs and line feeds become escapes of themselves, which is no loss.
fn repaired(text: &str) -> (String, usize) {
    let mut out = String::with_capacity(text.len());
    let mut replaced = 0;
    let mut in_string = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = after;
        match c {
            '"' => {
                in_string = !in_string;
                out.push(c);
            }
            '\\' if in_string => match unit(after) {
                Some((high @ 0xd800..=0xdbff, behind)) => match behind.strip_prefix('\\').and_then(unit) {
                    Some((low @ 0xdc00..=0xdfff, behind)) => {
                        out.push_str(&format!("\\u{high:04x}\\u{low:04x}"));
                        rest = behind;
                    }
                    _ => {
                        out.push(char::REPLACEMENT_CHARACTER);
                        replaced += 1;
                        rest = behind;
                    }
                },
                Some((0xdc00..=0xdfff, behind)) => {
                    out.push(char::REPLACEMENT_CHARACTER);
                    replaced += 1;
                    rest = behind;
                }
                Some((unit, behind)) => {
                    out.push_str(&format!("\\u{unit:04x}"));
                    rest = behind;
                }
                None => {
                    let mut next = after.chars();
                    match next.next() {
                        Some(escaped @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => {
                            out.push('\\');
                            out.push(escaped);
                            rest = next.as_str();
                        }
                        // A backslash that escapes nothing is one that somebody forgot to double.
                        _ => out.push_str("\\\\"),
                    }
                }
            },
            c if in_string && (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    (out, replaced)
}

/// The unit of `u0041` and what stands behind it.
fn unit(text: &str) -> Option<(u16, &str)> {
    let digits = text.strip_prefix('u')?;
    let four = digits
        .get(..4)
        .filter(|four| four.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((u16::from_str_radix(four, 16).ok()?, digits.get(4..)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn half_a_pair_costs_one_character() {
        let text = br#"{"a":"x \ud83d y","b":"\ude00","c":"\ud83d\ude00 \\ud83d","d":"\ud83d\ud83d\ude00"}"#;
        let (value, replaced) = parse(text).expect("taken");
        assert_eq!(
            value,
            json!({"a": "x \u{fffd} y", "b": "\u{fffd}", "c": "😀 \\ud83d", "d": "\u{fffd}😀"})
        );
        assert_eq!(replaced, 3);
    }

    #[test]
    fn bad_bytes_and_raw_control_characters_cost_nothing_else() {
        let (value, replaced) = parse(b"{\"a\":\"b\xffd\",\"c\":\"one\ttwo\"}").expect("taken");
        assert_eq!(
            (value, replaced),
            (json!({"a": "b\u{fffd}d", "c": "one\ttwo"}), 1)
        );
        let (value, replaced) = parse(br#"{"a":"C:\dir \q"}"#).expect("taken");
        assert_eq!((value, replaced), (json!({"a": "C:\\dir \\q"}), 0));
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_own_place() {
        let error = parse(b"{\"a\":\xff}").expect_err("no value");
        assert_eq!(error.column(), 6);
        assert!(parse(b"{\"a\":\"b").expect_err("cut").is_eof());
    }
}
