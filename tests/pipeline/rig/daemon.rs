//! One daemon under test.

use std::{sync::Arc, time::Duration};

use organizer_notifier::{
    aws::read_letter,
    daemon,
    ledger::Ledger,
    pipeline::{
        self, Report, drain::Drain, health_state::HealthState, outcome::Tally, rate::Limiter,
    },
    ports::{SendRate, World, events::Feedback, table::LedgerTable},
    shutdown::{INTERRUPT, Signal},
    telemetry::Instruments,
    template_store::TemplateStore,
};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::Rig;

pub(crate) struct Daemon {
    signals: mpsc::UnboundedSender<Signal>,
    running: JoinHandle<anyhow::Result<Report>>,
    health: Arc<HealthState>,
}

/// How a daemon ended after it was told to.
#[derive(Debug)]
pub(crate) struct End {
    /// As in the log: `received 3 = 2 sent + 1 duplicate`.
    pub(crate) tally: String,
    pub(crate) clean: bool,
    /// From when this was waited for.
    pub(crate) took: Duration,
    pub(crate) counts: Tally,
}

impl Daemon {
    pub(super) fn start(rig: &Rig) -> Self {
        let (signals, told) = mpsc::unbounded_channel();
        let settings = rig.settings.clone();
        let world = world(rig);
        let health = Arc::new(HealthState::default());
        let state = Arc::clone(&health);
        let instruments = Arc::new(Instruments::off());
        let running =
            tokio::spawn(
                async move { daemon::run(world, &settings, state, instruments, told).await },
            );
        Self {
            signals,
            running,
            health,
        }
    }

    /// What `/readyz` says is wrong.
    pub(crate) fn unready(&self) -> Vec<String> {
        self.health.readiness_problems()
    }

    /// `SIGTERM`.
    pub(crate) fn signal(&self) {
        self.signals.send(Signal::Stop("SIGTERM")).unwrap();
    }

    /// `SIGHUP`.
    pub(crate) fn reload(&self) {
        self.signals.send(Signal::Reload).unwrap();
    }

    /// Stops it in good order by `SIGINT`, which gives a receive under way only a second.
    pub(crate) async fn stop(self) -> End {
        self.signals.send(Signal::Stop(INTERRUPT)).unwrap();
        self.end().await
    }

    /// Waits for its end. That its accounts agree goes for every test.
    pub(crate) async fn end(self) -> End {
        let began = Instant::now();
        let ended = self.running.await.unwrap();
        let Report { tally, clean } = ended.expect("it starts");
        assert!(tally.balanced(), "{tally}");
        End {
            tally: tally.to_string(),
            clean,
            took: began.elapsed(),
            counts: tally,
        }
    }

    /// Why it did not start.
    pub(crate) async fn not_started(self) -> String {
        self.running.await.unwrap().unwrap_err().to_string()
    }

    /// The process is killed: nothing of it goes on, and nothing is said to the queue.
    pub(crate) async fn kill(self) {
        self.running.abort();
        drop(self.running.await);
    }
}

/// A pipeline without the daemon around it, for a ledger of one's own.
pub(crate) struct Pipeline {
    drain: Arc<Drain>,
    running: JoinHandle<Report>,
}

impl Pipeline {
    pub(super) fn start(rig: &Rig, ledger: Arc<dyn Ledger>) -> Self {
        let settings = &rig.settings;
        let world = world(rig);
        let templates = Arc::new(TemplateStore::new(
            Arc::clone(&world.templates),
            settings.message.placeholders.clone(),
            settings.template.ttl,
            settings.template.max_bytes,
        ));
        let fetched = Arc::clone(&templates);
        tokio::spawn(async move { fetched.run(CancellationToken::new()).await });
        let parts = pipeline::Parts {
            world,
            ledger,
            hearing: None,
            templates,
            composer: settings.composer(),
            limiter: Arc::new(Limiter::new(SendRate::Unlimited)),
            health: Arc::new(HealthState::default()),
            state_asked: Arc::default(),
            instruments: Arc::new(Instruments::off()),
        };
        let settings = pipeline::Settings {
            concurrency: settings.concurrency,
            receive_wait: settings.queue.wait_time,
            visibility: settings.queue.visibility_timeout,
            send_timeout: settings.email.timeout,
            max_elapsed: settings.max_elapsed,
            witness: rig.settings.email.witness,
            max_receive_count: Some(2),
        };
        let drain = Arc::new(Drain::new(rig.settings.grace, rig.settings.email.timeout));
        let running = tokio::spawn(pipeline::run(parts, settings, Arc::clone(&drain)));
        Self { drain, running }
    }

    pub(crate) async fn stop(self) -> Report {
        self.drain.begin();
        self.running.await.unwrap()
    }
}

fn world(rig: &Rig) -> World {
    World {
        queue: Arc::clone(&rig.queue) as _,
        mailer: Arc::clone(&rig.mailer) as _,
        account: Arc::clone(&rig.account) as _,
        templates: Arc::clone(&rig.template) as _,
        table: rig.settings.ledger.table.as_ref().map(|_| {
            let table: Arc<dyn LedgerTable> = Arc::clone(&rig.table) as _;
            table
        }),
        feedback: rig.settings.feedback.queue_url.as_ref().map(|_| Feedback {
            queue: Arc::clone(&rig.feedback) as _,
            read: read_letter,
        }),
    }
}

impl End {
    /// As it should be, but for a send that was left without an answer.
    pub(crate) fn left_a_send(&self, tally: &str) {
        assert_eq!(self.tally, tally, "{self:?}");
        assert!(!self.clean, "{self:?}");
    }

    /// Whether it ended in good order with these sums.
    #[track_caller]
    pub(crate) fn is(&self, tally: &str) {
        assert_eq!(self.tally, tally);
        assert!(self.clean, "{self:?}");
    }
}
