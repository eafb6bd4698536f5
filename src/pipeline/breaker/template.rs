//! The template breaker: stops the writing of mails while there is nothing to write them from.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{Status, TemplateCause, Ticket, Transition};
use crate::{backoff::Backoff, ports::TemplateVersion};

/// This many distinct messages in a row that lack the same field open the breaker.
pub const MISSING_FIELD_LIMIT: usize = 5;

/// Open from the start, until there is a usable template; once there is one it opens only when
/// [`MISSING_FIELD_LIMIT`] distinct messages in a row lack the same field that this version of
/// the template names, since then the template is the likelier culprit. A version that replaced
/// another and that no mail was written with yet is suspected at the first such message: on a quiet
/// queue the same few would else be rejected again and again until they are dead-lettered.
///
/// Its probe is the fetch of the template: in the first case any usable one closes it, in the
/// second one of another content than that which opened it. No message is needed for that. In the
/// second case a message that does hold the field closes it too, since then it was the messages
/// that were at fault; so that there is one, now and then a single message may be received. Without
/// that, five bad messages in a row would stop a service whose template is right.
#[derive(Debug)]
pub struct TemplateBreaker {
    open: Option<Open>,
    /// The content of the version in force, once there is one.
    blob_id: Option<String>,
    /// Whether that version is trusted: it was there from the start, or a mail was written with it.
    proven: bool,
    missing: Option<Missing>,
    probes: Backoff,
    waiting: BTreeMap<Ticket, Instant>,
    next_number: u64,
}

#[derive(Debug)]
struct Open {
    cause: TemplateCause,
    since: Instant,
    /// When the next single message may be received; never while there is no template.
    receive_at: Option<Instant>,
}

/// Messages in a row that lacked one placeholder's field.
#[derive(Debug)]
struct Missing {
    placeholder: String,
    messages: Vec<String>,
}

impl TemplateBreaker {
    /// An open breaker: no template has been fetched yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            open: Some(Open {
                cause: TemplateCause::NotFetched,
                since: now,
                receive_at: None,
            }),
            blob_id: None,
            proven: false,
            missing: None,
            probes: Backoff::probes(),
            waiting: BTreeMap::new(),
            next_number: 0,
        }
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes in that a usable template was fetched, be it the one in force again.
    pub fn usable(
        &mut self,
        version: &TemplateVersion,
        now: Instant,
    ) -> Option<Transition<TemplateCause>> {
        // Another commit with the same content writes the same mails.
        if self.blob_id.as_ref() == Some(&version.blob_id) {
            return None;
        }
        // The first one was in use before we came: there the message is the likelier culprit.
        self.proven = self.blob_id.is_none();
        self.blob_id = Some(version.blob_id.clone());
        self.missing = None;
        let open = self.open.take()?;
        Some(Transition::Closed {
            cause: open.cause,
            open_for: now.duration_since(open.since),
        })
    }

    /// Takes in that no usable template was fetched. Where an earlier version serves on, nothing
    /// changes.
    pub fn unusable(&mut self, cause: TemplateCause) -> Option<Transition<TemplateCause>> {
        if self.blob_id.is_some() {
            return None;
        }
        let open = self.open.as_mut()?;
        if open.cause == cause {
            return None;
        }
        open.cause = cause.clone();
        Some(Transition::Changed { cause })
    }

    /// Whether there is a template to try a message with, be it suspected.
    #[must_use]
    pub fn has_template(&self) -> bool {
        self.blob_id.is_some()
    }

    /// Takes in that a mail was written with a version of the template.
    pub fn composed(
        &mut self,
        version: &TemplateVersion,
        now: Instant,
    ) -> Option<Transition<TemplateCause>> {
        if !self.is_in_force(version) {
            return None;
        }
        self.missing = None;
        self.proven = true;
        let open = self.open.take()?;
        Some(Transition::Closed {
            cause: open.cause,
            open_for: now.duration_since(open.since),
        })
    }

    /// Whether a single message may be received although it is open.
    #[must_use]
    pub fn may_receive_one(&self, now: Instant) -> bool {
        self.receive_at().is_some_and(|at| now >= at)
    }

    /// Takes in that a single message is being received: the next may be after a growing delay.
    pub fn receive_one(&mut self, now: Instant) {
        if let Some(open) = &mut self.open
            && open.receive_at.is_some()
        {
            open.receive_at = Some(now + self.probes.next_delay());
        }
    }

    /// When a single message may be received, while it is open.
    #[must_use]
    pub fn receive_at(&self) -> Option<Instant> {
        self.open.as_ref().and_then(|open| open.receive_at)
    }

    /// Takes in that the message with this key lacks the field of a placeholder that this version
    /// of the template names. The message that opens the breaker is best held like those that
    /// follow it, and tried with the next version.
    pub fn field_missing(
        &mut self,
        key: &str,
        placeholder: &str,
        version: &TemplateVersion,
        now: Instant,
    ) -> Option<Transition<TemplateCause>> {
        if self.is_open() || !self.is_in_force(version) {
            return None;
        }
        let missing = self
            .missing
            .take()
            .filter(|missing| missing.placeholder == placeholder);
        let mut messages = missing.map(|missing| missing.messages).unwrap_or_default();
        if !messages.iter().any(|message| message == key) {
            messages.push(key.to_owned());
        }
        if self.proven && messages.len() < MISSING_FIELD_LIMIT {
            self.missing = Some(Missing {
                placeholder: placeholder.to_owned(),
                messages,
            });
            return None;
        }
        let cause = TemplateCause::FieldMissing {
            placeholder: placeholder.to_owned(),
        };
        self.probes.reset();
        self.open = Some(Open {
            cause: cause.clone(),
            since: now,
            receive_at: Some(now + self.probes.next_delay()),
        });
        Some(Transition::Opened { cause })
    }

    /// Takes a place for a message that waits for a template.
    pub fn arrive(&mut self, now: Instant) -> Ticket {
        self.next_number += 1;
        let ticket = Ticket(self.next_number);
        self.waiting.insert(ticket, now);
        ticket
    }

    /// Gives up a place; whether it was still held.
    pub fn leave(&mut self, ticket: Ticket) -> bool {
        self.waiting.remove(&ticket).is_some()
    }

    /// What there is to say of it while it is open.
    #[must_use]
    pub fn status(&self, now: Instant) -> Option<Status<TemplateCause>> {
        let open = self.open.as_ref()?;
        let oldest = self.waiting.values().min();
        Some(Status {
            cause: open.cause.clone(),
            since: open.since,
            waiting: self.waiting.len(),
            oldest: oldest.map(|since| now.duration_since(*since)),
        })
    }

    fn is_in_force(&self, version: &TemplateVersion) -> bool {
        self.blob_id.as_ref() == Some(&version.blob_id)
    }
}

impl super::gate::Breaker for TemplateBreaker {
    fn is_at_rest(&self) -> bool {
        !self.is_open()
    }
}

#[cfg(test)]
mod tests;
