//! Merges sections into a body, for records that contain no main text.
//!
//! Works on texts alone. Nothing is removed except an earlier version of the same section, and that only if
//! the body has no main text in which such a heading could be somebody's own.

/// The body with the sections of another text merged in.
pub(super) fn extended(here: &str, said: &str) -> String {
    let mut blocks = sections(here);
    let is_own_text = blocks.first().is_some_and(|first| !first.starts_with(MARK));
    for section in sections(said) {
        if here.contains(section) {
            continue;
        }
        let heading = section.lines().next();
        let same = blocks.iter_mut().find(|block| block.lines().next() == heading);
        match same.filter(|_| !is_own_text) {
            Some(block) => *block = section,
            None => blocks.push(section),
        }
    }
    if blocks == sections(here) {
        return here.to_owned();
    }
    blocks.join("\n\n")
}

/// The prefix of a heading.
const MARK: &str = "## ";

/// A text split before each heading, without the empty lines between sections.
fn sections(text: &str) -> Vec<&str> {
    let mut sections = Vec::new();
    let mut rest = text;
    loop {
        let next = rest.find("\n## ").map(|at| at + 1);
        let (section, behind) = rest.split_at(next.unwrap_or(rest.len()));
        sections.push(section.trim_end());
        if next.is_none() {
            break;
        }
        rest = behind;
    }
    sections.retain(|section| !section.is_empty());
    sections
}

#[cfg(test)]
mod tests {
    use super::extended;

    #[test]
    fn what_is_not_said_stays_and_what_is_said_is_there() {
        assert_eq!(extended("Why.", ""), "Why.");
        assert_eq!(extended("Why.\n", "## Notes\n\na"), "Why.\n\n## Notes\n\na");
        let whole = "Why.\n\n## Notes\n\na";
        assert_eq!(extended(whole, "## Notes\n\na"), whole);
        assert_eq!(
            extended(whole, "## Notes\n\nb"),
            "Why.\n\n## Notes\n\na\n\n## Notes\n\nb"
        );
        assert_eq!(
            extended(
                "## Notes\n\na\n\n## Design\n\nd",
                "## Notes\n\nb\n\n## Close reason\n\nc"
            ),
            "## Notes\n\nb\n\n## Design\n\nd\n\n## Close reason\n\nc"
        );
        assert_eq!(extended("", "## Notes\n\na"), "## Notes\n\na");
        assert_eq!(extended("é", "é\n## x"), "é\n\n## x");
    }
}
