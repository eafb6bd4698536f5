//! Until when the queue may still hand messages to receives of ours.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// What a request may take on its way before the queue's wait begins.
const ON_THE_WAY: Duration = Duration::from_secs(1);

/// The receives that have not been answered. One that we give up stays: the queue may not notice,
/// and hand a message to nobody until its wait is over.
#[derive(Debug, Default)]
pub(crate) struct Listening(Mutex<Vec<Instant>>);

impl Listening {
    /// Takes in that a receive begins which waits this long, and returns the moment at which it is
    /// over, by which it is known.
    pub(crate) fn begin(&self, wait: Duration) -> Instant {
        let now = Instant::now();
        let over = now + wait + ON_THE_WAY;
        let mut receives = self.lock();
        receives.retain(|over| *over > now);
        receives.push(over);
        over
    }

    /// Takes in that the receive with this end was answered or never asked.
    pub(crate) fn end(&self, over: Instant) {
        let mut receives = self.lock();
        if let Some(position) = receives.iter().position(|known| *known == over) {
            receives.swap_remove(position);
        }
    }

    /// How long until the last of them is over, in whole seconds; zero where there is none.
    pub(crate) fn left(&self) -> Duration {
        let now = Instant::now();
        let receives = self.lock();
        let left = receives.iter().map(|over| over.duration_since(now)).max();
        let left = left.unwrap_or_default();
        Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_that_of_the_last_receive_in_whole_seconds() {
        let listening = Listening::default();
        assert_eq!(listening.left(), Duration::ZERO);
        let first = listening.begin(Duration::from_secs(20));
        tokio::time::advance(Duration::from_millis(500)).await;
        let second = listening.begin(Duration::from_secs(5));
        assert_eq!(listening.left(), Duration::from_secs(21));
        listening.end(first);
        assert_eq!(listening.left(), Duration::from_secs(6));
        listening.end(second);
        assert_eq!(listening.left(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_receive_that_is_never_answered_is_over_by_itself() {
        let listening = Listening::default();
        listening.begin(Duration::from_secs(20));
        tokio::time::advance(Duration::from_secs(21)).await;
        assert_eq!(listening.left(), Duration::ZERO);
    }
}
