//! Where workers, the poller and the account's reader wait for a breaker.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{
    sync::watch,
    time::{self, Instant},
};

use super::{
    AccountSays, Answer, MailBreaker, MailCause, Permission, Status, TemplateBreaker,
    TemplateCause, Ticket, Transition,
};
use crate::ports::SendFailureKind;

/// A breaker that a gate can be built at.
pub trait Breaker {
    /// Whether it lets everybody pass. As long as it stays so, whatever it takes in changes the
    /// answer to no question that somebody waits with: who has come through waits for it to open,
    /// which is the end of this rest.
    fn is_at_rest(&self) -> bool;
}

/// A breaker that can be waited for. Every wait ends by a change of the breaker or at the time
/// that the breaker names, and may be dropped at any moment.
#[derive(Debug)]
pub struct Gate<M> {
    machine: Mutex<M>,
    changes: watch::Sender<()>,
}

/// What may be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiving {
    /// As many messages as the window has room for.
    All,
    /// One, alone, where all that are held wait at the breaker, if any: it becomes the probe.
    OneProbe,
}

/// The right to send one message once. Dropped unreported, as when the message is rejected, its
/// lease lost, or its worker stopped, it hands a probe on.
#[derive(Debug)]
pub struct Pass {
    gate: Arc<Gate<MailBreaker>>,
    permission: Option<Permission>,
}

/// The task to ask the account whether it may send. Dropped unanswered it leaves that to a probe.
#[derive(Debug)]
pub struct AccountCheck {
    gate: Arc<Gate<MailBreaker>>,
    answered: bool,
}

enum Step<R> {
    Done(R),
    Wait { until: Option<Instant> },
}

/// A place among the waiting, given up when dropped.
struct Place<'a> {
    gate: &'a Gate<MailBreaker>,
    ticket: Ticket,
}

impl<M: Breaker> Gate<M> {
    /// A gate at this breaker.
    pub fn new(machine: M) -> Arc<Self> {
        Arc::new(Self {
            machine: Mutex::new(machine),
            changes: watch::Sender::new(()),
        })
    }

    fn lock(&self) -> MutexGuard<'_, M> {
        // The machines do not panic, so that a poisoned one is a whole one.
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<R>(&self, act: impl FnOnce(&mut M, Instant) -> R) -> R {
        let mut machine = self.lock();
        let rested = machine.is_at_rest();
        let result = act(&mut machine, Instant::now());
        // Else each message that is sent would wake all those that watch it while they wait for a
        // slot or the rate.
        let rests = rested && machine.is_at_rest();
        drop(machine);
        if !rests {
            self.changes.send_replace(());
        }
        result
    }

    async fn wait<R>(&self, mut ask: impl FnMut(&mut M, Instant) -> Step<R>) -> R {
        // Most do not have to wait.
        if let Step::Done(result) = ask(&mut self.lock(), Instant::now()) {
            return result;
        }
        // Subscribed before the next question, so that no change falls between the two.
        let mut changes = self.changes.subscribe();
        loop {
            let step = ask(&mut self.lock(), Instant::now());
            let until = match step {
                Step::Done(result) => return result,
                Step::Wait { until } => until,
            };
            let due = async {
                match until {
                    Some(until) => time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // The sender lives as long as this gate.
                _ = changes.changed() => {}
                () = due => {}
            }
        }
    }
}

impl Gate<MailBreaker> {
    /// Waits until the message with this key may be sent, as itself or as the probe.
    pub async fn pass(self: &Arc<Self>, key: &str) -> Pass {
        let place = Place {
            gate: self,
            ticket: self.lock().arrive(key, Instant::now()),
        };
        let permission = self
            .wait(|breaker, now| match breaker.ask(place.ticket, now) {
                Answer::Go(permission) => Step::Done(permission),
                Answer::Wait { until } => Step::Wait { until },
            })
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
                Step::Done(Receiving::All)
            } else if breaker.wants_probe_message(now) {
                Step::Done(Receiving::OneProbe)
            } else {
                let until = breaker.next_due(now);
                Step::Wait { until }
            }
        })
        .await
    }

    /// Waits until the account is to be asked whether it may send.
    pub async fn account_check(self: &Arc<Self>) -> AccountCheck {
        self.wait(|breaker, now| {
            if breaker.account_check_due(now) {
                breaker.begin_account_check();
                Step::Done(())
            } else {
                let until = breaker.next_due(now);
                Step::Wait { until }
            }
        })
        .await;
        AccountCheck {
            gate: Arc::clone(self),
            answered: false,
        }
    }

    /// Tells the breaker how many messages may be held at once.
    pub fn set_room(&self, messages: usize) {
        self.lock().set_room(messages);
    }

    /// Whether the breaker is open.
    pub fn is_open(&self) -> bool {
        self.lock().is_open()
    }

    /// What there is to say of it while it is open.
    pub fn status(&self) -> Option<Status<MailCause>> {
        self.lock().status(Instant::now())
    }
}

