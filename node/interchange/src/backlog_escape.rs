//! Escapes texts between the markers of a Backlog.md file, so that a text cannot end its section.
//!
//! Used by the export and the import, which must agree. Works line by line, and unescaping restores every
//! text: what already looks escaped is escaped once more.

/// The start of an escaped HTML comment, after the ampersands.
const ESCAPED_COMMENT: &str = "lt;!--";

/// Escapes lines that look like markers: `<!-- AC:END -->` in a body would end it.
pub(crate) fn escape(text: &str) -> String {
    map_lines(text, |line| {
        let (indent, rest) = indented(line);
        if !is_marker(rest) {
            return line.to_owned();
        }
        match rest.strip_prefix('<') {
            Some(rest) => format!("{indent}&lt;{rest}"),
            None => format!("{indent}&amp;{}", rest.get(1..).unwrap_or_default()),
        }
    })
}

/// Reverts [`escape`].
pub(crate) fn unescape(text: &str) -> String {
    map_lines(text, |line| {
        let (indent, rest) = indented(line);
        match rest.strip_prefix('&').filter(|_| is_marker(rest)) {
            Some(rest) => match rest.strip_prefix("amp;") {
                Some(rest) => format!("{indent}&{rest}"),
                None => format!("{indent}<{}", rest.get(3..).unwrap_or_default()),
            },
            None => line.to_owned(),
        }
    })
}

/// Escapes bare rules in a comment, which would end it.
pub(crate) fn escape_rules(text: &str) -> String {
    map_lines(text, |line| match line.trim_start_matches(' ').trim_end() {
        "---" => format!(" {line}"),
        _ => line.to_owned(),
    })
}

/// Reverts [`escape_rules`].
pub(crate) fn unescape_rules(text: &str) -> String {
    map_lines(text, |line| match line.strip_prefix(' ') {
        Some(rest) if rest.trim_start_matches(' ').trim_end() == "---" => rest.to_owned(),
        _ => line.to_owned(),
    })
}

/// Escapes lines of a criterion that look like another criterion.
pub(crate) fn escape_checkboxes(text: &str) -> String {
    map_lines(text, |line| {
        let (indent, rest) = indented(line);
        match is_box(rest) {
            true => format!("{indent}\\{rest}"),
            false => line.to_owned(),
        }
    })
}

/// Reverts [`escape_checkboxes`] for one line.
pub(crate) fn unescape_checkbox(line: &str) -> &str {
    line.strip_prefix('\\')
        .filter(|rest| is_box(rest))
        .unwrap_or(line)
}

fn is_box(line: &str) -> bool {
    let line = line.trim_start_matches('\\');
    line.starts_with("- [") || line.starts_with("* [")
}

/// Whether a line is a marker, escaped or not.
fn is_marker(line: &str) -> bool {
    let inner = line.strip_prefix("<!--").or_else(|| {
        let mut rest = line.strip_prefix('&')?;
        while let Some(less) = rest.strip_prefix("amp;") {
            rest = less;
        }
        rest.strip_prefix(ESCAPED_COMMENT)
    });
    let inner = inner.and_then(|inner| inner.trim_end().strip_suffix("-->"));
    inner.is_some_and(|inner| inner.trim().ends_with(":BEGIN") || inner.trim().ends_with(":END"))
}

fn indented(line: &str) -> (&str, &str) {
    line.split_at(line.len() - line.trim_start().len())
}

fn map_lines(text: &str, of: impl Fn(&str) -> String) -> String {
    let lines: Vec<String> = text.split('\n').map(of).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_end_its_section() {
        let text = "one\n<!-- SECTION:DESCRIPTION:END -->\n  <!--AC:BEGIN-->\n<!-- a comment -->";
        assert_eq!(
            escape(text),
            "one\n&lt;!-- SECTION:DESCRIPTION:END -->\n  &lt;!--AC:BEGIN-->\n<!-- a comment -->"
        );
        assert_eq!(escape_rules("a\n---\nb"), "a\n ---\nb");
        assert_eq!(
            escape_checkboxes("all of\n  - [x] a\n- b"),
            "all of\n  \\- [x] a\n- b"
        );
    }

    #[test]
    fn what_was_escaped_comes_back() {
        for text in [
            "<!-- AC:END -->",
            "&lt;!-- AC:END -->\n&amp;lt;!-- AC:END -->\n\t<!-- AC:END --> ",
            "&amp;amp; &lt;!-- AC:END -->\n&lt;!-- note -->\n&",
            "",
            "\n\na\n",
        ] {
            assert_eq!(unescape(&escape(text)), text);
            assert!(
                !escape(text).lines().any(|line| line.trim().starts_with("<!--")),
                "{text}"
            );
        }
        for text in ["---", " ---\n   --- \n----\n- --", "    ---"] {
            assert_eq!(unescape_rules(&escape_rules(text)), text);
            assert!(escape_rules(text).lines().all(|line| line.trim_end() != "---"));
        }
        for line in ["- [x] a", "\\- [ ] a", "\\\\* [", "\\n", "- a"] {
            assert_eq!(unescape_checkbox(&escape_checkboxes(line)), line);
        }
    }
}
