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
    sync::Arc,
    time::Duration,
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use self::{held::Held, stalls::Stalls};
use super::batch::batch_answers;
use crate::{
    mutex::Mutex,
    ports::{BATCH_MAX, EntryFailureKind, Queue, ReceiptHandle},
    telemetry::throttle::Throttle,
    timing::lease_call_timeout,
};

mod guard;
mod held;
mod stalls;
#[cfg(test)]
mod tests;

pub use self::guard::{Call, Lease};

/// The keeper turns at least this often, also without anything to do, to show that it lives.
const KEEPER_IDLE_MAX: Duration = Duration::from_secs(1);

/// All leases that this process holds.
pub struct Leases {
    queue: Arc<dyn Queue>,
    length: Duration,
    state: Mutex<State>,
    wake_keeper: Notify,
    /// Lines of renewals that fail, and of those that are refused.
    failing: Throttle,
    ended: Throttle,
    refused: Throttle,
    /// Lines of a process that stood still.
    stalled: Throttle,
}

#[derive(Default)]
struct State {
    held: BTreeMap<u64, Held>,
    /// The newest lease of each message.
    by_message: HashMap<String, u64>,
    next: u64,
    stalls: Stalls,
}

/// A renewal to be asked for.
struct Due {
    lease: u64,
    generation: u64,
    receipt: ReceiptHandle,
    wanted: Duration,
}

