//! Puts the parts together, starts, waits for the end, and drains.

pub mod boot;

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    config::{ComposeError, SendRate, Settings},
    pipeline::{
        self, Report,
        drain::Drain,
        health_state::HealthState,
        ledger::MemoryLedger,
        outcome::Tally,
        rate::{self, Limiter},
    },
    ports::{AccountFacts, QueueFacts, World, queue_name},
    shutdown::Signal,
    telemetry::{
        Instruments, LIFECYCLE,
        observed::{ObservedQueue, ObservedSource},
    },
    template_store::TemplateStore,
    text::format_duration,
};

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It was told to stop and did.
    Stopped {
        /// What became of the messages.
        tally: Tally,
        /// Whether everything was settled or released, and nothing failed.
        clean: bool,
    },
    /// It could not start.
    NotStarted {
        /// What is wrong and what to do.
        reason: String,
    },
}

impl Ended {
    /// Whether the process may exit with 0.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::Stopped { clean: true, .. })
    }
}

/// Runs the daemon from boot to its end. `health` shows the health port how it is. `signals` tell
/// it to stop; the first one starts the clock of `shutdown.grace`.
///
/// # Errors
///
/// Where the settings make no mail, which their validation refuses.
pub async fn run(
    world: World,
    settings: &Settings,
    health: Arc<HealthState>,
    instruments: Arc<Instruments>,
    mut signals: mpsc::UnboundedReceiver<Signal>,
) -> Result<Ended, ComposeError> {
    let composer = settings.composer()?;
    let templates = Arc::new(TemplateStore::new(
        Arc::new(ObservedSource::new(
            Arc::clone(&world.templates),
            Arc::clone(&instruments),
        )),
        settings.placeholders()?,
        settings.template.ttl,
        settings.template.max_bytes,
    ));
    let stop_fetching = CancellationToken::new();
    let fetching = tokio::spawn({
        let (templates, stop) = (Arc::clone(&templates), stop_fetching.clone());
        async move { templates.run(stop).await }
    });
    let ended = match boot(&world, settings, &templates, &mut signals).await {
        Booted::Ready(ready) => {
            let parts = pipeline::Parts {
                world: World {
                    // Watched only from here on: that boot's made-up handles are refused is no failure.
                    queue: Arc::new(ObservedQueue::new(world.queue, Arc::clone(&instruments))),
                    ..world
                },
                ledger: Arc::new(MemoryLedger::new()),
                templates,
                composer,
                limiter: Arc::new(limiter(settings, ready.account.as_ref())),
                health,
                instruments,
            };
            work(parts, settings, &ready, signals).await
        }
        Booted::Stopped(signal) => {
            info!(target: LIFECYCLE, "{signal} while starting: nothing was received");
            Ended::Stopped {
                tally: Tally::default(),
                clean: true,
            }
        }
        Booted::Failed(failed) => {
            error!(target: LIFECYCLE, "not started: {failed}");
            Ended::NotStarted {
                reason: failed.to_string(),
            }
        }
    };
    stop_fetching.cancel();
    drop(fetching.await);
    Ok(ended)
}

struct Ready {
    queue: QueueFacts,
    account: Option<AccountFacts>,
}

