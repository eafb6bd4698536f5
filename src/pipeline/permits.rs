//! How many messages may be held at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// How many messages that settle do not count: what the settler has under way when it keeps up.
const SETTLING: usize = 40;
/// The most messages of one receive.
pub(super) const BATCH: usize = 10;

/// The permits of a pool of workers, with probation: at boot and after [`Permits::reset`] one
/// message may be held at a time, until the first success; then the limit doubles with each
/// success, up to the pool's size. So a deploy during an outage, or a crash loop, costs one
/// message a receive and not as many as there are workers. Clones are the same pool.
///
/// Past its probation the pool holds a fifth more than its size, so that there is always a message
/// ready when a send ends, and as many again, up to 40, whose first delete is under way. All this
/// only while deletes work: until a first message is deleted, and from one that fails to be until the
/// next that is, the pool holds its size and all that is held counts. So deletes that keep failing
/// stop the receiving.
#[derive(Clone, Debug)]
pub struct Permits {
    pool: Arc<Pool>,
}

/// The right to hold one message. Dropping it frees the permit.
#[derive(Debug)]
pub struct Permit {
    pool: Arc<Pool>,
    settling: bool,
}

#[derive(Debug)]
struct Pool {
    state: Mutex<State>,
    changes: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    concurrency: usize,
    limit: usize,
    /// Whether the probation is over: the limit has grown to the pool's size by successes alone.
    proven: bool,
    /// Whether a message has been deleted, and none has failed to be since.
    settles_well: bool,
    held: usize,
    settling: usize,
}

impl Permits {
    /// A pool for `concurrency` sends at once, at least one, on probation.
    #[must_use]
    pub fn new(concurrency: usize) -> Self {
        Self {
            pool: Arc::new(Pool {
                state: Mutex::new(State {
                    concurrency: concurrency.max(1),
                    limit: 1,
                    proven: false,
                    settles_well: false,
                    held: 0,
                    settling: 0,
                }),
                changes: watch::Sender::new(()),
            }),
        }
    }

    /// Waits until a permit is free, and takes as many as are, up to `max`; at least one. Those
    /// not needed are freed by dropping them. Of several that wait any may be served. The wait
    /// may be dropped at any moment and then holds nothing.
    pub async fn acquire(&self, max: usize) -> Vec<Permit> {
        // Subscribed before the first look, so that no permit is freed unseen between the two.
        let mut changes = self.pool.changes.subscribe();
        loop {
            let permits = self.try_acquire(max);
            if !permits.is_empty() {
                return permits;
            }
            // The sender lives as long as this pool, so that this is never an error.
            drop(changes.changed().await);
        }
    }

    /// Waits until a permit is free.
    pub async fn free_one(&self) {
        let mut changes = self.pool.changes.subscribe();
        while self.free() == 0 {
            drop(changes.changed().await);
        }
    }

    /// Waits until enough permits are free for a receive of up to `max` that is worth its call: one
    /// after another would cost a call for each message. On probation, and where none is held, one
    /// is enough.
    pub async fn worthwhile(&self, max: usize) {
        let mut changes = self.pool.changes.subscribe();
        while !self.pool.lock().is_worthwhile(max) {
            drop(changes.changed().await);
        }
    }

    /// Takes as many permits as are free, up to `max`, which counts as at least one; none where
    /// none is free.
    #[must_use]
    pub fn try_acquire(&self, max: usize) -> Vec<Permit> {
        let mut state = self.pool.lock();
        let count = state.free().min(max.max(1));
        state.held += count;
        drop(state);
        let permit = || Permit {
            pool: Arc::clone(&self.pool),
            settling: false,
        };
        std::iter::repeat_with(permit).take(count).collect()
    }

    /// Takes one permit even where the limit allows none, and one more than the pool holds: for
    /// a probe, when what is held may itself be at fault.
    #[must_use]
    pub fn try_acquire_beyond(&self) -> Option<Permit> {
        let mut state = self.pool.lock();
        if state.is_exceeded() {
            return None;
        }
        state.held += 1;
        drop(state);
        Some(Permit {
            pool: Arc::clone(&self.pool),
            settling: false,
        })
    }

    /// Whether more are held than the pool holds past its probation.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.pool.lock().is_exceeded()
    }

    /// Takes in that a mail was accepted whose send began since the last reset: the limit doubles.
    pub fn succeeded(&self) {
        let mut state = self.pool.lock();
        // Room for one more at least: what is held may be stubborn and stay.
        let doubled = state.limit.saturating_mul(2);
        let limit = doubled.max(state.held).min(state.concurrency);
        let proven = state.proven || doubled >= state.concurrency;
        if (limit, proven) == (state.limit, state.proven) {
            return;
        }
        (state.limit, state.proven) = (limit, proven);
        drop(state);
        self.pool.changes.send_replace(());
    }

    /// Begins the probation again, as after a breaker closed. Permits that are held stay valid,
    /// and none is free until fewer are held than the limit allows.
    pub fn reset(&self) {
        let mut state = self.pool.lock();
        state.limit = 1;
        state.proven = false;
    }

    /// How many are held, which after a reset may be more than the limit.
    #[must_use]
    pub fn held(&self) -> usize {
        self.pool.lock().held
    }

    /// How many may be taken now.
    #[must_use]
    pub fn free(&self) -> usize {
        self.pool.lock().free()
    }

    /// How many sends the probation allows now; past it, how many may be under way at once.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.pool.lock().limit
    }

    /// Waits until no permit is held, as when draining.
    pub async fn none_held(&self) {
        let mut changes = self.pool.changes.subscribe();
        while self.held() > 0 {
            drop(changes.changed().await);
        }
    }
}

impl Permit {
    /// Whether the message only waits for its delete, and that has not failed yet. A permit that is
    /// dropped meanwhile tells of a delete that worked.
    pub fn settles(&mut self, settling: bool) {
        if self.settling == settling {
            return;
        }
        self.settling = settling;
        let mut state = self.pool.lock();
        if settling {
            state.settling += 1;
        } else {
            state.settling = state.settling.saturating_sub(1);
            state.settles_well = false;
        }
        drop(state);
        self.pool.changes.send_replace(());
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.held = state.held.saturating_sub(1);
        if self.settling {
            state.settling = state.settling.saturating_sub(1);
            state.settles_well = true;
        }
        drop(state);
        self.pool.changes.send_replace(());
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock, so that a poisoned state is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn free(&self) -> usize {
        if self.proven && self.settles_well {
            self.total().saturating_sub(self.counted())
        } else {
            self.limit.saturating_sub(self.held)
        }
    }

    /// How many are held ready beside those that are being sent.
    fn ahead(&self) -> usize {
        self.concurrency / 5
    }

    fn total(&self) -> usize {
        self.concurrency + self.ahead()
    }

    /// Those held that count: all but some of those that settle.
    fn counted(&self) -> usize {
        let aside = self.settling.min(SETTLING).min(self.ahead());
        self.held.saturating_sub(aside)
    }

    fn is_exceeded(&self) -> bool {
        self.counted() > self.total()
    }

    fn is_worthwhile(&self, max: usize) -> bool {
        let enough = if self.proven && self.held > 0 {
            self.ahead().min(max).clamp(1, BATCH)
        } else {
            1
        };
        self.free() >= enough
    }
}

#[cfg(test)]
mod tests;
