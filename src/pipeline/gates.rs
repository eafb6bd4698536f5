//! The two gates that a message passes, and what follows from a change at one of them.

use std::sync::Arc;

use super::{
    breaker::{Cause, MailBreaker, MailGate, Pass, TemplateGate, Transition},
    health_state::{HealthState, Part},
    report,
    window::{Sending, Window},
};
use crate::{
    ports::{SendFailureKind, TemplateVersion},
    template_store::{Knowledge, TemplateStore},
};

/// The gates of mail and template. Whatever tells them something by one of these methods sees to
/// what follows: the health state knows what has stopped, after a closing the window begins again
/// with one, and each change is logged once.
pub(crate) struct Gates {
    pub(crate) mail: Arc<MailGate>,
    pub(crate) template: Arc<TemplateGate>,
    window: Arc<Window>,
    health: Arc<HealthState>,
}

impl Gates {
    pub(crate) fn new(
        breaker: MailBreaker,
        templates: &TemplateStore,
        window: Arc<Window>,
        health: Arc<HealthState>,
    ) -> Arc<Self> {
        Arc::new(Self {
            mail: MailGate::new(breaker),
            template: TemplateGate::new(templates),
            window,
            health,
        })
    }

    /// A mail was accepted. A probe has no slot.
    pub(crate) fn accepted(&self, pass: Pass, slot: Option<Sending>) {
        let fresh = pass.is_current();
        self.changed(Part::Sending, pass.report(Ok(())));
        match slot {
            // A send that began before the breaker moved proves nothing of the time after it.
            Some(slot) if fresh => slot.accepted(),
            Some(_) => {}
            // The probe has closed the breaker and the window has shrunk to one: this success is the
            // first that counts.
            None => self.window.grow(),
        }
    }

    /// A send failed.
    pub(crate) fn failed(&self, pass: Pass, kind: SendFailureKind) {
        self.mail.set_room(self.window.limit());
        self.changed(Part::Sending, pass.report(Err(kind)));
    }

    /// A mail was written with this version of the template.
    pub(crate) fn rendered(&self, version: &TemplateVersion) {
        let closed = self
            .template
            .tell(|breaker, now| breaker.rendered(version, now));
        self.changed(Part::Rendering, closed);
    }

    /// The message with this key lacks the field of a placeholder that this version of the template
    /// names. Whether the template is suspected now.
    pub(crate) fn field_missing(
        &self,
        key: &str,
        placeholder: &str,
        version: &TemplateVersion,
    ) -> bool {
        let opened = self
            .template
            .tell(|breaker, now| breaker.field_missing(key, placeholder, version, now));
        self.changed(Part::Rendering, opened);
        self.template.is_open()
    }

    /// The template's store knows this now, and knew that before.
    pub(crate) fn template_changed(&self, before: &Knowledge, now: &Knowledge) {
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
        report::transition(part, &transition);
    }
}
