//! Whether events of our mails arrive.

use std::{
    collections::HashMap,
    fmt,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures_util::future::OptionFuture;
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep_until},
};

use crate::{mutex::Mutex, notification::MailKey, ports::QueueFailure, text::format_duration};

/// A feedback queue that could not be received from for this long says nothing more.
const UNRECEIVED_FOR: Duration = Duration::from_secs(10);
/// Where other tasks hear too, so many mails are accepted here without an event of any before events are due:
/// of ten tasks one misses all of a hundred events once in thirty thousand times.
const UNHEARD_AMONG_OTHERS: u32 = 50;
/// At most so many witnesses are waited for at a time.
const WITNESSES_MAX: usize = 100;

/// What is known of whether events arrive. Feedback counts as hearing until it is proved deaf: its
/// queue cannot be received from, or a mail was accepted `patience` ago and no event of any mail of
/// ours has arrived since. The next event shows that it hears again.
#[derive(Debug)]
pub struct Hearing {
    patience: Duration,
    /// Where other tasks hear too, and tell all of what they hear: how many mails were accepted here since
    /// the last event.
    among_others: Option<AtomicU32>,
    state: watch::Sender<State>,
    /// How the last receive failed, if it did.
    failure: Mutex<Option<QueueFailure>>,
    witnesses: Mutex<HashMap<MailKey, oneshot::Sender<String>>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// The first acceptance of a mail since the last event.
    unheard_since: Option<Instant>,
    /// Since when the feedback queue cannot be received from.
    unreceived_since: Option<Instant>,
    /// Whether waiting does not help: somebody has to change the queue or our rights.
    is_refused: bool,
}

/// Why feedback is deaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deafness {
    /// Its queue cannot be received from.
    NotReceived,
    /// A mail was accepted this long ago, and no event has arrived since.
    NoEvents(Duration),
}

impl Deafness {
    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotReceived => "not_received",
            Self::NoEvents(_) => "no_events",
        }
    }
}

impl fmt::Display for Deafness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReceived => f.write_str("the feedback queue cannot be received from"),
            Self::NoEvents(since) => write!(
                f,
                "a mail was accepted {} ago, and no event has arrived since",
                format_duration(*since)
            ),
        }
    }
}

