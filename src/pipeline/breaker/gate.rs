//! Where workers, the poller and the account's reader wait for a breaker.

use std::sync::Arc;

use futures_util::future::OptionFuture;
use tokio::{
    sync::watch,
    time::{self, Instant},
};

use super::{Answer, MailBreaker, MailCause, Permission, Receiving, Status, Ticket, Transition};
use crate::{mutex::Mutex, ports::SendFailureKind};

/// A mail breaker that can be waited for. Every wait ends by a change of the breaker or at the time
/// that the breaker names, and may be dropped at any moment.
#[derive(Debug)]
pub struct MailGate {
    breaker: Mutex<MailBreaker>,
    changes: watch::Sender<()>,
}

/// The right to send one message once. Dropped unreported, as when the message is rejected, its
/// lease lost, or its worker stopped, it hands a probe on.
#[derive(Debug)]
pub struct Pass {
    gate: Arc<MailGate>,
    permission: Option<Permission>,
}

/// A place among the waiting, given up when dropped.
struct Place<'a> {
    gate: &'a MailGate,
    ticket: Ticket,
}

impl MailGate {
    /// A gate at this breaker.
    pub fn new(breaker: MailBreaker) -> Arc<Self> {
        Arc::new(Self {
            breaker: Mutex::new(breaker),
            changes: watch::Sender::new(()),
        })
    }

    fn change<R>(&self, act: impl FnOnce(&mut MailBreaker, Instant) -> R) -> R {
        let mut breaker = self.breaker.lock();
        let was_open = breaker.is_open();
        let result = act(&mut breaker, Instant::now());
        // A breaker that stays closed lets everybody pass. Those that watch it wait for its opening,
        // and are not woken for each mail that is sent.
        let stays_closed = !was_open && !breaker.is_open();
        drop(breaker);
        if !stays_closed {
            self.changes.send_replace(());
        }
        result
    }

    async fn wait<R>(&self, mut ask: impl FnMut(&mut MailBreaker, Instant) -> Answer<R>) -> R {
        // Most do not have to wait.
        if let Ok(result) = ask(&mut self.breaker.lock(), Instant::now()) {
            return result;
        }
        // Subscribed before the next question, so that no change falls between the two.
        let mut changes = self.changes.subscribe();
        loop {
            let until = match ask(&mut self.breaker.lock(), Instant::now()) {
                Ok(result) => return result,
                Err(until) => until,
            };
            tokio::select! {
                // The sender lives as long as this gate.
                _ = changes.changed() => {}
                Some(()) = OptionFuture::from(until.map(time::sleep_until)) => {}
            }
        }
    }

    /// Waits until the message with this key may be sent, as itself or as the probe.
    pub async fn pass(self: &Arc<Self>, key: &str) -> Pass {
        let place = Place {
            gate: self,
            ticket: self.breaker.lock().arrive(key),
        };
        let permission = self
            .wait(|breaker, now| breaker.ask(place.ticket, now))
            .await;
        Pass {
            gate: Arc::clone(self),
            permission: Some(permission),
        }
    }

    /// Waits until something may be received, and says how much.
    pub async fn receiving(&self) -> Receiving {
        self.wait(|breaker, now| {
            if !breaker.is_open() {
                Ok(Receiving::All)
            } else if breaker.wants_probe_message(now) {
                Ok(Receiving::OneProbe)
            } else {
                Err(breaker.next_due(now))
            }
        })
        .await
    }

    /// Waits until the account is to be asked whether it may send. Whoever waits here asks it, and
    /// says what came of it: the next probe waits for that.
    pub async fn account_check(&self) {
        self.wait(|breaker, now| {
            if breaker.begin_account_check(now) {
                Ok(())
            } else {
                Err(breaker.next_due(now))
            }
        })
        .await;
    }

    /// Takes in what came of it; see [`MailBreaker::end_account_check`].
    pub fn account_checked(&self, refused: bool) {
        self.change(|breaker, now| breaker.end_account_check(refused, now));
    }

    /// Tells the breaker how many messages may be held at once.
    pub fn set_room(&self, messages: usize) {
        self.breaker.lock().set_room(messages);
    }

    /// Whether the breaker is open.
    pub fn is_open(&self) -> bool {
        self.breaker.lock().is_open()
    }

    /// What there is to say of it while it is open.
    pub fn status(&self) -> Option<Status<MailCause>> {
        self.breaker.lock().status()
    }

    /// How many messages wait at it while it is open.
    pub fn waiting(&self) -> usize {
        self.breaker.lock().waiting()
    }
}

impl Pass {
    /// Whether this send is the probe of an open breaker.
    pub fn is_probe(&self) -> bool {
        self.permission.as_ref().is_some_and(Permission::is_probe)
    }

    /// Whether the breaker has neither opened nor closed since this was given. To be asked right
    /// before the send, where something was waited for in between.
    pub fn is_current(&self) -> bool {
        let breaker = self.gate.breaker.lock();
        self.permission
            .as_ref()
            .is_some_and(|permission| breaker.is_current(permission))
    }

    /// Waits until this is no longer current, to race with other waits before the send.
    pub async fn outdated(&self) {
        self.gate
            .wait(|breaker, _| match &self.permission {
                Some(permission) if breaker.is_current(permission) => Err(None),
                _ => Ok(()),
            })
            .await;
    }

    /// Reports how the send ended.
    #[must_use = "a transition is logged by whoever caused it"]
    pub fn report(mut self, result: Result<(), SendFailureKind>) -> Option<Transition<MailCause>> {
        let permission = self.permission.take()?;
        self.gate
            .change(|breaker, now| breaker.report(permission, result, now))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(permission) = self.permission.take() {
            self.gate
                .change(|breaker, now| breaker.abandon(&permission, now));
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let left = self.gate.breaker.lock().leave(self.ticket);
        // Somebody else may be next now.
        if left {
            self.gate.changes.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests;
