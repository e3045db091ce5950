//! Parses a line of chat into a command and its arguments.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use towline_proto::text::show;

use super::table::{ALIASES, Arg, COMMANDS, ChatCommand};

/// How long a room can be muted; at most 30 days, so that a forgotten mute ends.
const MUTE: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(30 * 86_400);

/// A command with its arguments.
#[derive(Debug)]
pub(crate) struct ParsedCommand {
    /// The command.
    pub(crate) command: &'static ChatCommand,
    /// The project of the item, if given as in `demo/42`.
    pub(crate) project: Option<String>,
    /// The arguments in order; omitted optional ones are missing at the end.
    pub(crate) args: Vec<String>,
}

impl ParsedCommand {
    /// An argument; empty if omitted.
    pub(crate) fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }
}

/// Why a line is not a command.
#[derive(Debug)]
pub(crate) enum ParseError {
    /// Nothing after the prefix.
    Empty,
    /// There is no such command.
    Unknown {
        /// The first word, shortened.
        word: String,
        /// The command with a similar name, if there is one.
        similar: Option<&'static str>,
    },
    /// An argument is missing, or there are too many.
    Usage(&'static ChatCommand),
}

impl ParseError {
    /// The error as one line of text.
    pub(crate) fn message(&self, prefix: &str) -> String {
        match self {
            Self::Empty => format!("no command given; `{prefix}help` lists the commands"),
            Self::Unknown {
                word,
                similar: Some(similar),
            } => {
                format!("there is no command {word:?}; did you mean `{prefix}{similar}`?")
            }
            Self::Unknown { word, similar: None } => {
                format!("there is no command {word:?}; `{prefix}help` lists the commands")
            }
            Self::Usage(command) => format!("usage: `{prefix}{}` — {}", command.usage(), command.help),
        }
    }
}

/// The command in a message: the text after the prefix, or after the name of our account.
pub(crate) fn command_text<'a>(body: &'a str, prefix: &str, me: &str) -> Option<&'a str> {
    let body = body.trim();
    if let Some(rest) = body.strip_prefix(prefix) {
        // `!` alone, `!!` and `! 5 items` are not commands.
        return rest.starts_with(char::is_alphabetic).then_some(rest);
    }
    let local = me.trim_start_matches('@').split(':').next().unwrap_or(me);
    [me, local, "towline"]
        .into_iter()
        .filter(|name| !name.is_empty())
        .find_map(|name| {
            let body = body
                .strip_prefix('@')
                .filter(|_| !name.starts_with('@'))
                .unwrap_or(body);
            let head = body.get(..name.len())?;
            let rest = body.get(name.len()..)?;
            let ends = rest.starts_with([':', ',']);
            (head.eq_ignore_ascii_case(name) && ends)
                .then(|| rest.trim_start_matches([':', ',']).trim())
                .filter(|rest| !rest.is_empty())
        })
}

/// Whether another line of a message starts with a command. Then none is executed, because the lines could also be
/// the text of the first command.
pub(super) fn has_second_command(text: &str, prefix: &str) -> bool {
    text.lines().skip(1).any(|line| {
        let rest = line.trim_start().strip_prefix(prefix);
        rest.is_some_and(|rest| parse(rest).is_ok() || matches!(parse(rest), Err(ParseError::Usage(_))))
    })
}

/// Parses a command: the longest name that matches, then its arguments.
pub(crate) fn parse(text: &str) -> Result<ParsedCommand, ParseError> {
    let text = text.trim();
    let first = text.split_whitespace().next().ok_or(ParseError::Empty)?;
    let alias = ALIASES.iter().find(|(old, _)| old.eq_ignore_ascii_case(first));
    let renamed = alias.map(|(old, name)| format!("{name}{}", text.get(old.len()..).unwrap_or_default()));
    let text = renamed.as_deref().unwrap_or(text);
    let matches_name = |command: &&ChatCommand| {
        text.get(..command.name.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(command.name))
            && text
                .get(command.name.len()..)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
    };
    let command = COMMANDS
        .iter()
        .filter(matches_name)
        .max_by_key(|command| command.name.len())
        .ok_or_else(|| ParseError::Unknown {
            word: show(first, 40),
            similar: similar_name(first),
        })?;
    let mut rest = text.get(command.name.len()..).unwrap_or_default().trim();
    let mut parsed = ParsedCommand {
        command,
        project: None,
        args: Vec::new(),
    };
    for arg in command.args {
        let value = match arg {
            Arg::Item | Arg::Word(_) | Arg::Maybe(_) => {
                let (word, after) = split_word(rest).ok_or(ParseError::Usage(command))?;
                rest = after.trim_start();
                word
            }
            Arg::Rest(_) | Arg::MaybeRest(_) => unquoted(std::mem::take(&mut rest)),
        };
        match arg {
            Arg::Maybe(_) | Arg::MaybeRest(_) if value.is_empty() => {}
            Arg::Item | Arg::Word(_) | Arg::Rest(_) if value.trim().is_empty() => {
                return Err(ParseError::Usage(command));
            }
            Arg::Item => {
                let (project, item) = split_item(&value);
                parsed.project = project;
                parsed.args.push(item);
            }
            Arg::Word(_) | Arg::Rest(_) | Arg::Maybe(_) | Arg::MaybeRest(_) => parsed.args.push(value),
        }
    }
    if rest.is_empty() {
        Ok(parsed)
    } else {
        Err(ParseError::Usage(command))
    }
}

