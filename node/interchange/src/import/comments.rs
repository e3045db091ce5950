//! Comments of one record, and what else goes on in comments because it fits nowhere else: the rest of a
//! body, of a comment, of a reason.
//!
//! Nothing is cut. A text that is too long is continued in the next comment; of more comments than an
//! item may have the last are put together. Cut at the same places each time, so that another import
//! finds them again. Knows nothing of any format.

use std::fmt::Write as _;

use towline_api::request::ImportComment;
use towline_proto::{Millis, limits};

use super::{Parsed, Section};

/// Comments that are kept one by one: the rest of the room is for those that are put together, of which
/// the largest record fills some 130, and for what people say here.
const ONE_BY_ONE: usize = limits::COMMENTS - 500;
/// What is left of a text's room for saying that it goes on.
const NOTICE_BYTES: usize = 100;

/// Text that did not fit where it belongs.
#[derive(Debug, Default)]
pub(super) struct Overflow(Vec<String>);

impl Parsed {
    /// A body of at most the allowed size. What is more goes on in comments.
    pub(super) fn body(&mut self, text: &str, overflow: &mut Overflow) -> String {
        let clean = self.fit("body", text, usize::MAX);
        if clean.len() <= limits::BODY_BYTES {
            return clean;
        }
        self.tally.count(Section::Shortened, "body continued in comments");
        let (mut body, rest) = {
            let (body, rest) = split(&clean, limits::BODY_BYTES - NOTICE_BYTES);
            (body.to_owned(), rest)
        };
        body.push_str("\n\n(the description goes on in the comments)");
        overflow.add("the description", rest);
        body
    }

    /// A reason that passes `text::note`. What is more goes on in comments.
    pub(super) fn reason(&mut self, what: &str, text: &str, overflow: &mut Overflow) -> Option<String> {
        let clean = self.fit(what, text, usize::MAX);
        let (reason, rest) = split(&clean, limits::NOTE_BYTES);
        if !rest.is_empty() {
            self.tally
                .count(Section::Shortened, format!("{what} continued in comments"));
            overflow.add(&format!("the {what}"), rest);
        }
        Some(reason.to_owned()).filter(|reason| !reason.trim().is_empty())
    }

    /// The comments of a record in its order, none of them before the record was made.
    pub(super) fn comments(
        &mut self,
        created_at: Millis,
        created_by: &str,
        comments: Vec<ImportComment>,
        overflow: Overflow,
    ) -> Vec<ImportComment> {
        let rest = overflow
            .0
            .into_iter()
            .enumerate()
            .map(|(place, text)| ImportComment {
                id: format!("#rest-{place}"),
                author: created_by.to_owned(),
                at: after(created_at, place),
                text,
            });
        let mut kept: Vec<ImportComment> = rest.collect();
        for comment in comments {
            let clean = self.fit("comment", &comment.text, usize::MAX);
            if clean.trim().is_empty() {
                self.tally.count(Section::NotCarried, "comments without text");
                continue;
            }
            self.tally.count(Section::Fields, "comment -> comment");
            let at = if comment.at.0 > 0 {
                comment.at.max(created_at)
            } else {
                comment.at
            };
            if clean.len() <= limits::NOTE_BYTES {
                kept.push(ImportComment {
                    at,
                    text: clean,
                    ..comment
                });
                continue;
            }
            self.tally
                .count(Section::Shortened, "comment continued in the next");
            let mut overflow = Overflow::default();
            overflow.add("the comment", &clean);
            for (place, text) in overflow.0.into_iter().enumerate() {
                kept.push(ImportComment {
                    id: format!("{}-{place}", comment.id),
                    author: comment.author.clone(),
                    at: after(at, place),
                    text,
                });
            }
        }
        if kept.len() > limits::COMMENTS {
            let more = kept.split_off(ONE_BY_ONE);
            let what = format!("comments beyond {ONE_BY_ONE} -> combined");
            self.tally.add(Section::Shortened, what, more.len());
            kept.extend(join_comments(more));
        }
        kept
    }
}

impl Overflow {
    /// The rest of a text, in parts of which each fits into a comment.
    fn add(&mut self, what: &str, text: &str) {
        let mut rest = text;
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (part, behind) = split(rest, limits::NOTE_BYTES - NOTICE_BYTES);
            parts.push(part);
            rest = behind;
        }
        let all = parts.len();
        for (place, part) in parts.into_iter().enumerate() {
            self.0.push(format!(
                "({what}, part {} of {all} that stand here)\n\n{part}",
                place + 1
            ));
        }
    }
}

