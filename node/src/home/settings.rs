//! What a node does by itself, and how long it waits before it does: the part of its configuration that
//! projects look at. Plain values with the words that people write for them.

use std::fmt;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest time that can be written, in seconds.
const MAX_S: u64 = 366 * 86_400;
/// How long done and closed items are kept in sight when nobody says otherwise.
const ARCHIVE_AFTER: Duration = Duration::from_secs(4 * 3_600);
/// How long a node must be gone before its claims can be taken over when nobody says otherwise.
const CLAIM_TTL: Duration = Duration::from_secs(10 * 60);
/// The shortest such time that can be written: a few of the 30 s in which nodes say that they are there.
const MIN_CLAIM_TTL: Duration = Duration::from_secs(2 * 60);

/// How long commands wait for each other when nobody says otherwise: some hundred that begin at once are done by
/// then.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// What the projects of a node do by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether backlog items start by themselves when the last thing they wait for is done.
    pub promote: Promote,
    /// How long an item stays done or closed before it is archived.
    pub archive_after: ArchiveAfter,
    /// How long the node of a claim must not have been heard of before the claim can be taken over.
    pub claim_ttl: ClaimTtl,
}

/// Who starts an item whose dependencies are all satisfied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Promote {
    /// Somebody.
    #[default]
    Manual,
    /// The node.
    Auto,
}

/// When what is done or closed goes out of sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveAfter {
    /// When somebody archives it.
    Never,
    /// By itself, after so long.
    Span(Duration),
}

/// How long a node must be gone before its claims can be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimTtl(pub Duration);

/// How long a command waits while others have the store open, or a node has no place for another client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusyTimeout(pub Duration);

impl Default for ArchiveAfter {
    fn default() -> Self {
        Self::Span(ARCHIVE_AFTER)
    }
}

impl Default for ClaimTtl {
    fn default() -> Self {
        Self(CLAIM_TTL)
    }
}

impl Default for BusyTimeout {
    fn default() -> Self {
        Self(BUSY_TIMEOUT)
    }
}

impl fmt::Display for BusyTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&written(self.0))
    }
}

impl std::str::FromStr for BusyTimeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "0" | "0s" => Ok(Self(Duration::ZERO)),
            _ => span(text)
                .map(Self)
                .map_err(|why| format!("busy_timeout is 0s or a duration: {why}")),
        }
    }
}

impl fmt::Display for Promote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Manual => "manual",
            Self::Auto => "auto",
        })
    }
}

impl fmt::Display for ArchiveAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.pad("never"),
            Self::Span(span) => f.pad(&written(*span)),
        }
    }
}

impl fmt::Display for ClaimTtl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&written(self.0))
    }
}

impl std::str::FromStr for Promote {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "manual" => Ok(Self::Manual),
            "auto" => Ok(Self::Auto),
            _ => Err(format!("promote is \"manual\" or \"auto\"; got {text:?}")),
        }
    }
}

impl std::str::FromStr for ArchiveAfter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self::Never),
            _ => span(text)
                .map(Self::Span)
                .map_err(|why| format!("archive_after is \"never\" or a duration: {why}")),
        }
    }
}

impl std::str::FromStr for ClaimTtl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let span = span(text).map_err(|why| format!("claim_ttl: {why}"))?;
        if span < MIN_CLAIM_TTL {
            return Err(format!(
                "claim_ttl is at least {}, because a node says every 30s that it is there; got {text:?}",
                written(MIN_CLAIM_TTL)
            ));
        }
        Ok(Self(span))
    }
}

/// Reads `90s`, `30m`, `24h`, `7d`.
///
/// # Errors
/// With what would be right.
pub fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("a duration looks like 30s, 15m, 24h or 7d; got {text:?}");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: u64 = text
        .strip_suffix(unit)
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(wrong)?;
    count
        .checked_mul(seconds)
        .filter(|total| (1..=MAX_S).contains(total))
        .map(Duration::from_secs)
        .ok_or_else(|| format!("a duration is between 1s and 366d; got {text:?}"))
}

/// The shortest way to write a time in whole seconds.
pub fn written(span: Duration) -> String {
    let seconds = span.as_secs();
    for (unit, size) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
        if seconds >= size && seconds.is_multiple_of(size) {
            return format!("{}{unit}", seconds / size);
        }
    }
    format!("{seconds}s")
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

as_text!(Promote ArchiveAfter ClaimTtl BusyTimeout);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_nonsense_says_what_would_be_right() {
        for text in ["90s", "30m", "5h", "3d"] {
            assert_eq!(written(span(text).unwrap()), text);
        }
        assert_eq!("never".parse(), Ok(ArchiveAfter::Never));
        assert_eq!("4h".parse(), Ok(ArchiveAfter::default()));
        assert_eq!("10m".parse(), Ok(ClaimTtl::default()));
        assert_eq!("0s".parse(), Ok(BusyTimeout(Duration::ZERO)));
        assert_eq!("30s".parse(), Ok(BusyTimeout::default()));
        assert!("-1s".parse::<BusyTimeout>().unwrap_err().contains("0s"));
        let why = "5s".parse::<ClaimTtl>().unwrap_err();
        assert!(why.contains("at least 2m"), "{why}");
        let why = "soon".parse::<ArchiveAfter>().unwrap_err();
        assert!(why.contains("never") && why.contains("24h"), "{why}");
        assert!("always".parse::<Promote>().unwrap_err().contains("\"auto\""));
    }
}
