//! Colours, on a terminal only.
//!
//! Plain ANSI codes around already padded text, so that widths never have to know about them. Text
//! that comes from elsewhere is made safe before it gets here (`text::clean`).

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    on: bool,
}

/// How something is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
    /// Crossed out and dim: without effect.
    Struck,
}

impl Ink {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Blue => "34",
            Self::Magenta => "35",
            Self::Cyan => "36",
            Self::Struck => "2;9",
        }
    }
}

impl Style {
    /// Never coloured.
    pub const PLAIN: Self = Self { on: false };

    /// Coloured or not.
    pub const fn new(on: bool) -> Self {
        Self { on }
    }

    pub(crate) fn paint(self, ink: Ink, text: &str) -> String {
        if !self.on || text.is_empty() || ink == Ink::Plain {
            return text.to_owned();
        }
        format!("\x1b[{}m{text}\x1b[0m", ink.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_only_there_when_wanted() {
        assert_eq!(Style::PLAIN.paint(Ink::Red, "no"), "no");
        assert_eq!(Style::new(true).paint(Ink::Red, "no"), "\x1b[31mno\x1b[0m");
        assert_eq!(Style::new(true).paint(Ink::Red, ""), "");
    }
}
