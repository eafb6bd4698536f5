//! The steps of a worker: writing the mail, waiting for its turn, taking notes.

use std::{
    convert::Infallible,
    future::pending,
    pin::{Pin, pin},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::Worker;
use crate::{
    ledger::{Claimed, SendGuard},
    notification::{Event, Mail, Needs, Rejection, masked_text},
    pipeline::{
        breaker::{Blame, Cause, Pass, Said, Suspicion, TemplateCause},
        outcome::{Ending, is_last_receive, retry_budget},
        report::{self, Settled},
        window::Sending,
    },
    ports::{CallError, SendFailure, SendFailureKind, TemplateVersion},
};

/// The longest pause between the attempts of a message on its last receive while draining.
const LAST_RECEIVE_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long a message that was sent waits for that to be recorded before it is deleted.
const RECORD_WAITED: Duration = Duration::from_secs(2);
/// The same while draining.
const RECORD_WAITED_DRAINING: Duration = Duration::from_millis(500);

/// How long a message on its last receive waits for its claim while draining.
const CLAIM_WAITED_DRAINING: Duration = Duration::from_secs(1);

/// A mail that may go.
pub(super) type Prepared = (Box<Mail>, TemplateVersion, Pass, Option<Sending>);

impl Worker<'_> {
    /// Writes the mail and waits until it may go; see [`Worker::clear_to_send`].
    pub(super) async fn prepare(
        &self,
        key: &str,
        event: &Event,
        suspicion: Option<&Suspicion<'_>>,
    ) -> Result<Option<Prepared>, Ending> {
        let (mail, version) = self.compose(key, event, suspicion.is_some()).await?;
        let clear = self.clear_to_send(key, &mail, suspicion).await?;
        Ok(clear.map(|(pass, slot)| (mail, version, pass, slot)))
    }

    /// Writes the mail with the template in force. If a field is missing, waits until it is known
    /// whether the template or the message is at fault.
    async fn compose(
        &self,
        key: &str,
        event: &Event,
        is_beside: bool,
    ) -> Result<(Box<Mail>, TemplateVersion), Ending> {
        let context = self.context;
        loop {
            let usable = pin!(context.templates.usable());
            let template = self.wait_aside(usable).await?;
            let rejection = match context.composer.compose(&template.template, event) {
                Ok(mail) => {
                    context.gates.rendered(&template.version);
                    context.templates.trust(&template.version);
                    let to: Vec<_> = mail.to.iter().map(ToString::to_string).collect();
                    self.notes.lock().to = Some(to.join(", "));
                    return Ok((Box::new(mail), template.version.clone()));
                }
                Err(rejection) => rejection,
            };
            self.note_error(rejection.kind(), &rejection);
            let Rejection::MissingField {
                placeholder,
                field,
                needs: Needs::Template,
            } = &rejection
            else {
                return Err(Ending::Rejected);
            };
            let version = &template.version;
            let blame = context
                .gates
                .field_missing(key, placeholder, field, version);
            if blame == Blame::Message {
                return Err(Ending::Rejected);
            }
            context.templates.distrust(version);
            // The template may be at fault: the message waits for another version, or for a mail
            // written with this one.
            context.progress.failed(Said {
                code: rejection.kind().to_owned(),
                text: rejection.to_string(),
                obstacle: None,
                remedy: Some(
                    TemplateCause::FieldMissing {
                        placeholder: placeholder.to_owned(),
                    }
                    .remedy(),
                ),
            });
            let _beside = (!is_beside).then(|| context.window.hold_beside());
            let judged = pin!(context.gates.template.judged(version));
            self.wait_aside(judged).await.map_err(unjudged)?;
        }
    }

    /// Waits until the mail may go: the breaker, the number of sends under way, the rate and the
    /// drain allow it, and the lease outlasts the send. `None` where the breaker moved on meanwhile:
    /// ask again.
    async fn clear_to_send(
        &self,
        key: &str,
        mail: &Mail,
        suspicion: Option<&Suspicion<'_>>,
    ) -> Result<Option<(Pass, Option<Sending>)>, Ending> {
        let context = self.context;
        let pass = context.gates.mail.pass(key);
        let pass = match suspicion {
            None => self.wait(pin!(pass)).await?,
            Some(suspicion) => self.wait_as_suspect(suspicion, pin!(pass)).await?,
        };
        // A probe does not wait for sends that began before the breaker opened and may hang.
        let slot = if pass.is_probe() {
            None
        } else {
            tokio::select! {
                slot = self.wait_slot() => Some(slot?),
                () = pass.outdated() => return Ok(None),
            }
        };
        if !self.wait_turn(mail.to.len(), &pass).await? {
            return Ok(None);
        }
        let taken = Instant::now();
        let needed = context.send_timeout + context.ledger.claim_takes();
        let lasts = pin!(self.lease.outlast(needed));
        if !self.wait_own(lasts).await? {
            return Err(Ending::LeaseLost);
        }
        if !self.keep_turn(taken, mail.to.len(), &pass).await? {
            return Ok(None);
        }
        if !context.drain.may_send() {
            return Err(Ending::Drained);
        }
        Ok(pass.is_current().then_some((pass, slot)))
    }

    /// Claims the mail before all who may receive its message. `None` where another receipt of it has a
    /// claim, or where what let the mail go has changed meanwhile: ask again.
    pub(super) async fn claim_mail(
        &self,
        guard: &dyn SendGuard,
        pass: Pass,
        slot: Option<Sending>,
        (recipients, is_beside): (usize, bool),
    ) -> Result<Option<(Pass, Option<Sending>)>, Ending> {
        let context = self.context;
        // By now an event may show that another copy or process sent the mail.
        if guard.heard().is_some() {
            return Err(Ending::SentByEvent);
        }
        let failed = |error: &CallError| {
            context.progress.failed(Said::of_call(error));
        };
        let claim = async {
            // At a stop a message that would be dead-lettered waits no longer than that leaves time for.
            let hurried = async {
                context.drain.wait_begun().await;
                sleep(CLAIM_WAITED_DRAINING).await;
                guard.hurry_claim();
                pending::<Infallible>().await
            };
            tokio::select! {
                biased;
                claimed = guard.claim(&failed) => claimed,
                never = hurried, if self.is_last_receive() => match never {},
            }
        };
        let asked = Instant::now();
        match self.wait(pin!(claim)).await? {
            Claimed::Ours => {}
            Claimed::Sent { email_id } => {
                context.limiter.give_back(recipients);
                let mut notes = self.notes.lock();
                notes.email_id = email_id;
                return Err(if notes.unknown > 0 {
                    Ending::SentByRecord
                } else {
                    Ending::AlreadySent
                });
            }
            Claimed::Elsewhere => {
                drop((pass, slot));
                context.limiter.give_back(recipients);
                let _beside = (!is_beside).then(|| context.window.hold_beside());
                let ended = pin!(async {
                    tokio::select! {
                        biased;
                        _ = guard.hear() => {}
                        () = guard.wait_for_other() => {}
                    }
                });
                self.wait_aside(ended).await?;
                return if guard.heard().is_some() {
                    Err(Ending::AlreadySent)
                } else {
                    Ok(None)
                };
            }
        }
        if !self.keep_turn(asked, recipients, &pass).await? {
            return Ok(None);
        }
        // The claim may have taken its time.
        let lasts = self.lease.margin() >= context.send_timeout;
        let may_go = lasts && pass.is_current() && context.drain.may_send();
        if may_go && guard.begin_send() {
            return Ok(Some((pass, slot)));
        }
        context.limiter.give_back(recipients);
        Ok(None)
    }

    /// Waits until all who may receive the message can know that its mail was sent, but not for long: the
    /// message is deleted all the same.
    pub(super) async fn recorded(&self, guard: &dyn SendGuard) {
        let drain = &self.context.drain;
        let _aside = self.context.window.step_aside();
        // Nothing is left to be done for it, and the others need not wait.
        let _beside = self.context.window.hold_briefly_beside();
        let hurried = async {
            drain.wait_begun().await;
            sleep(RECORD_WAITED_DRAINING).await;
        };
        tokio::select! {
            biased;
            () = guard.recorded() => {}
            () = sleep(RECORD_WAITED) => {}
            () = hurried => {}
            () = drain.wait_abandon() => {}
        }
    }

    /// Waits at the breaker as a suspect, without using up the retry budget. A stop releases it, but
    /// on its last receive, where that sends it to the dead-letter queue, it first wants to know
    /// whose fault its refusal is.
    async fn wait_as_suspect(
        &self,
        suspicion: &Suspicion<'_>,
        pass: Pin<&mut impl Future<Output = Pass>>,
    ) -> Result<Pass, Ending> {
        let hurried = async {
            self.context.drain.wait_begun().await;
            if self.is_last_receive() {
                suspicion.hurry();
            }
            pending().await
        };
        let wait = async {
            tokio::select! {
                pass = pass => pass,
                pass = hurried => pass,
            }
        };
        self.wait_aside(pin!(wait)).await.map_err(unjudged)
    }

    /// Waits for what a worker waits for between its attempts, unless an event shows that an earlier one
    /// went out. Before the first there is nothing to show.
    pub(super) async fn unless_heard<T, F: Future<Output = Result<T, Ending>>>(
        &self,
        guard: &dyn SendGuard,
        wait: Pin<&mut F>,
    ) -> Result<T, Ending> {
        if self.context.hearing.is_none() || self.notes.lock().attempts == 0 {
            return wait.await;
        }
        tokio::select! {
            biased;
            waited = wait => waited,
            _ = guard.hear() => Err(Ending::SentByEvent),
        }
    }

    /// Whether an event shows that the send which had no answer went out. Waits for it under the lease,
    /// on nobody's time, while events arrive at all; the slot and the breaker do not wait with it. A lease
    /// that ends meanwhile ends no wait, as it ends no send: the message may have come again to us, and its
    /// turn would come too early. A message that may have been mailed is not released at a stop: the event
    /// is awaited to the last moment, as an answer is.
    pub(super) async fn event_settles(
        &self,
        guard: &dyn SendGuard,
        is_beside: bool,
    ) -> Result<bool, Ending> {
        let context = self.context;
        let Some(hearing) = &context.hearing else {
            return Ok(false);
        };
        let _aside = context.window.step_aside();
        let _beside = (!is_beside).then(|| context.window.hold_beside());
        let given_up = async {
            let settled = tokio::select! {
                deafness = hearing.nobody_hears() => Settled::Deaf(deafness),
                () = sleep(hearing.patience()) => Settled::NoEvent(hearing.patience()),
            };
            // Given up during a stop it would be released, and mailed a second time within the second.
            if context.drain.has_begun() {
                self.lease.lost().await;
            }
            settled
        };
        let waiting = async {
            tokio::select! {
                biased;
                _ = guard.hear() => Ok(Settled::ByEvent),
                () = context.drain.wait_abandon() => Err(Ending::unsettled(self.lease.is_lost())),
                settled = given_up => Ok(settled),
            }
        };
        let settled = self.clock.pause_during(pin!(waiting)).await?;
        context.instruments.metrics.settled_unknown(settled.name());
        let notes = self.notes.lock();
        report::unknown_settled(self.message, &notes, settled);
        if settled != Settled::ByEvent && self.lease.is_lost() {
            return Err(Ending::LeaseLost);
        }
        Ok(settled == Settled::ByEvent)
    }

    /// How a message ends that no attempt may be made of any more, since it may have been mailed. While
    /// the breaker is open it is held: put back, it would come again and spend its next receive on the
    /// same outage.
    pub(super) async fn unknown_at_limit(&self, guard: &dyn SendGuard, left: Duration) -> Ending {
        let window = &self.context.window;
        // Those that are held must leave room for the one that finds the outage's end.
        if window.has_room_beyond() {
            let _aside = window.step_aside();
            let closed = timeout(left, self.context.gates.mail.closed());
            let waiting = async { self.wait_own(pin!(closed)).await };
            // Whatever ends it, it may have been mailed.
            drop(self.unless_heard(guard, pin!(waiting)).await);
        }
        Ending::UnknownAtLimit
    }

    /// Waits until the window has room for one more send. Only sends under way are before this one.
    /// They end soon, so a stop does not release what waits for them: its receive would be spent for
    /// nothing. Where they keep failing the breaker opens, and what waits there is released.
    async fn wait_slot(&self) -> Result<Sending, Ending> {
        let context = self.context;
        let slot = self.clock.pause_during(context.window.send());
        // What is ready is taken even while draining.
        tokio::select! {
            biased;
            slot = slot => Ok(slot),
            () = self.lease.lost() => Err(Ending::LeaseLost),
            () = context.drain.wait_release(true) => Err(Ending::Drained),
        }
    }

    /// Waits without using up the retry budget, as long as the lease holds and no stop ends the wait.
    ///
    /// The caller pins the future. An async function that takes a future by value holds it twice, and
    /// these functions call each other.
    pub(super) async fn wait<T, F: Future<Output = T>>(
        &self,
        wait: Pin<&mut F>,
    ) -> Result<T, Ending> {
        self.clock.pause_during(pin!(self.wait_own(wait))).await
    }

    /// Waits as [`Worker::wait`] does, with the message aside.
    pub(super) async fn wait_aside<T, F: Future<Output = T>>(
        &self,
        wait: Pin<&mut F>,
    ) -> Result<T, Ending> {
        let _aside = self.context.window.step_aside();
        self.wait(wait).await
    }

    /// Waits as [`Worker::wait`] does, but the time counts against the retry budget. What is ready is
    /// taken even while draining: a message that came with the last receive gets its attempt.
    pub(super) async fn wait_own<T, F: Future<Output = T>>(
        &self,
        wait: Pin<&mut F>,
    ) -> Result<T, Ending> {
        let last = self.is_last_receive();
        tokio::select! {
            biased;
            result = wait => Ok(result),
            () = self.lease.lost() => Err(Ending::LeaseLost),
            () = self.context.drain.wait_release(last) => Err(Ending::Drained),
        }
    }

    /// Sleeps before the next attempt. A message on its last receive is not released when the
    /// drain begins, and then its short time had better be spent on attempts.
    pub(super) async fn pause(&self, delay: Duration) {
        report::retrying(self.message, &self.notes.lock(), delay);
        let drain = &self.context.drain;
        if !self.is_last_receive() {
            sleep(delay).await;
        } else if drain.has_begun() {
            sleep(delay.min(LAST_RECEIVE_PAUSE_MAX)).await;
        } else {
            tokio::select! {
                () = sleep(delay) => {}
                () = drain.wait_begun() => {}
            }
        }
    }

    pub(super) fn is_last_receive(&self) -> bool {
        is_last_receive(self.receive_count(), self.context.max_receive_count.get())
    }

    /// How often the message was received, later deliveries of what is held included.
    pub(super) fn receive_count(&self) -> u32 {
        self.message.receive_count.max(self.lease.receive_count())
    }

    pub(super) fn budget(&self) -> Duration {
        let context = self.context;
        retry_budget(
            context.max_elapsed,
            self.receive_count(),
            context.max_receive_count.get(),
        )
    }

    /// The first failure of a message is logged at warn, the others at debug. A refusal is told with
    /// the message's outcome, or by the breaker.
    pub(super) fn note_failure(&self, failure: &SendFailure) {
        let error = &failure.error;
        self.note_error(&error.code, &masked_text(&error.message));
        self.context.progress.failed(Said::of(failure));
        let notes = self.notes.lock();
        let (id, attempt) = (notes.notification_id(), notes.attempts);
        let (trace_id, span_id) = (notes.span.trace_id(), notes.span.span_id());
        let text = masked_text(&error.to_string());
        if attempt == 1 && failure.kind.is_temporary() {
            let without_answer = if failure.kind == SendFailureKind::OutcomeUnknown {
                " without an answer, so that its mail may have gone out"
            } else {
                ""
            };
            warn!(
                messaging.message.id = self.message.id,
                notifier.notification.id = id,
                error.r#type = error.code,
                aws.request_id = error.request_id,
                trace_id,
                span_id,
                "a send failed{without_answer}, and its message is held: {text}"
            );
        } else {
            debug!(
                messaging.message.id = self.message.id,
                notifier.notification.id = id,
                notifier.attempt = attempt,
                error.r#type = error.code,
                aws.request_id = error.request_id,
                trace_id,
                span_id,
                "send attempt {attempt} failed: {text}"
            );
        }
    }

    pub(super) fn note_error(&self, kind: &str, text: &dyn std::fmt::Display) {
        self.notes.lock().error = Some((kind.to_owned(), text.to_string()));
    }
}

/// The ending of a suspect that a stop releases.
fn unjudged(ending: Ending) -> Ending {
    match ending {
        Ending::Drained => Ending::DrainedUnjudged,
        other => other,
    }
}
