//! One message from receipt to outcome.

mod steps;
mod turn;

use std::{mem, panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::time::Instant;
use tracing::error;

use super::{
    breaker::{Pass, UnansweredPass},
    drain::Drain,
    gates::{Fault, Gates},
    lease::Lease,
    open_polls::OpenPolls,
    outcome::{Ending, Outcome, Settlement, conclude},
    progress::Progress,
    rate::Limiter,
    receive_limit::ReceiveLimit,
    report::{self, Notes},
    retry_clock::RetryClock,
    settle::{SettleResult, Settler},
    window::{Place, Sending, Unanswered, Window},
};
use crate::{
    backoff::Backoff,
    feedback::Hearing,
    ledger::{Ledger, SendGuard},
    mutex::Mutex,
    notification::{Composer, Envelope, Event, EventHash, Mail, MailKey},
    ports::{
        AccountCause, Mailer, ReceivedMessage, SendFailure, SendFailureKind, Tags, TemplateVersion,
    },
    telemetry::{Instruments, names::ours},
    template_store::TemplateStore,
    timing::longest_send,
};

/// What a worker may take beyond its retry budget and two send timeouts before it counts as stuck.
/// All its waits are bounded or do not count, so only a bug can exceed this.
const STUCK_AFTER: Duration = Duration::from_mins(1);

/// At most this many attempts of one receive may end without an answer: each of them may have been
/// mailed.
const UNKNOWN_SENDS_MAX: u32 = 2;

/// What all workers share. Until its outcome is known a message is worked on with the one part, from
/// then on with the other.
pub(crate) struct Shared {
    pub(crate) delivering: Delivering,
    pub(crate) settling: Settling,
}

/// What a worker needs to settle a message.
pub(crate) struct Settling {
    pub(crate) settler: Settler,
    pub(crate) open_polls: Arc<OpenPolls>,
}

/// What a worker needs to deliver a message.
pub(crate) struct Delivering {
    pub(crate) composer: Composer,
    pub(crate) templates: Arc<TemplateStore>,
    pub(crate) gates: Arc<Gates>,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) window: Arc<Window>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) ledger: Arc<dyn Ledger>,
    /// Whether the mail service's events arrive, where they are read.
    pub(crate) hearing: Option<Arc<Hearing>>,
    pub(crate) drain: Arc<Drain>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) send_timeout: Duration,
    pub(crate) max_elapsed: Duration,
    pub(crate) max_receive_count: Arc<ReceiveLimit>,
    pub(crate) instruments: Arc<Instruments>,
}

/// A message with the two things that it is held by.
pub(crate) struct Delivery {
    pub(crate) message: ReceivedMessage,
    pub(crate) lease: Lease,
    pub(crate) place: Place,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    /// False if a delete was given up, a give-back was given up during a drain, or a send was cut short.
    pub(crate) accounted_for: bool,
}

