//! The template's gate: no mail is written while there is no template, or while the template in
//! force is suspected.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{Cause, Receiving, Status, TemplateCause, Transition, probe_receives::ProbeReceives};
use crate::{
    backoff::Backoff,
    ports::TemplateVersion,
    template_store::{Knowledge, LoadError, TemplateStore},
};

/// This many distinct messages in a row that lack the same field open the breaker. While no mail was
/// written with a version, those that lack another field do not break the row.
pub const MISSING_FIELD_LIMIT: usize = 5;

/// At most about this many messages that are at fault are remembered; one that is forgotten is only
/// looked at anew.
const AT_FAULT_REMEMBERED: usize = 10_000;

/// What there is a template for: the store knows whether there is one, the breaker whether it is
/// suspected. Every wait may be dropped at any moment.
pub struct TemplateGate {
    knowledge: watch::Receiver<Knowledge>,
    breaker: watch::Sender<TemplateBreaker>,
    started_at: Instant,
}

/// Suspects the template in force. Opens when [`MISSING_FIELD_LIMIT`] distinct messages in a row lack
/// the same field that this version of the template names, since then the template is the likelier
/// culprit. While no mail was written with this version yet, fewer of them are
/// held as suspects: on a quiet queue the same few would otherwise be rejected again and again until
/// they are dead-lettered. The first mail that is written shows that they are at fault themselves.
///
/// A version with another content closes it. A message that holds the field closes it too, since
/// then it was the messages that were at fault; so that there is one, now and then a single message
/// may be received. Without that, five bad messages in a row would stop a service whose template is
/// right.
#[derive(Debug)]
pub struct TemplateBreaker {
    open: Option<Open>,
    /// The content of the version that messages are rendered with, once there is one.
    blob_id: Option<String>,
    /// Whether a mail was written with that version.
    proven: bool,
    /// The messages that lacked a field since a mail was last written with that version.
    lacking: BTreeSet<String>,
    /// The same by the placeholder whose field they lacked, as far as they are counted.
    missing: BTreeMap<String, BTreeSet<String>>,
    /// Those that lacked one before: a mail has shown since that they are at fault themselves.
    at_fault: BTreeSet<String>,
    /// Whether to wake those that wait.
    wake_waiters: bool,
}

#[derive(Debug)]
struct Open {
    placeholder: String,
    since: Instant,
    /// When the next single message may be received.
    receives: ProbeReceives,
}

/// Whose fault it is that a message lacks a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The message's own: mails were written with this version.
    Message,
    /// Nobody knows yet; whether this is the first message that lacks this field with this version.
    Unclear {
        /// Whether to say so.
        first: bool,
    },
    /// The template's, as far as can be told.
    Template,
}

impl TemplateGate {
    /// The gate of this store's template.
    pub fn new(templates: &TemplateStore) -> Arc<Self> {
        Arc::new(Self {
            knowledge: templates.watch(),
            breaker: watch::Sender::new(TemplateBreaker::new()),
            started_at: Instant::now(),
        })
    }

    /// Waits until a message that lacks a field with this version is worth another look: another
    /// version is in force, or a mail was written with this one, and the template is not suspected.
    pub async fn judged(&self, version: &TemplateVersion) {
        let mut changes = self.breaker.subscribe();
        // The sender lives as long as this gate, so that this is never an error.
        drop(
            changes
                .wait_for(|breaker| breaker.has_judged(version))
                .await,
        );
    }

    /// Waits until something may be received, and says how much.
    pub async fn receiving(&self) -> Receiving {
        let mut knowledge = self.knowledge.clone();
        // The store ends only with the process, and without a template there is nothing to receive.
        drop(knowledge.wait_for(|known| known.in_force.is_some()).await);
        let mut changes = self.breaker.subscribe();
        loop {
            let receive_at = changes.borrow_and_update().receive_at();
            let Some(receive_at) = receive_at else {
                return Receiving::All;
            };
            if receive_at <= Instant::now() {
                return Receiving::OneProbe;
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = sleep_until(receive_at) => {}
            }
        }
    }

    /// Takes in that the single message is being received, so that the next is not due at once.
    pub fn probe_receive_started(&self) {
        self.breaker.send_if_modified(|breaker| {
            breaker.probe_receive_started(Instant::now());
            false
        });
    }

    /// Tells the breaker what happened; see its methods. Only a change of it wakes who waits.
    pub fn tell<R>(&self, what: impl FnOnce(&mut TemplateBreaker, Instant) -> R) -> Option<R> {
        let mut told = None;
        self.breaker.send_if_modified(|breaker| {
            told = Some(what(breaker, Instant::now()));
            breaker.take_wake_waiters()
        });
        told
    }

    /// Takes in what the store knows now, and knew before.
    #[must_use = "a transition is acted on by whoever caused it"]
    pub fn learn(&self, before: &Knowledge, now: &Knowledge) -> Option<Transition<TemplateCause>> {
        let Some(template) = &now.in_force else {
            let cause = without_template(now);
            // Obstacles of one outage differ from attempt to attempt.
            let is_another = cause.name() != without_template(before).name();
            return is_another.then_some(Transition::Changed { cause });
        };
        let closed = self.tell(|breaker, at| breaker.in_force(&template.version, at));
        let closed = closed.flatten();
        if before.in_force.is_some() {
            return closed;
        }
        Some(Transition::Closed {
            cause: without_template(before),
            open_for: self.started_at.elapsed(),
        })
    }

