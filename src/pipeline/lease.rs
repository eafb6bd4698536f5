//! The lease on a received message: ours from receipt until settled.
//!
//! [`Leases`] is the table of what this process holds, [`Lease`] the guard that a worker owns, and
//! [`Leases::keep`] the task that renews. Three rules keep the races out:
//!
//! - At most one call is under way for a lease, a renewal or a settling one. Settling waits for a
//!   renewal's answer; a renewal never starts while something settles.
//! - A new receipt handle bumps the lease's generation, and an answer to an older generation's
//!   request is dropped.
//! - Once lost, a lease stays lost, and a later delivery of the same message is a lease of its own.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    ports::{BATCH_MAX, EntryFailure, EntryFailureKind, Queue, ReceiptHandle},
    telemetry::throttle::Throttle,
    timing::lease_call_timeout,
};

mod guard;
#[cfg(test)]
mod tests;

pub use self::guard::{Call, Lease};

/// A message may stay invisible for 12 hours in all, counted from its receipt; asking for a second
/// more is an error (Amazon SQS API reference, `ChangeMessageVisibility`).
const VISIBILITY_MAX: Duration = Duration::from_hours(12);
/// What we stay short of the cap, for clocks and requests that take their time.
const VISIBILITY_MARGIN: Duration = Duration::from_mins(1);
/// The first pause after a failed renewal; it doubles.
const RETRY_PAUSE_FIRST: Duration = Duration::from_millis(500);

/// The lease was lost: another consumer may have the message now, or soon will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the lease on the message was lost")]
pub struct LeaseLost;

/// All leases that this process holds.
pub struct Leases {
    queue: Arc<dyn Queue>,
    length: Duration,
    state: Mutex<State>,
    wake_keeper: Notify,
    /// Lines of renewals that fail, and of those that are refused.
    failing: Throttle,
    refused: Throttle,
}

#[derive(Default)]
struct State {
    held: BTreeMap<u64, Held>,
    by_message: HashMap<String, u64>,
    next: u64,
}

struct Held {
    message_id: String,
    receipt: ReceiptHandle,
    /// Bumped with each new receipt handle.
    generation: u64,
    /// How often the message was received, as far as later deliveries have told.
    receive_count: u32,
    /// What the cap of 12 hours counts from.
    received_at: Instant,
    /// Until when the queue has confirmed that the message is ours.
    deadline: Instant,
    renew_at: Instant,
    failures: u32,
    /// A call for this lease is under way.
    busy: bool,
    /// Nothing more is renewed: the message is being given back.
    ending: bool,
    lost: bool,
    changed: Arc<Notify>,
}

/// A renewal to be asked for.
struct Due {
    lease: u64,
    generation: u64,
    receipt: ReceiptHandle,
    wanted: Duration,
}

/// Leases with a renewal under way, until dropped: also where the call panics, or is cut off with
/// the keeper, settling must not wait for it.
struct UnderWay<'a> {
    leases: &'a Leases,
    ids: Vec<u64>,
}

impl Leases {
    /// A table for leases of `length` (whole seconds) on messages of `queue`.
    pub fn new(queue: Arc<dyn Queue>, length: Duration) -> Arc<Self> {
        Arc::new(Self {
            queue,
            length,
            state: Mutex::default(),
            wake_keeper: Notify::new(),
            failing: Throttle::default(),
            refused: Throttle::default(),
        })
    }

