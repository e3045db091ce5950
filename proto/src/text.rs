//! Which texts may enter the system, and how foreign text is made safe to show.
//!
//! Titles and names are one line without control or bidirectional-override characters; notes and bodies may have
//! several lines. Texts are checked where they are written and again by the gate where they arrive.

use crate::limits;

/// Why a text is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// Too long, in characters.
    #[error("it has {got} characters; at most {max} are allowed")]
    TooManyChars {
        /// Length given.
        got: usize,
        /// Longest allowed.
        max: usize,
    },
    /// Too long, in bytes.
    #[error("it has {got} bytes; at most {max} are allowed")]
    TooManyBytes {
        /// Length given.
        got: usize,
        /// Longest allowed.
        max: usize,
    },
    /// A character that could rewrite a terminal or reverse a line.
    #[error("it contains the character U+{0:04X}, which cannot be shown safely")]
    Unsafe(u32),
    /// A character that is invisible.
    #[error("it contains the character U+{0:04X}, which is invisible")]
    Invisible(u32),
}

/// Whether a character could move the cursor, colour a terminal or reorder a line.
pub fn is_unsafe(c: char) -> bool {
    c.is_control() || is_bidi_control(c) || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Whether a character has no visible form and no width. Joiners and tags have legitimate uses; see [`legible`].
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180e}' | '\u{200b}'
        | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3164}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}')
}

/// Whether a character is invisible and not needed for display. (Tags are: they are part of flags.)
fn is_hidden(c: char) -> bool {
    is_invisible(c) && !matches!(c, '\u{e0020}'..='\u{e007f}')
}

const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

const fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a joiner may follow it: a letter of a script that joins, or a symbol.
const fn joins(c: char) -> bool {
    c as u32 >= 0x0600 && !matches!(c, '\u{2000}'..='\u{206f}' | '\u{3000}' | '\u{2800}')
}

/// Checks that a line has visible characters and no hidden ones. Joiners are allowed where they join (emoji, and
/// scripts that need them), and tags in the flags of regions.
///
/// Applied where a text is written and not by the gate, so that entries in existing logs stay valid.
///
/// # Errors
/// [`TextError`] with what is wrong.
pub fn legible(text: &str) -> Result<&str, TextError> {
    let mut before = None;
    let mut in_flag = false;
    let mut seen = false;
    for c in text.chars() {
        let is_tag = matches!(c, '\u{e0020}'..='\u{e007f}');
        in_flag = c == '\u{1f3f4}' || in_flag && is_tag;
        let hidden = is_invisible(c) && !(is_tag && in_flag);
        if hidden || is_joiner(c) && !before.is_some_and(joins) {
            return Err(TextError::Invisible(u32::from(c)));
        }
        seen |= !(c.is_whitespace() || is_tag || is_joiner(c) || is_selector(c) || c == '\u{2800}');
        before = Some(c);
    }
    if seen { Ok(text) } else { Err(TextError::Empty) }
}

fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn line(text: &str, max: usize) -> Result<&str, TextError> {
    if text.trim().is_empty() {
        return Err(TextError::Empty);
    }
    let got = text.chars().count();
    if got > max {
        return Err(TextError::TooManyChars { got, max });
    }
    match text.chars().find(|c| is_unsafe(*c)) {
        Some(c) => Err(TextError::Unsafe(u32::from(c))),
        None => Ok(text),
    }
}

/// Checks a title: one line of 1 to [`limits::TITLE_CHARS`] characters.
///
/// # Errors
/// [`TextError`] with what is wrong.
pub fn title(text: &str) -> Result<&str, TextError> {
    line(text, limits::TITLE_CHARS)
}

/// Checks a name, label, holder or external reference: one line of 1 to [`limits::NAME_CHARS`].
///
/// # Errors
/// [`TextError`] with what is wrong.
pub fn name(text: &str) -> Result<&str, TextError> {
    line(text, limits::NAME_CHARS)
}

/// Checks a note (a reason, comment, criterion or detail): not empty, at most
/// [`limits::NOTE_BYTES`], no control characters but line feed and tab.
///
/// # Errors
/// [`TextError`] with what is wrong.
pub fn note(text: &str) -> Result<&str, TextError> {
    if text.trim().is_empty() {
        return Err(TextError::Empty);
    }
    lines(text, limits::NOTE_BYTES)
}

/// Checks a body: at most [`limits::BODY_BYTES`]; may be empty.
///
/// # Errors
/// [`TextError`] with what is wrong.
pub fn body(text: &str) -> Result<&str, TextError> {
    lines(text, limits::BODY_BYTES)
}

