//! A pipeline put together, and its tasks watched over.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{
    sync::{Notify, mpsc},
    task::{JoinError, JoinSet},
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::JoinMap};
use tracing::error;

use super::{
    breaker::{MailBreaker, MailBreakerSettings},
    drain::Drain,
    followers,
    gates::Gates,
    gauges,
    health_state::HealthState,
    lease::Leases,
    open_polls::OpenPolls,
    outcome::{Outcome, Tally},
    poller::Poller,
    rate::Limiter,
    readings::{Readings, Sources},
    receive_limit::ReceiveLimit,
    report, settle,
    window::Window,
    witness::Witnesses,
    worker::{self, Delivering, Delivery, Finished, Settling, Shared},
};
use crate::{
    backoff::Backoff,
    feedback::Hearing,
    ledger::Ledger,
    notification::Composer,
    ports::World,
    telemetry::{Instruments, LIFECYCLE},
    template_store::TemplateStore,
    timing::{WORKER_RETURN_TIME, lease_call_timeout},
};

/// A suspect without a verdict is held for this share of its retry budget: with two receives it is
/// then dead-lettered within two budgets, its way back through the queue included.
const UNJUDGED_SHARE: f64 = 0.95;
/// The task that everything begins with.
const POLLER: &str = "poller";

/// What a pipeline works with.
pub struct Parts {
    /// The outside world. Its template's source is read by `templates` alone.
    pub world: World,
    /// What remembers the mails sent.
    pub ledger: Arc<dyn Ledger>,
    /// Whether the mail service's events arrive, where they are read.
    pub hearing: Option<Arc<Hearing>>,
    /// Where the template comes from; the pipeline does not run it.
    pub templates: Arc<TemplateStore>,
    /// What makes mails of events.
    pub composer: Composer,
    /// How fast mails may go out.
    pub limiter: Arc<Limiter>,
    /// Where signs of life are left.
    pub health: Arc<HealthState>,
    /// Asks for a line that says what goes on.
    pub state_asked: Arc<Notify>,
    /// What the pipeline is watched with.
    pub instruments: Arc<Instruments>,
}

/// How a pipeline works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most mails sent at once. A few more messages are held, see [`Window`].
    pub concurrency: usize,
    /// How long a receive waits for a message, at most 20 whole seconds.
    pub receive_wait: Duration,
    /// The length of a lease in whole seconds.
    pub visibility: Duration,
    /// How long one attempt to send may take.
    pub send_timeout: Duration,
    /// How much of its own time a message may spend on attempts.
    pub max_elapsed: Duration,
    /// Whether witnesses may be sent to SES's simulator.
    pub witness: bool,
    /// The queue's `maxReceiveCount` at the start, where it has a redrive policy.
    pub max_receive_count: Option<u32>,
}

impl Settings {
    fn breaker_settings(&self) -> MailBreakerSettings {
        MailBreakerSettings {
            witness: self.witness,
            suspect_hold_max: self.max_elapsed.mul_f64(UNJUDGED_SHARE),
            waiting_max: self.concurrency,
            backoff: Backoff::probes,
        }
    }
}

/// How a pipeline's run ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// What became of the messages.
    pub tally: Tally,
    /// Whether every message was settled or left to the queue on purpose, the sums agree, and no
    /// part of the pipeline failed.
    pub clean: bool,
}

/// Works until the drain is through. Its tasks are watched: one that fails begins the drain.
pub async fn run(parts: Parts, settings: Settings, drain: Arc<Drain>) -> Report {
    let leases = Leases::new(Arc::clone(&parts.world.queue), settings.visibility);
    let (settler, settler_task) = settle::settler(
        Arc::clone(&parts.world.queue),
        lease_call_timeout(settings.visibility),
        Arc::clone(&drain),
        Arc::clone(&parts.health),
    );
    let window = Window::new(settings.concurrency);
    let gates = Gates::new(
        MailBreaker::new(settings.breaker_settings(), Instant::now()),
        &parts.templates,
        Arc::clone(&window),
        Arc::clone(&parts.limiter),
        Arc::clone(&parts.health),
    );
    let readings = readings(&parts, &leases, &window, &gates);
    let (world, templates, limiter) = (parts.world, parts.templates, parts.limiter);
    let open_polls = Arc::new(OpenPolls::default());
    let receive_limit = Arc::new(ReceiveLimit::new(settings.max_receive_count));
    let (deliveries, arriving) = mpsc::unbounded_channel();
    let poller = Poller {
        queue: Arc::clone(&world.queue),
        leases: Arc::clone(&leases),
        mail: Arc::clone(&gates.mail),
        template: Arc::clone(&gates.template),
        window: Arc::clone(&window),
        limiter: Arc::clone(&limiter),
        open_polls: Arc::clone(&open_polls),
        drain: Arc::clone(&drain),
        health: Arc::clone(&parts.health),
        wait: settings.receive_wait,
        visibility: settings.visibility,
        deliveries,
    };
    let keeper_stop = CancellationToken::new();
    let mut tasks = JoinMap::new();
    tasks.spawn(POLLER, poller.run());
    let keeper = Arc::clone(&parts.health);
    tasks.spawn(
        "lease keeper",
        Arc::clone(&leases).keep(move || keeper.lease_keeper_ran(), keeper_stop.clone()),
    );
    tasks.spawn("settler", settler_task);
    followers::spawn(
        &mut tasks,
        &gates,
        templates.watch(),
        &limiter,
        Arc::clone(&world.account),
        (&receive_limit, Arc::clone(&world.queue)),
    );
    tasks.spawn(
        "reporter of stalls",
        report::stalls(Arc::clone(&readings), parts.health.progress()),
    );

    let workers = Shared {
        delivering: Delivering {
            composer: parts.composer,
            templates,
            gates,
            window,
            limiter,
            mailer: world.mailer,
            ledger: parts.ledger,
            hearing: parts.hearing,
            drain: Arc::clone(&drain),
            progress: parts.health.progress(),
            send_timeout: settings.send_timeout,
            max_elapsed: settings.max_elapsed,
            max_receive_count: Arc::clone(&receive_limit),
            instruments: parts.instruments,
        },
        settling: Settling {
            settler,
            open_polls,
        },
    };
    tasks.spawn(
        "sender of witnesses",
        Witnesses::new(&workers.delivering, world.account).run(),
    );
    let mut supervisor = Supervisor {
        workers: Arc::new(workers),
        drain,
        health: parts.health,
        readings,
        state_asked: parts.state_asked,
        tasks,
        tally: Tally::default(),
        clean: true,
    };
    supervisor.work(arriving).await;
    keeper_stop.cancel();
    supervisor.tasks.shutdown().await;
    supervisor.finish(leases.count())
}

