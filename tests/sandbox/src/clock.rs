//! Wall-clock time that moves with tokio's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The time of the sandbox: the wall clock at its start, advanced by tokio's time.
///
/// Under paused time the timestamps that the services hand out move with the test.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    start_millis: u64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock that starts at the present time of day.
    pub fn new() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            start: Instant::now(),
            start_millis: millis(since_epoch),
        }
    }

    /// Milliseconds since the epoch.
    pub fn now_millis(&self) -> u64 {
        self.start_millis + millis(self.start.elapsed())
    }

    /// The first instant at which [`Clock::now_millis`] is at least `at_millis`.
    pub fn instant(&self, at_millis: u64) -> Instant {
        self.start + Duration::from_millis(at_millis.saturating_sub(self.start_millis))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