/// Leases with a renewal under way, until dropped. Settling must not wait for a call that has
/// panicked or was cut off with the keeper, so a drop ends the calls too.
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
            ended: Throttle::default(),
            refused: Throttle::default(),
            stalled: Throttle::default(),
        })
    }

    /// Takes the lease of a message that was received. Where this process holds the message already
    /// there is no second lease: the handle is replaced, since only the newest one is sure to delete.
    ///
    /// `asked_at` is when the receive request was sent. The queue began to count somewhere between
    /// that and now, and nothing says when: an answer to a long poll may have been long on its way. So the
    /// lease counts from the request, but no more than half of it is taken for gone, so that a lease
    /// shorter than a long poll is renewed at once instead of lost. What the queue has it gives within `wait`, so that
    /// an answer that comes later was on its way. Where the process has stood still since the request, the
    /// answer may have come at any time in between, and the lease counts from before that.
    pub fn adopt(
        self: &Arc<Self>,
        message_id: &str,
        receipt: ReceiptHandle,
        asked_at: Instant,
        wait: Duration,
    ) -> Option<Lease> {
        let now = Instant::now();
        self.ran(now);
        let mut state = self.state.lock();
        let latest = now.checked_sub(self.length / 2);
        let latest = latest
            .into_iter()
            .chain(asked_at.checked_add(wait))
            .chain(state.stalls.unread_since(asked_at, now));
        let received_at = asked_at.max(latest.min().unwrap_or(now));
        // The keeper looks again: there is a new lease, or this one has another next moment.
        self.wake_keeper.notify_one();
        if let Some(held) = state.newest(message_id) {
            // What is being given back came again since that had its effect, though nobody heard so. It is
            // another's work now: its worker would give that receive back too.
            if !held.is_lost(now) && !held.ending {
                held.replace(receipt, received_at, self.length);
                return None;
            }
            held.lose();
        }
        let id = state.next;
        state.next += 1;
        state.by_message.insert(message_id.to_owned(), id);
        let held = Held::new(
            message_id.to_owned(),
            receipt,
            received_at,
            now,
            self.length,
        );
        state.held.insert(id, held);
        Some(Lease {
            leases: Arc::clone(self),
            id,
        })
    }

    /// Takes in how often a message that is held already was received.
    pub fn received_again(&self, message_id: &str, receive_count: u32) {
        if let Some(held) = self.state.lock().newest(message_id) {
            held.receive_count = held.receive_count.max(receive_count);
        }
    }

    /// How many leases are held.
    pub fn count(&self) -> usize {
        self.state.lock().held.len()
    }

    /// For how long the message has been held that is held longest.
    pub fn oldest(&self) -> Option<Duration> {
        let state = self.state.lock();
        let taken = state.held.values().map(|held| held.taken_at);
        taken.min().map(|at| at.elapsed())
    }

    /// Renews leases until cancelled. Calls run side by side, so that one that hangs delays no
    /// other. `turned` is called on each turn: the sign of life.
    pub async fn keep(self: Arc<Self>, turned: impl Fn() + Send, stop: CancellationToken) {
        let mut calls = FuturesUnordered::new();
        loop {
            turned();
            let now = Instant::now();
            self.ran(now);
            let (mut due, next) = self.take_due(now);
            while !due.is_empty() {
                let rest = due.split_off(due.len().min(BATCH_MAX));
                calls.push(self.renew(due));
                due = rest;
            }
            // Each event leads to the same turn, so their order matters only to the stop: it comes
            // first, since nobody needs a lease after it.
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(()) = calls.next() => {}
                () = self.wake_keeper.notified() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    /// Notices where the process stood still until now.
    fn ran(&self, now: Instant) {
        let stalled = self.state.lock().stalls.ran(now);
        if let Some(stalled) = stalled
            && let Some(untold) = self.stalled.due()
        {
            warn!(
                notifier.suppressed = untold,
                "the process stood still for {:.1} s: leases can have ended meanwhile; check \
                 whether the task has enough CPU, or was paused",
                stalled.as_secs_f64(),
            );
        }
    }

    /// What is to be renewed now, marked as busy, and when to look again. Leases whose deadline
    /// has passed become lost here.
    fn take_due(&self, now: Instant) -> (Vec<Due>, Instant) {
        let mut due = Vec::new();
        let mut next = now + KEEPER_IDLE_MAX;
        for (&lease, held) in &mut self.state.lock().held {
            if held.lost {
                continue;
            }
            if held.is_lost(now) {
                held.lose();
                if let Some(suppressed) = self.ended.due() {
                    warn!(
                        messaging.message.id = held.message_id,
                        notifier.suppressed = suppressed,
                        "lease lost: its deadline passed before a renewal was confirmed"
                    );
                }
                continue;
            }
            if let Some(wanted) = held.begin_renewal(now, self.length) {
                due.push(Due {
                    lease,
                    generation: held.generation,
                    receipt: held.receipt.clone(),
                    wanted,
                });
            }
            next = next.min(held.look_at());
        }
        (due, next)
    }

    /// One renewal call for up to ten leases. They are busy already: the guard that frees them is
    /// made here and not at the first poll, which a panic of another call can prevent.
    fn renew(&self, due: Vec<Due>) -> impl Future<Output = ()> {
        let under_way = UnderWay {
            leases: self,
            ids: due.iter().map(|due| due.lease).collect(),
        };
        self.renew_under(under_way, due)
    }

    async fn renew_under(&self, _under_way: UnderWay<'_>, due: Vec<Due>) {
        let asked_at = Instant::now();
        let changes: Vec<_> = due
            .iter()
            .map(|due| (due.receipt.clone(), due.wanted))
            .collect();
        let call = self.queue.change_visibility(&changes);
        let limit = lease_call_timeout(self.length);
        let trouble =
            "leases not renewed (what is held returns to the queue unless it works in time)";
        let answers = batch_answers(call, limit, due.len(), trouble, &self.failing).await;
        let mut answers = answers.unwrap_or_default().into_iter();
        let mut state = self.state.lock();
        for due in due {
            let answer = answers.next();
            if let Some(Err(failure)) = &answer
                && failure.kind == EntryFailureKind::Refused
                && let Some(untold) = self.refused.due()
            {
                error!(
                    error.r#type = failure.code,
                    notifier.suppressed = untold,
                    "the queue refuses a renewal that we asked for, which is a bug in this \
                     program: {failure}"
                );
            }
            // An answer for a handle that was replaced says nothing of the new one.
            if let Some(held) = state.held.get_mut(&due.lease)
                && held.generation == due.generation
                && !held.lost
            {
                held.answered(answer, asked_at, due.wanted, self.length);
            }
        }
    }

    /// Frees the leases for their next call, and has the keeper see whether that is due.
    fn calls_ended(&self, ids: &[u64]) {
        let mut state = self.state.lock();
        for id in ids {
            if let Some(held) = state.held.get_mut(id) {
                held.call_ended();
            }
        }
        self.wake_keeper.notify_one();
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.leases.calls_ended(&self.ids);
    }
}

impl State {
    fn newest(&mut self, message_id: &str) -> Option<&mut Held> {
        self.held.get_mut(self.by_message.get(message_id)?)
    }
}
