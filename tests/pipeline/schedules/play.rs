//! Plays a schedule on paused time: publishes, does to the daemons what is planned, lets everything
//! come to rest, and stops.

use std::{sync::Arc, time::Duration};

use organizer_notifier::{
    config::Settings,
    daemon,
    pipeline::{Report, health_state::HealthState},
    ports::SendRate,
    shutdown::{INTERRUPT, Signal},
    telemetry::Instruments,
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinError},
    time::{Instant, advance, sleep, sleep_until},
};

use super::{
    history::{History, Line, Run},
    lines::Lines,
    plan::{Act, Copy, Rate, Schedule},
    ports::Ports,
    stage::Stage,
};
use crate::rig::settings;

/// Without faults each message has an end within this time.
const RESTS_WITHIN: Duration = Duration::from_hours(2);
/// No stop takes longer, whatever is wrong with it.
const ENDS_WITHIN: Duration = Duration::from_mins(5);
/// As many daemons run at most.
const DAEMONS_MAX: usize = 3;

/// What is left of a schedule that was played, for the judge.
pub(super) struct Played {
    pub(super) schedule: Schedule,
    pub(super) settings: Settings,
    pub(super) history: History,
    pub(super) lines: Vec<Line>,
}

struct Running {
    number: usize,
    signals: mpsc::UnboundedSender<Signal>,
    task: AbortHandle,
    ports: Arc<Ports>,
}

struct Fleet {
    stage: Arc<Stage>,
    settings: Settings,
    running: Vec<Running>,
}

/// Plays it in a runtime of its own.
pub(super) fn play(schedule: &Schedule) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(play_here(schedule.clone()))
}

async fn play_here(schedule: Schedule) -> Played {
    let settings = settings_of(&schedule);
    let stage = Stage::build(schedule.clone(), &settings).await;
    let lines = Lines::capture(&stage.moments);
    let mut fleet = Fleet {
        stage: Arc::clone(&stage),
        settings: settings.clone(),
        running: Vec::new(),
    };
    for _ in 0..schedule.daemons {
        fleet.start();
    }
    tokio::join!(publish(&stage), fleet.act());
    sleep_until(stage.start + Duration::from_secs(schedule.end())).await;
    stage.heal();
    fleet.rest().await;
    fleet.stop().await;
    let mut history = std::mem::take(&mut *stage.history());
    history.dead = stage.messages_in("dead");
    let left = stage.messages_in("q").into_iter();
    history.left = left.map(|(_, message)| message).collect();
    Played {
        schedule,
        settings,
        history,
        lines: lines.take(),
    }
}

fn settings_of(schedule: &Schedule) -> Settings {
    let mut settings = settings();
    settings.concurrency = schedule.concurrency;
    settings.max_elapsed = Duration::from_mins(3);
    settings.email.max_send_rate = match schedule.rate {
        Rate::Unlimited => SendRate::Unlimited,
        Rate::PerSecond(rate) => SendRate::PerSecond(f64::from(rate)),
        Rate::Account(_) => SendRate::Account,
    };
    if schedule.reads_events() {
        let url = "http://127.0.0.1:4566/000000000000/feedback";
        settings.feedback.queue_url = Some(url.to_owned());
    }
    if schedule.has_table() {
        settings.ledger.table = Some("mails".to_owned());
    }
    settings
}

async fn publish(stage: &Arc<Stage>) {
    let messages = stage.schedule.messages.iter().enumerate();
    let mut arrivals: Vec<(u64, usize, bool)> = Vec::new();
    for (number, message) in messages {
        arrivals.push((message.at, number, true));
        if let Some(Copy::Redelivered(after)) = message.copy {
            arrivals.push((message.at + after, number, false));
        }
    }
    arrivals.sort_unstable();
    for (at, number, is_first) in arrivals {
        sleep_until(stage.start + Duration::from_secs(at)).await;
        let id = stage.publish(number).await;
        if is_first && let Some(Copy::Again(after)) = stage.schedule.messages[number].copy {
            let after = Duration::from_secs(after);
            assert!(stage.sqs.redeliver("q", &id, after, false));
        }
    }
}

