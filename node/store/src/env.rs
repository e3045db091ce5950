//! The environment of a node: its clock and its source of randomness. Tests supply their own.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use towline_api::request::{Failure, FailureCode};
use towline_proto::Millis;

/// Checks that the machine's clock is usable. Times before 1970 cannot be represented here, and sled panics
/// on them.
///
/// # Errors
/// When it says a time before 1970.
pub fn check_clock() -> Result<(), Failure> {
    if SystemTime::now() >= UNIX_EPOCH {
        return Ok(());
    }
    let why = "the clock of this machine is set before 1970; nothing was done. Set the clock and try again";
    Err(Failure::new(FailureCode::Failure, why))
}

/// Time and randomness.
pub trait Environment: Send {
    /// The time now.
    fn now(&self) -> Millis;
    /// A reading of the monotonic clock, to measure durations on this node. It says nothing about the clocks
    /// of other nodes.
    fn instant(&self) -> Instant;
    /// Fills a buffer with random bytes.
    fn random(&self, bytes: &mut [u8]);

    /// A random number.
    fn random_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.random(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// The machine's clock and the operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    /// # Panics
    /// When the operating system has no randomness to give: nothing safe could be done then.
    #[allow(clippy::expect_used)]
    fn random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }
}
