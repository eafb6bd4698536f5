//! Signs of life, for whoever restarts what is stuck, and what keeps the daemon from working, for
//! whoever asks whether it does.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// Poll loop and lease keeper turn at least once a second, whatever they wait for. One that has not
/// turned for this long hangs: nothing that they await takes longer by right, and half the shortest
/// lease is not over yet when an orchestrator that asks every few seconds has noticed.
const STUCK_AFTER: Duration = Duration::from_secs(15);

/// What the loops say of themselves. All of it may be read at any time.
#[derive(Debug)]
pub struct HealthState {
    base: Instant,
    /// In milliseconds since `base`; zero while it does not run.
    polled: AtomicU64,
    kept: AtomicU64,
    hindrances: Mutex<Hindrances>,
}

/// What keeps the daemon from taking work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Hindrances {
    started: bool,
    stopping: bool,
    /// The name of the mail breaker's cause while it is open.
    sending: Option<&'static str>,
    /// The name of the template breaker's cause while it is open.
    rendering: Option<&'static str>,
    /// What receiving fails with, while it keeps failing.
    receiving: Option<String>,
}

/// A part that a breaker can stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The mail breaker's.
    Sending,
    /// The template breaker's.
    Rendering,
}

impl Part {
    /// Its name in sentences.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Rendering => "rendering",
        }
    }
}

impl Default for HealthState {
    fn default() -> Self {
        Self::new()
    }
}

impl HealthState {
    /// Those of a daemon that has not started.
    #[must_use]
    pub fn new() -> Self {
        Self {
            base: Instant::now(),
            polled: AtomicU64::new(0),
            kept: AtomicU64::new(0),
            hindrances: Mutex::default(),
        }
    }

    /// The poll loop has turned.
    pub fn poller_ran(&self) {
        self.polled.store(self.millis(), Ordering::Relaxed);
    }

    /// The poll loop has ended in good order.
    pub fn poller_ended(&self) {
        self.polled.store(0, Ordering::Relaxed);
    }

    /// The lease keeper has turned.
    pub fn lease_keeper_ran(&self) {
        self.kept.store(self.millis(), Ordering::Relaxed);
    }

    /// Boot is done.
    pub fn started(&self) {
        self.lock().started = true;
    }

    /// The drain has begun.
    pub fn stopping(&self) {
        self.lock().stopping = true;
    }

    /// A breaker opened, for the cause of this name, or closed.
    pub fn stopped_by(&self, part: Part, cause: Option<&'static str>) {
        let mut hindrances = self.lock();
        match part {
            Part::Sending => hindrances.sending = cause,
            Part::Rendering => hindrances.rendering = cause,
        }
    }

    /// Receiving keeps failing, with an error of this type, or works again.
    pub fn receiving_fails(&self, error: Option<&str>) {
        self.lock().receiving = error.map(ToOwned::to_owned);
    }

    /// Why the process should be restarted: what hangs, and for how long. Empty while it lives.
    #[must_use]
    pub fn liveness_problems(&self) -> Vec<String> {
        let now = self.millis();
        let stuck = |name: &str, turned: u64| {
            let since = Duration::from_millis(now.saturating_sub(turned));
            (turned > 0 && since > STUCK_AFTER)
                .then(|| format!("the {name} has not turned for {} s", since.as_secs()))
        };
        let polled = stuck("poll loop", self.polled.load(Ordering::Relaxed));
        let kept = stuck("lease keeper", self.kept.load(Ordering::Relaxed));
        polled.into_iter().chain(kept).collect()
    }

    /// Why no work is taken. Empty while it is.
    #[must_use]
    pub fn readiness_problems(&self) -> Vec<String> {
        let mut reasons = self.liveness_problems();
        let hindrances = self.lock().clone();
        if !hindrances.started {
            reasons.push("starting".to_owned());
        }
        if hindrances.stopping {
            reasons.push("stopping".to_owned());
        }
        if let Some(cause) = hindrances.sending {
            reasons.push(format!("sending has stopped: {cause}"));
        }
        if let Some(cause) = hindrances.rendering {
            reasons.push(format!("rendering has stopped: {cause}"));
        }
        if let Some(error) = hindrances.receiving {
            reasons.push(format!("receiving fails: {error}"));
        }
        reasons
    }

    fn millis(&self) -> u64 {
        // One more, so that no turn is at zero, which means that it does not run.
        u64::try_from(self.base.elapsed().as_millis()).map_or(u64::MAX, |millis| millis + 1)
    }

    fn lock(&self) -> MutexGuard<'_, Hindrances> {
        self.hindrances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_no_longer_turns_is_not_alive_and_named() {
        let health = HealthState::new();
        assert!(health.liveness_problems().is_empty(), "booting is alive");
        health.poller_ran();
        health.lease_keeper_ran();
        advance(STUCK_AFTER).await;
        assert!(health.liveness_problems().is_empty());
        health.lease_keeper_ran();
        advance(Duration::from_secs(1)).await;
        assert_eq!(
            health.liveness_problems(),
            ["the poll loop has not turned for 16 s"]
        );
        health.poller_ran();
        assert!(health.liveness_problems().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_loop_that_ended_in_good_order_is_not_missed() {
        let health = HealthState::new();
        health.poller_ran();
        health.poller_ended();
        advance(STUCK_AFTER * 2).await;
        assert!(health.liveness_problems().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_breaker_pause_is_alive_and_not_ready() {
        let health = HealthState::new();
        assert_eq!(health.readiness_problems(), ["starting"]);
        health.started();
        assert!(health.readiness_problems().is_empty());
        health.stopped_by(Part::Sending, Some("paused"));
        health.stopped_by(Part::Rendering, Some("missing"));
        assert!(health.liveness_problems().is_empty());
        assert_eq!(
            health.readiness_problems(),
            [
                "sending has stopped: paused",
                "rendering has stopped: missing"
            ]
        );
        health.stopped_by(Part::Sending, None);
        health.stopped_by(Part::Rendering, None);
        health.stopping();
        assert_eq!(health.readiness_problems(), ["stopping"]);
    }
}
