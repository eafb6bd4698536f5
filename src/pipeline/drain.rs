//! The drain: the way from the first signal to the last moment. Its times are derived backwards from
//! the grace.
//!
//! ```text
//! signal ── last send starts ──────── settle_from ── settle_by ── last word ── telemetry ── exit
//!           └── one send's timeout ─┘└── 3.5 s ───┘└── 0.5 s ──┘└──── at most 3 s ────┘
//! └───────────────────────────────── shutdown.grace ───────────────────────────────────────┘
//! ```

use std::{sync::OnceLock, time::Duration};

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::timing::{SETTLING_TIME, TELEMETRY_FLUSH_TIME, WORKER_RETURN_TIME};

/// The time that a second signal leaves to the sends under way.
const HURRIED_SENDS_MAX: Duration = Duration::from_secs(2);
/// The time that it leaves to settling after that: one call of a queue that answers.
const HURRIED_SETTLING_MAX: Duration = Duration::from_millis(500);
/// The time that a receive under way gets to return while nothing else is held.
const LAST_RECEIVE_MAX: Duration = Duration::from_secs(1);

/// The moments of one drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timetable {
    /// When the drain began.
    pub began: Instant,
    /// No send starts later.
    pub last_send: Instant,
    /// A send without an answer is given up.
    pub settle_from: Instant,
    /// Settling ends.
    pub settle_by: Instant,
    /// A receive under way is given up where nothing is held.
    pub receive_by: Instant,
}

impl Timetable {
    /// The timetable of a drain that begins at `now` and may take `grace` in all, for sends that
    /// take at most `send_timeout`. A grace that is too short leaves no time for a send, and no panic
    /// comes of it.
    #[must_use]
    pub fn new(now: Instant, grace: Duration, send_timeout: Duration) -> Self {
        let before_telemetry = grace.saturating_sub(TELEMETRY_FLUSH_TIME);
        let before_settling = before_telemetry.saturating_sub(SETTLING_TIME);
        Self {
            began: now,
            last_send: now + before_settling.saturating_sub(send_timeout),
            settle_from: now + before_settling,
            settle_by: now + before_telemetry.saturating_sub(WORKER_RETURN_TIME),
            receive_by: now + LAST_RECEIVE_MAX.min(before_settling),
        }
    }
}

/// How far the end has come, for everybody to see and to wait for. It never goes back.
#[derive(Debug)]
pub struct Drain {
    grace: Duration,
    send_timeout: Duration,
    timetable: OnceLock<Timetable>,
    begun: CancellationToken,
    hurried: CancellationToken,
    hurried_at: OnceLock<Instant>,
    abandoned: CancellationToken,
    closed: CancellationToken,
}

impl Drain {
    /// A drain that has not begun, for this whole grace and this timeout of a send.
    #[must_use]
    pub fn new(grace: Duration, send_timeout: Duration) -> Self {
        Self {
            grace,
            send_timeout,
            timetable: OnceLock::new(),
            begun: CancellationToken::new(),
            hurried: CancellationToken::new(),
            hurried_at: OnceLock::new(),
            abandoned: CancellationToken::new(),
            closed: CancellationToken::new(),
        }
    }

    /// The first signal: receiving stops, and the clock runs. Later calls change nothing.
    pub fn begin(&self) -> Timetable {
        let timetable = *self
            .timetable
            .get_or_init(|| Timetable::new(Instant::now(), self.grace, self.send_timeout));
        self.begun.cancel();
        timetable
    }

    /// The second signal: everything without a send under way is released.
    pub fn hurry(&self) {
        self.begin();
        self.hurried_at.get_or_init(Instant::now);
        self.hurried.cancel();
    }

    /// Whether it has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// When it began, once it has.
    #[must_use]
    pub fn begun_at(&self) -> Option<Instant> {
        self.timetable.get().map(|times| times.began)
    }

    /// Ends all waiting now, whatever the timetable says.
    pub fn close(&self) {
        self.abandoned.cancel();
        self.closed.cancel();
    }

    /// Waits until it begins.
    pub async fn wait_begun(&self) {
        self.begun.cancelled().await;
    }

    /// Whether a send may start now.
    #[must_use]
    pub fn may_send(&self) -> bool {
        !self.hurried.is_cancelled()
            && self
                .timetable
                .get()
                .is_none_or(|times| Instant::now() <= times.last_send)
    }

