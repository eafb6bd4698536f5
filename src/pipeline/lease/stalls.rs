//! When the process stood still: stopped, starved of its core, or stuck in a call of the system.

use std::time::Duration;

use tokio::time::Instant;

use super::KEEPER_IDLE_MAX;

/// A turn that comes this much too late shows that nothing ran meanwhile. Shorter ones pass: the time
/// that an answer may take on its way is reckoned with anyway.
const LATE: Duration = Duration::from_millis(500);

/// An answer that came while nothing ran is read this soon after.
const UNREAD_MAX: Duration = Duration::from_secs(2);

/// The longest pauses between the keeper's turns, of which one comes each second.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    /// Absent before the keeper's first turn.
    pub(super) ran_at: Option<Instant>,
    /// The last stall: its last sign of life before, and its first one after.
    last: Option<(Instant, Instant)>,
}

impl Stalls {
    /// The process runs. How long it stood still until now, if it did.
    pub(super) fn ran(&mut self, now: Instant) -> Option<Duration> {
        let before = self.ran_at.replace(now)?;
        let silent = now.duration_since(before);
        if silent <= KEEPER_IDLE_MAX + LATE {
            return None;
        }
        // Two that follow closely are one.
        let from = match self.last {
            Some((from, to)) if before.duration_since(to) <= UNREAD_MAX => from,
            _ => before,
        };
        self.last = Some((from, now));
        Some(silent)
    }

    /// From when on an answer that is read now, to a request of that moment, may have lain here unread,
    /// where the process has just stood still.
    pub(super) fn unread_since(&self, asked_at: Instant, now: Instant) -> Option<Instant> {
        let (from, to) = self.last?;
        (asked_at < to && now.duration_since(to) <= UNREAD_MAX).then_some(from)
    }
}