    /// Whether the template in force is suspected.
    pub fn is_open(&self) -> bool {
        self.breaker.borrow().is_open()
    }

    /// What there is to say while no mail can be written.
    pub fn status(&self) -> Option<Status<TemplateCause>> {
        let known = self.knowledge.borrow();
        if known.in_force.is_none() {
            return Some(Status {
                cause: without_template(&known),
                since: self.started_at,
                cause_since: self.started_at,
            });
        }
        self.breaker.borrow().status()
    }
}

/// Why there is no template, where the store has none.
fn without_template(known: &Knowledge) -> TemplateCause {
    match known.failure.as_deref() {
        None => TemplateCause::NotFetched,
        Some(LoadError::Fetch(failure)) => TemplateCause::Fetch {
            kind: failure.kind,
            obstacle: failure.error.obstacle,
        },
        Some(_) => TemplateCause::Unusable,
    }
}

impl TemplateBreaker {
    fn new() -> Self {
        Self {
            open: None,
            blob_id: None,
            proven: false,
            missing: BTreeMap::new(),
            lacking: BTreeSet::new(),
            at_fault: BTreeSet::new(),
            wake_waiters: false,
        }
    }

    fn take_wake_waiters(&mut self) -> bool {
        std::mem::take(&mut self.wake_waiters)
    }

    fn has_judged(&self, version: &TemplateVersion) -> bool {
        let replaced = self.blob_id.as_ref() != Some(&version.blob_id);
        !self.is_open() && (self.proven || replaced)
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes in that this version is in force. A worker may render with it before the store's watcher
    /// has told of it, so that every report of a version comes by here.
    pub fn in_force(
        &mut self,
        version: &TemplateVersion,
        now: Instant,
    ) -> Option<Transition<TemplateCause>> {
        // Another commit with the same content writes the same mails.
        if self.blob_id.as_ref() == Some(&version.blob_id) {
            return None;
        }
        self.proven = false;
        self.wake_waiters = true;
        self.blob_id = Some(version.blob_id.clone());
        self.missing.clear();
        self.lacking.clear();
        self.at_fault.clear();
        self.close(now)
    }

    /// Takes in that a mail was written with this version.
    pub fn rendered(
        &mut self,
        version: &TemplateVersion,
        now: Instant,
    ) -> Option<Transition<TemplateCause>> {
        let closed = self.in_force(version, now);
        self.missing.clear();
        if self.at_fault.len() >= AT_FAULT_REMEMBERED {
            self.at_fault.clear();
        }
        self.at_fault.append(&mut self.lacking);
        self.wake_waiters |= !self.proven;
        self.proven = true;
        closed.or_else(|| self.close(now))
    }

    /// Takes in that the message with this key lacks the field of a placeholder that this version
    /// of the template names, and says whose fault that is. The message that opens the breaker is best
    /// held like those that follow it, and tried with the next version.
    pub fn field_missing(
        &mut self,
        key: &str,
        placeholder: &str,
        version: &TemplateVersion,
        now: Instant,
    ) -> (Blame, Option<Transition<TemplateCause>>) {
        let closed = self.in_force(version, now);
        if self.at_fault.contains(key) {
            return (Blame::Message, closed);
        }
        self.lacking.insert(key.to_owned());
        if let Some(open) = &mut self.open {
            open.receives.tried();
            return (Blame::Template, closed);
        }
        let placeholder = placeholder.to_owned();
        // With a version that mails were written with, only those in a row point at the template.
        if self.proven {
            self.missing.retain(|name, _| *name == placeholder);
        }
        let messages = self.missing.entry(placeholder.clone()).or_default();
        let first = messages.is_empty();
        messages.insert(key.to_owned());
        if messages.len() < MISSING_FIELD_LIMIT {
            let blame = if self.proven {
                Blame::Message
            } else {
                Blame::Unclear { first }
            };
            return (blame, closed);
        }
        self.wake_waiters = true;
        self.open = Some(Open {
            placeholder: placeholder.clone(),
            since: now,
            receives: ProbeReceives::new(now, now + Backoff::probes().next_delay()),
        });
        let cause = TemplateCause::FieldMissing { placeholder };
        (Blame::Template, Some(Transition::Opened { cause }))
    }

    /// Takes in that a single message is being received: the next may be after a growing delay.
    pub fn probe_receive_started(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.receives.started(now);
        }
    }

    /// Takes in that a message ended before a mail was written of it: where it was received as the single
    /// one, another may be received in its place.
    pub fn ended_untried(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.receives.ended_untried(now);
            self.wake_waiters = true;
        }
    }

    /// When a single message may be received, while it is open.
    pub fn receive_at(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.receives.at())
    }

    /// What there is to say of it while it is open.
    pub fn status(&self) -> Option<Status<TemplateCause>> {
        self.open.as_ref().map(|open| Status {
            cause: open.cause(),
            since: open.since,
            cause_since: open.since,
        })
    }

    fn close(&mut self, now: Instant) -> Option<Transition<TemplateCause>> {
        let open = self.open.take()?;
        self.wake_waiters = true;
        Some(Transition::Closed {
            cause: open.cause(),
            open_for: now.duration_since(open.since),
        })
    }
}

impl Open {
    fn cause(&self) -> TemplateCause {
        TemplateCause::FieldMissing {
            placeholder: self.placeholder.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
