//! One lease as the table keeps it: plain state that gets the time as an argument.

use std::{mem, sync::Arc, time::Duration};

use tokio::{sync::Notify, time::Instant};
use tracing::warn;

use crate::ports::{EntryFailure, EntryFailureKind, ReceiptHandle};

/// The longest that a message is kept invisible. The queue allows 12 hours in all, counted from the
/// receipt, and refuses a second more (Amazon SQS API reference, `ChangeMessageVisibility`). We stay
/// a minute short of that, for clocks and requests that take their time.
const VISIBILITY_MAX: Duration = Duration::from_mins(12 * 60 - 1);
/// So many handles of one message are kept beside the newest.
const OLDER_HANDLES_MAX: usize = 4;
/// The first pause after a failed renewal; it doubles.
const RETRY_PAUSE_FIRST: Duration = Duration::from_millis(500);

pub(super) struct Held {
    pub(super) message_id: String,
    pub(super) receipt: ReceiptHandle,
    /// The handles before that, the newest last: each may be of another copy.
    pub(super) older: Vec<ReceiptHandle>,
    /// Bumped with each new receipt handle.
    pub(super) generation: u64,
    /// How often the message was received, by the latest delivery that came in.
    pub(super) receive_count: u32,
    /// What [`VISIBILITY_MAX`] counts from.
    pub(super) received_at: Instant,
    /// When its first answer came in: a long poll may have been asked long before.
    pub(super) taken_at: Instant,
    /// Until when the queue has confirmed that the message is ours.
    pub(super) deadline: Instant,
    renew_at: Instant,
    failures: u32,
    /// A call for this lease is under way.
    pub(super) busy: bool,
    /// Nothing more is renewed: the message is being given back.
    pub(super) ending: bool,
    /// Whether the loss has been noticed, and its waiters woken.
    pub(super) lost: bool,
    pub(super) changed: Arc<Notify>,
}

impl Held {
    pub(super) fn new(
        message_id: String,
        receipt: ReceiptHandle,
        received_at: Instant,
        taken_at: Instant,
        length: Duration,
    ) -> Self {
        Self {
            message_id,
            receipt,
            older: Vec::new(),
            generation: 0,
            receive_count: 0,
            received_at,
            taken_at,
            deadline: received_at + length,
            renew_at: received_at + length / 2,
            failures: 0,
            busy: false,
            ending: false,
            lost: false,
            changed: Arc::new(Notify::new()),
        }
    }

    /// Records a later delivery of the same message: its visibility timeout started again.
    pub(super) fn replace(
        &mut self,
        receipt: ReceiptHandle,
        received_at: Instant,
        length: Duration,
    ) {
        if self.older.len() == OLDER_HANDLES_MAX {
            self.older.remove(0);
        }
        self.older.push(mem::replace(&mut self.receipt, receipt));
        self.generation += 1;
        self.received_at = received_at;
        self.confirmed(received_at, length);
        self.changed.notify_waiters();
    }

    pub(super) fn is_lost(&self, now: Instant) -> bool {
        self.lost || self.deadline <= now
    }

    /// The visibility to ask for: the lease's length, or what the cap leaves, in whole seconds.
    pub(super) fn wanted(&self, now: Instant, length: Duration) -> Duration {
        length.min(self.longest(now))
    }

    /// What the cap leaves, in whole seconds.
    pub(super) fn longest(&self, now: Instant) -> Duration {
        Duration::from_secs(self.cap().saturating_duration_since(now).as_secs())
    }

    /// The latest moment that the message may be hidden to.
    pub(super) fn cap(&self) -> Instant {
        self.received_at + VISIBILITY_MAX
    }

    /// Asks for a renewal now. A renewal that failed keeps its pause: a queue that refuses at once
    /// would be asked without rest.
    pub(super) fn hasten(&mut self, now: Instant) {
        if self.failures == 0 {
            self.renew_at = self.renew_at.min(now);
        }
    }

    /// Begins a renewal where one is due: the visibility to ask for.
    pub(super) fn begin_renewal(&mut self, now: Instant, length: Duration) -> Option<Duration> {
        if self.busy || self.ending || self.renew_at > now {
            return None;
        }
        let wanted = self.wanted(now, length);
        if now + wanted <= self.deadline {
            // The cap allows nothing beyond what is confirmed.
            self.renew_at = self.deadline;
            return None;
        }
        self.busy = true;
        Some(wanted)
    }

    /// When the keeper has to look at this lease again.
    pub(super) fn look_at(&self) -> Instant {
        if self.busy || self.ending {
            self.deadline
        } else {
            self.renew_at.min(self.deadline)
        }
    }

    /// Takes in the answer to a renewal that was asked for at `asked_at`; none is a call that failed.
    pub(super) fn answered(
        &mut self,
        answer: Option<Result<(), EntryFailure>>,
        asked_at: Instant,
        wanted: Duration,
        length: Duration,
    ) {
        match answer {
            Some(Ok(())) => self.confirmed(asked_at, wanted),
            Some(Err(failure)) if failure.kind == EntryFailureKind::LeaseLost => {
                warn!(
                    messaging.message.id = self.message_id,
                    error.r#type = failure.code,
                    "lease lost: {failure}"
                );
                self.lose();
            }
            Some(Err(_)) | None => {
                let pause = RETRY_PAUSE_FIRST.saturating_mul(1 << self.failures.min(6));
                self.failures += 1;
                self.renew_at = Instant::now() + pause.min(length / 6);
            }
        }
    }

    pub(super) fn lose(&mut self) {
        self.lost = true;
        self.changed.notify_waiters();
    }

    /// Frees the place of the one call that may be under way.
    pub(super) fn call_ended(&mut self) {
        self.busy = false;
        self.changed.notify_waiters();
    }

    fn confirmed(&mut self, from: Instant, visibility: Duration) {
        self.deadline = from + visibility;
        self.renew_at = from + visibility / 2;
        self.failures = 0;
    }
}
