//! Receiving: only what can be worked on, as much as there is room for.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{error, info, warn};

use super::{
    batch::task_result,
    breaker::{MailGate, Receiving, TemplateGate},
    drain::Drain,
    health_state::HealthState,
    lease::Leases,
    open_polls::OpenPolls,
    rate::Limiter,
    report,
    window::{Place, Window},
    worker::Delivery,
};
use crate::{
    backoff::Backoff,
    ports::{BATCH_MAX, Queue, QueueFailure, QueueFailureKind, ReceiveRequest},
    telemetry::{LIFECYCLE, throttle::Throttle},
    text::format_duration,
};

/// After a receive that came back neither empty nor full the next waits this long, so that a
/// trickle fills batches; and one that could ask for few messages waits as long for more room.
const RECEIVE_LINGER: Duration = Duration::from_millis(20);
/// An empty answer that came sooner than this is followed by a pause that makes up for it: a
/// queue that answers at once must not be asked without rest.
const EMPTY_RECEIVE_MIN: Duration = Duration::from_secs(1);
/// How often the loop checks conditions that do not wake it; also its sign of life.
const RECHECK_EVERY: Duration = Duration::from_secs(1);
/// How often the poller asks whether the rate has room for a message.
const RATE_RECHECK_EVERY: Duration = Duration::from_millis(100);
/// How often a drain checks whether the receives under way still have time.
const DRAIN_RECHECK_EVERY: Duration = Duration::from_millis(50);
/// A receive that takes this much longer than its wait hangs: its own timeout ends it after 10 s.
const RECEIVE_OVERDUE_AFTER: Duration = Duration::from_secs(20);
/// Receives that fail for less than this write no line: they are tried again within seconds, and the
/// queue keeps its messages. One that got no answer within its wait fails from then on.
const QUIET_FAILURES_FOR: Duration = Duration::from_secs(5);

/// What the poller may touch.
pub(crate) struct Poller {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) leases: Arc<Leases>,
    pub(crate) mail: Arc<MailGate>,
    pub(crate) template: Arc<TemplateGate>,
    pub(crate) window: Arc<Window>,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) open_polls: Arc<OpenPolls>,
    pub(crate) drain: Arc<Drain>,
    pub(crate) health: Arc<HealthState>,
    pub(crate) wait: Duration,
    pub(crate) visibility: Duration,
    pub(crate) deliveries: mpsc::UnboundedSender<Delivery>,
}

/// What one receive came to: so many messages of so many asked for.
type Received = Result<(usize, usize), QueueFailure>;

/// How many receives may be under way, by what the last ones brought: full ones ask for more of them,
/// others for fewer, down to the one long poll of an empty queue. So a backlog is received side by
/// side, and a trickle in batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace(usize);

impl Pace {
    const SLOWEST: Self = Self(1);
    /// More receives than the largest window can fill.
    const FASTEST: Self = Self(128);

    /// After a receive that brought so many messages of so many asked for.
    fn after(self, count: usize, asked: usize) -> Self {
        if count == BATCH_MAX {
            // Each of those under way asks for one more: twice as many after each round.
            Self((self.0 + 1).min(Self::FASTEST.0))
        } else if count * 2 < asked {
            Self((self.0 / 2).max(Self::SLOWEST.0))
        } else {
            // A queue need not give all it has, and as many as there was room for says nothing of it.
            self
        }
    }
}

impl Poller {
    /// Receives until the drain begins, and then waits for the receives under way.
    pub(crate) async fn run(self) {
        let poller = Arc::new(self);
        let drain = Arc::clone(&poller.drain);
        let mut receives = JoinSet::new();
        let mut starts = Vec::new();
        let mut failures = Failures::new(Arc::clone(&poller.health), poller.wait);
        let mut pace = Pace::SLOWEST;
        let mut not_before = Instant::now();
        while !drain.has_begun() {
            poller.turned(&starts);
            let under_way = receives.len();
            let may_start = under_way < pace.0;
            // A drain goes first: nothing new is received once it has begun. Then what has come back,
            // since it says how fast the next may follow.
            tokio::select! {
                biased;
                () = drain.wait_begun() => break,
                Some(done) = receives.join_next() => {
                    let (answer, began) = task_result(done);
                    starts.retain(|start| *start != began);
                    (pace, not_before) = failures.after(answer, began, pace);
                }
                places = poller.next_places(not_before, under_way), if may_start => {
                    let began = Instant::now();
                    starts.push(began);
                    receives.spawn(Arc::clone(&poller).receive(places, began));
                }
                () = sleep(RECHECK_EVERY) => {}
            }
        }
        poller.finish(receives).await;
        poller.health.poller_ended();
    }

