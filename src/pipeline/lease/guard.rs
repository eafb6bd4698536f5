//! What a worker holds a message by.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, time::Instant};

use super::{Held, LeaseLost, Leases, VISIBILITY_MARGIN, VISIBILITY_MAX};
use crate::ports::ReceiptHandle;

/// A message that is ours. Dropping it ends the renewals; what is not settled by then becomes
/// visible again when its visibility runs out.
pub struct Lease {
    pub(super) leases: Arc<Leases>,
    pub(super) id: u64,
}

impl Lease {
    /// Whether the lease was lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.with(|held| held.lost || held.deadline <= Instant::now())
    }

    /// How long the message is ours for sure; zero once lost.
    #[must_use]
    pub fn margin(&self) -> Duration {
        self.with(|held| {
            if held.lost {
                Duration::ZERO
            } else {
                held.deadline.saturating_duration_since(Instant::now())
            }
        })
    }

    /// Whether the message has been held for as long as the queue allows.
    #[must_use]
    pub fn is_at_cap(&self) -> bool {
        self.with(|held| held.received_at.elapsed() + VISIBILITY_MARGIN >= VISIBILITY_MAX)
    }

    /// How often the message has been received, where it came again while it was held; else zero.
    #[must_use]
    pub fn receive_count(&self) -> u32 {
        self.with(|held| held.receive_count)
    }

    /// The longest visibility that the queue still grants, in whole seconds.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.with(|held| held.longest(Instant::now()))
    }

    /// Waits until the lease is lost.
    pub async fn lost(&self) {
        let changed = self.changed();
        loop {
            let waiting = changed.notified();
            if self.is_lost() {
                return;
            }
            waiting.await;
        }
    }

    /// Makes sure that the lease lasts for `duration` from now, renewing it first where it does
    /// not. To be called right before a send, with the send's timeout.
    pub async fn outlast(&self, duration: Duration) -> Result<(), LeaseLost> {
        let changed = self.changed();
        loop {
            let waiting = changed.notified();
            let now = Instant::now();
            let lasts = self.with(|held| {
                if held.lost || held.deadline <= now {
                    return Some(Err(LeaseLost));
                }
                if now + duration <= held.deadline {
                    return Some(Ok(()));
                }
                if held.wanted(now, self.leases.length) < duration {
                    // No renewal would be long enough: the cap is near.
                    return Some(Err(LeaseLost));
                }
                // A renewal that failed keeps its pause, or a queue that refuses at once would be
                // asked without rest.
                if held.failures == 0 {
                    held.renew_at = held.renew_at.min(now);
                }
                None
            });
            if let Some(lasts) = lasts {
                return lasts;
            }
            self.leases.wake_keeper.notify_one();
            waiting.await;
        }
    }

    /// Nothing is renewed any more: the message is about to be given back.
    pub fn end(&self) {
        self.with(|held| held.ending = true);
    }

    /// Waits until no call for this lease is under way and takes its place. The lease may be lost;
    /// deleting a message that was mailed is worth a try even then.
    pub async fn call(&self) -> Call<'_> {
        let changed = self.changed();
        loop {
            let waiting = changed.notified();
            let free = self.with(|held| {
                (!held.busy).then(|| {
                    held.busy = true;
                    (held.receipt.clone(), held.generation)
                })
            });
            if let Some((receipt, generation)) = free {
                return Call {
                    lease: self,
                    receipt,
                    generation,
                };
            }
            waiting.await;
        }
    }

    fn changed(&self) -> Arc<Notify> {
        self.with(|held| Arc::clone(&held.changed))
    }

    #[expect(
        clippy::expect_used,
        reason = "the entry lives exactly as long as this guard"
    )]
    fn with<T>(&self, act: impl FnOnce(&mut Held) -> T) -> T {
        let mut state = self.leases.lock();
        act(state
            .held
            .get_mut(&self.id)
            .expect("a guard's entry is in the table"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.leases.lock();
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
    #[must_use]
    pub fn receipt(&self) -> &ReceiptHandle {
        &self.receipt
    }

    /// Whether the handle was replaced since, so that the call's answer says nothing.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        self.lease.with(|held| held.generation != self.generation)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.lease.with(|held| {
            held.busy = false;
            held.changed.notify_waiters();
        });
        self.lease.leases.wake_keeper.notify_one();
    }
}
