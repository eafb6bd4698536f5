//! When an open breaker may receive one more message as its probe.

use tokio::time::Instant;

use crate::backoff::Backoff;

/// The pace at which an open breaker receives. The delays grow with each message, but not with one
/// that ended before it was tried, as a malformed one does: it says nothing, and must not keep out the
/// one that does.
#[derive(Debug)]
pub(super) struct ProbeReceives {
    /// When one more message may be received.
    at: Instant,
    /// When one was received last; before the first one, when the breaker opened.
    last: Instant,
    delays: Backoff,
    /// The delays as they were before the message that was received last, until it is tried.
    before: Option<Backoff>,
}

impl ProbeReceives {
    /// None was received yet. The first may be at `at`.
    pub(super) fn new(now: Instant, at: Instant) -> Self {
        Self {
            at,
            last: now,
            delays: Backoff::probes(),
            before: None,
        }
    }

    /// When one more message may be received.
    pub(super) fn at(&self) -> Instant {
        self.at
    }

    /// When one was received last; before the first one, when the breaker opened.
    pub(super) fn last(&self) -> Instant {
        self.last
    }

    /// One is being received: the next may be after a growing delay.
    pub(super) fn started(&mut self, now: Instant) {
        self.before = Some(self.delays.clone());
        self.at = now + self.delays.next_delay();
        self.last = now;
    }

    /// What was received last is tried.
    pub(super) fn tried(&mut self) {
        self.before = None;
    }

    /// A message ended before it was tried. Where it is the one that was received last, another may be
    /// received in its place.
    pub(super) fn ended_untried(&mut self, now: Instant) {
        if let Some(before) = self.before.take() {
            self.delays = before;
            self.at = self.at.min(now);
        }
    }

    /// One more message may be received now, whatever the delay.
    pub(super) fn hasten(&mut self, now: Instant) {
        self.at = now;
    }
}