/// Takes one delivery to its outcome and settles it. Lease and place are held until then.
pub(crate) async fn work(shared: Arc<Shared>, delivery: Delivery) -> Finished {
    let Delivery {
        mut message,
        lease,
        mut place,
    } = delivery;
    let body = mem::take(&mut message.body);
    let began = Instant::now();
    let notes = Mutex::new(Notes::default());
    let clock = RetryClock::start();
    let (delivering, settling) = (&shared.delivering, &shared.settling);
    let worker = Worker {
        context: delivering,
        message: &message,
        lease: &lease,
        clock: &clock,
        notes: &notes,
    };
    let waiting = delivering.progress.wait();
    let ending = worker.bounded(body).await;
    drop(waiting);
    if notes.lock().attempts == 0 {
        delivering.gates.ended_untried();
    }
    let receive_count = worker.receive_count();
    let max_receive_count = delivering.max_receive_count.get();
    let (outcome, settlement) = conclude(ending, receive_count, max_receive_count);
    report::ended(
        &delivering.instruments,
        outcome,
        &mut notes.lock(),
        began.elapsed(),
    );
    let notes = mem::take(&mut *notes.lock());
    let receive = (receive_count, max_receive_count);
    report::outcome(&message, receive, outcome, ending, &notes, began.elapsed());
    let aside = delivering.window.step_aside();
    let settled = match settlement {
        Settlement::Delete => {
            place.set_settling(true);
            let failed = || place.set_settling(false);
            Some(settling.settler.delete(&lease, failed).await)
        }
        Settlement::Visible { after } => {
            // A poll of ours that is still under way must not get what is released.
            let after = match ending {
                Ending::Drained | Ending::DrainedUnjudged => {
                    after.max(settling.open_polls.remaining())
                }
                _ => after,
            };
            Some(settling.settler.give_back(&lease, after).await)
        }
        Settlement::Leave => None,
    };
    drop(aside);
    if settlement == Settlement::Delete
        && let Some(SettleResult::GivenUp | SettleResult::LeaseLost) = settled
    {
        let given_up = settled == Some(SettleResult::GivenUp);
        let receive = (worker.receive_count(), delivering.max_receive_count.get());
        report::not_deleted(&message.id, receive, &notes, given_up);
    }
    delivering.instruments.spans.forget(&message.receipt);
    drop(lease);
    drop(place);
    // A message whose give-back was given up becomes visible by itself, which only a stop does not wait
    // for. After a delete that was given up, or a send that was cut short, it can be mailed again.
    let given_up = settled == Some(SettleResult::GivenUp)
        && (settlement == Settlement::Delete || delivering.drain.has_begun());
    let cut_short = ending == Ending::DrainedInSend;
    Finished {
        outcome,
        accounted_for: !given_up && !cut_short,
    }
}

impl Delivering {
    /// A mail was accepted. `began`: when its send began.
    fn accepted(&self, pass: Pass, slot: Option<Sending>, began: Instant) {
        self.progress.accepted();
        if let Some(hearing) = &self.hearing {
            hearing.accepted();
        }
        self.gates.accepted(pass, slot, began);
    }

    /// An event shows that a mail was accepted whose send had no answer.
    fn heard(&self, pass: UnansweredPass, slot: Option<Unanswered>, began: Instant) {
        self.progress.accepted();
        self.gates.heard(pass, slot, began);
    }
}

struct Worker<'a> {
    context: &'a Delivering,
    message: &'a ReceivedMessage,
    lease: &'a Lease,
    clock: &'a RetryClock,
    notes: &'a Mutex<Notes>,
}

