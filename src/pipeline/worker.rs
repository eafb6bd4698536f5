//! One message from receipt to outcome.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use tokio::time::{Instant, sleep};
use tracing::{Instrument, Span, debug, error, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    breaker::{Gate, MailBreaker, Pass, TemplateBreaker},
    drain::Drain,
    lease::Lease,
    ledger::{Claim, Ledger, SendGuard},
    listening::Listening,
    outcome::{Ending, Outcome, Settlement, conclude, is_last_receive, retry_budget},
    own_time::OwnTime,
    permits::{Permit, Permits},
    rate::Limiter,
    report,
    settle::{Settled, Settler},
    vitals::{Part, Vitals},
};
use crate::{
    backoff::Backoff,
    notification::{Composer, Envelope, Event, Mail, Needs, Rejection},
    ports::{Mailer, ReceivedMessage, SendFailure, SendFailureKind, TemplateVersion},
    telemetry::{
        Instruments,
        names::ours,
        spans::{self, Ids},
    },
    template_store::TemplateStore,
};

/// An unknown client error this many times is taken for a refusal of the message.
const CLIENT_ERROR_LIMIT: u32 = 3;
/// What a worker may take beyond its retry budget and one send before it counts as stuck. All its
/// waits are bounded or excused, so that only a fault of ours comes here.
const STUCK: Duration = Duration::from_mins(1);

/// The longest pause between the attempts of a message on its last receive while draining.
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// What all workers share.
pub(crate) struct Shared {
    pub(crate) composer: Composer,
    pub(crate) templates: Arc<TemplateStore>,
    pub(crate) template_gate: Arc<Gate<TemplateBreaker>>,
    pub(crate) mail_gate: Arc<Gate<MailBreaker>>,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) permits: Permits,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) settler: Settler,
    pub(crate) drain: Arc<Drain>,
    pub(crate) send_timeout: Duration,
    pub(crate) max_elapsed: Duration,
    pub(crate) max_receive_count: Option<u32>,
    /// How many messages have had their outcome and wait for the queue to take it in.
    pub(crate) settling: AtomicUsize,
    pub(crate) listening: Listening,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) instruments: Arc<Instruments>,
}

/// A message with the two things that it is held by.
pub(crate) struct Delivery {
    pub(crate) message: ReceivedMessage,
    pub(crate) lease: Lease,
    pub(crate) permit: Permit,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    /// Whether the queue has taken in what was to become of the message.
    pub(crate) settled: bool,
}

/// What is learnt of a message on its way, for its line in the log. It outlives a panic.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// The notification's id: the ledger's key.
    pub(crate) key: Option<String>,
    /// The recipients, masked.
    pub(crate) to: Option<String>,
    /// The mail service's id of the accepted mail.
    pub(crate) email_id: Option<String>,
    pub(crate) attempts: u32,
    /// Of the last failure: what kind, and in words.
    pub(crate) error: Option<(String, String)>,
    /// The message's span and its ids, where it is exported.
    pub(crate) span: Option<Span>,
    pub(crate) ids: Option<Ids>,
}

