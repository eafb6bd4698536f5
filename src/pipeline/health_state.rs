//! The signs of life, for an orchestrator that restarts what is stuck, and what hinders the work,
//! for a person who asks whether the daemon works.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::progress::{Progress, Silence};
use crate::{mutex::Mutex, text::format_duration};

/// Poll loop and lease keeper turn at least once a second, whatever they wait for. One that has not
/// run for this long hangs: nothing that they await may take longer, and half the shortest lease is
/// not over yet when an orchestrator that asks every few seconds has noticed.
const STUCK_AFTER: Duration = Duration::from_secs(15);

/// What the loops say of themselves, to be read at any time. The default is the state of a daemon
/// that has not started.
#[derive(Debug, Default)]
pub struct HealthState {
    state: Mutex<State>,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct State {
    /// When the poll loop turned last; absent while it does not run.
    poller_ran: Option<Instant>,
    /// When the lease keeper turned last.
    lease_keeper_ran: Option<Instant>,
    started: bool,
    stopping: bool,
    /// The name of the cause of each part's breaker while it is open.
    stopped: [Option<&'static str>; Part::ALL.len()],
    /// The error that receiving fails with, while it keeps failing.
    receiving: Option<String>,
    /// The error that deletes fail with, while they keep failing.
    deleting: Option<String>,
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
    const ALL: [Self; 2] = [Self::Sending, Self::Rendering];

    /// Its name in sentences.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Rendering => "rendering",
        }
    }
}

impl HealthState {
    /// The poll loop has turned.
    pub fn poller_ran(&self) {
        self.state.lock().poller_ran = Some(Instant::now());
    }

    /// The poll loop has ended in good order.
    pub fn poller_ended(&self) {
        self.state.lock().poller_ran = None;
    }

    /// The lease keeper has turned.
    pub fn lease_keeper_ran(&self) {
        self.state.lock().lease_keeper_ran = Some(Instant::now());
    }

    /// Boot is through: the queue is proved, and there is a template.
    pub fn started(&self) {
        self.state.lock().started = true;
    }

    /// The drain has begun.
    pub fn stopping(&self) {
        self.state.lock().stopping = true;
    }

    /// A breaker opened, for the cause of this name, or closed.
    pub fn stopped_by(&self, part: Part, cause: Option<&'static str>) {
        self.state.lock().stopped[part as usize] = cause;
    }

    /// Receiving keeps failing, with an error of this type, or works again.
    pub fn receiving_fails(&self, error: Option<&str>) {
        self.state.lock().receiving = error.map(ToOwned::to_owned);
    }

    /// Deletes keep failing, with an error of this type, or one worked.
    pub fn deleting_fails(&self, error: Option<&str>) {
        self.state.lock().deleting = error.map(ToOwned::to_owned);
    }

    /// Whether mails get out.
    pub(crate) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Why the process should be restarted or replaced: it has not started, so that an orchestrator does not
    /// let it take the place of one that works; or what hangs, and for how long. Empty while it lives.
    pub fn liveness_problems(&self) -> Vec<String> {
        self.state.lock().liveness_problems().collect()
    }

    /// Why no work is taken. Empty while it is.
    pub fn readiness_problems(&self) -> Vec<String> {
        let state = self.state.lock();
        let stopped = Part::ALL.into_iter().filter_map(|part| {
            let cause = state.stopped[part as usize]?;
            Some(format!("{} has stopped: {cause}", part.name()))
        });
        let receiving = state.receiving.as_ref();
        let receiving = receiving.map(|error| format!("receiving fails: {error}"));
        let deleting = state.deleting.as_ref();
        let deleting = deleting.map(|error| format!("deletes keep failing: {error}"));
        state
            .liveness_problems()
            .chain(state.stopping.then(|| "stopping".to_owned()))
            .chain(stopped)
            .chain(receiving)
            .chain(deleting)
            .chain(self.progress.silence().as_ref().map(in_short))
            .collect()
    }
}

impl State {
    fn liveness_problems(&self) -> impl Iterator<Item = String> {
        let loops = [
            ("poll loop", self.poller_ran),
            ("lease keeper", self.lease_keeper_ran),
        ];
        let stuck = loops.into_iter().filter_map(|(name, ran)| {
            let since = ran?.elapsed();
            let seconds = since.as_secs();
            (since > STUCK_AFTER).then(|| format!("the {name} has not run for {seconds} s"))
        });
        let starting = (!self.started).then(|| "starting".to_owned());
        starting.into_iter().chain(stuck)
    }
}

fn in_short(silence: &Silence) -> String {
    let lasts = format_duration(silence.lasts);
    let failure = silence.failure.as_ref();
    let failure = failure.map(|said| format!(": {}", said.code));
    format!(
        "no mail has been accepted for {lasts}, {} held{}",
        silence.held,
        failure.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::pipeline::breaker::Said;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_no_longer_turns_is_not_alive_and_named() {
        let health = HealthState::default();
        assert_eq!(health.liveness_problems(), ["starting"]);
        health.started();
        health.poller_ran();
        health.lease_keeper_ran();
        advance(STUCK_AFTER).await;
        assert!(health.liveness_problems().is_empty());
        health.lease_keeper_ran();
        advance(Duration::from_secs(1)).await;
        assert_eq!(
            health.liveness_problems(),
            ["the poll loop has not run for 16 s"]
        );
        health.poller_ran();
        assert!(health.liveness_problems().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_and_deletes_that_fail_are_told_while_they_last() {
        let health = HealthState::default();
        health.started();
        let _waiting = [health.progress.wait(), health.progress.wait()];
        advance(Duration::from_secs(75)).await;
        health.deleting_fails(Some("Denied"));
        assert_eq!(
            health.readiness_problems(),
            [
                "deletes keep failing: Denied",
                "no mail has been accepted for 1m 15s, 2 held"
            ]
        );
        health.deleting_fails(None);
        health.progress.failed(Said {
            code: "TooMany".to_owned(),
            text: String::new(),
            obstacle: None,
            remedy: None,
        });
        assert_eq!(
            health.readiness_problems(),
            ["no mail has been accepted for 1m 15s, 2 held: TooMany"]
        );
        assert!(health.liveness_problems().is_empty());
        health.progress.accepted();
        assert!(health.readiness_problems().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_loop_that_ended_in_good_order_is_not_missed() {
        let health = HealthState::default();
        health.started();
        health.poller_ran();
        health.poller_ended();
        advance(STUCK_AFTER * 2).await;
        assert!(health.liveness_problems().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_breaker_pause_is_alive_and_not_ready() {
        let health = HealthState::default();
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
