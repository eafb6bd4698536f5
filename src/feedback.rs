//! What the mail service says of the mails that it took: its events go to the ledger and to the log.
//!
//! The events arrive in a queue of their own. Each is received, read, applied and deleted; what no
//! event of ours is, is told or counted. A trouble here never touches the mails' way: at the worst
//! nothing is learnt of mails that have gone.

mod apply;
mod hearing;
mod poller;
mod report;
mod seen;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use self::{apply::Applier, poller::Poller, report::Told, seen::Seen};
pub use self::{
    hearing::{Deafness, Hearing},
    poller::{DELETE_TIMEOUT, WAIT},
};
use crate::{
    ledger::Ledger,
    ports::events::Feedback,
    telemetry::{Instruments, LIFECYCLE},
    text::format_duration,
};

/// Before the first mail is received the feedback queue is read until it is empty, for at most this
/// long.
const CATCH_UP_MAX: Duration = Duration::from_secs(10);
/// A reader that panicked begins again after this.
const AFTER_PANIC: Duration = Duration::from_secs(10);
/// What a stop leaves to the events that have been received.
const LAST_EVENTS: Duration = Duration::from_millis(500);

/// What reading events needs.
pub struct Parts {
    /// Where they arrive.
    pub source: Feedback,
    /// The feedback queue's name.
    pub name: String,
    /// The name of the queue whose mails are ours.
    pub queue: String,
    /// What remembers the mails sent.
    pub ledger: Arc<dyn Ledger>,
    /// What is known of whether events arrive.
    pub hearing: Arc<Hearing>,
    /// What reading is watched with.
    pub instruments: Arc<Instruments>,
}

/// Reads events until it is told to stop.
pub struct Reader {
    poller: Poller,
    hearing: Arc<Hearing>,
    name: String,
    caught_up: watch::Sender<bool>,
}

impl Reader {
    /// A reader of the events that arrive there.
    pub fn new(parts: Parts) -> Arc<Self> {
        report::observe(&parts.hearing, &parts.instruments);
        let applier = Applier {
            queue: parts.queue,
            feedback_queue: parts.name.clone(),
            ledger: parts.ledger,
            hearing: Arc::clone(&parts.hearing),
            instruments: parts.instruments,
            seen: Seen::default(),
            told: Told::default(),
        };
        Arc::new(Self {
            poller: Poller::new(parts.source, applier, Arc::clone(&parts.hearing)),
            hearing: parts.hearing,
            name: parts.name,
            caught_up: watch::Sender::new(false),
        })
    }

    /// Reads until `stop`. What was received by then is applied.
    pub async fn run(&self, stop: CancellationToken) {
        let telling = report::tell_deafness(&self.hearing, &self.name);
        let reading = async {
            loop {
                let reading = self.poller.run(&self.caught_up, &stop);
                if AssertUnwindSafe(reading).catch_unwind().await.is_ok() {
                    return;
                }
                self.hearing.not_read();
                error!(
                    target: LIFECYCLE,
                    "the reader of the feedback queue {} panicked, which is a bug in this program: it \
                     begins again in {}, and mails are still sent",
                    self.name,
                    format_duration(AFTER_PANIC)
                );
                tokio::select! {
                    () = sleep(AFTER_PANIC) => {}
                    () = stop.cancelled() => return,
                }
            }
        };
        let late = async {
            stop.cancelled().await;
            sleep(LAST_EVENTS).await;
        };
        tokio::select! {
            () = reading => {}
            () = late => {}
            () = telling => {}
        }
    }

    /// Waits until what had arrived before the start has been read: then mails that went out before
    /// are known. Says so where that takes too long.
    pub async fn caught_up(&self) {
        let began = Instant::now();
        let mut caught_up = self.caught_up.subscribe();
        let reading = async { drop(caught_up.wait_for(|done| *done).await) };
        if timeout(CATCH_UP_MAX, reading).await.is_err() {
            warn!(
                "the feedback queue {} still holds events after {}, and receiving begins now. A \
                 mail that was sent before this start and whose event is not read yet can be sent \
                 twice, if its message comes again",
                self.name,
                format_duration(began.elapsed())
            );
        }
    }
}