/// Takes one delivery to its outcome and settles it. Lease and permit are held until then.
pub(crate) async fn work(shared: Arc<Shared>, delivery: Delivery) -> Finished {
    let Delivery {
        message,
        lease,
        permit,
    } = delivery;
    let began = Instant::now();
    let notes = Mutex::new(Notes::default());
    let own = OwnTime::start();
    let worker = Worker {
        shared: &shared,
        message: &message,
        lease: &lease,
        own: &own,
        notes: &notes,
    };
    let ending = worker.bounded().await;
    let (outcome, settlement) = conclude(ending, message.receive_count, shared.max_receive_count);
    report::ended(&shared, outcome, &mut worker.notes(), began.elapsed());
    shared.settling.fetch_add(1, Ordering::Relaxed);
    let settled = match settlement {
        Settlement::Delete => Some(shared.settler.delete(&lease).await),
        Settlement::Visible { after } => {
            // A poll of ours that is still under way must not get what is released.
            let after = match ending {
                Ending::Drained => after.max(shared.listening.remaining()),
                _ => after,
            };
            Some(shared.settler.give_back(&lease, after).await)
        }
        Settlement::Leave => None,
    };
    shared.settling.fetch_sub(1, Ordering::Relaxed);
    let notes = notes.into_inner().unwrap_or_else(PoisonError::into_inner);
    report::outcome(
        &message,
        shared.max_receive_count,
        outcome,
        ending,
        &notes,
        began.elapsed(),
    );
    if settlement == Settlement::Delete
        && let Some(Settled::GivenUp | Settled::LeaseLost) = settled
    {
        let given_up = settled == Some(Settled::GivenUp);
        report::not_deleted(&message, shared.max_receive_count, &notes, given_up);
    }
    shared.instruments.spans.forget(&message.receipt);
    drop(lease);
    drop(permit);
    Finished {
        outcome,
        settled: settled != Some(Settled::GivenUp),
    }
}

struct Worker<'a> {
    shared: &'a Shared,
    message: &'a ReceivedMessage,
    lease: &'a Lease,
    own: &'a OwnTime,
    notes: &'a Mutex<Notes>,
}

