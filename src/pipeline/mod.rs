//! One queue to mail: poller → lease → envelope → template → mail → settle.
//!
//! In the order of a message's way: `poller` receives what there is a permit for, [`lease`] holds
//! it, `worker` takes it to an outcome, [`settle`] tells the queue. The decisions stand in files
//! of their own and know no time but what they are told: [`outcome`], [`breaker`], [`rate`],
//! [`window`], [`ledger`]; [`drain`] is the way to the end.

mod batch;
pub mod breaker;
pub mod drain;
mod gauges;
pub mod health_state;
pub mod lease;
pub mod ledger;
mod open_polls;
pub mod outcome;
#[cfg(test)]
mod polled;
mod poller;
pub mod rate;
mod report;
mod retry_clock;
#[cfg(test)]
mod scripted;
pub mod settle;
pub mod window;
mod worker;

use std::{
    collections::HashSet,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::{
    breaker::{AccountSays, Gate, MailBreaker, TemplateBreaker, TemplateCause},
    drain::Drain,
    health_state::{HealthState, Part},
    lease::Leases,
    ledger::Ledger,
    open_polls::OpenPolls,
    outcome::{Outcome, Tally},
    poller::Poller,
    rate::Limiter,
    window::Window,
    worker::{Delivery, Finished, Shared},
};
use crate::{
    backoff::Backoff,
    notification::Composer,
    ports::{Account, AccountFacts, EnforcementStatus, World},
    telemetry::{Instruments, LIFECYCLE},
    template_store::{Knowledge, LoadError, TemplateStore},
    timing::{WORKER_RETURN_TIME, lease_call_timeout},
};

/// How often the account is read.
const ACCOUNT_EVERY: Duration = Duration::from_mins(5);
/// The task that everything begins with.
const POLLER: &str = "poller";
/// The task that ends everything.
const TIMETABLE: &str = "drain's timetable";

/// What a pipeline works with.
pub struct Parts {
    /// The outside world. Its template's source is read by `templates` alone.
    pub world: World,
    /// What remembers the mails sent.
    pub ledger: Arc<dyn Ledger>,
    /// Where the template comes from; the pipeline does not run it.
    pub templates: Arc<TemplateStore>,
    /// What makes mails of events.
    pub composer: Composer,
    /// How fast mails may go out.
    pub limiter: Arc<Limiter>,
    /// Where signs of life are left.
    pub health: Arc<HealthState>,
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
    /// The queue's `maxReceiveCount`, where it has a redrive policy.
    pub max_receive_count: Option<u32>,
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
    let call_timeout = lease_call_timeout(settings.visibility);
    let leases = Leases::new(Arc::clone(&parts.world.queue), settings.visibility);
    let (settler, settler_task) = settle::settler(
        Arc::clone(&parts.world.queue),
        call_timeout,
        Arc::clone(&drain),
    );
    let shared = Arc::new(Shared {
        composer: parts.composer,
        templates: parts.templates,
        template_gate: Gate::new(TemplateBreaker::new(Instant::now())),
        mail_gate: Gate::new(
            MailBreaker::new(Backoff::probes()).with_patience(settings.max_elapsed),
        ),
        limiter: parts.limiter,
        window: Window::new(settings.concurrency),
        mailer: parts.world.mailer,
        ledger: parts.ledger,
        settler,
        drain: Arc::clone(&drain),
        send_timeout: settings.send_timeout,
        max_elapsed: settings.max_elapsed,
        max_receive_count: settings.max_receive_count,
        aside: AtomicUsize::new(0),
        open_polls: OpenPolls::default(),
        health: Arc::clone(&parts.health),
        instruments: parts.instruments,
    });
    gauges::observe(&shared, &leases);
    let (deliveries, arriving) = mpsc::unbounded_channel();
    let poller = Poller {
        shared: Arc::clone(&shared),
        queue: parts.world.queue,
        leases: Arc::clone(&leases),
        wait: settings.receive_wait,
        visibility: settings.visibility,
        deliveries,
    };
    let stop = CancellationToken::new();
    let mut tasks = Tasks::new();
    tasks.spawn(POLLER, poller.run());
    let health = Arc::clone(&parts.health);
    tasks.spawn(
        "lease keeper",
        Arc::clone(&leases).keep(move || health.lease_keeper_ran(), stop.clone()),
    );
    tasks.spawn("settler", settler_task);
    tasks.spawn("template's follower", follow_template(Arc::clone(&shared)));
    tasks.spawn(
        "account's reader",
        follow_account(Arc::clone(&shared), Arc::clone(&parts.world.account)),
    );
    tasks.spawn(
        "account's check",
        ask_account(Arc::clone(&shared), parts.world.account),
    );
    tasks.spawn(
        "breakers' reporter",
        report::breakers(Arc::clone(&shared), Arc::clone(&leases)),
    );
    tasks.spawn(TIMETABLE, async move { drain.run().await });

    let mut supervisor = Supervisor {
        shared,
        tasks,
        tally: Tally::default(),
        clean: true,
    };
    supervisor.work(arriving).await;
    stop.cancel();
    supervisor.tasks.set.shutdown().await;
    supervisor.finish(leases.len())
}

/// Watches over workers and tasks, and keeps the accounts.
struct Supervisor {
    shared: Arc<Shared>,
    tasks: Tasks,
    tally: Tally,
    clean: bool,
}

impl Supervisor {
    /// Gives each delivery a worker, until the poller has ended and the last worker with it.
    async fn work(&mut self, mut arriving: mpsc::UnboundedReceiver<Delivery>) {
        let drain = Arc::clone(&self.shared.drain);
        let mut workers: JoinSet<Finished> = JoinSet::new();
        let mut open = true;
        let out_of_time = async {
            drain.wait_closed().await;
            sleep(WORKER_RETURN_TIME).await;
        };
        tokio::pin!(out_of_time);
        // The poller's end is waited for and not only that of its deliveries, which comes first: how
        // it ended would go unnoticed.
        while open || self.tasks.is_running(POLLER) || !workers.is_empty() {
            tokio::select! {
                delivery = arriving.recv(), if open => match delivery {
                    Some(delivery) => {
                        self.tally.receive(1);
                        workers.spawn(worker::work(Arc::clone(&self.shared), delivery));
                    }
                    None => open = false,
                },
                Some(done) = workers.join_next() => self.finished(&done),
                Some((name, failed)) = self.tasks.ended() => self.task_ended(name, failed.as_ref()),
                () = &mut out_of_time => break,
            }
        }
        // Only a worker that does not return although all its waits have ended is still here.
        workers.shutdown().await;
        while let Some(Some((name, failed))) = self.tasks.ended().now_or_never() {
            self.task_ended(name, failed.as_ref());
        }
    }

    fn finished(&mut self, done: &Result<Finished, JoinError>) {
        let finished = match done {
            Ok(finished) => *finished,
            // Its own guard against panics has failed: its message is left to the queue.
            Err(_) => Finished {
                outcome: Outcome::Panicked,
                settled: true,
            },
        };
        self.tally.end(finished.outcome);
        self.clean &= finished.settled;
    }

    fn task_ended(&mut self, name: &str, failed: Option<&JoinError>) {
        let drain = &self.shared.drain;
        if failed.is_none() && drain.has_begun() {
            return;
        }
        self.clean = false;
        drain.begin();
        self.shared.health.stopping();
        if name == TIMETABLE {
            // Nothing else would ever end what hangs.
            drain.close();
        }
        error!(
            target: LIFECYCLE,
            "the {name} {}, which is a fault of ours: stopping, to be started afresh",
            if failed.is_some() { "panicked" } else { "ended early" }
        );
    }

    fn finish(mut self, held: usize) -> Report {
        if !self.tally.balanced() {
            self.clean = false;
            error!(
                target: LIFECYCLE,
                { notifier.held = held },
                "messages are unaccounted for: {}; their leases run out by themselves", self.tally
            );
        }
        Report {
            tally: self.tally,
            clean: self.clean,
        }
    }
}

/// Tasks that must not end before the drain, by name.
struct Tasks {
    set: JoinSet<()>,
    names: Vec<(tokio::task::Id, &'static str)>,
}

impl Tasks {
    fn new() -> Self {
        Self {
            set: JoinSet::new(),
            names: Vec::new(),
        }
    }

    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.set.spawn(task).id();
        self.names.push((id, name));
    }

    /// The next task that ends, and how it failed where it did. `None` when all have.
    async fn ended(&mut self) -> Option<(&'static str, Option<JoinError>)> {
        let (id, failed) = match self.set.join_next_with_id().await? {
            Ok((id, ())) => (id, None),
            Err(failed) => (failed.id(), Some(failed)),
        };
        let position = self.names.iter().position(|(known, _)| *known == id);
        let name = position.map(|position| self.names.swap_remove(position).1);
        Some((name.unwrap_or("task"), failed))
    }

    fn is_running(&self, name: &str) -> bool {
        self.names.iter().any(|(_, running)| *running == name)
    }
}

/// Tells the template breaker what the store finds.
async fn follow_template(shared: Arc<Shared>) {
    let mut knowledge = shared.templates.watch();
    let mut named = HashSet::new();
    loop {
        let known: Knowledge = knowledge.borrow_and_update().clone();
        let transition =
            shared
                .template_gate
                .tell(|breaker, now| match (&known.in_force, &known.failure) {
                    (Some(template), _) => breaker.usable(&template.version, now),
                    (None, Some(failure)) => breaker.unusable(cause(failure)),
                    (None, None) => None,
                });
        report::transition(&shared, Part::Rendering, transition);
        if let Some(template) = &known.in_force
            && named.insert(template.version.blob_id.clone())
            && named.len() > 1
        {
            info!("messages are rendered with the new template from now on");
        }
        if knowledge.changed().await.is_err() {
            return;
        }
    }
}

fn cause(failure: &LoadError) -> TemplateCause {
    match failure {
        LoadError::Fetch(failure) => TemplateCause::Fetch(failure.kind),
        LoadError::TooLarge { .. } | LoadError::Compile(_) => TemplateCause::Unusable,
    }
}

/// Reads the account's rate now and then.
async fn follow_account(shared: Arc<Shared>, account: Arc<dyn Account>) {
    loop {
        sleep(ACCOUNT_EVERY).await;
        if let Ok(facts) = account.facts().await {
            shared.limiter.account_rate(facts.max_send_rate);
        }
    }
}

/// Asks the account before a probe where it can tell as much without costing a message.
async fn ask_account(shared: Arc<Shared>, account: Arc<dyn Account>) {
    loop {
        let check = shared.mail_gate.account_check().await;
        check.answer(match account.facts().await {
            Ok(facts) if may_send(&facts) => AccountSays::Allowed,
            Ok(_) => AccountSays::Refused,
            Err(failure) => {
                warn!(
                    error.r#type = failure.error.code,
                    "the account cannot be asked: {failure}"
                );
                AccountSays::Unknown
            }
        });
    }
}

fn may_send(facts: &AccountFacts) -> bool {
    facts.sending_enabled && facts.enforcement_status != EnforcementStatus::Shutdown
}
