//! Widths, wrapping and times: what every page is laid out with.
//!
//! Widths are those of a terminal (a Han character takes two columns, a combining accent none).
//! Everything that people or peers wrote goes through [`clean`] or [`clean_lines`] before anything
//! else, so that no title can move the cursor. Times are handed in.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use towline_proto::{Millis, text::show};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(crate) use towline_api::relative_time::{ago, ago_phrase};

/// Foreign text for one line.
pub(crate) fn clean(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    show(text, usize::MAX)
}

/// Whether a text is nothing but printable ASCII, as most are: a list looks at each of its cells more than
/// once.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Foreign text of several lines. Tabs become four spaces, so that code keeps its shape.
pub(crate) fn clean_lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| clean(&line.replace('\t', "    ")))
        .collect()
}

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    if is_plain(text) {
        return text.len();
    }
    text.width()
}

/// Cuts a text to at most `most` columns; what is cut ends in `…`.
pub(crate) fn fit(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > most {
            break;
        }
        out.push(c);
    }
    // Joined signs can be wider together than one by one.
    while width(&out) >= most.max(1) && out.pop().is_some() {}
    if most > 0 {
        out.truncate(out.trim_end().len());
        out.push('…');
    }
    out
}

/// Fills a text up to `to` columns on the right.
pub(crate) fn pad(text: &str, to: usize) -> String {
    let fill = to.saturating_sub(width(text));
    format!("{text}{:fill$}", "")
}

/// Fills a text up to `to` columns on the left.
pub(crate) fn pad_left(text: &str, to: usize) -> String {
    let fill = to.saturating_sub(width(text));
    format!("{:fill$}{text}", "")
}

/// Breaks a clean line at spaces so that each part takes at most `most` columns; what follows the
/// first part keeps the line's own indentation. A word that is too long stays whole, to be copied.
pub(crate) fn wrap(line: &str, most: usize) -> Vec<String> {
    let indent = line.get(..line.len() - line.trim_start().len()).unwrap_or("");
    let options = textwrap::Options::new(most)
        .subsequent_indent(indent)
        .break_words(false)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(line, options)
        .into_iter()
        .map(Into::into)
        .collect()
}

/// When something expires: `expires in 23h`, or `expired`.
pub(crate) fn expiry(now: Millis, at: Millis) -> String {
    if at <= now {
        return "expired".into();
    }
    match ago(at, now).as_str() {
        "now" => "expires in a moment".into(),
        time => format!("expires in {time}"),
    }
}

/// The day with its zone, and the time of day, for people. Where the zone of this machine is not known, times are
/// UTC and each of them says so.
pub(crate) fn day_and_time(zone: &TimeZone, at: Millis) -> (String, String) {
    let shown = i64::try_from(at.0)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .map(|time| time.to_zoned(zone.clone()));
    match shown {
        Some(time) if zone.is_unknown() => (
            time.strftime("%Y-%m-%d (UTC)").to_string(),
            time.strftime("%H:%MZ").to_string(),
        ),
        Some(time) => (
            time.strftime("%Y-%m-%d (%Z)").to_string(),
            time.strftime("%H:%M").to_string(),
        ),
        None => ("unknown date".into(), "--:--".into()),
    }
}

/// A number with thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 item`, `2 items`.
pub(crate) fn plural(number: usize, one: &str) -> String {
    let number64 = number as u64;
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {one}{ending}", count(number64))
}

/// Bytes in the largest unit that leaves a number above one.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if number < 1_024 {
        return format!("{number} B");
    }
    let mut tenths = number.saturating_mul(10) / 1_024;
    let mut unit = UNITS[0];
    for next in UNITS.iter().skip(1) {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1_024;
        unit = next;
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// Breaks a clean line into at most `lines` parts of at most `most` columns: at spaces, and within a
/// word that is too long. What is cut ends in `…`.
pub(crate) fn fold_into(line: &str, most: usize, lines: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest: Vec<String> = wrap(line.trim(), most);
    rest.reverse();
    while let Some(part) = rest.pop() {
        if parts.len() + 1 >= lines {
            let left = std::iter::once(part).chain(rest.into_iter().rev());
            parts.push(fit(&left.collect::<Vec<_>>().join(" "), most));
            return parts;
        }
        if width(&part) <= most {
            parts.push(part);
            continue;
        }
        let head = begin(&part, most);
        let tail = part.get(head.len()..).unwrap_or_default().to_owned();
        parts.push(head);
        if !tail.is_empty() {
            rest.push(tail);
        }
    }
    parts
}

/// The beginning of a text that takes at most `most` columns, and at least one character. Signs are
/// measured together: one that a selector makes an emoji takes more than both by themselves.
fn begin(text: &str, most: usize) -> String {
    let mut head = String::new();
    for c in text.chars() {
        head.push(c);
        if width(&head) > most && head.chars().nth(1).is_some() {
            head.pop();
            break;
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_counts_columns_not_characters() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("日本語の題", 6), "日本…");
        assert_eq!(fit("ab cd", 4), "ab…");
        assert_eq!(fit("x", 0), "");
        assert_eq!(pad("日本", 6), "日本  ");
        assert_eq!(pad_left("7", 3), "  7");
    }

    #[test]
    fn long_lines_break_at_spaces_and_keep_their_indentation() {
        assert_eq!(wrap("  one two three", 9), ["  one two", "  three"]);
        assert_eq!(
            wrap("https://example.org/long x", 10),
            ["https://example.org/long", "x"]
        );
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn a_text_folds_into_so_many_lines_and_no_more() {
        assert_eq!(fold_into("one two three four", 9, 2), ["one two", "three fo…"]);
        assert_eq!(fold_into("日本語の題名です", 6, 3), ["日本語", "の題名", "です"]);
        assert_eq!(fold_into("averyverylongword", 5, 2), ["avery", "very…"]);
        for part in fold_into(&"❤\u{fe0f}".repeat(60), 22, 3) {
            assert!(width(&part) <= 22, "{part} is {} wide", width(&part));
        }
        assert_eq!(fold_into("short", 9, 2), ["short"]);
        assert!(fold_into("", 9, 2).concat().is_empty());
    }

    #[test]
    fn times_are_said_in_their_largest_unit() {
        let now = Millis(1_000_000_000_000);
        let back = |minutes: u64| ago(now, Millis(now.0 - minutes * 60_000));
        let said = [0, 1, 59, 60, 1_439, 1_440, 20_159, 20_160, 525_600, 1_051_200].map(back);
        assert_eq!(
            said,
            ["now", "1m", "59m", "1h", "23h", "1d", "13d", "2w", "52w", "2y"]
        );
        assert_eq!(ago(now, Millis(now.0 + 5)), "now");
        assert_eq!(expiry(now, now.plus(7_200_000)), "expires in 2h");
        assert_eq!(expiry(now, now), "expired");
    }

    #[test]
    fn numbers_read_easily() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(plural(1, "item"), "1 item");
        assert_eq!(plural(1_200, "item"), "1,200 items");
        assert_eq!(bytes(900), "900 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(3_250_000), "3.0 MiB");
    }
}