impl Gate<TemplateBreaker> {
    /// Waits until the breaker is closed.
    pub async fn closed(&self) {
        let _place = self.place();
        self.wait(|breaker, _| {
            if breaker.is_open() {
                Step::Wait { until: None }
            } else {
                Step::Done(())
            }
        })
        .await;
    }

    /// Waits until there is a template to try a message with, be it suspected.
    pub async fn template(&self) {
        let _place = self.place();
        self.wait(|breaker, _| {
            if breaker.has_template() {
                Step::Done(())
            } else {
                Step::Wait { until: None }
            }
        })
        .await;
    }

    /// Waits until something may be received, and says how much. Unlike [`Gate::closed`] this
    /// counts as no message.
    pub async fn receiving(&self) -> Receiving {
        self.wait(|breaker, now| {
            if !breaker.is_open() {
                Step::Done(Receiving::All)
            } else if breaker.may_receive_one(now) {
                Step::Done(Receiving::OneProbe)
            } else {
                Step::Wait {
                    until: breaker.receive_at(),
                }
            }
        })
        .await
    }

    /// Takes in that the single message is being received, so that the next is not due at once.
    pub fn receive_one(&self) {
        self.lock().receive_one(Instant::now());
    }

    fn place(&self) -> TemplatePlace<'_> {
        TemplatePlace {
            gate: self,
            ticket: self.lock().arrive(Instant::now()),
        }
    }

    /// Tells the breaker what happened; see its methods.
    pub fn tell(
        &self,
        what: impl FnOnce(&mut TemplateBreaker, Instant) -> Option<Transition<TemplateCause>>,
    ) -> Option<Transition<TemplateCause>> {
        self.change(what)
    }

    /// Whether the breaker is open.
    pub fn is_open(&self) -> bool {
        self.lock().is_open()
    }

    /// What there is to say of it while it is open.
    pub fn status(&self) -> Option<Status<TemplateCause>> {
        self.lock().status(Instant::now())
    }
}

impl Pass {
    /// Whether this send is the probe of an open breaker.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.permission.as_ref().is_some_and(Permission::is_probe)
    }

    /// Whether the breaker has neither opened nor closed since this was given. To be asked right
    /// before the send, where something was waited for in between.
    #[must_use]
    pub fn is_current(&self) -> bool {
        let breaker = self.gate.lock();
        self.permission
            .as_ref()
            .is_some_and(|permission| breaker.is_current(permission))
    }

    /// Waits until this is no longer current, to race with other waits before the send.
    pub async fn outdated(&self) {
        self.gate
            .wait(|breaker, _| match &self.permission {
                Some(permission) if breaker.is_current(permission) => Step::Wait { until: None },
                _ => Step::Done(()),
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

impl AccountCheck {
    /// Reports what the account said.
    pub fn answer(mut self, says: AccountSays) {
        self.end(says);
    }

    fn end(&mut self, says: AccountSays) {
        self.answered = true;
        self.gate
            .change(|breaker, now| breaker.end_account_check(says, now));
    }
}

impl Drop for AccountCheck {
    fn drop(&mut self) {
        if !self.answered {
            self.end(AccountSays::Unknown);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let left = self.gate.lock().leave(self.ticket);
        // Somebody else may be next now.
        if left {
            self.gate.changes.send_replace(());
        }
    }
}

/// A place among those who wait for a template, given up when dropped.
struct TemplatePlace<'a> {
    gate: &'a Gate<TemplateBreaker>,
    ticket: Ticket,
}

impl Drop for TemplatePlace<'_> {
    fn drop(&mut self) {
        self.gate.lock().leave(self.ticket);
    }
}

#[cfg(test)]
mod tests;
