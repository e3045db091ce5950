//! The settings of a project, as plain values with their text forms. They are the same on every node;
//! `towline-engine` stores them and decides who may change them. Settings and values that this version does not know
//! are left to the versions that do.

use std::fmt;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use towline_proto::stage::UnknownWord;
use towline_proto::{Qa, text};

/// The longest duration, in seconds.
const MAX_S: u64 = 366 * 86_400;
/// By default, how long done and closed items stay visible.
const ARCHIVE_AFTER: Duration = Duration::from_secs(7 * 86_400);
/// By default, how long a node must be gone before its claims can be taken over.
const CLAIM_TTL: Duration = Duration::from_secs(10 * 60);
/// The shortest such time: a few of the 30 s between heartbeats.
const MIN_CLAIM_TTL: Duration = Duration::from_secs(2 * 60);

/// By default, how long commands wait for each other: about a hundred that start at once are done by then.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// By default, how often an item can be sent back.
const RETRY_LIMIT: u32 = 5;
/// The highest such limit.
const MAX_RETRIES: u32 = 1_000;

/// The names of a project's settings that this version knows, in the order in which they are listed.
pub const KEYS: [&str; 5] = ["promote", "archive_after", "retry_limit", "qa", "claim_ttl"];

/// The settings of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How often an item can be sent back before it is blocked.
    pub retry_limit: RetryLimit,
    /// Who passes a new item through QA by default.
    pub qa: Qa,
    /// Whether backlog items start automatically when their last dependency is done.
    pub promote: Promote,
    /// How long an item stays done or closed before it is archived.
    pub archive_after: ArchiveAfter,
    /// How long the node of a claim must not have been seen before the claim can be taken over.
    pub claim_ttl: ClaimTtl,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            promote: Promote::default(),
            archive_after: ArchiveAfter::default(),
            retry_limit: RetryLimit::default(),
            qa: Qa::Agent,
            claim_ttl: ClaimTtl::default(),
        }
    }
}

impl Settings {
    /// The text form of a setting; `None` for an unknown one.
    pub fn get(&self, key: &str) -> Option<String> {
        Some(match key {
            "promote" => self.promote.to_string(),
            "archive_after" => self.archive_after.to_string(),
            "retry_limit" => self.retry_limit.to_string(),
            "qa" => self.qa.to_string(),
            "claim_ttl" => self.claim_ttl.to_string(),
            _ => return None,
        })
    }

    /// Sets a value from its text form.
    ///
    /// # Errors
    /// When there is no such setting or value; the message lists what is valid.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "promote" => self.promote = value.parse()?,
            "archive_after" => self.archive_after = value.parse()?,
            "retry_limit" => self.retry_limit = value.parse()?,
            "qa" => self.qa = value.parse().map_err(|why: UnknownWord| why.to_string())?,
            "claim_ttl" => self.claim_ttl = value.parse()?,
            _ => {
                let key = text::show(key, 80);
                return Err(format!(
                    "unknown project setting {key:?}; expected one of: {}",
                    KEYS.join(", ")
                ));
            }
        }
        Ok(())
    }
}

/// How often an item can be sent back; one more time also blocks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryLimit {
    /// No limit.
    Never,
    /// This many times.
    Times(u32),
}

impl RetryLimit {
    /// Whether an item that was sent back this often is blocked the next time.
    pub const fn is_reached(self, retries: u32) -> bool {
        match self {
            Self::Never => false,
            Self::Times(limit) => retries >= limit,
        }
    }
}

impl Default for RetryLimit {
    fn default() -> Self {
        Self::Times(RETRY_LIMIT)
    }
}

impl fmt::Display for RetryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.pad("never"),
            Self::Times(limit) => write!(f, "{limit}"),
        }
    }
}

impl std::str::FromStr for RetryLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Never);
        }
        let limit = text
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_RETRIES).contains(limit));
        limit
            .map(Self::Times)
            .ok_or_else(|| format!("retry_limit must be 1 to {MAX_RETRIES} or \"never\"; got {text:?}"))
    }
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

/// When done and closed items are archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveAfter {
    /// Only manually.
    Never,
    /// Automatically after this time.
    Span(Duration),
}

/// How long a node must be gone before its claims can be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimTtl(pub Duration);

/// How long a command waits while others have the store open, or a node has no room for another client.
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
                .map_err(|why| format!("busy_timeout must be 0s or a duration: {why}")),
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
            _ => Err(format!("promote must be \"manual\" or \"auto\"; got {text:?}")),
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
                .map_err(|why| format!("archive_after must be \"never\" or a duration: {why}")),
        }
    }
}

impl std::str::FromStr for ClaimTtl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let span = span(text).map_err(|why| format!("claim_ttl: {why}"))?;
        if span < MIN_CLAIM_TTL {
            return Err(format!(
                "claim_ttl must be at least {}, because a node announces its presence every 30s; got {text:?}",
                written(MIN_CLAIM_TTL)
            ));
        }
        Ok(Self(span))
    }
}

/// Reads `90s`, `30m`, `24h`, `7d`.
///
/// # Errors
/// With the valid forms.
pub fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("invalid duration {text:?}; expected for example 30s, 15m, 24h or 7d");
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
        .ok_or_else(|| format!("a duration must be between 1s and 366d; got {text:?}"))
}

/// The shortest form of a duration in whole seconds.
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
    fn every_setting_has_a_value_that_it_takes_again() {
        let mut settings = Settings::default();
        for key in KEYS {
            let value = settings.get(key).unwrap();
            settings.set(key, &value).unwrap();
            assert!(settings.set(key, "nonsense").is_err(), "{key}");
        }
        assert_eq!(settings, Settings::default());
        assert!(settings.set("qq", "1").unwrap_err().contains("retry_limit"));
        settings.set("qa", "human").unwrap();
        assert_eq!(settings.qa, Qa::Human);
    }

    #[test]
    fn what_is_written_is_read_again_and_nonsense_says_what_would_be_right() {
        for text in ["90s", "30m", "5h", "3d"] {
            assert_eq!(written(span(text).unwrap()), text);
        }
        assert_eq!("never".parse(), Ok(ArchiveAfter::Never));
        assert_eq!("7d".parse(), Ok(ArchiveAfter::default()));
        assert_eq!("10m".parse(), Ok(ClaimTtl::default()));
        assert_eq!("0s".parse(), Ok(BusyTimeout(Duration::ZERO)));
        assert_eq!("30s".parse(), Ok(BusyTimeout::default()));
        assert!("-1s".parse::<BusyTimeout>().unwrap_err().contains("0s"));
        let why = "5s".parse::<ClaimTtl>().unwrap_err();
        assert!(why.contains("at least 2m"), "{why}");
        let why = "soon".parse::<ArchiveAfter>().unwrap_err();
        assert!(why.contains("never") && why.contains("24h"), "{why}");
        for limit in ["1", "5", "1000", "never"] {
            assert_eq!(limit.parse::<RetryLimit>().unwrap().to_string(), limit);
        }
        for wrong in ["0", "-1", "1001", "five", ""] {
            assert!(
                wrong.parse::<RetryLimit>().unwrap_err().contains("1 to 1000"),
                "{wrong}"
            );
        }
        assert!("always".parse::<Promote>().unwrap_err().contains("\"auto\""));
    }
}
