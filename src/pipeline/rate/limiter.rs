//! Where workers wait for their share of the rate.

use tokio::{
    sync::{self, watch},
    time::{self, Duration, Instant},
};

use super::RateLimiter;
use crate::{mutex::Mutex, ports::SendRate};

/// A [`RateLimiter`] that can be waited for, in order of arrival. A wait may be dropped at any
/// moment. It takes nothing then and delays nobody.
#[derive(Debug)]
pub struct Limiter {
    state: Mutex<State>,
    /// Held by the first in the line while it waits for the bucket; it gives the line its order.
    first: sync::Mutex<()>,
    changes: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    rate: RateLimiter,
    waiting_recipients: usize,
}

/// Recipients counted as waiting, until dropped.
struct Waiting<'a> {
    limiter: &'a Limiter,
    recipients: usize,
}

impl Limiter {
    /// A limiter whose bucket holds a second's worth.
    pub fn new(setting: SendRate) -> Self {
        Self {
            state: Mutex::new(State {
                rate: RateLimiter::new(setting, Instant::now()),
                waiting_recipients: 0,
            }),
            first: sync::Mutex::new(()),
            changes: watch::Sender::new(()),
        }
    }

    /// Waits until a mail of so many recipients may go, and takes their share.
    pub async fn take(&self, recipients: usize) {
        self.state.lock().waiting_recipients += recipients;
        let _waiting = Waiting {
            limiter: self,
            recipients,
        };
        // Tokio's mutex is fair: those that wait for it take their share in order of arrival.
        let _first = self.first.lock().await;
        let mut changes = self.changes.subscribe();
        loop {
            let ready_at = {
                let mut state = self.state.lock();
                let now = Instant::now();
                if state.rate.try_take(recipients, now) {
                    return;
                }
                state.rate.ready_at(now)
            };
            tokio::select! {
                () = time::sleep_until(ready_at) => {}
                // A new rate makes the moment void. The sender lives as long as this limiter, so
                // that an error cannot come.
                _ = changes.changed() => {}
            }
        }
    }

    /// Gives back the share that was taken for a mail of so many recipients, which does not go now.
    pub fn give_back(&self, recipients: usize) {
        let mut state = self.state.lock();
        state.rate.give_back(recipients, Instant::now());
        drop(state);
        self.changes.send_replace(());
    }

    /// Gives back a share that was taken so long ago: what time has restored of it by now is used up.
    pub fn give_back_late(&self, recipients: usize, taken_ago: Duration) {
        let mut state = self.state.lock();
        state
            .rate
            .give_back_late(recipients, taken_ago, Instant::now());
        drop(state);
        self.changes.send_replace(());
    }

    /// Takes in the account's rate; see [`RateLimiter::account_rate`].
    pub fn account_rate(&self, rate: f64) {
        self.state.lock().rate.account_rate(rate, Instant::now());
        self.changes.send_replace(());
    }

    /// Takes in that a request which began at `began` was throttled. Whether the rate was lowered
    /// for it.
    pub fn throttled(&self, began: Instant) -> bool {
        let lowered = self.state.lock().rate.throttled(began, Instant::now());
        self.changes.send_replace(());
        lowered
    }

    /// How many more messages may be received while so many are held; see
    /// [`RateLimiter::receivable`]. The recipients that wait here are known; `coming_recipients`
    /// are those of held messages that have yet to come here.
    pub fn receivable(&self, coming_recipients: usize, held: usize) -> usize {
        let mut state = self.state.lock();
        let waiting = state.waiting_recipients.saturating_add(coming_recipients);
        state.rate.receivable(waiting, held, Instant::now())
    }

    /// The rate now, in recipients per second; `None` where it is unlimited.
    pub fn rate(&self) -> Option<f64> {
        self.state.lock().rate.rate()
    }

    /// How many recipients wait.
    pub fn waiting_recipients(&self) -> usize {
        self.state.lock().waiting_recipients
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.state.lock();
        state.waiting_recipients = state.waiting_recipients.saturating_sub(self.recipients);
    }
}

#[cfg(test)]
mod tests;
