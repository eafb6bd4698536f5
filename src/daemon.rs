//! The daemon from its boot to its end: proves what it needs, puts the pipeline together, and passes
//! signals on to it.

mod boot;
mod reading;
mod recording;

use std::sync::Arc;

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::{boot::Facts, reading::Reading, recording::Recording};
use crate::{
    config::Settings,
    pipeline::{
        self, Report, drain::Drain, health_state::HealthState, outcome::Tally, rate::Limiter,
    },
    ports::{QueueFacts, SendRate, World, queue_name},
    shutdown::{INTERRUPT, Signal},
    telemetry::{Instruments, LIFECYCLE, measured_ports::Measured},
    template_store::TemplateStore,
    text::format_duration,
};

/// The template's store, and what makes it begin to fetch when it is cancelled.
struct Templates {
    store: Arc<TemplateStore>,
    begin: CancellationToken,
}

/// Runs the daemon from boot to its end. The health port reads `health`. The first of `signals`
/// starts the clock of `shutdown.grace`.
///
/// # Errors
///
/// If it could not start: what is wrong and what to do.
pub async fn run(
    world: World,
    settings: &Settings,
    health: Arc<HealthState>,
    instruments: Arc<Instruments>,
    signals: mpsc::UnboundedReceiver<Signal>,
) -> anyhow::Result<Report> {
    let templates = Arc::new(TemplateStore::new(
        Arc::new(Measured::new(
            Arc::clone(&world.templates),
            Arc::clone(&instruments),
        )),
        settings.message.placeholders.clone(),
        settings.template.ttl,
        settings.template.max_bytes,
    ));
    let stop_fetching = CancellationToken::new();
    let begin = CancellationToken::new();
    let mut fetching = tokio::spawn({
        let (templates, stop) = (Arc::clone(&templates), stop_fetching.clone());
        let begin = begin.clone();
        async move {
            tokio::select! {
                () = begin.cancelled() => templates.run(stop).await,
                () = stop.cancelled() => {}
            }
        }
    });
    let drain = Arc::new(Drain::new(settings.grace, settings.email.timeout));
    let stopping = Arc::clone(&health);
    let working = boot_and_work(
        world,
        settings,
        Templates {
            store: templates,
            begin,
        },
        health,
        instruments,
        signals,
        Arc::clone(&drain),
    );
    tokio::pin!(working);
    tokio::select! {
        ended = &mut working => {
            stop_fetching.cancel();
            drop(fetching.await);
            ended
        }
        _ = &mut fetching => {
            error!(
                target: LIFECYCLE,
                "the fetcher of the template ended early, which is a bug in this program: the process \
                 stops and must be started again"
            );
            drain.begin_promptly();
            stopping.stopping();
            Ok(Report { clean: false, ..working.await? })
        }
    }
}

/// From the first proof to the end of the pipeline.
async fn boot_and_work(
    world: World,
    settings: &Settings,
    templates: Templates,
    health: Arc<HealthState>,
    instruments: Arc<Instruments>,
    mut signals: mpsc::UnboundedReceiver<Signal>,
    drain: Arc<Drain>,
) -> anyhow::Result<Report> {
    let recording = Recording::start(&world, settings, &instruments);
    let Templates {
        store: templates,
        begin,
    } = templates;
    let proving = async {
        let facts = boot::prove(&world, settings, &templates, &begin).await?;
        if let Some(reason) = &facts.without_table {
            recording.set_aside(reason.clone());
        }
        let ledger = &recording.ledger;
        let reading = Reading::start(&world, settings, ledger, &instruments, &drain);
        if let Some(reading) = &reading {
            reading.caught_up().await;
        }
        Ok((facts, reading))
    };
    match boot(proving, &templates, &begin, &mut signals, &drain).await {
        Ok(Some((facts, reading))) => {
            log_plan(settings, &facts, reading.as_ref());
            let begun = Arc::clone(&drain);
            let limiter = Limiter::new(settings.email.max_send_rate);
            if let Some(account) = &facts.account {
                limiter.account_rate(account.max_send_rate);
            }
            let parts = pipeline::Parts {
                world: World {
                    // Boot's made-up handles were refused, which is no failure. So the queue's calls
                    // are measured only from here on.
                    queue: Arc::new(Measured::new(world.queue, Arc::clone(&instruments))),
                    ..world
                },
                ledger: Arc::clone(&recording.ledger),
                hearing: reading.as_ref().map(Reading::hearing),
                templates,
                composer: settings.composer(),
                limiter: Arc::new(limiter),
                health,
                state_asked: Arc::default(),
                instruments,
            };
            let report = work(parts, settings, facts.queue, signals, drain).await;
            // The last sends may have been settled by their events.
            if let Some(reading) = reading {
                reading.stop().await;
            }
            recording.stop().await;
            log_end(&report, begun.begun_at());
            Ok(report)
        }
        Ok(None) => Ok(Report {
            tally: Tally::default(),
            clean: true,
        }),
        Err(reason) => {
            error!(target: LIFECYCLE, "not started: {reason}");
            Err(reason)
        }
    }
}

