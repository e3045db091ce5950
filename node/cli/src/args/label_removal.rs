//! `label 42 -old`: a label to remove, which clap would take for a bundle of flags.
//!
//! clap can let a positional argument begin with a hyphen, but then it swallows real flags behind
//! it: `label 42 +ui --json` would remove a label called `-json`. So the words are rewritten before
//! clap sees them: `-old` becomes `--remove=old`. What is exactly a flag stays one.

use std::ffi::{OsStr, OsString};

/// Flags that take the next word as their value.
const WITH_VALUE: &[&str] = &["-C", "--project", "--as", "--add", "--remove"];
/// Single-hyphen flags that `label` takes.
const FLAGS: &[&str] = &["-q", "-v", "-vv", "-vvv", "-h", "-V", "-"];

/// Whether a text looks like an option and not like free text.
pub(super) fn is_flag(text: &str) -> bool {
    let name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'='))
    };
    match text.strip_prefix("--") {
        Some(long) => name(long),
        None => text
            .strip_prefix('-')
            .is_some_and(|short| short.len() == 1 && name(short)),
    }
}

/// The same words, with labels to remove as options where the command is `label`.
pub(super) fn rewrite(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::new();
    let (mut labels, mut command_known, mut value) = (false, false, true);
    for word in words {
        let text = word.to_str().unwrap_or("");
        let is_value = std::mem::take(&mut value);
        if is_value || command_known && !labels {
            out.push(word);
        } else if text == "--" {
            (command_known, labels) = (true, false);
            out.push(word);
        } else if WITH_VALUE.contains(&text) {
            value = true;
            out.push(word);
        } else if !text.starts_with('-') {
            if !command_known {
                (command_known, labels) = (true, word == OsStr::new("label"));
            }
            out.push(word);
        } else if labels && !text.starts_with("--") && !FLAGS.contains(&text) {
            out.push(format!("--remove={}", text.trim_start_matches('-')).into());
        } else {
            out.push(word);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &str) -> String {
        let words = rewrite(line.split(' ').map(OsString::from));
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn only_labels_of_label_are_rewritten() {
        assert_eq!(
            rewritten("towline -C label label 42 +ui -old -q --add -x -y"),
            "towline -C label label 42 +ui --remove=old -q --add -x --remove=y"
        );
        for same in [
            "towline list -q -k bug",
            "towline comment 42 -x",
            "towline label 42 -- -x",
            "towline label 42 +ui --json",
            "towline --as label start 4 -m x",
            "towline show label -x",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
