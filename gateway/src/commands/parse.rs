//! From a line of chat to a command and its arguments.

use std::time::Duration;

use towline_proto::text::show;

use super::table::{Arg, COMMANDS, Command};

/// Longest time for which a room is muted, in seconds: whoever forgets it hears again some day.
const MUTED_S: u64 = 30 * 86_400;

/// A command with what was typed after it.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// Which.
    pub(crate) command: &'static Command,
    /// The project before the slash of the item, if one was given.
    pub(crate) project: Option<String>,
    /// The arguments in order; those that were left out are missing at the end.
    pub(crate) args: Vec<String>,
}

impl Parsed {
    /// An argument; empty when it was left out.
    pub(crate) fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }
}

/// Why a line is not a command.
#[derive(Debug)]
pub(crate) enum ParseError {
    /// Nothing after the prefix.
    Empty,
    /// No command begins so.
    Unknown {
        /// What was typed, shortened.
        got: String,
        /// The command whose name is closest, when one is close.
        near: Option<&'static str>,
    },
    /// An argument is missing or one too many.
    Usage(&'static Command),
}

impl ParseError {
    pub(crate) fn told(&self, prefix: &str) -> String {
        match self {
            Self::Empty => format!("say what to do; `{prefix}help` lists what there is"),
            Self::Unknown {
                got,
                near: Some(near),
            } => {
                format!("there is no command {got:?}; did you mean `{prefix}{near}`?")
            }
            Self::Unknown { got, near: None } => {
                format!("there is no command {got:?}; `{prefix}help` lists what there is")
            }
            Self::Usage(command) => format!("usage: `{prefix}{}`: {}", command.usage(), command.help),
        }
    }
}

/// The command in a message: after the prefix, or after our name at the beginning.
pub fn addressed<'a>(body: &'a str, prefix: &str, me: &str) -> Option<&'a str> {
    let body = body.trim();
    if let Some(rest) = body.strip_prefix(prefix) {
        // `!` alone, `!!` and `! 5 items` are exclamations.
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

/// Whether a further line of a message begins with a command as well. Only one is done: what would be
/// read as the words of the first is not done either.
pub(super) fn is_followed(text: &str, prefix: &str) -> bool {
    text.lines().skip(1).any(|line| {
        let rest = line.trim_start().strip_prefix(prefix);
        rest.is_some_and(|rest| parse(rest).is_ok() || matches!(parse(rest), Err(ParseError::Usage(_))))
    })
}

/// Reads a command: the longest name that fits, then its arguments.
pub(crate) fn parse(text: &str) -> Result<Parsed, ParseError> {
    let text = text.trim();
    let first = text.split_whitespace().next().ok_or(ParseError::Empty)?;
    let fits = |command: &&Command| {
        text.get(..command.name.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(command.name))
            && text
                .get(command.name.len()..)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
    };
    let command = COMMANDS
        .iter()
        .filter(fits)
        .max_by_key(|command| command.name.len())
        .ok_or_else(|| ParseError::Unknown {
            got: towline_proto::text::show(first, 40),
            near: nearest(first),
        })?;
    let mut rest = text.get(command.name.len()..).unwrap_or_default().trim();
    let mut parsed = Parsed {
        command,
        project: None,
        args: Vec::new(),
    };
    for arg in command.args {
        let value = match arg {
            Arg::Item | Arg::Word(_) | Arg::Maybe(_) => {
                let (word, after) = word(rest).ok_or(ParseError::Usage(command))?;
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
                let (project, item) = item(&value);
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

/// `demo/42` names a project; `42` and `#42` do not.
pub(crate) fn item(text: &str) -> (Option<String>, String) {
    match text.rsplit_once('/') {
        Some((project, item)) if !project.is_empty() => (Some(project.to_owned()), item.to_owned()),
        _ => (None, text.to_owned()),
    }
}

/// The first word, or what is between the first quotes; `None` when a quote is not closed.
fn word(text: &str) -> Option<(String, &str)> {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '“')) {
        let close = if quote == '“' { '”' } else { '"' };
        let (inside, after) = text.get(quote.len_utf8()..)?.split_once(close)?;
        return Some((inside.to_owned(), after));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, after) = text.split_at_checked(end)?;
    Some((word.to_owned(), after))
}

/// Free text needs no quotes, so an apostrophe in it means nothing; around all of it they are
/// taken off.
fn unquoted(text: &str) -> String {
    let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inside
        .filter(|inside| !inside.contains('"'))
        .unwrap_or(text)
        .to_owned()
}

/// A time as people type it: `30m`, `8h`, `2d`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "{:?} is no time up to 30 days; type 30m, 8h or 2d",
            show(text, 40)
        )
    };
    let unit = text.chars().last().ok_or_else(wrong)?;
    let digits = text.strip_suffix(unit).unwrap_or_default();
    let seconds = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let whole = count
        .checked_mul(seconds)
        .filter(|whole| (1..=MUTED_S).contains(whole));
    whole.map(Duration::from_secs).ok_or_else(wrong)
}