/// What may be read of a pipeline. Its gauges read it from now on.
fn readings(
    parts: &Parts,
    leases: &Arc<Leases>,
    window: &Arc<Window>,
    gates: &Gates,
) -> Arc<Readings> {
    let readings = Arc::new(Readings::of(Sources {
        leases: Arc::clone(leases),
        window: Arc::clone(window),
        mail: Arc::clone(&gates.mail),
        template: Arc::clone(&gates.template),
        limiter: Arc::clone(&parts.limiter),
        ledger: Arc::clone(&parts.ledger),
        templates: parts.templates.watch(),
        hearing: parts.hearing.clone(),
    }));
    gauges::observe(&readings, &parts.instruments);
    readings
}

/// Watches over workers and tasks, and counts the outcomes.
struct Supervisor {
    /// What each worker is given.
    workers: Arc<Shared>,
    drain: Arc<Drain>,
    health: Arc<HealthState>,
    readings: Arc<Readings>,
    state_asked: Arc<Notify>,
    /// Tasks that must not end before the drain, by name.
    tasks: JoinMap<&'static str, ()>,
    tally: Tally,
    clean: bool,
}

impl Supervisor {
    /// Gives each delivery a worker, until the poller has ended and the last worker with it.
    async fn work(&mut self, mut arriving: mpsc::UnboundedReceiver<Delivery>) {
        let drain = Arc::clone(&self.drain);
        let mut workers: JoinSet<Finished> = JoinSet::new();
        let mut open = true;
        let out_of_time = async {
            drain.wait_closed().await;
            sleep(WORKER_RETURN_TIME).await;
        };
        tokio::pin!(out_of_time);
        // The poller ends after its last delivery. This waits for it too, since a panic of the poller
        // would go unnoticed otherwise.
        while open || self.tasks.contains_key(POLLER) || !workers.is_empty() {
            tokio::select! {
                delivery = arriving.recv(), if open => match delivery {
                    Some(delivery) => {
                        self.tally.receive(1);
                        workers.spawn(worker::work(Arc::clone(&self.workers), delivery));
                    }
                    None => open = false,
                },
                Some(done) = workers.join_next() => self.finished(done),
                Some((name, ended)) = self.tasks.join_next() => self.task_ended(name, ended.is_err()),
                () = self.state_asked.notified() => report::state(&self.readings, &self.tally),
                () = &mut out_of_time => break,
            }
        }
        // Only a worker that does not return although all its waits have ended is still here.
        workers.shutdown().await;
        while let Some(Some((name, ended))) = self.tasks.join_next().now_or_never() {
            self.task_ended(name, ended.is_err());
        }
    }

    fn finished(&mut self, done: Result<Finished, JoinError>) {
        // Where a worker's own guard against panics has failed, its message is left to the queue.
        let finished = done.unwrap_or(Finished {
            outcome: Outcome::Panicked,
            accounted_for: true,
        });
        self.tally.end(finished.outcome);
        self.clean &= finished.accounted_for;
    }

    fn task_ended(&mut self, name: &str, panicked: bool) {
        let drain = &self.drain;
        if !panicked && drain.has_begun() {
            return;
        }
        self.clean = false;
        drain.begin_promptly();
        self.health.stopping();
        error!(
            target: LIFECYCLE,
            "the {name} {}, which is a bug in this program: the process stops and must be started \
             again",
            if panicked { "panicked" } else { "ended early" }
        );
    }

    fn finish(mut self, held: usize) -> Report {
        if !self.tally.balanced() {
            self.clean = false;
            error!(
                target: LIFECYCLE,
                { notifier.held = held },
                "the counts of received and ended messages differ, which is a bug in this \
                 program: {}; no message is lost, since SQS shows them again", self.tally
            );
        }
        Report {
            tally: self.tally,
            clean: self.clean,
        }
    }
}