impl Worker<'_> {
    /// [`Worker::handle`], with an ending also where it panics or is stuck: then all its guards
    /// have been dropped.
    async fn bounded(&self, body: String) -> Ending {
        // The message may be received again meanwhile: its last receive has a larger budget.
        let bound = || self.budget() + longest_send(self.context.send_timeout) + STUCK_AFTER;
        // A worker that ends at its bound has ended: what it says counts more than its bound.
        let handled = tokio::select! {
            biased;
            handled = AssertUnwindSafe(self.handle(body)).catch_unwind() => handled.ok(),
            bound = self.clock.reaches(bound) => {
                error!(
                    messaging.message.id = self.message.id,
                    notifier.bound_s = bound.as_secs(),
                    "a worker took too long and was aborted, which is a bug in this program"
                );
                None
            }
        };
        if let Some(Ok(ending) | Err(ending)) = handled {
            ending
        } else {
            let key = self.notes.lock().key.clone();
            let sent = match key {
                Some(key) => self.context.ledger.is_sent(key.as_str()).await,
                None => false,
            };
            Ending::Panicked { sent }
        }
    }

    /// From body to ending. `Err` is an early return; both hold the ending.
    async fn handle(&self, body: String) -> Result<Ending, Ending> {
        let opened = self.context.composer.open(&body);
        // A message may be held for long, and what was read of it is all that is needed.
        drop(body);
        let spans = &self.context.instruments.spans;
        let span = match &opened {
            Ok(Envelope::Notification {
                message_id,
                attributes,
                hash,
                ..
            }) => {
                let key = self.key(message_id.as_deref(), *hash);
                let span = spans.process(self.message, attributes, Some(key.notification_id()));
                self.notes.lock().key = Some(key);
                span
            }
            _ => spans.process(self.message, &[], None),
        };
        self.notes.lock().span = span;
        match opened {
            Ok(Envelope::Notification {
                message_id,
                event,
                hash,
                ..
            }) => {
                let key = self.key(message_id.as_deref(), hash);
                self.claim(&key, &event).await
            }
            Ok(Envelope::Control { kind }) => {
                self.note_error("control_message", &kind);
                Ok(Ending::ControlMessage)
            }
            Err(malformed) => {
                self.note_error(malformed.kind(), &malformed);
                Ok(Ending::Rejected)
            }
        }
    }

    /// What the ledger knows the message by: the notification's id where it has one, else the queue's,
    /// and what was published.
    fn key(&self, notification_id: Option<&str>, event: EventHash) -> MailKey {
        MailKey::of_message(notification_id, &self.message.id, event)
    }

    /// Delivers the event unless it was delivered before.
    async fn claim(&self, key: &MailKey, event: &Event) -> Result<Ending, Ending> {
        let claim = {
            let _aside = self.context.window.step_aside();
            let begin = self
                .clock
                .pause_during(self.context.ledger.begin(key.as_str()));
            // A stop does not release a copy whose twin is being sent: the next receiver would send
            // it a second time. If that send gets no answer in time, the copy is kept like the
            // twin.
            tokio::select! {
                biased;
                () = self.context.drain.wait_abandon() => return Err(Ending::DrainedInSend),
                claim = begin => claim,
                () = self.lease.lost() => return Err(Ending::LeaseLost),
            }
        };
        match claim {
            None => Ok(Ending::AlreadySent),
            Some(guard) => self.deliver(key, event, &*guard).await,
        }
    }

    /// Attempts until there is an ending. Whatever it is, a mail that is known as sent by then was sent.
    async fn deliver(
        &self,
        key: &MailKey,
        event: &Event,
        guard: &dyn SendGuard,
    ) -> Result<Ending, Ending> {
        let ending = self.attempt(key, event, guard).await;
        let (Ok(ending) | Err(ending)) = ending;
        let is_settled = matches!(
            ending,
            Ending::Sent | Ending::SentByEvent | Ending::SentByRecord | Ending::AlreadySent
        );
        let (told, by) = match guard.heard() {
            // Others may know more. The last moments of a stop leave no time for the question, and one that
            // the process slept through is at its last moments before anybody noticed.
            None if !is_settled => {
                let told = tokio::select! {
                    biased;
                    () = self.context.drain.wait_abandon() => None,
                    told = guard.look() => told,
                };
                (told, Ending::SentByRecord)
            }
            heard => (heard, Ending::SentByEvent),
        };
        match told {
            Some(email_id) if !matches!(ending, Ending::Sent | Ending::SentByRecord) => {
                let mut notes = self.notes.lock();
                notes.email_id = Some(email_id);
                // Without an attempt of this one's it was another copy, or another process.
                Ok(if notes.attempts > 0 {
                    by
                } else {
                    Ending::AlreadySent
                })
            }
            _ => Ok(ending),
        }
    }

    async fn attempt(
        &self,
        key: &MailKey,
        event: &Event,
        guard: &dyn SendGuard,
    ) -> Result<Ending, Ending> {
        let mut retries = Backoff::retries();
        // What it is held by once it was refused and it is not known whose fault that is.
        let mut suspicion = None;
        loop {
            let prepared = {
                let suspected = suspicion.as_ref().map(|(suspicion, _)| suspicion);
                let preparing = pin!(self.prepare(key.as_str(), event, suspected));
                self.unless_heard(guard, preparing).await?
            };
            let Some((mail, version, pass, slot)) = prepared else {
                continue;
            };
            // What waited as a suspect is tried with the template in force.
            let in_force = self.context.templates.in_force();
            let replaced =
                in_force.is_none_or(|template| template.version.blob_id != version.blob_id);
            if suspicion.is_some() && replaced {
                continue;
            }
            let recipients = mail.to.len();
            let how = (recipients, suspicion.is_some());
            let Some((pass, slot)) = self.claim_mail(guard, pass, slot, how).await? else {
                continue;
            };
            let began = Instant::now();
            let failure = match self.send(key, mail, &version).await? {
                Ok(email_id) => {
                    guard.sent(&email_id).await;
                    self.notes.lock().email_id = Some(email_id);
                    self.context.accepted(pass, slot, began);
                    // It is nobody's fault any more.
                    drop(suspicion.take());
                    self.recorded(guard).await;
                    return Ok(Ending::Sent);
                }
                Err(failure) => failure,
            };
            self.note_failure(&failure);
            if failure.kind != SendFailureKind::OutcomeUnknown {
                guard.not_sent();
            }
            let mut unanswered = None;
            match failure.kind {
                SendFailureKind::Throttled => {
                    self.context.limiter.throttled(began);
                }
                SendFailureKind::OutcomeUnknown => {
                    self.notes.lock().unknown += 1;
                    unanswered = pass.unanswered();
                }
                SendFailureKind::Refused
                | SendFailureKind::RecipientNotVerified
                | SendFailureKind::AccountWide(AccountCause::AccessDenied) => {
                    suspicion.get_or_insert_with(|| {
                        let gate = &self.context.gates.mail;
                        (
                            gate.suspect(key.as_str()),
                            self.context.window.hold_beside(),
                        )
                    });
                }
                SendFailureKind::Transient | SendFailureKind::AccountWide(_) => {}
            }
            let slot = slot.map(Sending::unanswered);
            let fault = self.context.gates.failed(pass, began, recipients, &failure);
            if fault == Fault::OfMessage {
                return Ok(Ending::Rejected);
            }
            if let Some(pass) = unanswered {
                let is_beside = suspicion.is_some();
                if self.event_settles(guard, is_beside).await? {
                    self.context.heard(pass, slot, began);
                    return Err(Ending::SentByEvent);
                }
            }
            match failure.kind {
                // The breaker says when to go on: it is open now, or knows the message as a suspect.
                SendFailureKind::AccountWide(_)
                | SendFailureKind::Refused
                | SendFailureKind::RecipientNotVerified => continue,
                SendFailureKind::Throttled
                | SendFailureKind::Transient
                | SendFailureKind::OutcomeUnknown => {}
            }
            let left = self.budget().saturating_sub(self.clock.elapsed());
            if self.notes.lock().unknown >= UNKNOWN_SENDS_MAX {
                return Ok(self.unknown_at_limit(guard, left).await);
            }
            if left.is_zero() {
                return Ok(Ending::BudgetSpent);
            }
            // While the breaker is open its schedule sets the pace, and who sleeps cannot probe.
            if !self.context.gates.mail.is_open() {
                let pausing = async {
                    let pause = pin!(self.pause(retries.next_delay().min(left)));
                    // The rate is the account's: however long it throttles, no message is at fault.
                    match failure.kind {
                        SendFailureKind::Throttled => self.wait(pause).await,
                        _ => self.wait_own(pause).await,
                    }
                };
                self.unless_heard(guard, pin!(pausing)).await?;
            }
        }
    }

    /// One attempt to send, with its span and its count. An attempt that the drain cuts short is an
    /// ending.
    async fn send(
        &self,
        key: &MailKey,
        mail: Box<Mail>,
        version: &TemplateVersion,
    ) -> Result<Result<String, SendFailure>, Ending> {
        let instruments = &self.context.instruments;
        instruments.metrics.sending(self.lease.margin());
        let span = {
            let mut notes = self.notes.lock();
            notes.attempts += 1;
            let recipients = mail.to.len();
            instruments
                .spans
                .send(&notes.span, notes.attempts, recipients, version)
        };
        let traceparent = span.traceparent();
        let tags = Tags {
            traceparent: traceparent.as_deref(),
            ..Tags::of(key)
        };
        // An answer that came with the last moment of the drain is an answer.
        let result = tokio::select! {
            biased;
            result = self.context.mailer.send(mail, tags) => result,
            () = self.context.drain.wait_abandon() => return Err(Ending::DrainedInSend),
        };
        match &result {
            Ok(email_id) => {
                instruments.metrics.attempted(None);
                span.set(ours::EMAIL_ID, email_id);
            }
            Err(failure) => {
                instruments.metrics.attempted(Some(&failure.error.code));
                span.failed(&failure.error);
            }
        }
        Ok(result)
    }
}