    /// The sign of life; not given while a receive is under way that its timeout should have ended
    /// long since.
    fn turned(&self, starts: &[Instant]) {
        let overdue = self.wait + RECEIVE_OVERDUE_AFTER;
        if starts.iter().all(|start| start.elapsed() <= overdue) {
            self.health.poller_ran();
        }
    }

    /// Waits until something may be received, and how much: the breakers are closed or want a
    /// probe, the rate has room, and so has the window.
    async fn next_places(&self, not_before: Instant, under_way: usize) -> Vec<Place> {
        sleep_until(not_before).await;
        loop {
            // What is on its way to the breaker becomes a probe sooner than another message would.
            // What waits for a template, its twin or its delete does not.
            let alone = under_way == 0 && self.window.on_the_way() <= self.mail.waiting();
            let suspected = self.template.receiving().await == Receiving::OneProbe;
            let failing = self.mail.receiving().await == Receiving::OneProbe;
            // What waits for a template, its twin, its delete or a verdict does not come to the
            // limiter, and suspects must not keep out for long the message that shows whose fault it is.
            let held = self.window.held_in_good_faith();
            let on_the_way = self.window.on_the_way().min(held);
            let coming = on_the_way.saturating_sub(self.limiter.waiting_recipients());
            let wanted = match (suspected, failing) {
                (_, true) if !alone => 0,
                (false, false) => BATCH_MAX,
                _ => 1,
            };
            let wanted = wanted.min(self.limiter.receivable(coming, held));
            if wanted == 0 {
                sleep(RATE_RECHECK_EVERY).await;
                continue;
            }
            let places = if suspected || failing {
                // Messages that are held for what may be their own fault must not keep out the one
                // that would show it.
                self.window.try_hold_beyond().into_iter().collect()
            } else {
                self.window.room_for_one().await;
                drop(timeout(RECEIVE_LINGER, self.window.room_worth_a_receive(wanted)).await);
                self.window.hold(wanted).await
            };
            if places.is_empty() {
                sleep(RECHECK_EVERY).await;
                continue;
            }
            // While room was waited for, a breaker may have opened.
            if (suspected || !self.template.is_open()) && (failing || !self.mail.is_open()) {
                if suspected {
                    self.template.probe_receive_started();
                }
                if failing {
                    self.mail.probe_receive_started();
                }
                return places;
            }
        }
    }

    /// One receive. The messages go to the workers, each with its own place in the window.
    async fn receive(
        self: Arc<Self>,
        mut places: Vec<Place>,
        began: Instant,
    ) -> (Received, Instant) {
        let asked = places.len();
        let request = ReceiveRequest {
            max_messages: asked,
            wait: self.wait,
            visibility: self.visibility,
        };
        let open_polls = &self.open_polls;
        let poll = open_polls.begin(self.wait);
        // Asked after the poll was made known: whatever is released from here on knows of it.
        if self.drain.has_begun() {
            open_polls.end(poll);
            return (Ok((0, asked)), began);
        }
        let messages = match self.queue.receive(request).await {
            Ok(messages) => messages,
            Err(failure) => return (Err(failure), began),
        };
        open_polls.end(poll);
        let count = messages.len();
        for message in messages {
            let receipt = message.receipt.clone();
            report::received(&message);
            // A message that is held already only gets the newer handle.
            let Some(lease) = self.leases.adopt(&message.id, receipt, began, self.wait) else {
                self.leases
                    .received_again(&message.id, message.receive_count);
                continue;
            };
            // The queue gives no more than was asked for. Where one does, what is too much is worked on
            // beyond the window, as far as that goes.
            let Some(place) = places.pop().or_else(|| self.window.try_hold_beyond()) else {
                warn!(
                    messaging.message.id = message.id,
                    "the queue gave more messages than were asked for, and there is no room for this \
                     one: it comes back when its lease ends"
                );
                continue;
            };
            // Nobody listens only when the process is about to end without its workers.
            drop(self.deliveries.send(Delivery {
                message,
                lease,
                place,
            }));
        }
        (Ok((count, asked)), began)
    }