    /// Waits until a message that has no send under way must be let go. That is as soon as the drain
    /// begins. On its last receive, where letting go sends it to the dead-letter queue, it is only
    /// when no send may start any more.
    pub async fn wait_release(&self, last_receive: bool) {
        self.begun.cancelled().await;
        if last_receive && let Some(times) = self.timetable.get() {
            // After a second signal no send starts any more either.
            tokio::select! {
                () = self.hurried.cancelled() => {}
                () = sleep_until(times.last_send) => {}
            }
        }
    }

    /// Waits until a send under way is given up, its outcome unknown.
    pub async fn wait_abandon(&self) {
        self.abandoned.cancelled().await;
    }

    /// Waits until nothing is settled any more.
    pub async fn wait_closed(&self) {
        self.closed.cancelled().await;
    }

    /// Whether settling has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Walks through the timetable once the drain has begun: gives up the sends at `settle_from`
    /// and settling at `settle_by`, both sooner after a second signal. Returns when all is closed.
    pub async fn run(&self) {
        self.begun.cancelled().await;
        let times = self.begin();
        // A second signal can only bring the moments forward, so the sooner one counts.
        tokio::select! {
            () = sleep_until(times.settle_from) => {}
            () = self.after_hurry(HURRIED_SENDS_MAX) => {}
        }
        self.abandoned.cancel();
        tokio::select! {
            () = sleep_until(times.settle_by) => {}
            () = self.after_hurry(HURRIED_SENDS_MAX + HURRIED_SETTLING_MAX) => {}
        }
        self.closed.cancel();
    }

    async fn after_hurry(&self, pause: Duration) {
        self.hurried.cancelled().await;
        let at = self.hurried_at.get().copied();
        sleep_until(at.unwrap_or_else(Instant::now) + pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn the_moments_count_backwards_from_the_grace() {
        let now = Instant::now();
        let times = Timetable::new(now, seconds(28), seconds(10));
        assert_eq!(times.settle_by, now + Duration::from_millis(24_500));
        assert_eq!(times.settle_from, now + seconds(21));
        assert_eq!(times.last_send, now + seconds(11));
    }

    #[tokio::test(start_paused = true)]
    async fn a_grace_too_short_for_anything_leaves_no_time_and_no_panic() {
        let now = Instant::now();
        let times = Timetable::new(now, seconds(1), seconds(10));
        assert_eq!(
            times,
            Timetable {
                began: now,
                last_send: now,
                settle_from: now,
                settle_by: now,
                receive_by: now
            }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_let_go_at_once_but_on_its_last_receive_only_when_no_send_may_start() {
        let drain = Drain::new(seconds(28), seconds(10));
        let begun = Instant::now();
        drain.begin();
        drain.wait_release(false).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(drain.may_send());
        drain.wait_release(true).await;
        assert_eq!(begun.elapsed(), seconds(11));
        tokio::time::advance(Duration::from_millis(2)).await;
        assert!(!drain.may_send());
    }

    #[tokio::test(start_paused = true)]
    async fn sends_are_given_up_before_settling_ends() {
        let drain = Drain::new(seconds(28), seconds(10));
        let begun = Instant::now();
        drain.begin();
        let (abandoned, closed, ()) = tokio::join!(
            async {
                drain.wait_abandon().await;
                begun.elapsed()
            },
            async {
                drain.wait_closed().await;
                begun.elapsed()
            },
            drain.run(),
        );
        assert_eq!(
            (abandoned, closed),
            (seconds(21), Duration::from_millis(24_500))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_releases_even_last_receives_and_gives_sends_two_seconds() {
        let drain = Drain::new(seconds(28), seconds(10));
        let begun = Instant::now();
        drain.begin();
        drain.hurry();
        drain.wait_release(true).await;
        assert!(!drain.may_send());
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let (abandoned, closed, ()) = tokio::join!(
            async {
                drain.wait_abandon().await;
                begun.elapsed()
            },
            async {
                drain.wait_closed().await;
                begun.elapsed()
            },
            drain.run(),
        );
        assert_eq!(
            (abandoned, closed),
            (seconds(2), Duration::from_millis(2_500))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_while_settling_leaves_no_more_time_than_one_before() {
        let drain = Drain::new(seconds(28), seconds(10));
        let begun = Instant::now();
        drain.begin();
        let hurry = async {
            sleep_until(begun + seconds(20)).await;
            drain.hurry();
        };
        let closed = async {
            drain.wait_closed().await;
            begun.elapsed()
        };
        let ((), closed, ()) = tokio::join!(hurry, closed, drain.run());
        assert_eq!(closed, Duration::from_millis(22_500));
    }
}
