//! API tokens as the HTTP server sees them: who checks them, and how many wrong ones it looks at.
//!
//! Relies on a [`TokenCheck`] that the node hands in. Never stores a token.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use towline_api::types::TokenInfo;
use towline_proto::Millis;

/// Wrong tokens that one source may show within [`WINDOW`].
const FAILURES: u32 = 20;
/// How long a wrong token is remembered.
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// Sources that are remembered at once; the oldest is forgotten for a new one.
const SOURCES: usize = 1_024;

/// Why a token is not accepted, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRefusal {
    /// It is unknown, revoked or expired.
    Refused(String),
    /// Tokens cannot be checked at present.
    Unavailable(String),
}

/// Checks API tokens.
pub trait TokenCheck: std::fmt::Debug + Send + Sync {
    /// The public id in a token, if there is a token with that id. Its secret may be wrong.
    fn known_id(&self, shown: &str) -> Option<String>;

    /// What is known about a token.
    ///
    /// # Errors
    /// When it is not accepted.
    fn check(&self, shown: &str, now: Millis) -> Result<TokenInfo, TokenRefusal>;
}

/// Who shows wrong tokens: an address, and the id of the token whose secret is wrong. A program with a revoked token
/// thus does not lock out others behind the same proxy.
pub(super) type Source = (IpAddr, Option<String>);

/// Wrong tokens that were shown lately.
#[derive(Debug, Default)]
pub(super) struct FailedAttempts {
    counts: Mutex<HashMap<Source, (u32, Instant)>>,
}

impl FailedAttempts {
    /// Whether a source has shown so many wrong tokens that no other is looked at for now.
    pub(super) fn is_exhausted(&self, source: &Source, now: Instant) -> bool {
        let counts = self.counts.lock().unwrap_or_else(|broken| broken.into_inner());
        counts
            .get(source)
            .is_some_and(|(count, since)| *count >= FAILURES && now.duration_since(*since) < WINDOW)
    }

    /// Counts a wrong token.
    pub(super) fn count(&self, source: Source, now: Instant) {
        let mut counts = self.counts.lock().unwrap_or_else(|broken| broken.into_inner());
        counts.retain(|_, (_, since)| now.duration_since(*since) < WINDOW);
        if counts.len() >= SOURCES && !counts.contains_key(&source) {
            let oldest = counts.iter().min_by_key(|(_, (_, since))| *since);
            if let Some(oldest) = oldest.map(|(source, _)| source.clone()) {
                counts.remove(&oldest);
            }
        }
        let (count, _) = counts.entry(source).or_insert((0, now));
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8, id: Option<&str>) -> Source {
        (IpAddr::from([192, 0, 2, last]), id.map(str::to_owned))
    }

    #[test]
    fn after_some_wrong_tokens_a_source_has_to_wait() {
        let failed = FailedAttempts::default();
        let start = Instant::now();
        for _ in 0..FAILURES {
            assert!(!failed.is_exhausted(&source(1, Some("aa")), start));
            failed.count(source(1, Some("aa")), start);
        }
        assert!(failed.is_exhausted(&source(1, Some("aa")), start));
        for other in [source(1, None), source(1, Some("bb")), source(2, Some("aa"))] {
            assert!(!failed.is_exhausted(&other, start));
        }
        assert!(!failed.is_exhausted(&source(1, Some("aa")), start + WINDOW));
    }

    #[test]
    fn the_memory_for_sources_is_bounded() {
        let failed = FailedAttempts::default();
        let start = Instant::now();
        for at in 0..SOURCES + 10 {
            failed.count(source(1, Some(&at.to_string())), start);
        }
        assert_eq!(failed.counts.lock().unwrap().len(), SOURCES);
    }
}