    /// A receive under way when the drain begins may return: what it brings is ours, and its receive is
    /// spent.
    async fn finish(&self, mut receives: JoinSet<(Received, Instant)>) {
        while !receives.is_empty() {
            self.health.poller_ran();
            tokio::select! {
                Some(done) = receives.join_next() => {
                    // How it ended changes nothing any more; its panic goes on here.
                    drop(task_result(done));
                }
                () = self.drain.wait_receives_end(self.leases.count() > 0) => break,
                () = sleep(DRAIN_RECHECK_EVERY) => {}
            }
        }
        receives.shutdown().await;
    }
}

/// Receives that fail: how long to wait, and what to say.
struct Failures {
    health: Arc<HealthState>,
    /// How long a receive may wait for messages.
    wait: Duration,
    backoff: Backoff,
    throttle: Throttle,
}

impl Failures {
    fn new(health: Arc<HealthState>, wait: Duration) -> Self {
        Self {
            health,
            wait,
            backoff: Backoff::retries(),
            throttle: Throttle::default().quiet_for(QUIET_FAILURES_FOR),
        }
    }

    /// How to go on after a receive that began at `began`.
    fn after(&mut self, received: Received, began: Instant, pace: Pace) -> (Pace, Instant) {
        let now = Instant::now();
        let (count, asked) = match received {
            Ok(brought) => brought,
            Err(failure) => {
                self.tell(&failure, (began + self.wait).min(now));
                return (Pace::SLOWEST, now + self.backoff.next_delay());
            }
        };
        self.end();
        let not_before = match count {
            0 => return (Pace::SLOWEST, began + EMPTY_RECEIVE_MIN),
            count if count < asked => now + RECEIVE_LINGER,
            _ => now,
        };
        (pace.after(count, asked), not_before)
    }

    fn tell(&self, failure: &QueueFailure, began: Instant) {
        let Some(suppressed) = self.throttle.due_since(began) else {
            return;
        };
        self.health.receiving_fails(Some(&failure.error.code));
        // A start proves that the queue is there.
        let remedy = match failure.kind {
            QueueFailureKind::NotFound if failure.error.obstacle.is_none() => {
                "it was there at the start, so it was deleted, or access to it was taken away: look, and \
                 make it again, with its redrive policy, where it is gone"
            }
            _ => failure.remedy(),
        };
        let still = match failure.error.obstacle {
            None => ", and messages already received are still processed",
            Some(_) => "",
        };
        error!(
            error.r#type = failure.error.code,
            notifier.suppressed = suppressed,
            "nothing can be received: {failure}; {remedy}; the daemon tries again by itself{still}"
        );
    }

    fn end(&mut self) {
        if let Some(lasted) = self.throttle.reset() {
            info!(
                target: LIFECYCLE,
                "receiving works again after {}",
                format_duration(lasted)
            );
        }
        self.health.receiving_fails(None);
        self.backoff.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::CallError;

    fn failed(code: &str) -> Received {
        Err(QueueFailure {
            kind: QueueFailureKind::Transient,
            error: Box::new(CallError {
                operation: "ReceiveMessage",
                code: code.to_owned(),
                message: "later".to_owned(),
                request_id: None,
                obstacle: None,
                source: None,
            }),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn receives_that_fail_are_told_of_only_when_it_lasts() {
        let health = Arc::new(HealthState::default());
        health.started();
        let mut failures = Failures::new(Arc::clone(&health), Duration::from_secs(20));
        // Each line that is written puts its code among the problems.
        let mut told = |received| {
            failures.after(received, Instant::now(), Pace::SLOWEST);
            health.readiness_problems().join(", ")
        };
        assert_eq!(told(failed("first")), "");
        assert_eq!(told(Ok((0, 10))), "");
        tokio::time::advance(QUIET_FAILURES_FOR).await;
        assert_eq!(told(failed("first")), "", "the quiet time begins anew");
        tokio::time::advance(QUIET_FAILURES_FOR).await;
        assert_eq!(told(failed("second")), "receiving fails: second");
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(told(failed("third")), "receiving fails: second");
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(told(failed("fourth")), "receiving fails: fourth");
        assert_eq!(told(Ok((0, 10))), "");
    }
}
