//! What may be read of a running pipeline, for its gauges and for its reporter.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{
    breaker::{MailCause, MailGate, Said, Status, TemplateCause, TemplateGate},
    lease::Leases,
    rate::Limiter,
    window::Window,
};
use crate::{
    feedback::{Deafness, Hearing},
    ledger::{Hits, Ledger},
    template_store::{Knowledge, LoadError, TemplateInForce},
};

/// A view of the pipeline that can change nothing.
pub(crate) struct Readings(Sources);

/// What it reads.
pub(crate) struct Sources {
    pub(crate) leases: Arc<Leases>,
    pub(crate) window: Arc<Window>,
    pub(crate) mail: Arc<MailGate>,
    pub(crate) template: Arc<TemplateGate>,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) templates: watch::Receiver<Knowledge>,
    pub(crate) hearing: Option<Arc<Hearing>>,
}

impl Readings {
    pub(crate) fn of(sources: Sources) -> Self {
        Self(sources)
    }

    /// How many messages are held under a lease.
    pub(crate) fn held(&self) -> usize {
        self.0.leases.count()
    }

    /// For how long the oldest of them has been held.
    pub(crate) fn oldest_held(&self) -> Duration {
        self.0.leases.oldest().unwrap_or_default()
    }

    /// How many of them are on their way to the mail service.
    pub(crate) fn on_the_way(&self) -> usize {
        // Places do not count that a receive has taken for what it may bring.
        self.held().saturating_sub(self.0.window.aside())
    }

    /// Why no mail can be sent, while the breaker is open.
    pub(crate) fn mail(&self) -> Option<Status<MailCause>> {
        self.0.mail.status()
    }

    /// What the mail service said when the breaker opened.
    pub(crate) fn mail_said(&self) -> Option<Said> {
        self.0.mail.said()
    }

    /// In how long the next probe is due, while the breaker is open and none is under way.
    pub(crate) fn next_probe(&self) -> Option<Duration> {
        self.0.mail.next_probe()
    }

    /// Why no mail can be written, while none can.
    pub(crate) fn template(&self) -> Option<Status<TemplateCause>> {
        self.0.template.status()
    }

    /// The send rate in force, in recipients per second; `None` where it is unlimited.
    pub(crate) fn send_rate(&self) -> Option<f64> {
        self.0.limiter.rate()
    }

    /// How long ago the template was last fetched well, in seconds.
    pub(crate) fn template_age(&self) -> Option<f64> {
        let good_at = self.0.templates.borrow().good_at;
        good_at.map(|at| at.elapsed().as_secs_f64())
    }

    /// The template that mails are written with; `None` before the first.
    pub(crate) fn template_in_force(&self) -> Option<Arc<TemplateInForce>> {
        self.0.templates.borrow().in_force.clone()
    }

    /// Why the last fetch of the template failed, if it did.
    pub(crate) fn template_failure(&self) -> Option<Arc<LoadError>> {
        self.0.templates.borrow().failure.clone()
    }

    /// How often the template was fetched, well or badly.
    pub(crate) fn template_fetches(&self) -> u64 {
        self.0.templates.borrow().loads
    }

    /// How many sent messages are remembered.
    pub(crate) fn ledger_len(&self) -> usize {
        self.0.ledger.size()
    }

    /// How many messages were known as sent.
    pub(crate) fn ledger_hits(&self) -> Hits {
        self.0.ledger.hits()
    }

    /// For how long mails have gone without the table that all tasks share.
    pub(crate) fn without_table(&self) -> Option<Duration> {
        self.0.ledger.without_table()
    }

    /// Whether events of the mail service's are read.
    pub(crate) fn has_feedback(&self) -> bool {
        self.0.hearing.is_some()
    }

    /// Why they are not heard, where they are read and do not arrive.
    pub(crate) fn deafness(&self) -> Option<Deafness> {
        self.0.hearing.as_ref()?.deafness()
    }
}
