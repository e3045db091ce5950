//! Backoff: waits between attempts.
//!
//! Plain arithmetic; randomness is an argument.

use std::time::Duration;

/// The wait after the first failure.
pub(crate) const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Waits that double from half a second to a maximum, each extended by up to a quarter so that nodes that
/// lost each other do not all dial at the same moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next wait, half a minute at most; `jitter` is any random number.
    pub(crate) fn next(&mut self, jitter: u32) -> Duration {
        self.next_within(LONGEST_WAIT, jitter)
    }

    /// The next wait: at most `longest` and a quarter.
    pub(crate) fn next_within(&mut self, longest: Duration, jitter: u32) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(1u32.checked_shl(self.failures.min(16)).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        let wait = doubled.min(longest);
        wait + wait.mul_f64(f64::from(jitter) / f64::from(u32::MAX) / 4.0)
    }

    /// Resets the wait after a success.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}
