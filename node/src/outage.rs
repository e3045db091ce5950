//! Telling of a trouble that repeats without a line for every time it is met.
//!
//! A listener that gets no descriptor meets the same error ten times a second. It is told at once, and
//! then at most once a minute, with how often it was met meanwhile.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How often a trouble is told at most.
const EVERY: Duration = Duration::from_secs(60);

/// One sort of trouble.
#[derive(Debug)]
pub(crate) struct Outage {
    what: &'static str,
    told: Option<Instant>,
    since: u64,
}

impl Outage {
    /// `what` fails, as in "a connection to the board could not be accepted".
    pub(crate) const fn new(what: &'static str) -> Self {
        Self {
            what,
            told: None,
            since: 0,
        }
    }

    /// It happened. Whether it was told.
    pub(crate) fn failed(&mut self, now: Instant, error: &dyn Display) -> bool {
        self.since = self.since.saturating_add(1);
        if self.told.is_some_and(|told| now.duration_since(told) < EVERY) {
            return false;
        }
        tracing::warn!(%error, times = self.since, "{}; retrying", self.what);
        self.told = Some(now);
        self.since = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_that_lasts_is_told_once_a_minute() {
        let mut outage = Outage::new("a connection could not be accepted");
        let begin = Instant::now();
        let told = (0..601)
            .filter(|tenth| outage.failed(begin + Duration::from_millis(100 * tenth), &"no descriptor"))
            .count();
        assert_eq!(told, 2);
    }
}