    /// Takes the lease of a message that was received, or nothing where this process holds the
    /// message already: then its handle is replaced, since only the newest one is sure to delete.
    ///
    /// `asked_at` is when the receive request was sent. The queue began to count somewhere between
    /// that and now; for an answer to a long poll we assume that it took no longer on its way than
    /// a call may, and count from there.
    pub fn adopt(
        self: &Arc<Self>,
        message_id: &str,
        receipt: ReceiptHandle,
        asked_at: Instant,
    ) -> Option<Lease> {
        let now = Instant::now();
        let latest = now
            .checked_sub(lease_call_timeout(self.length))
            .unwrap_or(now);
        let received_at = asked_at.max(latest);
        let mut state = self.lock();
        if let Some(&id) = state.by_message.get(message_id)
            && let Some(held) = state.held.get_mut(&id)
        {
            if !held.lost && held.deadline > now {
                held.replace(receipt, received_at, self.length);
                self.wake_keeper.notify_one();
                return None;
            }
            held.lose();
        }
        let id = state.next;
        state.next += 1;
        state.by_message.insert(message_id.to_owned(), id);
        let mut held = Held {
            message_id: message_id.to_owned(),
            receipt: receipt.clone(),
            generation: 0,
            receive_count: 0,
            received_at,
            deadline: received_at,
            renew_at: received_at,
            failures: 0,
            busy: false,
            ending: false,
            lost: false,
            changed: Arc::new(Notify::new()),
        };
        held.replace(receipt, received_at, self.length);
        state.held.insert(id, held);
        drop(state);
        self.wake_keeper.notify_one();
        Some(Lease {
            leases: Arc::clone(self),
            id,
        })
    }

    /// Takes in how often a message was received that is held already.
    pub fn received_again(&self, message_id: &str, receive_count: u32) {
        let mut state = self.lock();
        if let Some(&id) = state.by_message.get(message_id)
            && let Some(held) = state.held.get_mut(&id)
        {
            held.receive_count = held.receive_count.max(receive_count);
        }
    }