/// Waits for the proofs, or for a signal that stops the boot: then there are none.
async fn boot<T>(
    proving: impl Future<Output = anyhow::Result<T>>,
    templates: &TemplateStore,
    begin: &CancellationToken,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
    drain: &Drain,
) -> anyhow::Result<Option<T>> {
    tokio::pin!(proving);
    loop {
        tokio::select! {
            proved = &mut proving => return proved.map(Some),
            () = drain.wait_begun() => return Ok(None),
            Some(signal) = signals.recv() => match signal {
                Signal::Stop(_) | Signal::HungUp => {
                    log_stop_while_starting(signal);
                    return Ok(None);
                }
                Signal::Reload => {
                    begin.cancel();
                    templates.refresh_and_tell();
                }
                Signal::Tell => log_state_while_starting(),
            },
        }
    }
}

/// Says that a signal ended the start.
pub fn log_stop_while_starting(signal: Signal) {
    let name = signal.stops().unwrap_or_default();
    info!(target: LIFECYCLE, "{name} while starting: stopped, nothing was received");
}

/// Says that there is no more to say of the state yet.
pub fn log_state_while_starting() {
    info!(
        target: LIFECYCLE,
        "state: starting, nothing has been received yet; what it waits for stands in the lines before"
    );
}

/// Says that a signal to fetch the template came before anything is fetched.
pub fn log_reload_while_starting() {
    info!(target: LIFECYCLE, "SIGHUP while starting: the template is fetched next");
}

/// Runs the pipeline to its end and passes the signals on to it.
async fn work(
    parts: pipeline::Parts,
    settings: &Settings,
    queue: QueueFacts,
    mut signals: mpsc::UnboundedReceiver<Signal>,
    drain: Arc<Drain>,
) -> Report {
    let pipeline_settings = pipeline::Settings {
        concurrency: settings.concurrency,
        receive_wait: settings.queue.wait_time,
        visibility: settings.queue.visibility_timeout,
        send_timeout: settings.email.timeout,
        max_elapsed: settings.max_elapsed,
        witness: settings.email.witness,
        max_receive_count: queue.redrive.map(|redrive| redrive.max_receive_count),
    };
    let (health, templates) = (Arc::clone(&parts.health), Arc::clone(&parts.templates));
    let state_asked = Arc::clone(&parts.state_asked);
    let mut stop_asked = false;
    health.started();
    let running = pipeline::run(parts, pipeline_settings, Arc::clone(&drain));
    tokio::pin!(running);
    // The pipeline ends by itself when its drain is through. Signals only begin or hurry the drain.
    loop {
        tokio::select! {
            report = &mut running => break report,
            Some(signal) = signals.recv() => match signal {
                Signal::Reload => {
                    info!(target: LIFECYCLE, "SIGHUP: fetching the template now");
                    templates.refresh_and_tell();
                }
                Signal::Tell => state_asked.notify_one(),
                Signal::Stop(name) if stop_asked => {
                    warn!(
                        target: LIFECYCLE,
                        "{name} again: everything without a send under way is released now"
                    );
                    drain.hurry();
                }
                Signal::HungUp if drain.has_begun() => {}
                Signal::Stop(_) | Signal::HungUp => {
                    stop_asked |= signal != Signal::HungUp;
                    let name = signal.stops().unwrap_or_default();
                    info!(
                        target: LIFECYCLE,
                        "{name}: receiving stops; what a receive under way still brings and what was \
                         received before is finished or released within {}",
                        format_duration(settings.grace)
                    );
                    health.stopping();
                    if name == INTERRUPT {
                        drain.begin_promptly();
                    } else {
                        drain.begin();
                    }
                }
            },
        }
    }
}

