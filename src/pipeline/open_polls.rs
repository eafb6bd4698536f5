//! Which long polls of ours the queue may still be answering.

use std::{sync::MutexGuard, time::Duration};

use tokio::time::Instant;

use crate::mutex::Mutex;

/// The longest that a poll is on its way to the queue and back, beyond its wait there.
const TRANSIT_MAX: Duration = Duration::from_secs(1);

/// The polls that are open, each by the moment at which the queue will have answered it. A poll
/// that was given up stays open until then: the queue does not learn that nobody listens any more,
/// and a message made visible meanwhile would be handed to that poll and lose a receive for nothing.
#[derive(Debug, Default)]
pub(crate) struct OpenPolls(Mutex<Vec<Instant>>);

impl OpenPolls {
    /// Opens a poll that waits for so long from now. The result closes it.
    pub(crate) fn begin(&self, wait: Duration) -> Instant {
        let until = Instant::now() + wait + TRANSIT_MAX;
        self.open().push(until);
        until
    }

    /// Closes the poll, since the queue has answered it.
    pub(crate) fn end(&self, until: Instant) {
        let mut polls = self.open();
        if let Some(position) = polls.iter().position(|poll| *poll == until) {
            polls.swap_remove(position);
        }
    }

    /// How long the queue may still hand us messages: whole seconds, milliseconds rounded up.
    pub(crate) fn remaining(&self) -> Duration {
        let last = self.open().iter().max().copied();
        let left = last.map(|last| last.saturating_duration_since(Instant::now()));
        let left = left.unwrap_or_default();
        Duration::from_secs(left.as_secs() + u64::from(left.subsec_millis() > 0))
    }

    /// The polls that are open now, without those that time has closed.
    fn open(&self) -> MutexGuard<'_, Vec<Instant>> {
        let mut polls = self.0.lock();
        let now = Instant::now();
        polls.retain(|until| *until > now);
        polls
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const WAIT: Duration = Duration::from_secs(20);

    #[tokio::test(start_paused = true)]
    async fn a_poll_that_was_answered_is_over() {
        let polls = OpenPolls::default();
        let poll = polls.begin(WAIT);
        assert_eq!(polls.remaining(), WAIT + TRANSIT_MAX);
        polls.end(poll);
        assert_eq!(polls.remaining(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_that_was_given_up_counts_until_the_queue_has_answered_it() {
        let polls = OpenPolls::default();
        polls.begin(WAIT);
        advance(Duration::from_millis(5500)).await;
        let later = polls.begin(WAIT);
        assert_eq!(polls.remaining(), WAIT + TRANSIT_MAX);
        polls.end(later);
        assert_eq!(polls.remaining(), Duration::from_secs(16));
        advance(WAIT).await;
        assert_eq!(polls.remaining(), Duration::ZERO);
    }
}