/// The command that was meant, if the word is one slip of the finger or two away from it.
fn nearest(word: &str) -> Option<&'static str> {
    let word: Vec<char> = word.chars().take(40).collect();
    COMMANDS
        .iter()
        .map(|command| (distance(&word, command.name), command.name))
        .min()
        .filter(|(distance, name)| *distance <= 2 && *distance < name.len())
        .map(|(_, name)| name)
}

/// Levenshtein's distance.
fn distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let changed = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = changed.min(*cell + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, Option<String>, Vec<String>) {
        let parsed = parse(text).expect("a command");
        (parsed.command.name.to_owned(), parsed.project, parsed.args)
    }

    fn refused(text: &str) -> String {
        parse(text).expect_err("not a command").told("!")
    }

    #[test]
    fn items_words_and_free_text_are_told_apart() {
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
    fn a_contest_is_settled_by_item_and_side() {
        assert_eq!(
            parsed("settle demo/42 b c0ff"),
            (
                "settle".to_owned(),
                Some("demo".to_owned()),
                vec!["42".to_owned(), "b".to_owned(), "c0ff".to_owned()]
            )
        );
        assert_eq!(parsed("settle 42 \"stay in coding\"").2, ["42", "stay in coding"]);
        assert!(refused("settle 42").contains("settle N SIDE [CONFLICT]"));
        assert!(parsed("conflicts").2.is_empty());
    }

    #[test]
    fn a_wrong_line_says_what_would_be_right() {
        assert_eq!(
            refused("block 42"),
            "usage: `!block N REASON`: say that it cannot go on"
        );
        assert_eq!(
            refused("unblock 42 now"),
            "usage: `!unblock N`: say that it can go on"
        );
        assert_eq!(
            refused("mvoe 42 qa"),
            "there is no command \"mvoe\"; did you mean `!move`?"
        );
        assert!(refused("frobnicate").contains("`!help`"));
        assert!(refused("assign 42 \"Ann").starts_with("usage"));
    }

    #[test]
    fn a_name_ends_where_the_word_ends() {
        assert!(refused("statusquo").contains("no command"));
        assert_eq!(parsed("all-status").0, "all-status");
    }

    #[test]
    fn we_are_addressed_by_prefix_or_by_name() {
        let me = "@towline:example.org";
        assert_eq!(addressed("!move 42 qa", "!", me), Some("move 42 qa"));
        assert_eq!(addressed("towline: move 42 qa", "!", me), Some("move 42 qa"));
        assert_eq!(addressed("@towline:example.org: status", "!", me), Some("status"));
        assert_eq!(addressed("Towline, status", "!", me), Some("status"));
        for not_ours in ["hello", "!", "!!", "! what", "towline is fine", "éé: x", ""] {
            assert_eq!(addressed(not_ours, "!", me), None, "{not_ours}");
        }
    }
}
