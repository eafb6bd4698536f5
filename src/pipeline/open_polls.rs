//! Which long polls of ours the queue may still be answering.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// What a poll may take beyond its wait, on the way there.
const TRANSIT_MAX: Duration = Duration::from_secs(1);

/// The polls under way, by the moment at which the queue will have answered. A poll that was given
/// up counts until then too: the queue does not learn that nobody listens any more, and a message
/// made visible meanwhile would be handed to it, its receive spent for nothing.
#[derive(Debug, Default)]
pub(crate) struct OpenPolls(Mutex<Vec<Instant>>);

impl OpenPolls {
    /// Takes in that a poll begins now which waits for so long. The result ends it.
    pub(crate) fn begin(&self, wait: Duration) -> Instant {
        let until = Instant::now() + wait + TRANSIT_MAX;
        self.change(|polls| polls.push(until));
        until
    }

    /// Takes in that the queue has answered the poll.
    pub(crate) fn end(&self, until: Instant) {
        self.change(|polls| {
            if let Some(position) = polls.iter().position(|poll| *poll == until) {
                polls.swap_remove(position);
            }
        });
    }

    /// For how long the queue may still hand us messages, in whole seconds, rounded up.
    pub(crate) fn remaining(&self) -> Duration {
        let now = Instant::now();
        let last = self.change(|polls| polls.iter().max().copied());
        let left = last.map_or(Duration::ZERO, |last| last.saturating_duration_since(now));
        Duration::from_secs(
            left.as_millis()
                .div_ceil(1000)
                .try_into()
                .unwrap_or(u64::MAX),
        )
    }

    fn change<T>(&self, act: impl FnOnce(&mut Vec<Instant>) -> T) -> T {
        let mut polls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        polls.retain(|until| *until > now);
        act(&mut polls)
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