    /// How many leases are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().held.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().held.is_empty()
    }

    /// How long ago the message that is held longest was received.
    #[must_use]
    pub fn oldest(&self) -> Option<Duration> {
        self.lock()
            .held
            .values()
            .map(|held| held.received_at)
            .min()
            .map(|at| at.elapsed())
    }

    /// Renews leases until cancelled. Calls run side by side, so that one that hangs delays no
    /// other. `turned` is called on each turn: the sign of life.
    pub async fn keep(self: Arc<Self>, turned: impl Fn() + Send, stop: CancellationToken) {
        /// Also without anything to do the loop turns this often, to show that it lives.
        const IDLE: Duration = Duration::from_secs(1);
        let mut calls = JoinSet::new();
        loop {
            turned();
            let now = Instant::now();
            let (mut due, next) = self.take_due(now);
            while !due.is_empty() {
                let rest = due.split_off(due.len().min(BATCH_MAX));
                calls.spawn(Arc::clone(&self).renew(due));
                due = rest;
            }
            let next = next.map_or(now + IDLE, |next| next.min(now + IDLE));
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(done) = calls.join_next() => {
                    if let Err(failed) = done && failed.is_panic() {
                        std::panic::resume_unwind(failed.into_panic());
                    }
                }
                () = self.wake_keeper.notified() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    /// What is to be renewed now, marked as busy, and when to look again. Leases whose deadline
    /// has passed become lost here.
    fn take_due(&self, now: Instant) -> (Vec<Due>, Option<Instant>) {
        let mut state = self.lock();
        let mut due = Vec::new();
        let mut next: Option<Instant> = None;
        let mut expired = Vec::new();
        for (&id, held) in &mut state.held {
            if held.lost {
                continue;
            }
            if held.deadline <= now {
                held.lose();
                expired.push(held.message_id.clone());
                continue;
            }
            if !held.busy && !held.ending && held.renew_at <= now {
                let wanted = held.wanted(now, self.length);
                if now + wanted > held.deadline {
                    held.busy = true;
                    due.push(Due {
                        lease: id,
                        generation: held.generation,
                        receipt: held.receipt.clone(),
                        wanted,
                    });
                } else {
                    // The cap allows nothing beyond what is confirmed.
                    held.renew_at = held.deadline;
                }
            }
            let look = if held.busy || held.ending {
                held.deadline
            } else {
                held.renew_at.min(held.deadline)
            };
            next = Some(next.map_or(look, |next| next.min(look)));
        }
        for message_id in expired {
            state.by_message.remove(&message_id);
            warn!(
                messaging.message.id = message_id,
                "lease lost: its deadline passed before a renewal was confirmed"
            );
        }
        (due, next)
    }

    /// One renewal call for up to ten leases.
    async fn renew(self: Arc<Self>, due: Vec<Due>) {
        let under_way = UnderWay {
            leases: &self,
            ids: due.iter().map(|due| due.lease).collect(),
        };
        let asked_at = Instant::now();
        let changes: Vec<_> = due
            .iter()
            .map(|due| (due.receipt.clone(), due.wanted))
            .collect();
        let call = timeout(
            lease_call_timeout(self.length),
            self.queue.change_visibility(&changes),
        );
        let failed = |error_type: &str, reason: &dyn std::fmt::Display| {
            if let Some(suppressed) = self.failing.due() {
                warn!(
                    error.r#type = error_type,
                    notifier.suppressed = suppressed,
                    "leases not renewed, trying again: {reason}"
                );
            }
            Vec::new()
        };
        let answers = match call.await {
            Ok(Ok(answers)) => answers,
            Ok(Err(failure)) => failed(&failure.error.code, &failure),
            Err(_elapsed) => failed("timeout", &"no answer in time"),
        };
        let mut answers = answers.into_iter();
        let mut state = self.lock();
        for due in due {
            let answer = answers.next();
            if let Some(Err(failure)) = &answer
                && failure.kind == EntryFailureKind::Refused
                && let Some(untold) = self.refused.due()
            {
                error!(
                    error.r#type = failure.code,
                    notifier.suppressed = untold,
                    "the queue refuses a renewal that we asked for, which is a fault of ours: {failure}"
                );
            }
            let Some(held) = state.held.get_mut(&due.lease) else {
                continue;
            };
            if held.generation == due.generation && !held.lost {
                held.answered(answer, asked_at, due.wanted, self.length);
                if held.lost {
                    let message_id = held.message_id.clone();
                    state.by_message.remove(&message_id);
                }
            }
        }
        drop(state);
        drop(under_way);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; if it did, the table would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut state = self.leases.lock();
        for id in &self.ids {
            if let Some(held) = state.held.get_mut(id) {
                held.busy = false;
                held.changed.notify_waiters();
            }
        }
        drop(state);
        self.leases.wake_keeper.notify_one();
    }
}

impl Held {
    fn replace(&mut self, receipt: ReceiptHandle, received_at: Instant, length: Duration) {
        self.receipt = receipt;
        self.generation += 1;
        self.received_at = received_at;
        self.deadline = received_at + length;
        self.renew_at = received_at + length / 2;
        self.failures = 0;
        self.changed.notify_waiters();
    }

    /// The visibility to ask for: the lease's length, or what the cap leaves, in whole seconds.
    fn wanted(&self, now: Instant, length: Duration) -> Duration {
        length.min(self.longest(now))
    }

    /// What the cap leaves, in whole seconds.
    fn longest(&self, now: Instant) -> Duration {
        let left = (self.received_at + VISIBILITY_MAX)
            .saturating_duration_since(now)
            .saturating_sub(VISIBILITY_MARGIN);
        Duration::from_secs(left.as_secs())
    }

    fn answered(
        &mut self,
        answer: Option<Result<(), EntryFailure>>,
        asked_at: Instant,
        wanted: Duration,
        length: Duration,
    ) {
        match answer {
            Some(Ok(())) => {
                self.deadline = asked_at + wanted;
                self.renew_at = asked_at + wanted / 2;
                self.failures = 0;
                return;
            }
            Some(Err(failure)) if failure.kind == EntryFailureKind::LeaseLost => {
                warn!(
                    messaging.message.id = self.message_id,
                    error.r#type = failure.code,
                    "lease lost: {failure}"
                );
                self.lose();
                return;
            }
            Some(Err(_)) | None => {}
        }
        let pause = RETRY_PAUSE_FIRST
            .saturating_mul(1 << self.failures.min(6))
            .min(length / 6);
        self.failures += 1;
        self.renew_at = Instant::now() + pause;
    }

    fn lose(&mut self) {
        self.lost = true;
        self.changed.notify_waiters();
    }
}