enum Booted {
    Ready(Ready),
    Stopped(&'static str),
    Failed(boot::BootError),
}

async fn boot(
    world: &World,
    settings: &Settings,
    templates: &TemplateStore,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
) -> Booted {
    let wanted_account = settings.email.max_send_rate == SendRate::Account;
    let prove = async {
        let account = async {
            Ok(if wanted_account {
                boot::read_account(&*world.account).await
            } else {
                None
            })
        };
        // A definite refusal of one is not kept waiting while another is tried for ever.
        let (queue, (), account) = tokio::try_join!(
            boot::prove_queue(&*world.queue, &settings.queue.url),
            boot::await_template(templates),
            account,
        )?;
        Ok(Ready { queue, account })
    };
    tokio::pin!(prove);
    loop {
        tokio::select! {
            proved = &mut prove => return match proved {
                Ok(ready) => Booted::Ready(ready),
                Err(failed) => Booted::Failed(failed),
            },
            Some(signal) = signals.recv() => match signal {
                Signal::Stop(name) => return Booted::Stopped(name),
                Signal::Reload => templates.refresh(),
            },
        }
    }
}

fn limiter(settings: &Settings, account: Option<&AccountFacts>) -> Limiter {
    let limiter = Limiter::new(match settings.email.max_send_rate {
        SendRate::Account => rate::SendRate::Account,
        SendRate::PerSecond(rate) => rate::SendRate::Fixed(rate),
        SendRate::Unlimited => rate::SendRate::Unlimited,
    });
    if let Some(facts) = account {
        limiter.account_rate(facts.max_send_rate);
    }
    limiter
}

async fn work(
    parts: pipeline::Parts,
    settings: &Settings,
    ready: &Ready,
    mut signals: mpsc::UnboundedReceiver<Signal>,
) -> Ended {
    tell_plan(settings, ready);
    let drain = Arc::new(Drain::new(settings.shutdown.grace, settings.email.timeout));
    let templates = Arc::clone(&parts.templates);
    let health = Arc::clone(&parts.health);
    health.started();
    let pipeline_settings = pipeline::Settings {
        concurrency: settings.concurrency,
        receive_wait: settings.queue.wait_time,
        visibility: settings.queue.visibility_timeout,
        send_timeout: settings.email.timeout,
        max_elapsed: settings.retry.max_elapsed,
        max_receive_count: ready
            .queue
            .redrive
            .as_ref()
            .map(|redrive| redrive.max_receive_count),
    };
    let mut told = false;
    let running = pipeline::run(parts, pipeline_settings, Arc::clone(&drain));
    tokio::pin!(running);
    let report = loop {
        tokio::select! {
            report = &mut running => break report,
            Some(signal) = signals.recv() => match signal {
                Signal::Reload => {
                    info!(target: LIFECYCLE, "SIGHUP: fetching the template now");
                    templates.refresh();
                }
                Signal::Stop(name) if !told => {
                    told = true;
                    info!(
                        target: LIFECYCLE,
                        "{name}: receiving stops; what is held is finished or released within {}",
                        format_duration(settings.shutdown.grace)
                    );
                    health.stopping();
                    drain.begin();
                }
                Signal::Stop(name) => {
                    warn!(
                        target: LIFECYCLE,
                        "{name} again: everything without a send under way is released now"
                    );
                    drain.hurry();
                }
            },
        }
    };
    tell_end(&report, drain.begun_at());
    Ended::Stopped {
        tally: report.tally,
        clean: report.clean,
    }
}

/// The plan in one line: what an operator compares with what was meant.
fn tell_plan(settings: &Settings, ready: &Ready) {
    let queue = queue_name(&settings.queue.url);
    let redrive = match &ready.queue.redrive {
        Some(redrive) => format!("dead-letters after {} receives", redrive.max_receive_count),
        None => "has no redrive policy".to_owned(),
    };
    let rate = match (&ready.account, settings.email.max_send_rate) {
        (Some(facts), SendRate::Account) => {
            format!("{} recipients/s (the account's)", facts.max_send_rate)
        }
        (None, SendRate::Account) => "found by slow start".to_owned(),
        (_, SendRate::PerSecond(rate)) => format!("{rate} recipients/s"),
        (_, SendRate::Unlimited) => "unlimited".to_owned(),
    };
    info!(
        target: LIFECYCLE,
        "started: queue {queue} {redrive} and keeps messages {}; up to {} mails sent at once, \
         their messages under leases of {}; rate {rate}; stops within {}; duplicates are known within this process",
        format_duration(ready.queue.retention),
        settings.concurrency,
        format_duration(settings.queue.visibility_timeout),
        format_duration(settings.shutdown.grace),
    );
    if ready.queue.redrive.is_none() {
        warn!(
            "the queue has no redrive policy: a message that can never be sent comes back until its \
             retention ends; give the queue a dead-letter queue"
        );
    }
}

fn tell_end(report: &Report, began: Option<Instant>) {
    let took = began.map_or(Duration::ZERO, |began| began.elapsed());
    if report.clean {
        info!(target: LIFECYCLE, "stopped after {:.1} s: {}", took.as_secs_f64(), report.tally);
    } else {
        error!(
            target: LIFECYCLE,
            "stopped after {:.1} s, not in good order, and the lines above say why: {}",
            took.as_secs_f64(),
            report.tally
        );
    }
}