/// A text in two: at the last line that fits, or in the middle of one that does not.
fn split(text: &str, max_bytes: usize) -> (&str, &str) {
    if text.len() <= max_bytes {
        return (text, "");
    }
    let mut end = max_bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (first, _) = text.split_at(end);
    let at_line = first.rfind('\n').filter(|at| *at > max_bytes / 2);
    let end = at_line.map_or(end, |at| at + 1);
    text.split_at(end)
}

/// Several comments in one, as many as fit.
fn join_comments(comments: Vec<ImportComment>) -> Vec<ImportComment> {
    let mut packed: Vec<ImportComment> = Vec::new();
    for comment in comments {
        let mut text = String::new();
        let when = if comment.at.0 > 0 {
            format!(", {}", comment.at)
        } else {
            String::new()
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "**{}**{when}:\n\n{}", comment.author, comment.text);
        match packed
            .last_mut()
            .filter(|last| last.text.len() + text.len() + 7 <= limits::NOTE_BYTES)
        {
            Some(last) => {
                last.text.push_str("\n\n---\n\n");
                last.text.push_str(&text);
            }
            None if text.len() <= limits::NOTE_BYTES => packed.push(ImportComment { text, ..comment }),
            // With its author's name before it, it would be too long: it stands alone, as it was.
            None => packed.push(comment),
        }
    }
    packed
}

/// Some milliseconds after a time that is known, so that what belongs together stays in order.
fn after(at: Millis, place: usize) -> Millis {
    if at.0 == 0 {
        return at;
    }
    at.plus(u64::try_from(place).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(place: u64, text: &str) -> ImportComment {
        ImportComment {
            id: place.to_string(),
            author: "bob".to_owned(),
            at: Millis(1_000 + place),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_text_of_any_length_is_all_there() {
        let mut parsed = Parsed::default();
        let mut overflow = Overflow::default();
        let text: String = (0..60_000).map(|line| format!("line {line} é\n")).collect();
        let body = parsed.body(&text, &mut overflow);
        assert!(body.len() <= limits::BODY_BYTES);
        let comments = parsed.comments(Millis(5), "ann", Vec::new(), overflow);
        let mut whole = body
            .strip_suffix("\n\n(the description goes on in the comments)")
            .expect("said")
            .to_owned();
        for comment in &comments {
            assert!(comment.text.len() <= limits::NOTE_BYTES);
            let (said, rest) = comment.text.split_once("\n\n").expect("a heading");
            assert!(said.contains("the description, part"), "{said}");
            whole.push_str(rest);
        }
        assert_eq!(whole, text);
        assert!(comments.windows(2).all(|pair| pair[0].at < pair[1].at));
    }

    #[test]
    fn a_long_comment_goes_on_in_the_next_and_none_is_older_than_its_issue() {
        let mut parsed = Parsed::default();
        let long = "x".repeat(limits::NOTE_BYTES * 2);
        let comments = vec![comment(0, &long), comment(1, "short"), comment(2, " \u{1} ")];
        let kept = parsed.comments(Millis(2_000), "ann", comments, Overflow::default());
        let letters: usize = kept.iter().map(|comment| comment.text.matches('x').count()).sum();
        assert_eq!((kept.len(), letters), (4, limits::NOTE_BYTES * 2));
        assert_eq!(kept[3].text, "short");
        assert!(kept.iter().all(|comment| comment.at >= Millis(2_000)));
        assert_eq!(parsed.tally.get(Section::NotCarried, "comments without text"), 1);
        assert_eq!(parsed.problems, []);
    }

    #[test]
    fn more_comments_than_an_item_may_have_are_put_together() {
        let mut parsed = Parsed::default();
        let all = limits::COMMENTS as u64 + 200;
        let comments = (0..all).map(|place| comment(place, &format!("thought <{place}>")));
        let kept = parsed.comments(Millis(1), "ann", comments.collect(), Overflow::default());
        assert!(kept.len() <= limits::COMMENTS, "{}", kept.len());
        let texts: String = kept.iter().map(|comment| comment.text.as_str()).collect();
        let numbers = texts
            .split("thought <")
            .skip(1)
            .filter_map(|rest| rest.split_once('>'));
        let numbers: Vec<u64> = numbers.filter_map(|(number, _)| number.parse().ok()).collect();
        assert_eq!(numbers, (0..all).collect::<Vec<_>>());
        assert!(
            kept.iter()
                .all(|comment| comment.text.len() <= limits::NOTE_BYTES)
        );
    }
}
