//! How a command waits while another process has the store open, or the node has no free connection.
//!
//! The limit is `--busy-timeout`, else `TOWLINE_BUSY_TIMEOUT`, else the setting `busy_timeout`. The pauses begin at
//! some milliseconds, grow, and are random, so that hundreds of waiting commands do not keep the machine busy.

use std::thread;
use std::time::{Duration, Instant};

use towline_api::request::{Failure, FailureCode};
use towline_store::home::{Config, Home, HomeError};

use crate::Context;

/// The first pause: most commands take some milliseconds.
const FIRST: Duration = Duration::from_millis(5);
/// The longest pause: how late a command may notice that it can go on.
const LONGEST: Duration = Duration::from_millis(100);

/// Time that is left to wait.
#[derive(Debug)]
pub(super) struct BusyWait {
    limit: Duration,
    until: Instant,
    pause: Duration,
}

impl BusyWait {
    /// That of a command in a home.
    pub(super) fn of(ctx: &Context, home: &Home) -> Self {
        // An unreadable configuration is reported by the code that needs it.
        let set = || {
            Config::load(&home.config_file())
                .unwrap_or_default()
                .busy_timeout
                .0
        };
        Self::within(ctx.busy_timeout.map_or_else(set, |timeout| timeout.0))
    }

    pub(super) fn within(limit: Duration) -> Self {
        Self {
            limit,
            until: Instant::now() + limit,
            pause: FIRST,
        }
    }

    /// Waits a little; false when the time is over.
    pub(super) fn wait(&mut self) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        // Between half and all of the pause. Without randomness they are merely not spread.
        let half = self.pause / 2;
        let part = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
        thread::sleep((half + half.mul_f64(part)).min(left));
        self.pause = (self.pause * 2).min(LONGEST);
        true
    }

    /// Tries until something is not busy any more, or the time is over.
    pub(super) fn retry_while_busy<T>(
        mut self,
        mut take: impl FnMut() -> Result<T, HomeError>,
    ) -> Result<T, Failure> {
        loop {
            match take() {
                Err(HomeError::Busy { .. }) if self.wait() => {}
                Err(error) => return Err(self.with_hint(error.into())),
                Ok(taken) => return Ok(taken),
            }
        }
    }

    /// Adds to a busy failure how long the command waited, and how to wait longer.
    pub(super) fn with_hint(&self, failure: Failure) -> Failure {
        if failure.code != FailureCode::Busy {
            return failure;
        }
        let message = format!(
            "{failure}; gave up after {} (see --busy-timeout, or the setting `busy_timeout`)",
            towline_store::home::settings::written(self.limit)
        );
        failure.with_message(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_until_the_store_is_free_or_the_time_is_over() {
        let busy = || HomeError::Busy {
            holder: "`towline` (pid 7)".to_owned(),
        };
        let mut looked = 0;
        let taken = BusyWait::within(Duration::from_secs(60)).retry_while_busy(|| {
            looked += 1;
            if looked < 4 { Err(busy()) } else { Ok(()) }
        });
        assert_eq!((taken.is_ok(), looked), (true, 4));
        let given_up = BusyWait::within(Duration::ZERO).retry_while_busy(|| Err::<(), _>(busy()));
        let given_up = given_up.unwrap_err();
        assert_eq!(given_up.code, FailureCode::Busy);
        assert!(given_up.message.contains("busy_timeout"), "{given_up}");
    }
}