impl Hearing {
    /// An event may take this long to arrive.
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            among_others: None,
            state: watch::Sender::default(),
            failure: Mutex::default(),
            witnesses: Mutex::default(),
        }
    }

    /// The same where other tasks hear too, and tell all of what they hear.
    pub fn among_others(patience: Duration) -> Self {
        Self {
            among_others: Some(AtomicU32::new(0)),
            ..Self::new(patience)
        }
    }

    /// How long an event may take to arrive.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Takes in that a mail with our tags was accepted: its event is due from now on.
    pub fn accepted(&self) {
        if let Some(accepted) = &self.among_others
            && accepted.fetch_add(1, Ordering::Relaxed) < UNHEARD_AMONG_OTHERS
        {
            return;
        }
        // This is for each mail, and only the first one after an event changes anything.
        if self.state.borrow().unheard_since.is_none() {
            self.state
                .send_modify(|state| state.unheard_since = Some(Instant::now()));
        }
    }

    /// Takes in that an event of a mail of ours has arrived.
    pub fn heard(&self) {
        if let Some(accepted) = &self.among_others {
            accepted.store(0, Ordering::Relaxed);
        }
        if self.state.borrow().unheard_since.is_some() {
            self.state.send_modify(|state| state.unheard_since = None);
        }
    }

    /// Takes in that a receive from the feedback queue worked.
    pub fn received(&self) {
        if self.state.borrow().unreceived_since.is_some() {
            self.state.send_modify(|state| {
                state.unreceived_since = None;
                state.is_refused = false;
            });
            *self.failure.lock() = None;
        }
    }

    /// Takes in that a receive failed.
    pub fn not_received(&self, failure: QueueFailure) {
        let is_refused = failure.is_definite();
        *self.failure.lock() = Some(failure);
        self.state.send_modify(|state| {
            state.unreceived_since.get_or_insert_with(Instant::now);
            state.is_refused = is_refused;
        });
    }

    /// Reads how the last receive failed, if it did.
    pub(super) fn with_failure(&self, read: impl FnOnce(&QueueFailure)) {
        if let Some(failure) = &*self.failure.lock() {
            read(failure);
        }
    }

    /// Takes in that nothing reads the queue: the reader has failed.
    pub(super) fn not_read(&self) {
        self.state.send_modify(|state| {
            state.unreceived_since.get_or_insert_with(Instant::now);
            state.is_refused = true;
        });
    }

    /// Why it is deaf now, if it is.
    pub fn deafness(&self) -> Option<Deafness> {
        let state = *self.state.borrow();
        self.deafness_of(state).0
    }

    /// Waits until it is deaf.
    pub async fn deaf(&self) -> Deafness {
        let mut changes = self.state.subscribe();
        loop {
            let state = *changes.borrow_and_update();
            let (deafness, next) = self.deafness_of(state);
            if let Some(deafness) = deafness {
                return deafness;
            }
            tokio::select! {
                // The sender lives as long as this.
                _ = changes.changed() => {}
                Some(()) = OptionFuture::from(next.map(sleep_until)) => {}
            }
        }
    }

    /// Waits until it is known that nobody will hear. Where others hear too, that takes a refusal: they read
    /// the same queue with the same rights, while that nothing reaches this task says nothing of them.
    pub async fn nobody_hears(&self) -> Deafness {
        if self.among_others.is_none() {
            return self.deaf().await;
        }
        let is_refused = |_: &State| {
            let failure = self.failure.lock();
            failure.as_ref().is_some_and(QueueFailure::is_definite)
        };
        // The sender lives as long as this.
        drop(self.state.subscribe().wait_for(is_refused).await);
        Deafness::NotReceived
    }

    /// Whether other tasks hear too, and tell all of what they hear.
    pub(super) fn is_among_others(&self) -> bool {
        self.among_others.is_some()
    }

    /// Why it is deaf, or when it may become so by itself.
    fn deafness_of(&self, state: State) -> (Option<Deafness>, Option<Instant>) {
        let now = Instant::now();
        let unreceived = state.unreceived_since.map(|since| {
            let grace = UNRECEIVED_FOR.min(self.patience);
            if state.is_refused {
                since
            } else {
                since + grace
            }
        });
        let unheard = state.unheard_since.map(|since| since + self.patience);
        let is_past = |at: &Instant| *at <= now;
        let deafness = if unreceived.as_ref().is_some_and(is_past) {
            Some(Deafness::NotReceived)
        } else {
            let since = state
                .unheard_since
                .filter(|_| unheard.as_ref().is_some_and(is_past));
            since.map(|since| Deafness::NoEvents(now.duration_since(since)))
        };
        (deafness, unreceived.into_iter().chain(unheard).min())
    }

    /// From now on an event of the witness with this key is waited for: what this returns receives the
    /// mail service's id of it, as long as it is kept.
    pub(crate) fn expect_witness(&self, key: &MailKey) -> oneshot::Receiver<String> {
        let (told, event) = oneshot::channel();
        let mut witnesses = self.witnesses.lock();
        witnesses.retain(|_, told| !told.is_closed());
        if witnesses.len() < WITNESSES_MAX {
            witnesses.insert(key.clone(), told);
        }
        event
    }

    /// Takes in an event of a witness.
    pub(crate) fn hear_witness(&self, key: &MailKey, email_id: &str) {
        if let Some(told) = self.witnesses.lock().remove(key) {
            // Nobody may wait any more.
            drop(told.send(email_id.to_owned()));
        }
    }
}