impl Worker<'_> {
    /// [`Worker::handle`], with an ending also where it panics or is stuck: then all its guards
    /// have been dropped.
    async fn bounded(&self) -> Ending {
        let bound = self.budget() + self.shared.send_timeout + STUCK;
        let handled = tokio::select! {
            handled = AssertUnwindSafe(self.handle()).catch_unwind() => handled.ok(),
            () = self.own.reaches(bound) => {
                error!(
                    messaging.message.id = self.message.id,
                    notifier.bound_s = bound.as_secs(),
                    "a worker was aborted at its bound, which is a fault of ours"
                );
                None
            }
        };
        if let Some(Ok(ending) | Err(ending)) = handled {
            ending
        } else {
            let key = self.notes().key.clone();
            let sent = match key {
                Some(key) => self.shared.ledger.is_sent(&key).await,
                None => false,
            };
            Ending::Panicked { sent }
        }
    }

    /// From body to ending. `Err` holds an ending too: that of a wait that was cut short.
    async fn handle(&self) -> Result<Ending, Ending> {
        let opened = Envelope::open(&self.message.body);
        let published: &[_] = match &opened {
            Ok(Envelope::Notification { attributes, .. }) => attributes,
            _ => &[],
        };
        let span = self
            .shared
            .instruments
            .spans
            .process(self.message, published);
        {
            let mut notes = self.notes();
            notes.ids = spans::ids(&span);
            notes.span = Some(span.clone());
        }
        match opened {
            Ok(Envelope::Notification {
                message_id, event, ..
            }) => {
                let key = message_id.unwrap_or_else(|| self.message.id.clone());
                span.set_attribute(ours::NOTIFICATION_ID, key.clone());
                self.notes().key = Some(key.clone());
                self.claim(&key, &event, &span)
                    .instrument(span.clone())
                    .await
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

    /// Delivers the event unless it was delivered before.
    async fn claim(&self, key: &str, event: &Event, span: &Span) -> Result<Ending, Ending> {
        match self.wait(self.shared.ledger.begin(key)).await? {
            Claim::AlreadySent => Ok(Ending::AlreadySent),
            Claim::Yours(guard) => self.deliver(key, event, guard, span).await,
        }
    }

    /// Attempts until there is an ending.
    async fn deliver(
        &self,
        key: &str,
        event: &Event,
        mut guard: Box<dyn SendGuard>,
        process: &Span,
    ) -> Result<Ending, Ending> {
        let mut retries = Backoff::retries();
        let mut client_errors = 0;
        loop {
            if guard.at_unknown_limit() {
                return Ok(Ending::UnknownAtLimit);
            }
            let Some((mail, version)) = self.compose(key, event).await? else {
                continue;
            };
            let Some(pass) = self.clear_to_send(key, &mail).await? else {
                continue;
            };
            let began = Instant::now();
            let attempt = {
                let mut notes = self.notes();
                notes.attempts += 1;
                notes.attempts
            };
            let instruments = &self.shared.instruments;
            instruments.metrics.sending(self.lease.margin());
            let span = instruments
                .spans
                .send(process, attempt, mail.to.len(), &version);
            let sending = self.shared.mailer.send(&mail, key).instrument(span.clone());
            let result = tokio::select! {
                result = sending => result,
                () = self.shared.drain.wait_abandon() => return Ok(Ending::DrainedInSend),
            };
            let failure = match result {
                Ok(email_id) => {
                    guard.sent().await;
                    instruments.metrics.attempted(None);
                    span.set_attribute(ours::EMAIL_ID, email_id.clone());
                    drop(span);
                    self.notes().email_id = Some(email_id);
                    // The success of a send that began before the breaker moved is no proof of what
                    // came after.
                    let fresh = pass.is_current();
                    report::transition(self.shared, Part::Sending, pass.report(Ok(())));
                    if fresh {
                        self.shared.permits.succeeded();
                    }
                    return Ok(Ending::Sent);
                }
                Err(failure) => failure,
            };
            instruments.metrics.attempted(Some(&failure.error.code));
            spans::failed(&span, &failure.error);
            drop(span);
            self.note_failure(&failure);
            match failure.kind {
                SendFailureKind::Throttled => {
                    self.shared.limiter.throttled(began);
                }
                SendFailureKind::OutcomeUnknown => guard.note_unknown().await,
                SendFailureKind::UnknownClientError => client_errors += 1,
                _ => {}
            }
            self.shared.mail_gate.set_room(self.shared.permits.limit());
            report::transition(self.shared, Part::Sending, pass.report(Err(failure.kind)));
            match failure.kind {
                SendFailureKind::Rejected => return Ok(Ending::Rejected),
                SendFailureKind::UnknownClientError if client_errors >= CLIENT_ERROR_LIMIT => {
                    return Ok(Ending::Rejected);
                }
                // The breaker is open now, and says when to go on.
                SendFailureKind::AccountWide(_) => continue,
                _ => {}
            }
            if guard.at_unknown_limit() {
                return Ok(Ending::UnknownAtLimit);
            }
            let left = self.budget().saturating_sub(self.own.elapsed());
            if left.is_zero() {
                return Ok(Ending::BudgetSpent);
            }
            // While the breaker is open its schedule sets the pace, and who sleeps cannot probe.
            if !self.shared.mail_gate.is_open() {
                self.wait_own(self.pause(retries.next_delay().min(left)))
                    .await?;
            }
        }
    }

    /// The mail of the event, written with the template in force. `None` where the template is
    /// suspected and has changed since: ask again.
    async fn compose(
        &self,
        key: &str,
        event: &Event,
    ) -> Result<Option<(Mail, TemplateVersion)>, Ending> {
        let gate = &self.shared.template_gate;
        self.wait(gate.template()).await?;
        // The breaker learns of a template only after the store has it.
        let Some(template) = self.shared.templates.in_force() else {
            return Ok(None);
        };
        let rejection = match self.shared.composer.compose(&template.template, event) {
            Ok(mail) => {
                let closed = gate.tell(|breaker, now| breaker.composed(&template.version, now));
                report::transition(self.shared, Part::Rendering, closed);
                self.notes().to = Some(masked(&mail));
                return Ok(Some((mail, template.version.clone())));
            }
            Err(rejection) => rejection,
        };
        self.note_error(rejection.kind(), &rejection);
        if let Rejection::MissingField {
            placeholder,
            needs: Needs::Template,
            ..
        } = &rejection
        {
            let opened = gate.tell(|breaker, now| {
                breaker.field_missing(key, placeholder, &template.version, now)
            });
            report::transition(self.shared, Part::Rendering, opened);
            if gate.is_open() {
                // The template is the likelier culprit: this message waits for a better one.
                self.wait(gate.closed()).await?;
                return Ok(None);
            }
        }
        Err(Ending::Rejected)
    }

    /// Waits until the mail may go: the breaker, the rate and the drain allow it, and the lease
    /// outlasts the send. `None` where the breaker moved on meanwhile: ask again.
    async fn clear_to_send(&self, key: &str, mail: &Mail) -> Result<Option<Pass>, Ending> {
        let shared = self.shared;
        let pass = self.wait(shared.mail_gate.pass(key)).await?;
        let turn = async {
            tokio::select! {
                () = shared.limiter.take(mail.to.len()) => true,
                () = pass.outdated() => false,
            }
        };
        if !self.wait(turn).await? {
            return Ok(None);
        }
        let lasts = self.lease.outlast(shared.send_timeout).await;
        if lasts.is_err() {
            return Err(Ending::LeaseLost);
        }
        if !shared.drain.may_send() {
            return Err(Ending::Drained);
        }
        Ok(pass.is_current().then_some(pass))
    }

    /// Waits for something that is not this message's fault, as long as the lease holds and the
    /// drain lets it.
    async fn wait<T>(&self, wait: impl Future<Output = T>) -> Result<T, Ending> {
        self.own.excuse(self.wait_own(wait)).await
    }

    /// The same on the message's own time. What is ready is taken even while draining: a message
    /// that came with the last receive gets its attempt.
    async fn wait_own<T>(&self, wait: impl Future<Output = T>) -> Result<T, Ending> {
        let last = self.is_last_receive();
        tokio::select! {
            biased;
            result = wait => Ok(result),
            () = self.lease.lost() => Err(Ending::LeaseLost),
            () = self.shared.drain.wait_release(last) => Err(Ending::Drained),
        }
    }

    /// Sleeps before the next attempt. A message on its last receive is not released when the
    /// drain begins, and then its short time had better be spent on attempts.
    async fn pause(&self, delay: Duration) {
        let drain = &self.shared.drain;
        if !self.is_last_receive() {
            sleep(delay).await;
        } else if drain.has_begun() {
            sleep(delay.min(LAST_PAUSE)).await;
        } else {
            tokio::select! {
                () = sleep(delay) => {}
                () = drain.wait_begun() => {}
            }
        }
    }

    fn is_last_receive(&self) -> bool {
        is_last_receive(self.message.receive_count, self.shared.max_receive_count)
    }

    fn budget(&self) -> Duration {
        let shared = self.shared;
        retry_budget(
            shared.max_elapsed,
            self.message.receive_count,
            shared.max_receive_count,
        )
    }

    /// The first failure of a message is worth a line, the others are for whoever looks closely.
    fn note_failure(&self, failure: &SendFailure) {
        let error = &failure.error;
        self.note_error(&error.code, &report::masked_text(&error.message));
        let (key, attempt) = {
            let notes = self.notes();
            (notes.key.clone().unwrap_or_default(), notes.attempts)
        };
        let text = report::masked_text(&error.to_string());
        if attempt == 1 {
            warn!(
                messaging.message.id = self.message.id,
                notifier.notification.id = key,
                error.r#type = error.code,
                aws.request_id = error.request_id,
                "a send failed: {text}"
            );
        } else {
            debug!(
                messaging.message.id = self.message.id,
                notifier.notification.id = key,
                notifier.attempt = attempt,
                error.r#type = error.code,
                aws.request_id = error.request_id,
                "a send failed again: {text}"
            );
        }
    }

    fn note_error(&self, kind: &str, text: &dyn std::fmt::Display) {
        self.notes().error = Some((kind.to_owned(), text.to_string()));
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn masked(mail: &Mail) -> String {
    let masked: Vec<_> = mail.to.iter().map(ToString::to_string).collect();
    masked.join(", ")
}