fn lines(text: &str, max: usize) -> Result<&str, TextError> {
    if text.len() > max {
        return Err(TextError::TooManyBytes { got: text.len(), max });
    }
    match text
        .chars()
        .find(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
    {
        Some(c) => Err(TextError::Unsafe(u32::from(c))),
        None => Ok(text),
    }
}

/// Whether a character can be shown unchanged in one line of a terminal: it does not move the cursor, reverse the
/// line, or stay invisible.
pub fn is_safe(c: char) -> bool {
    !(is_unsafe(c) || is_hidden(c))
}

/// Foreign text for one line of a terminal or chat: every unsafe character becomes a visible escape, and a text longer
/// than `max` characters is cut and ends in `…`.
pub fn show(text: &str, max: usize) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count + 1 >= max && text.chars().nth(max).is_some() {
            out.push('…');
            break;
        }
        match c {
            '\n' | '\t' | '\r' => out.push(' '),
            c if is_unsafe(c) || is_hidden(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Makes any foreign line a valid [`title`] or [`name`] of at most `max` characters: unsafe characters become spaces,
/// and the rest is cut. The flag says whether anything was changed. An empty line stays empty.
pub fn fit_line(text: &str, max: usize) -> (String, bool) {
    let clean: String = text.chars().map(|c| if is_unsafe(c) { ' ' } else { c }).collect();
    let cut: String = clean.trim().chars().take(max).collect();
    let changed = cut != text;
    (cut, changed)
}

/// Makes any foreign text a valid [`note`] or [`body`] of at most `max` bytes, cut between characters.
pub fn fit_lines(text: &str, max: usize) -> (String, bool) {
    let mut clean: String = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r'))
        .collect();
    if clean.len() > max {
        let mut end = max;
        while !clean.is_char_boundary(end) {
            end -= 1;
        }
        clean.truncate(end);
    }
    let changed = clean != text;
    (clean, changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_printable_line() {
        assert!(title("Ship it").is_ok());
        assert_eq!(title("  "), Err(TextError::Empty));
        assert_eq!(title("a\u{202e}b"), Err(TextError::Unsafe(0x202e)));
        assert_eq!(title("a\x1b[2J"), Err(TextError::Unsafe(0x1b)));
        assert!(title(&"é".repeat(200)).is_ok());
        assert_eq!(
            title(&"é".repeat(201)),
            Err(TextError::TooManyChars { got: 201, max: 200 })
        );
    }

    #[test]
    fn a_line_must_be_legible() {
        for fine in [
            "Ship it",
            "👩\u{200d}👩\u{200d}👧 family, ❤\u{fe0f} and 👍🏽",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} wins",
            "می\u{200c}خواهم",
            "ශ්\u{200d}රී ලංකා",
            "登录 é e\u{301}",
        ] {
            assert_eq!(legible(fine), Ok(fine));
        }
        for (hidden, c) in [
            ("\u{200b}", 0x200b),
            ("pay\u{200b}pal", 0x200b),
            ("\u{3164}", 0x3164),
            ("a\u{e0041}", 0xe0041),
            ("a\u{200d}b", 0x200d),
            ("\u{200c}x", 0x200c),
            ("🏴 \u{e0067}", 0xe0067),
            ("word\u{2060}joiner", 0x2060),
        ] {
            assert_eq!(legible(hidden), Err(TextError::Invisible(c)), "{hidden:?}");
        }
        for empty in ["\u{2800}", "\u{fe0f}", " \u{a0}"] {
            assert_eq!(legible(empty), Err(TextError::Empty), "{empty:?}");
        }
        assert_eq!(show("a\u{200b}b", 80), "a\\u{200b}b");
    }

    #[test]
    fn foreign_text_is_shown_with_its_escapes_visible() {
        assert_eq!(show("a\x1b[2J", 80), "a\\u{1b}[2J");
        assert_eq!(show("one\ntwo", 80), "one two");
        assert_eq!(show("abcdef", 4), "abc…");
        assert_eq!(show("abcd", 4), "abcd");
    }

    #[test]
    fn text_made_to_fit_always_passes_its_check() {
        let (line, changed) = fit_line(&format!("x\n{}", "y".repeat(300)), 200);
        assert!(changed && title(&line).is_ok());
        let (text, changed) = fit_lines(&"é".repeat(10), 7);
        assert!(changed);
        assert_eq!(text, "ééé");
    }
}
