//! Where workers, the poller and the account's reader wait for a breaker.

use std::sync::Arc;

use futures_util::future::OptionFuture;
use tokio::{
    sync::watch,
    time::{self, Duration, Instant},
};

use super::{
    AccountWord, Answer, MailBreaker, MailCause, Permission, Receiving, Said, Standing, Status,
    Ticket, Transition, Unanswered, Verdict, WitnessPermission,
};
use crate::{mutex::Mutex, ports::SendFailure};

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

/// The right to send one witness. Dropped unreported, it hands a probe on.
#[derive(Debug)]
pub struct WitnessPass {
    gate: Arc<MailGate>,
    permission: Option<WitnessPermission>,
}

/// What is left of a pass whose send had no answer, to be used if an event shows that the mail was
/// accepted.
#[derive(Debug)]
pub struct UnansweredPass {
    gate: Arc<MailGate>,
    unanswered: Unanswered,
}

/// What the breaker knows of a message that it may suspect, until dropped: then the message is no
/// longer held.
#[derive(Debug)]
pub struct Suspicion<'a> {
    gate: &'a MailGate,
    key: &'a str,
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
        let stays_closed = !was_open && !breaker.is_open() && !breaker.take_wake_waiters();
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

    async fn wait_while(&self, so: impl Fn(&MailBreaker) -> bool) {
        let ask = |breaker: &mut MailBreaker, _| if so(breaker) { Err(None) } else { Ok(()) };
        self.wait(ask).await;
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

    /// Waits until a witness may be sent.
    pub async fn witness(self: &Arc<Self>) -> WitnessPass {
        let permission = self.wait(MailBreaker::ask_witness).await;
        WitnessPass {
            gate: Arc::clone(self),
            permission: Some(permission),
        }
    }

    /// Remembers what the breaker learns of the message with this key until this is dropped.
    pub fn suspect<'a>(&'a self, key: &'a str) -> Suspicion<'a> {
        Suspicion { gate: self, key }
    }

    /// Takes in that a stop has begun; see [`MailBreaker::begin_drain`].
    pub fn begin_drain(&self) {
        self.change(|breaker, _| breaker.begin_drain());
    }

    /// Takes in that another version of the template is in force.
    pub fn begin_with_another_template(&self) {
        self.change(|breaker, _| breaker.begin_with_another_template());
    }

    /// Whether a suspect cannot wait for an acceptance to come by itself.
    pub fn is_hurried(&self) -> bool {
        self.breaker.lock().is_hurried()
    }

    /// Whether there are suspects: then the account says what an accepted witness proves.
    pub fn has_suspects(&self) -> bool {
        self.breaker.lock().has_suspects()
    }

    /// Takes in that the probe is being received; see [`MailBreaker::probe_receive_started`].
    pub fn probe_receive_started(&self) {
        self.breaker.lock().probe_receive_started(Instant::now());
    }

    /// Takes in that a message ended before it was tried; see [`MailBreaker::ended_untried`].
    pub fn ended_untried(&self) {
        // While it is closed nobody waits for that.
        if self.is_open() {
            self.change(MailBreaker::ended_untried);
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
    pub fn account_checked(&self, word: AccountWord) {
        self.change(|breaker, now| breaker.end_account_check(word, now));
    }

    /// Tells the breaker how many messages may be held at once, and how long one mail takes at the
    /// rate in force.
    pub fn set_room(&self, messages: usize, pace: Duration) {
        let mut breaker = self.breaker.lock();
        breaker.set_room(messages);
        breaker.set_pace(pace);
    }

    /// What the mail service said when the breaker opened.
    pub fn said(&self) -> Option<Said> {
        self.breaker.lock().said()
    }

    /// Whether the breaker is open.
    pub fn is_open(&self) -> bool {
        self.breaker.lock().is_open()
    }

    /// Waits until it is closed.
    pub async fn closed(&self) {
        self.wait_while(MailBreaker::is_open).await;
    }

    /// What there is to say of it while it is open.
    pub fn status(&self) -> Option<Status<MailCause>> {
        self.breaker.lock().status()
    }

    /// In how long the next probe is due, while the breaker is open and none is under way.
    pub fn next_probe(&self) -> Option<Duration> {
        self.breaker.lock().next_probe(Instant::now())
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
        let current = |breaker: &MailBreaker| {
            self.permission
                .as_ref()
                .is_some_and(|permission| breaker.is_current(permission))
        };
        self.gate.wait_while(current).await;
    }

    /// What is left of it where the send has no answer. To be asked before that is reported.
    pub fn unanswered(&self) -> Option<UnansweredPass> {
        let permission = self.permission.as_ref()?;
        Some(UnansweredPass {
            gate: Arc::clone(&self.gate),
            unanswered: permission.unanswered(),
        })
    }

    /// Reports how the send ended. `began`: when it began.
    #[must_use = "a transition is logged by whoever caused it"]
    pub fn report(mut self, began: Instant, result: Result<(), &SendFailure>) -> Verdict {
        let Some(permission) = self.permission.take() else {
            return Verdict {
                transition: None,
                at_fault: false,
            };
        };
        self.gate
            .change(|breaker, now| breaker.report(permission, began, result, now))
    }
}

impl WitnessPass {
    /// Whether this witness is the probe of an open breaker.
    pub fn is_probe(&self) -> bool {
        self.permission
            .as_ref()
            .is_some_and(WitnessPermission::is_probe)
    }

    /// Whether it is still wanted. To be asked right before the send.
    pub fn is_wanted(&self) -> bool {
        let breaker = self.gate.breaker.lock();
        self.permission
            .as_ref()
            .is_some_and(|permission| breaker.wants_witness(permission))
    }

    /// Waits until this is no longer current.
    pub async fn outdated(&self) {
        let current = |breaker: &MailBreaker| {
            self.permission
                .as_ref()
                .is_some_and(|permission| breaker.is_witness_current(permission))
        };
        self.gate.wait_while(current).await;
    }

    /// What is left of it where the send has no answer. To be asked before that is reported.
    pub fn unanswered(&self) -> Option<UnansweredPass> {
        let permission = self.permission.as_ref()?;
        Some(UnansweredPass {
            gate: Arc::clone(&self.gate),
            unanswered: permission.unanswered(),
        })
    }

    /// Reports how the witness ended. `began`: when its send began.
    #[must_use = "a transition is logged by whoever caused it"]
    pub fn report(
        mut self,
        began: Instant,
        result: Result<Standing, &SendFailure>,
    ) -> Option<Transition<MailCause>> {
        let permission = self.permission.take()?;
        self.gate
            .change(|breaker, now| breaker.report_witness(&permission, began, result, now))
    }
}

impl UnansweredPass {
    /// An event shows that the mail was accepted. `began`: when its send began.
    #[must_use = "a transition is logged by whoever caused it"]
    pub fn heard(self, began: Instant) -> Option<Transition<MailCause>> {
        self.gate
            .change(|breaker, now| breaker.hear(&self.unanswered, began, now))
    }

    /// The same of a witness, with what its acceptance proves.
    #[must_use = "a transition is logged by whoever caused it"]
    pub fn heard_of_witness(
        self,
        began: Instant,
        standing: Standing,
    ) -> Option<Transition<MailCause>> {
        self.gate
            .change(|breaker, now| breaker.hear_witness(&self.unanswered, began, standing, now))
    }
}

impl Suspicion<'_> {
    /// An acceptance is wanted at once.
    pub fn hurry(&self) {
        self.gate.change(|breaker, _| breaker.hurry(self.key));
    }
}

impl Drop for Suspicion<'_> {
    fn drop(&mut self) {
        self.gate.change(|breaker, _| breaker.forget(self.key));
    }
}

impl Drop for WitnessPass {
    fn drop(&mut self) {
        if let Some(permission) = self.permission.take() {
            self.gate
                .change(|breaker, now| breaker.abandon_witness(&permission, now));
        }
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
