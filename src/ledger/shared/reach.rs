//! Whether the table can be used, and who waits for it how long.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::{
    sync::watch,
    time::{Duration, Instant},
};
use tracing::{info, warn};

use crate::{
    mutex::Mutex,
    ports::table::TableFailure,
    telemetry::{LIFECYCLE, throttle::Throttle},
    text::format_duration,
};

/// How often a table that was put aside is asked whether it answers.
const PROBE_EVERY: Duration = Duration::from_secs(5);

/// So long a mail waits for its record before its message is deleted.
const UNRECORDED_TOLD_FROM: Duration = Duration::from_secs(2);

/// The state of the table, for all mails.
pub(super) struct Reach {
    name: String,
    /// How long a mail waits before it puts the table aside; without one it waits on.
    patience: Option<Duration>,
    aside: watch::Sender<bool>,
    state: Mutex<State>,
    /// Mails that went without it since it was put aside.
    without: AtomicU64,
    /// For the line on mails that wait.
    waiting: Throttle,
    /// That line stands, and nobody has said that it is over.
    says_waiting: AtomicBool,
    /// For the line on mails that go without it.
    going: Throttle,
    /// For the line on records that are not written.
    recording: Throttle,
    /// For the line on calls that no mail waits for.
    beside: Throttle,
}

#[derive(Default)]
struct State {
    since: Option<Instant>,
    /// Of the last failure, in words.
    said: String,
    /// Since when mails wait, where that was told.
    waiting_since: Option<Instant>,
    probe_at: Option<Instant>,
}

impl Reach {
    pub(super) fn new(name: &str, patience: Option<Duration>) -> Self {
        Self {
            name: name.to_owned(),
            patience,
            aside: watch::Sender::new(false),
            state: Mutex::default(),
            without: AtomicU64::new(0),
            waiting: Throttle::default(),
            says_waiting: AtomicBool::new(false),
            going: Throttle::default(),
            recording: Throttle::default(),
            beside: Throttle::default(),
        }
    }

    pub(super) fn is_aside(&self) -> bool {
        *self.aside.borrow()
    }

    /// For how long it has been put aside, if it is.
    pub(super) fn aside_for(&self) -> Option<Duration> {
        self.state.lock().since.map(|since| since.elapsed())
    }

    /// Waits until the table is put aside.
    pub(super) async fn put_aside(&self) {
        // The sender lives as long as this.
        drop(self.aside.subscribe().wait_for(|aside| *aside).await);
    }

    /// A claim was answered. Where only some fail neither line comes more than once a minute.
    pub(super) fn answered(&self) {
        // There is an answer for each mail, and mostly nothing to say.
        if !self.says_waiting.load(Ordering::Relaxed) {
            return;
        }
        if self.says_waiting.swap(false, Ordering::Relaxed)
            && let Some(since) = self.state.lock().waiting_since.take()
        {
            info!(
                "the ledger's table {} answers again after {}",
                self.name,
                format_duration(since.elapsed())
            );
        }
    }

    /// A mail has waited for so long, and its last call failed like this.
    pub(super) fn failed(&self, failure: &TableFailure, waited: Duration) {
        let said = format!("{failure}; {}", failure.remedy());
        if self.patience.is_some_and(|patience| waited >= patience) {
            self.set_aside(said);
        } else if let Some(suppressed) = self.waiting.due() {
            let patience = match self.patience {
                Some(patience) => format!("at most {}", format_duration(patience)),
                None => "without a limit (ledger.patience is 'forever')".to_owned(),
            };
            self.state.lock().waiting_since = Some(Instant::now());
            self.says_waiting.store(true, Ordering::Relaxed);
            warn!(
                target: LIFECYCLE,
                { error.r#type = failure.error.code, notifier.suppressed = suppressed },
                "mails cannot be claimed in the ledger's table {}, and wait for the table \
                 {patience}: {said}",
                self.name
            );
        }
    }

    /// For so long no sent mail could be written to it, the last time like this.
    pub(super) fn not_recorded(&self, failure: &TableFailure, failing: Duration) {
        let said = format!("{failure}; {}", failure.remedy());
        if self.patience.is_some_and(|patience| failing >= patience) {
            self.set_aside(said);
        } else if failing >= UNRECORDED_TOLD_FROM
            && let Some(suppressed) = self.recording.due()
        {
            warn!(
                target: LIFECYCLE,
                { error.r#type = failure.error.code, notifier.suppressed = suppressed },
                "sent mails cannot be recorded in the ledger's table {}, and their messages are \
                 still deleted: if a copy of such a message arrives, another task can send its \
                 mail again: {said}",
                self.name
            );
        }
    }

    /// From now on mails go without the table, unless they are to wait as long as it takes.
    pub(super) fn set_aside(&self, said: String) {
        if self.patience.is_none() {
            return;
        }
        let mut state = self.state.lock();
        state.said = said;
        if self.is_aside() {
            return;
        }
        let now = Instant::now();
        state.probe_at = Some(now + PROBE_EVERY);
        state.since = Some(now);
        drop(state);
        // The line on that says more.
        self.says_waiting.store(false, Ordering::Relaxed);
        self.without.store(0, Ordering::Relaxed);
        self.aside.send_replace(true);
        self.tell();
    }

    /// Says once a minute that mails go without it.
    pub(super) fn tell(&self) {
        if !self.is_aside() || self.going.due().is_none() {
            return;
        }
        warn!(
            target: LIFECYCLE,
            "the ledger's table {} cannot be used, and mails are sent without it ({} so far), so \
             that a mail that another task has sent can be sent twice: {}",
            self.name,
            self.without.load(Ordering::Relaxed),
            self.state.lock().said
        );
    }

    /// A mail goes without it.
    pub(super) fn went_without(&self) {
        self.without.fetch_add(1, Ordering::Relaxed);
    }

    /// When to ask whether it answers, while it is put aside.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        self.state.lock().probe_at
    }

    /// A call that no mail waits for failed like this. Of those that may pass the lines on mails tell.
    pub(super) fn failed_beside(&self, failure: &TableFailure) {
        if failure.is_definite()
            && !self.is_aside()
            && let Some(suppressed) = self.beside.due()
        {
            warn!(
                { error.r#type = failure.error.code, notifier.suppressed = suppressed },
                "claims and records in the ledger's table {} cannot be read or deleted, so that \
                 mails and events wait longer: {failure}; {}",
                self.name,
                failure.remedy()
            );
        }
    }

    /// Asks at once whether it answers.
    pub(super) fn probe_now(&self) {
        let mut state = self.state.lock();
        state.probe_at = state.probe_at.map(|_| Instant::now());
    }

    /// It was asked whether it answers.
    pub(super) fn probed(&self, answer: Result<&(), &TableFailure>) {
        let mut state = self.state.lock();
        if let Err(failure) = answer {
            state.said = format!("{failure}; {}", failure.remedy());
            state.probe_at = state.probe_at.map(|_| Instant::now() + PROBE_EVERY);
            return;
        }
        let Some(since) = state.since.take() else {
            return;
        };
        state.probe_at = None;
        drop(state);
        self.going.reset();
        self.aside.send_replace(false);
        info!(
            target: LIFECYCLE,
            "the ledger's table {} answers again after {}; mails that went without it and are written to it now, where \
             they were sent: {}",
            self.name,
            format_duration(since.elapsed()),
            self.without.load(Ordering::Relaxed)
        );
    }
}
