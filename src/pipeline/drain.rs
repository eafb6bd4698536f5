//! The drain: the way from the first signal to the last moment. Its times are derived backwards from
//! the grace.
//!
//! ```text
//! signal ── last send starts ──────── settle_from ── settle_by ── last word ── telemetry ── exit
//!           └── one send's timeout ─┘└── 3.5 s ───┘└── 0.5 s ──┘└──── at most 3 s ────┘
//! └───────────────────────────────── shutdown.grace ───────────────────────────────────────┘
//! ```

use std::time::Duration;

use futures_util::future::OptionFuture;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::timing::{SETTLING_TIME, TELEMETRY_FLUSH_TIME, WORKER_RETURN_TIME};

/// The time that a second signal leaves to the sends under way.
const HURRIED_SENDS_MAX: Duration = Duration::from_secs(2);
/// The time that it leaves to settling after that: one call of a queue that answers.
const HURRIED_SETTLING_MAX: Duration = Duration::from_millis(500);
/// The time that a receive under way gets to return while nothing else is held, where the stop is in a
/// hurry.
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
    /// A receive under way is given up where nothing is held. A queue may have handed it a message whose
    /// answer is on its way, and giving it up costs that message a receive.
    pub receive_by: Instant,
}

impl Timetable {
    /// The timetable of a drain that begins at `now` and may take `grace` in all, for sends that
    /// take at most `send_timeout`. A grace that is too short leaves no time for a send, and no panic
    /// comes of it.
    pub fn new(now: Instant, grace: Duration, send_timeout: Duration) -> Self {
        let before_telemetry = grace.saturating_sub(TELEMETRY_FLUSH_TIME);
        let before_settling = before_telemetry.saturating_sub(SETTLING_TIME);
        Self {
            began: now,
            last_send: now + before_settling.saturating_sub(send_timeout),
            settle_from: now + before_settling,
            settle_by: now + before_telemetry.saturating_sub(WORKER_RETURN_TIME),
            receive_by: now + before_settling,
        }
    }
}

/// How far the end has come, for everybody to see and to wait for. No moment is ever put off.
#[derive(Debug)]
pub struct Drain {
    grace: Duration,
    send_timeout: Duration,
    /// Absent until it begins.
    timetable: watch::Sender<Option<Timetable>>,
}

impl Drain {
    /// A drain that has not begun, for this whole grace and this timeout of a send.
    pub fn new(grace: Duration, send_timeout: Duration) -> Self {
        Self {
            grace,
            send_timeout,
            timetable: watch::Sender::new(None),
        }
    }

    /// The first signal: receiving stops, and the clock runs. Later calls change nothing.
    #[expect(clippy::must_use_candidate, reason = "most callers only begin it")]
    pub fn begin(&self) -> Timetable {
        let mut times = Timetable::new(Instant::now(), self.grace, self.send_timeout);
        self.timetable.send_if_modified(|begun| {
            let is_first = begun.is_none();
            times = *begun.get_or_insert(times);
            is_first
        });
        times
    }

    /// Begins it where that is not done yet, and gives a receive under way a second: for somebody who
    /// waits at a terminal, and where a part of the pipeline has failed.
    pub fn begin_promptly(&self) {
        let mut times = self.begin();
        times.receive_by = times.receive_by.min(Instant::now() + LAST_RECEIVE_MAX);
        self.timetable.send_replace(Some(times));
    }

    /// The second signal: everything without a send under way is released. It brings the moments
    /// forward and puts none off, so the sooner one counts.
    pub fn hurry(&self) {
        self.begin_promptly();
        let mut times = self.begin();
        let now = Instant::now();
        let settle_from = now + HURRIED_SENDS_MAX;
        times.last_send = times.last_send.min(now);
        times.settle_from = times.settle_from.min(settle_from);
        times.settle_by = times.settle_by.min(settle_from + HURRIED_SETTLING_MAX);
        self.timetable.send_replace(Some(times));
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.timetable.borrow().is_some()
    }

    /// When it began, once it has.
    pub fn begun_at(&self) -> Option<Instant> {
        self.timetable.borrow().map(|times| times.began)
    }

    /// Waits until it begins.
    pub async fn wait_begun(&self) {
        self.wait_for(|times| times.began).await;
    }

    /// Whether a send may start now.
    pub fn may_send(&self) -> bool {
        let times = self.timetable.borrow();
        times.is_none_or(|times| Instant::now() < times.last_send)
    }

    /// Waits until a message that has no send under way must be let go. That is as soon as the drain
    /// begins. On its last receive, where letting go sends it to the dead-letter queue, it is only
    /// when no send may start any more.
    pub async fn wait_release(&self, last_receive: bool) {
        self.wait_for(|times| {
            if last_receive {
                times.last_send
            } else {
                times.began
            }
        })
        .await;
    }

    /// Waits until a send under way is given up, its outcome unknown.
    pub async fn wait_abandon(&self) {
        self.wait_for(|times| times.settle_from).await;
    }

    /// Waits until a receive under way is given up. While a message is held, somebody waits anyway.
    pub async fn wait_receives_end(&self, holding: bool) {
        self.wait_for(|times| {
            if holding {
                times.settle_from
            } else {
                times.receive_by
            }
        })
        .await;
    }

    /// Waits until nothing is settled any more.
    pub async fn wait_closed(&self) {
        self.wait_for(|times| times.settle_by).await;
    }

    async fn wait_for(&self, moment: impl Fn(&Timetable) -> Instant) {
        let mut changes = self.timetable.subscribe();
        loop {
            let at = changes.borrow_and_update().as_ref().map(&moment);
            if at.is_some_and(|at| at <= Instant::now()) {
                return;
            }
            tokio::select! {
                // The sender lives as long as this drain, so that an error cannot come.
                _ = changes.changed() => {}
                Some(()) = OptionFuture::from(at.map(sleep_until)) => return,
            }
        }
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
        let (abandoned, closed) = tokio::join!(
            async {
                drain.wait_abandon().await;
                begun.elapsed()
            },
            async {
                drain.wait_closed().await;
                begun.elapsed()
            },
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
        let (abandoned, closed) = tokio::join!(
            async {
                drain.wait_abandon().await;
                begun.elapsed()
            },
            async {
                drain.wait_closed().await;
                begun.elapsed()
            },
        );
        assert_eq!(
            (abandoned, closed),
            (seconds(2), Duration::from_millis(2_500))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_receive_under_way_has_as_long_as_a_send_and_a_second_in_a_hurry() {
        let drain = Drain::new(seconds(28), seconds(10));
        let begun = Instant::now();
        drain.begin();
        drain.wait_receives_end(false).await;
        assert_eq!(begun.elapsed(), seconds(21));
        let drain = Drain::new(seconds(28), seconds(10));
        let begun = Instant::now();
        drain.begin_promptly();
        drain.wait_receives_end(false).await;
        assert_eq!(begun.elapsed(), seconds(1));
        drain.wait_receives_end(true).await;
        assert_eq!(begun.elapsed(), seconds(21));
        let drain = Drain::new(seconds(28), seconds(10));
        let begun = Instant::now();
        drain.begin();
        tokio::join!(drain.wait_receives_end(false), async {
            sleep_until(begun + seconds(5)).await;
            drain.hurry();
        });
        assert_eq!(
            begun.elapsed(),
            seconds(6),
            "a second signal brings it forward"
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
        let ((), closed) = tokio::join!(hurry, closed);
        assert_eq!(closed, Duration::from_millis(22_500));
    }
}
