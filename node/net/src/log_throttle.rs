//! Throttles log lines about an error that repeats.
//!
//! A listener without file descriptors gets the same error ten times a second. It is logged at once, and then
//! at most once a minute with the number of occurrences.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// The shortest interval between two log lines.
const EVERY: Duration = Duration::from_secs(60);

/// The throttle for one kind of error.
#[derive(Debug)]
pub struct LogThrottle {
    what: &'static str,
    logged_at: Option<Instant>,
    suppressed: u64,
}

impl LogThrottle {
    /// `what` fails, as in "cannot accept a connection to the board".
    pub const fn new(what: &'static str) -> Self {
        Self {
            what,
            logged_at: None,
            suppressed: 0,
        }
    }

    /// Counts an error. Returns whether it was logged.
    pub fn failed(&mut self, now: Instant, error: &dyn Display) -> bool {
        self.suppressed = self.suppressed.saturating_add(1);
        if self
            .logged_at
            .is_some_and(|logged_at| now.duration_since(logged_at) < EVERY)
        {
            return false;
        }
        tracing::warn!(%error, times = self.suppressed, "{}; retrying", self.what);
        self.logged_at = Some(now);
        self.suppressed = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_error_is_logged_once_a_minute() {
        let mut outage = LogThrottle::new("a connection could not be accepted");
        let begin = Instant::now();
        let logged_at = (0..601)
            .filter(|tenth| outage.failed(begin + Duration::from_millis(100 * tenth), &"no descriptor"))
            .count();
        assert_eq!(logged_at, 2);
    }
}
