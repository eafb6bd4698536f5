//! A message's own time: what counts against its retry budget.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// A clock that stands still while its message waits for something that is not its fault: a
/// breaker, the rate limiter, another copy of itself.
#[derive(Debug)]
pub(crate) struct RetryClock(Mutex<State>);

#[derive(Debug)]
struct State {
    counted: Duration,
    /// Since when it runs; absent while it stands still.
    running_since: Option<Instant>,
}

impl RetryClock {
    /// A clock that runs from now on.
    pub(crate) fn start() -> Self {
        Self(Mutex::new(State {
            counted: Duration::ZERO,
            running_since: Some(Instant::now()),
        }))
    }

    /// What has been counted so far.
    pub(crate) fn elapsed(&self) -> Duration {
        let state = self.lock();
        state.counted
            + state
                .running_since
                .map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Waits for something without counting the time.
    pub(crate) async fn pause_during<T>(&self, wait: impl Future<Output = T>) -> T {
        let excuse = Excuse::new(self);
        let result = wait.await;
        drop(excuse);
        result
    }

    /// Waits until so much has been counted.
    pub(crate) async fn reaches(&self, bound: Duration) {
        loop {
            let left = bound.saturating_sub(self.elapsed());
            if left.is_zero() {
                return;
            }
            // While the clock stands still nothing more comes together in less than this.
            sleep(left.max(Duration::from_secs(1))).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops the clock and lets it run again when dropped, a cancelled wait included.
struct Excuse<'a>(&'a RetryClock);

impl<'a> Excuse<'a> {
    fn new(clock: &'a RetryClock) -> Self {
        let mut state = clock.lock();
        if let Some(since) = state.running_since.take() {
            state.counted += since.elapsed();
        }
        drop(state);
        Self(clock)
    }
}

impl Drop for Excuse<'_> {
    fn drop(&mut self) {
        self.0.lock().running_since = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn excused_waits_do_not_count() {
        let clock = RetryClock::start();
        sleep(seconds(2)).await;
        clock.pause_during(sleep(seconds(100))).await;
        sleep(seconds(3)).await;
        assert_eq!(clock.elapsed(), seconds(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_excuse_lets_the_clock_run_again() {
        let clock = RetryClock::start();
        let cancelled = tokio::time::timeout(
            seconds(10),
            clock.pause_during(std::future::pending::<()>()),
        );
        assert!(cancelled.await.is_err());
        sleep(seconds(1)).await;
        assert_eq!(clock.elapsed(), seconds(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bound_is_reached_by_own_time_alone() {
        let clock = RetryClock::start();
        let began = Instant::now();
        tokio::join!(
            clock.pause_during(sleep(seconds(50))),
            clock.reaches(seconds(10))
        );
        assert_eq!(began.elapsed(), seconds(60));
    }
}
