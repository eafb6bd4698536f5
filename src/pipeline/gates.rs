//! The two gates that a message passes, and what follows from a change at one of them.

use std::sync::Arc;

use tokio::time::{Duration, Instant};

use super::{
    breaker::{
        Blame, Cause, MailBreaker, MailGate, Pass, Standing, TemplateBreaker, TemplateGate,
        Transition, UnansweredPass, WitnessPass,
    },
    health_state::{HealthState, Part},
    rate::Limiter,
    report,
    window::{Sending, Unanswered, Window},
};
use crate::{
    notification::JsonPointer,
    ports::{SendFailure, TemplateVersion},
    template_store::{Knowledge, TemplateStore},
};

/// The gates of mail and template. These methods tell the breakers what happened, and do what follows:
/// the health state learns what has stopped, after a closing the window begins again with one, and
/// each change is logged once.
pub(crate) struct Gates {
    pub(crate) mail: Arc<MailGate>,
    pub(crate) template: Arc<TemplateGate>,
    window: Arc<Window>,
    limiter: Arc<Limiter>,
    health: Arc<HealthState>,
}

/// Whose fault it is that a send failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The message's own.
    OfMessage,
    /// The account's or the service's, or nobody knows yet.
    NotOfMessage,
}

impl Gates {
    pub(crate) fn new(
        breaker: MailBreaker,
        templates: &TemplateStore,
        window: Arc<Window>,
        limiter: Arc<Limiter>,
        health: Arc<HealthState>,
    ) -> Arc<Self> {
        let starting = breaker.status().map(|status| status.cause.name());
        health.stopped_by(Part::Sending, starting);
        Arc::new(Self {
            mail: MailGate::new(breaker),
            template: TemplateGate::new(templates),
            window,
            limiter,
            health,
        })
    }

    /// A mail was accepted. `began`: when its send began. A probe has no slot.
    pub(crate) fn accepted(&self, pass: Pass, slot: Option<Sending>, began: Instant) {
        let fresh = pass.is_current();
        let verdict = pass.report(began, Ok(()));
        self.changed(Part::Sending, verdict.transition);
        match slot {
            // A send that began before the breaker moved proves nothing of the time after it.
            Some(slot) if fresh => slot.accepted(),
            Some(_) => {}
            // The probe has closed the breaker and the window has shrunk to one: this success is the
            // first that counts.
            None => self.window.grow(),
        }
    }

    /// An event shows that a mail was accepted whose send was reported as one without an answer.
    /// `began`: when the send began. A probe had no slot.
    pub(crate) fn heard(&self, pass: UnansweredPass, slot: Option<Unanswered>, began: Instant) {
        let transition = pass.heard(began);
        let closed = matches!(transition, Some(Transition::Closed { .. }));
        self.changed(Part::Sending, transition);
        match slot {
            Some(slot) => slot.accepted(),
            // As of a probe with an answer, its success is the first that counts.
            None if closed => self.window.grow(),
            None => {}
        }
    }

    /// The same of a witness.
    pub(crate) fn heard_of_witness(
        &self,
        pass: UnansweredPass,
        began: Instant,
        standing: Standing,
    ) {
        self.changed(Part::Sending, pass.heard_of_witness(began, standing));
    }

    /// A send failed. `began`: when it began.
    pub(crate) fn failed(
        &self,
        pass: Pass,
        began: Instant,
        recipients: usize,
        failure: &SendFailure,
    ) -> Fault {
        let rate = self.limiter.rate().unwrap_or(f64::INFINITY);
        let pace = Duration::try_from_secs_f64(rate.recip()).unwrap_or_default();
        let pace = pace * u32::try_from(recipients).unwrap_or(u32::MAX);
        self.mail.set_room(self.window.limit(), pace);
        let was_probe = pass.is_probe();
        let verdict = pass.report(began, Err(failure));
        if was_probe {
            report::probe_failed(failure, self.mail.next_probe());
        }
        self.changed(Part::Sending, verdict.transition);
        if verdict.at_fault {
            Fault::OfMessage
        } else {
            Fault::NotOfMessage
        }
    }

    /// A witness ended. `began`: when its send began. If it closes the breaker the window starts at one;
    /// a witness does not make it grow.
    pub(crate) fn witnessed(
        &self,
        pass: WitnessPass,
        began: Instant,
        result: Result<Standing, &SendFailure>,
    ) {
        let was_probe = pass.is_probe();
        let transition = pass.report(began, result);
        if let (Err(failure), true) = (result, was_probe) {
            report::probe_failed(failure, self.mail.next_probe());
        }
        self.changed(Part::Sending, transition);
    }

    /// A mail was written with this version of the template.
    pub(crate) fn rendered(&self, version: &TemplateVersion) {
        let closed = self
            .template
            .tell(|breaker, now| breaker.rendered(version, now));
        self.changed(Part::Rendering, closed.flatten());
    }

    /// The message with this key lacks the field of a placeholder that this version of the template
    /// names. Whose fault that is; where nobody knows, it is said at the first such message.
    pub(crate) fn field_missing(
        &self,
        key: &str,
        placeholder: &str,
        field: &JsonPointer,
        version: &TemplateVersion,
    ) -> Blame {
        let told = self
            .template
            .tell(|breaker, now| breaker.field_missing(key, placeholder, version, now));
        let (blame, opened) = told.unwrap_or((Blame::Template, None));
        self.changed(Part::Rendering, opened);
        if blame == (Blame::Unclear { first: true }) {
            report::field_missing(placeholder, field, version);
        }
        blame
    }

    /// A message ended before any mail of it was tried: as a probe it says nothing.
    pub(crate) fn ended_untried(&self) {
        self.mail.ended_untried();
        self.template.tell(TemplateBreaker::ended_untried);
    }

    /// The template's store knows this now, and knew that before.
    pub(crate) fn template_changed(&self, before: &Knowledge, now: &Knowledge) {
        let blob = |known: &Knowledge| {
            let template = known.in_force.as_ref();
            template.map(|template| template.version.blob_id.clone())
        };
        if blob(before) != blob(now) {
            self.mail.begin_with_another_template();
        }
        self.changed(Part::Rendering, self.template.learn(before, now));
    }

    fn changed<C: Cause>(&self, part: Part, transition: Option<Transition<C>>) {
        let Some(transition) = transition else { return };
        match &transition {
            Transition::Opened { cause } | Transition::Changed { cause } => {
                self.health.stopped_by(part, Some(cause.name()));
            }
            Transition::Closed { .. } => {
                self.health.stopped_by(part, None);
                self.window.shrink();
            }
        }
        let said = match part {
            Part::Sending => self.mail.said(),
            Part::Rendering => None,
        };
        report::transition(part, &transition, said.as_ref());
    }
}
