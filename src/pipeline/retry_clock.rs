//! The time that counts against a message's retry budget.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::mutex::Mutex;

/// A clock that stands still while its message waits for something that is not its fault: a
/// breaker, the rate limiter, another copy of itself.
#[derive(Debug)]
pub(crate) struct RetryClock(Mutex<State>);

#[derive(Debug)]
struct State {
    counted: Duration,
    /// Since when the clock runs; absent while it stands still.
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

    /// The time counted so far.
    pub(crate) fn elapsed(&self) -> Duration {
        let state = self.0.lock();
        let running = state.running_since.map(|since| since.elapsed());
        state.counted + running.unwrap_or_default()
    }

    /// Waits for something without counting the time.
    pub(crate) async fn pause_during<T>(&self, wait: impl Future<Output = T>) -> T {
        let _pause = self.pause();
        wait.await
    }

    fn pause(&self) -> Pause<'_> {
        let mut state = self.0.lock();
        let running = state.running_since.take();
        state.counted += running.map(|since| since.elapsed()).unwrap_or_default();
        Pause(self)
    }

    /// Waits until so much has been counted, and returns it. The bound may grow meanwhile, and
    /// does not shrink.
    pub(crate) async fn reaches(&self, bound: impl Fn() -> Duration) -> Duration {
        let mut largest = Duration::ZERO;
        loop {
            largest = largest.max(bound());
            let left = largest.saturating_sub(self.elapsed());
            if left.is_zero() {
                return largest;
            }
            // The clock may stand still meanwhile, so the bound is reached in `left` or later. A
            // second is the shortest sleep, since a clock that stands just before its bound would
            // be asked without rest.
            sleep(left.max(Duration::from_secs(1))).await;
        }
    }
}

/// A pause of the clock. Its drop lets the clock run again, also where the wait was cancelled.
struct Pause<'a>(&'a RetryClock);

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.0.0.lock().running_since = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn waits_during_a_pause_do_not_count() {
        let clock = RetryClock::start();
        sleep(seconds(2)).await;
        clock.pause_during(sleep(seconds(100))).await;
        sleep(seconds(3)).await;
        assert_eq!(clock.elapsed(), seconds(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_pause_lets_the_clock_run_again() {
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
    async fn a_bound_is_reached_by_counted_time_alone() {
        let clock = RetryClock::start();
        let began = Instant::now();
        tokio::join!(
            clock.pause_during(sleep(seconds(50))),
            clock.reaches(|| seconds(10))
        );
        assert_eq!(began.elapsed(), seconds(60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bound_that_grows_meanwhile_is_reached_later() {
        let clock = RetryClock::start();
        let began = Instant::now();
        let bound = || match began.elapsed() {
            early if early < seconds(5) => seconds(10),
            _ => seconds(40),
        };
        assert_eq!(clock.reaches(bound).await, seconds(40));
        assert!(began.elapsed() >= seconds(40));
        let began = Instant::now();
        let shrinking = || seconds(60).saturating_sub(began.elapsed());
        assert_eq!(clock.reaches(shrinking).await, seconds(60));
    }
}