/// Splits `demo/42` into project and item; `42` and `#42` have no project.
pub(crate) fn split_item(text: &str) -> (Option<String>, String) {
    match text.rsplit_once('/') {
        Some((project, item)) if !project.is_empty() => (Some(project.to_owned()), item.to_owned()),
        _ => (None, text.to_owned()),
    }
}

/// The first word or quoted text, and the rest; `None` when a quote is not closed.
fn split_word(text: &str) -> Option<(String, &str)> {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '“')) {
        let close = if quote == '“' { '”' } else { '"' };
        let (inside, after) = text.get(quote.len_utf8()..)?.split_once(close)?;
        return Some((inside.to_owned(), after));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, after) = text.split_at_checked(end)?;
    Some((word.to_owned(), after))
}

/// Removes quotes around the whole text. Free text needs no quotes, and quotes inside it are kept.
fn unquoted(text: &str) -> String {
    let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inside
        .filter(|inside| !inside.contains('"'))
        .unwrap_or(text)
        .to_owned()
}

/// Parses a duration such as `30m`, `8h` or `2d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let span = text.parse::<Span>().ok();
    let signed = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let duration = signed.and_then(|signed| Duration::try_from(signed).ok());
    duration.filter(|time| MUTE.contains(time)).ok_or_else(|| {
        format!(
            "{:?} is not a valid time; use for example 30m, 8h or 2d, at most 30d",
            show(text, 40)
        )
    })
}

/// The command with the most similar name, if it differs by at most two characters.
fn similar_name(word: &str) -> Option<&'static str> {
    let word: String = word.chars().take(40).collect();
    COMMANDS
        .iter()
        .map(|command| (strsim::levenshtein(&word, command.name), command.name))
        .min()
        .filter(|(distance, name)| *distance <= 2 && *distance < name.len())
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, Option<String>, Vec<String>) {
        let parsed = parse(text).expect("a command");
        (parsed.command.name.to_owned(), parsed.project, parsed.args)
    }

    fn error(text: &str) -> String {
        parse(text).expect_err("not a command").message("!")
    }

    #[test]
    fn items_words_and_free_text_are_distinguished() {
        assert_eq!(
            parsed("block demo/42 can't reach the database"),
            (
                "block".to_owned(),
                Some("demo".to_owned()),
                vec!["42".to_owned(), "can't reach the database".to_owned()]
            )
        );
        assert_eq!(
            parsed("create bug \"Fix the  login\"").2,
            ["bug", "Fix the  login"]
        );
        assert_eq!(parsed("assign 42 \"Ann Lee\"").2, ["42", "Ann Lee"]);
        assert_eq!(parsed("MOVE #42 qa").2, ["#42", "qa"]);
        assert_eq!(
            parsed("move 42 qa it was done by hand").2,
            ["42", "qa", "it was done by hand"]
        );
    }

    #[test]
    fn a_conflict_is_resolved_by_item_and_side() {
        assert_eq!(
            parsed("resolve demo/42 b c0ff"),
            (
                "resolve".to_owned(),
                Some("demo".to_owned()),
                vec!["42".to_owned(), "b".to_owned(), "c0ff".to_owned()]
            )
        );
        assert_eq!(
            parsed("resolve 42 \"stay in coding\"").2,
            ["42", "stay in coding"]
        );
        assert!(error("resolve 42").contains("resolve N SIDE [CONFLICT]"));
        assert_eq!(parsed("Settle 42 b").0, "resolve", "its name before");
        assert!(parsed("conflicts").2.is_empty());
    }

    #[test]
    fn an_error_shows_the_usage_or_a_similar_command() {
        assert_eq!(
            error("block 42"),
            "usage: `!block N REASON` — mark an item as blocked"
        );
        assert_eq!(error("unblock 42 now"), "usage: `!unblock N` — unblock an item");
        assert_eq!(
            error("mvoe 42 qa"),
            "there is no command \"mvoe\"; did you mean `!move`?"
        );
        assert!(error("frobnicate").contains("`!help`"));
        assert!(error("assign 42 \"Ann").starts_with("usage"));
    }

    #[test]
    fn a_command_name_ends_at_a_word_boundary() {
        assert!(error("statusquo").contains("no command"));
        assert_eq!(parsed("all-status").0, "all-status");
    }

    #[test]
    fn a_command_starts_with_the_prefix_or_our_name() {
        let me = "@towline:example.org";
        assert_eq!(command_text("!move 42 qa", "!", me), Some("move 42 qa"));
        assert_eq!(command_text("towline: move 42 qa", "!", me), Some("move 42 qa"));
        assert_eq!(
            command_text("@towline:example.org: status", "!", me),
            Some("status")
        );
        assert_eq!(command_text("Towline, status", "!", me), Some("status"));
        for other in ["hello", "!", "!!", "! what", "towline is fine", "éé: x", ""] {
            assert_eq!(command_text(other, "!", me), None, "{other}");
        }
    }
}