/// The plan in one line: what an operator compares with what was meant.
fn log_plan(settings: &Settings, facts: &Facts, reading: Option<&Reading>) {
    let queue = queue_name(&settings.queue.url);
    let redrive = match &facts.queue.redrive {
        Some(redrive) => format!("dead-letters after {} receives", redrive.max_receive_count),
        None => "has no redrive policy".to_owned(),
    };
    let rate = match (&facts.account, settings.email.max_send_rate) {
        (Some(facts), SendRate::Account) => {
            format!("{} recipients/s (the account's)", facts.max_send_rate)
        }
        (None, SendRate::Account) => "found by slow start".to_owned(),
        (_, SendRate::PerSecond(rate)) => format!("{rate} recipients/s"),
        (_, SendRate::Unlimited) => "unlimited".to_owned(),
    };
    info!(
        target: LIFECYCLE,
        "started: queue {queue} {redrive}, retention {}; concurrency {}, visibility timeout {}; \
         rate {rate}; stops within {}; {}",
        format_duration(facts.queue.retention),
        settings.concurrency,
        format_duration(settings.queue.visibility_timeout),
        format_duration(settings.grace),
        known_duplicates(settings, facts, reading),
    );
    if settings.feedback.queue_url.is_some() && settings.email.configuration_set.is_none() {
        warn!(
            "feedback.queue_url is set and email.configuration_set is not: SES publishes events only if \
             the sender's identity has a default configuration set (check says so)"
        );
    }
    if settings.ledger.table.is_some() && settings.ledger.keep < facts.queue.retention {
        warn!(
            "ledger.keep is {}, shorter than the queue keeps messages ({}): a message that comes \
             again after that can be mailed twice; raise ledger.keep",
            format_duration(settings.ledger.keep),
            format_duration(facts.queue.retention)
        );
    }
    if facts.queue.redrive.is_none() {
        warn!(
            "the queue has no redrive policy: a message that can never be sent comes back until its \
             retention ends; give the queue a dead-letter queue"
        );
    }
}

/// Who knows which mails were sent, and until when.
fn known_duplicates(settings: &Settings, facts: &Facts, reading: Option<&Reading>) -> String {
    let table = settings.ledger.table.as_deref();
    let mut text = match (table, &facts.without_table) {
        (None, _) => "duplicates are known within this process".to_owned(),
        (Some(table), None) => format!(
            "all tasks know duplicates by the table {table}, for {}",
            format_duration(settings.ledger.keep)
        ),
        (Some(table), Some(_)) if settings.ledger.patience.is_none() => {
            format!(
                "mails wait until the table {table} answers, which all tasks need to know \
                 duplicates"
            )
        }
        (Some(table), Some(_)) => {
            format!("only this task's duplicates are known until the table {table} answers")
        }
    };
    if let Some(url) = &settings.feedback.queue_url
        && reading.is_some_and(|reading| reading.hearing().deafness().is_none())
    {
        text += ", and by SES's events in ";
        text += queue_name(url);
        if table.is_none() {
            text += ", each of which reaches one task alone";
        }
    }
    text
}

fn log_end(report: &Report, began: Option<Instant>) {
    let took = began.map_or(0.0, |began| began.elapsed().as_secs_f64());
    let tally = &report.tally;
    if report.clean {
        info!(target: LIFECYCLE, "stopped after {took:.1} s: {tally}");
    } else {
        error!(
            target: LIFECYCLE,
            "stopped after {took:.1} s with problems, which earlier lines tell: {tally}"
        );
    }
}
