//! The clock and the randomness of a node, as one thing that a test can put its own in place of.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use towline_proto::Millis;

use crate::api::request::{Failure, FailureCode};

/// Sees that the machine's clock can be used. Before 1970 there are no times here, and the cache's engine panics.
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
    /// A reading of the clock that never goes back, for how long something took on this node. It says
    /// nothing about anybody else's clock.
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
