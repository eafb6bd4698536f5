//! What a worker holds a message by.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Held, Leases};
use crate::ports::ReceiptHandle;

/// A message that is ours. Dropping it ends the renewals; what is not settled by then becomes
/// visible again when its visibility runs out.
pub struct Lease {
    pub(super) leases: Arc<Leases>,
    pub(super) id: u64,
}

impl Lease {
    /// Whether the lease was lost.
    pub fn is_lost(&self) -> bool {
        self.with(|held| held.is_lost(Instant::now()))
    }

    /// How long the message is ours for sure; zero once lost.
    pub fn margin(&self) -> Duration {
        self.with(|held| {
            if held.lost {
                return Duration::ZERO;
            }
            held.deadline.saturating_duration_since(Instant::now())
        })
    }

    /// Whether the message has been held for as long as the queue allows.
    pub fn is_at_cap(&self) -> bool {
        self.with(|held| held.cap() <= Instant::now())
    }

    /// How often the message was received, where it came again while it was held; zero otherwise.
    pub fn receive_count(&self) -> u32 {
        self.with(|held| held.receive_count)
    }

    /// For how long each renewal holds the message, in whole seconds.
    pub fn length(&self) -> Duration {
        self.leases.length
    }

    /// The longest visibility that the queue still grants, in whole seconds.
    pub fn longest(&self) -> Duration {
        self.with(|held| held.longest(Instant::now()))
    }

    /// Waits until the lease is lost.
    pub async fn lost(&self) {
        self.wait_for(|held| held.is_lost(Instant::now()).then_some(()))
            .await;
    }

    /// Makes sure that the lease lasts for `duration` from now, renewing it first where it does
    /// not, and says whether it does. To be called right before a send, with the send's timeout.
    pub async fn outlast(&self, duration: Duration) -> bool {
        self.wait_for(|held| {
            let now = Instant::now();
            // Near the cap no renewal would be long enough.
            let renewable = held.wanted(now, self.leases.length) >= duration;
            let lasts = now + duration <= held.deadline;
            if held.is_lost(now) || lasts || !renewable {
                return Some(lasts && !held.is_lost(now));
            }
            held.hasten(now);
            self.leases.wake_keeper.notify_one();
            None
        })
        .await
    }

    /// Nothing is renewed any more: the message is about to be given back.
    pub fn end(&self) {
        self.with(|held| held.ending = true);
    }

    /// Waits until no call for this lease is under way and takes its place. The lease may be lost;
    /// deleting a message that was mailed is worth a try even then.
    pub async fn call(&self) -> Call<'_> {
        self.wait_for(|held| {
            if held.busy {
                return None;
            }
            held.busy = true;
            Some(Call {
                lease: self,
                receipt: held.receipt.clone(),
                generation: held.generation,
            })
        })
        .await
    }

    /// Looks at the lease now and after each change, until `look` finds what it wants.
    async fn wait_for<T>(&self, mut look: impl FnMut(&mut Held) -> Option<T>) -> T {
        let changed = self.with(|held| Arc::clone(&held.changed));
        loop {
            // The wait begins before the look, so that no change falls between the two.
            let waiting = changed.notified();
            if let Some(found) = self.with(&mut look) {
                return found;
            }
            waiting.await;
        }
    }

    #[expect(
        clippy::expect_used,
        reason = "the entry lives exactly as long as this guard"
    )]
    fn with<T>(&self, act: impl FnOnce(&mut Held) -> T) -> T {
        let mut state = self.leases.state.lock();
        let held = state.held.get_mut(&self.id);
        act(held.expect("a guard's entry is in the table"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.leases.state.lock();
        // The message may have come again after this lease was lost: that lease stays.
        if let Some(held) = state.held.remove(&self.id)
            && state.by_message.get(&held.message_id) == Some(&self.id)
        {
            state.by_message.remove(&held.message_id);
        }
    }
}

/// The right to make the one call for a lease that may be under way.
pub struct Call<'a> {
    lease: &'a Lease,
    receipt: ReceiptHandle,
    generation: u64,
}

impl Call<'_> {
    /// The handle to call with.
    pub fn receipt(&self) -> &ReceiptHandle {
        &self.receipt
    }

    /// The handles under which the message was received before that, as far as they are kept.
    pub fn older_receipts(&self) -> Vec<ReceiptHandle> {
        self.lease.with(|held| held.older.clone())
    }

    /// Whether the handle was replaced since, so that the call's answer says nothing.
    pub fn is_superseded(&self) -> bool {
        self.lease.with(|held| held.generation != self.generation)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.lease.leases.calls_ended(&[self.lease.id]);
    }
}
