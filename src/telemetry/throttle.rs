//! A limit for lines that one lasting fault would otherwise write many times over.

use std::{mem, time::Duration};

use tokio::time::Instant;

use crate::mutex::Mutex;

/// Lets one line through in each period and counts those that it holds back.
#[derive(Debug)]
pub(crate) struct Throttle {
    period: Duration,
    quiet: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the first line was asked for.
    since: Option<Instant>,
    /// When the last line was let through.
    written: Option<Instant>,
    suppressed: u64,
}

impl Default for Throttle {
    /// One line a minute, the first at once.
    fn default() -> Self {
        Self::every(Duration::from_mins(1))
    }
}

impl Throttle {
    /// One line in each `period`, the first at once.
    pub(crate) fn every(period: Duration) -> Self {
        Self {
            period,
            quiet: Duration::ZERO,
            state: Mutex::default(),
        }
    }

    /// The first line only when one is still asked for after `quiet`.
    pub(crate) fn quiet_for(self, quiet: Duration) -> Self {
        Self { quiet, ..self }
    }

    /// Whether the line is to be written now, and then how many were held back since the last one.
    pub(crate) fn due(&self) -> Option<u64> {
        self.due_since(Instant::now())
    }

    /// The same where the fault began earlier than this first line of it.
    pub(crate) fn due_since(&self, began: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        let now = Instant::now();
        let since = *state.since.get_or_insert(began);
        let is_recent = |written| now.duration_since(written) < self.period;
        if now.duration_since(since) < self.quiet || state.written.is_some_and(is_recent) {
            state.suppressed += 1;
            return None;
        }
        state.written = Some(now);
        Some(mem::take(&mut state.suppressed))
    }

    /// The fault is over. Returns how long it lasted, if it was logged. Unlike after [`Self::reset`] the
    /// next one's first line waits for its turn, so that one that comes and goes is told once a period.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let mut state = self.state.lock();
        let since = state.since.take()?;
        let is_told = state.written.is_some_and(|written| written >= since);
        is_told.then(|| since.elapsed())
    }

    /// Starts again, since the fault is over. Returns how long it lasted, if it was logged.
    pub(crate) fn reset(&self) -> Option<Duration> {
        let ended = mem::take(&mut *self.state.lock());
        ended.written.and(ended.since).map(|since| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fault_that_comes_and_goes_is_told_and_ended_once_a_period() {
        let throttle = Throttle::default();
        assert_eq!(throttle.pause(), None);
        assert_eq!(throttle.due(), Some(0));
        advance(Duration::from_secs(5)).await;
        assert_eq!(throttle.pause(), Some(Duration::from_secs(5)));
        assert_eq!(throttle.due(), None, "it was told in this minute");
        assert_eq!(throttle.pause(), None);
        advance(Duration::from_mins(1)).await;
        assert_eq!(throttle.due(), Some(1));
        assert_eq!(throttle.pause(), Some(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn one_a_minute_is_due_and_tells_of_the_others() {
        let throttle = Throttle::default();
        assert_eq!(throttle.due(), Some(0));
        advance(Duration::from_secs(59)).await;
        assert_eq!([throttle.due(), throttle.due()], [None, None]);
        advance(Duration::from_secs(1)).await;
        assert_eq!(throttle.due(), Some(2));
        assert_eq!(throttle.due(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_that_passes_within_the_quiet_time_is_never_told_of() {
        let quiet = Duration::from_secs(5);
        let throttle = Throttle::default().quiet_for(quiet);
        assert_eq!(throttle.due(), None);
        advance(quiet).await;
        assert_eq!(throttle.reset(), None, "no line told of it");
        assert_eq!(throttle.due(), None, "the quiet time begins anew");
        advance(quiet).await;
        assert_eq!(throttle.due(), Some(1), "it lasts");
        assert_eq!(throttle.due(), None, "told a moment ago");
        advance(Duration::from_secs(1)).await;
        assert_eq!(throttle.reset(), Some(quiet + Duration::from_secs(1)));
        assert_eq!(throttle.reset(), None, "it ended already");
    }
}