impl Fleet {
    fn start(&mut self) {
        let number = {
            let started = self.stage.now();
            let runs = &mut self.stage.history().daemons;
            runs.push(Run {
                started,
                ..Run::default()
            });
            runs.len() - 1
        };
        let ports = Ports::new(&self.stage, number);
        let (signals, told) = mpsc::unbounded_channel();
        let (world, settings) = (ports.world(), self.settings.clone());
        let running = tokio::spawn(async move {
            let health = Arc::new(HealthState::default());
            let instruments = Arc::new(Instruments::off());
            daemon::run(world, &settings, health, instruments, told).await
        });
        self.running.push(Running {
            number,
            signals,
            task: running.abort_handle(),
            ports,
        });
        let stage = Arc::clone(&self.stage);
        tokio::spawn(async move { note_end(&stage, number, running.await) });
    }

    /// Does what is planned, in the order of time.
    async fn act(&mut self) {
        let mut deeds = self.stage.schedule.deeds.clone();
        deeds.sort_by_key(|deed| deed.at);
        for deed in deeds {
            sleep_until(self.stage.start + Duration::from_secs(deed.at)).await;
            self.forget_those_that_ended();
            match deed.what {
                Act::Start if self.running.len() < DAEMONS_MAX => self.start(),
                Act::Start => {}
                Act::Terminate(which) => self.signal(which, Signal::Stop("SIGTERM")),
                Act::Interrupt(which) => self.signal(which, Signal::Stop(INTERRUPT)),
                Act::Reload(which) => self.signal(which, Signal::Reload),
                Act::Kill(which) => self.kill(which),
                Act::Freeze(seconds) => {
                    let (at, lasts) = (self.stage.now(), Duration::from_secs(seconds));
                    self.stage.history().freezes.push((at, lasts));
                    advance(lasts).await;
                }
            }
        }
    }

    fn signal(&mut self, which: usize, signal: Signal) {
        let Some(count) = std::num::NonZero::new(self.running.len()) else {
            return;
        };
        let running = &self.running[which % count];
        if signal != Signal::Reload {
            let now = self.stage.now();
            let run = &mut self.stage.history().daemons[running.number];
            run.asked = run.asked.or(Some(now));
        }
        // One that has just ended takes none.
        let _ended = running.signals.send(signal);
    }

    fn kill(&mut self, which: usize) {
        let Some(count) = std::num::NonZero::new(self.running.len()) else {
            return;
        };
        let running = self.running.swap_remove(which % count);
        running.ports.kill();
        running.task.abort();
        let now = self.stage.now();
        self.stage.history().daemons[running.number].killed = Some(now);
    }

    fn forget_those_that_ended(&mut self) {
        let history = self.stage.history();
        let has_ended = |running: &Running| history.daemons[running.number].ended.is_some();
        self.running.retain(|running| !has_ended(running));
    }

    /// Lets every message come to its end.
    async fn rest(&mut self) {
        let by = Instant::now() + RESTS_WITHIN;
        while Instant::now() < by && !self.stage.sqs.snapshot("q").is_empty() {
            self.forget_those_that_ended();
            let is_working = |running: &Running| {
                let history = self.stage.history();
                history.daemons[running.number].asked.is_none()
            };
            if !self.running.iter().any(is_working) {
                self.start();
            }
            sleep(Duration::from_secs(5)).await;
        }
    }

    async fn stop(&mut self) {
        for which in 0..self.running.len() {
            self.signal(which, Signal::Stop(INTERRUPT));
        }
        let by = Instant::now() + ENDS_WITHIN;
        while !self.running.is_empty() && Instant::now() < by {
            sleep(Duration::from_millis(100)).await;
            self.forget_those_that_ended();
        }
        while !self.running.is_empty() {
            self.kill(0);
        }
        // What is still on its way in the world arrives, and a call of a process that has ended shows.
        sleep(Duration::from_mins(1)).await;
    }
}

fn note_end(stage: &Stage, number: usize, ended: Result<anyhow::Result<Report>, JoinError>) {
    let now = stage.now();
    let run = &mut stage.history().daemons[number];
    if run.killed.is_some() {
        return;
    }
    run.ended = Some(now);
    match ended {
        Ok(Ok(report)) => run.tally = Some(report.tally),
        // It did not start, and has said why.
        Ok(Err(_)) => {}
        Err(_) => run.panicked = true,
    }
}
