//! What follows from an event.

use std::{sync::Arc, time::Duration};

use super::{
    hearing::Hearing,
    report::{self, Told},
    seen::Seen,
};
use crate::{
    ledger::{KnownTo, Ledger},
    ports::{
        MailPurpose, QueueFailure, ReceivedMessage,
        events::{Letter, MailEvent},
    },
    telemetry::Instruments,
};

/// An event of a mail of `check` is left in the queue for this long, for the person who waits for it.
const CHECKS_LEFT_FOR: Duration = Duration::from_mins(2);
/// Where the clocks disagree it is left for so many receives, each a second after the one before.
const CHECKS_RECEIVED_MAX: u32 = 150;
/// What a person waits for is hidden from them for this long: each time somebody else may get it.
const CHECKS_HIDDEN_FOR: Duration = Duration::from_secs(1);
/// An event of a mail that is not settled yet comes again after this: should this process die first, the
/// next one reads it.
const UNSETTLED_HIDDEN_FOR: Duration = Duration::from_secs(5);
/// An event that does not stand in the ledger's table yet comes again after this, and after twice as long
/// each time, so that an outage does not spend the receives that its queue may allow.
const UNRECORDED_HIDDEN_FOR: Duration = Duration::from_secs(5);
const UNRECORDED_HIDDEN_MAX: Duration = Duration::from_mins(15);
/// What is no event of the mail service's is looked at again after this. Somebody has to take it away.
const FOREIGN_HIDDEN_FOR: Duration = Duration::from_hours(1);

/// What becomes of a message of the feedback queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its work is done.
    Delete,
    /// It stays in the queue, hidden for so long.
    Leave(Duration),
}

/// Applies events: to the ledger, to what is known of whether events arrive, and to the log.
pub(super) struct Applier {
    pub(super) queue: String,
    pub(super) feedback_queue: String,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) hearing: Arc<Hearing>,
    pub(super) instruments: Arc<Instruments>,
    pub(super) seen: Seen,
    pub(super) told: Told,
}

impl Applier {
    /// Applies what a message holds. Applied twice it changes nothing more.
    pub(super) async fn apply(&self, message: &ReceivedMessage, letter: Letter) -> Verdict {
        let event = match letter {
            Letter::Event(event) => event,
            Letter::Greeting => return Verdict::Delete,
            Letter::Other => {
                self.instruments.metrics.other_letter("account");
                return Verdict::Delete;
            }
            Letter::Foreign(what) => {
                // It comes again and again, and is one letter.
                if message.receive_count <= 1 {
                    self.instruments.metrics.other_letter("foreign");
                }
                self.told.foreign(&self.feedback_queue, &what);
                return Verdict::Leave(FOREIGN_HIDDEN_FOR);
            }
        };
        if event.purpose == MailPurpose::Check {
            let age = age(message).unwrap_or_default();
            let is_young = age < CHECKS_LEFT_FOR && message.receive_count < CHECKS_RECEIVED_MAX;
            return if is_young {
                Verdict::Leave(CHECKS_HIDDEN_FOR)
            } else {
                Verdict::Delete
            };
        }
        match (&event.key, &event.queue) {
            (Some(key), Some(queue)) if *queue == self.queue => {
                self.hearing.heard();
                if event.purpose == MailPurpose::Witness {
                    if event.fate.shows_acceptance() {
                        self.hearing.hear_witness(key, &event.email_id);
                    }
                } else {
                    return self.apply_ours(key.as_str(), message, &event).await;
                }
            }
            (Some(key), Some(queue)) => {
                self.instruments.metrics.other_letter("sibling");
                return self
                    .apply_siblings(queue, key.as_str(), message, &event)
                    .await;
            }
            _ => self.instruments.metrics.other_letter("other_sender"),
        }
        Verdict::Delete
    }

    async fn apply_ours(&self, key: &str, message: &ReceivedMessage, event: &MailEvent) -> Verdict {
        let mut after = Verdict::Delete;
        if event.fate.shows_acceptance() {
            let heard = self.ledger.hear(key, &event.email_id).await;
            if heard.sent_twice {
                report::sent_twice(event);
            }
            after = verdict(heard.known, message.receive_count);
        }
        // Both SES and the queues may deliver an event twice.
        if self.seen.is_new(event) {
            self.instruments.metrics.heard(event, age(message));
            let span = self.instruments.spans.event(&self.feedback_queue, event);
            report::event(event, &span);
        }
        after
    }

    /// An event of a mail of another queue's. Where there is a table for all it learns of it there.
    async fn apply_siblings(
        &self,
        queue: &str,
        key: &str,
        message: &ReceivedMessage,
        event: &MailEvent,
    ) -> Verdict {
        // Its witnesses are no mails of anybody's, and what was not accepted is none of ours either.
        if event.purpose != MailPurpose::Organizer || !event.fate.shows_acceptance() {
            return Verdict::Delete;
        }
        let heard = self.ledger.hear_sibling(queue, key, &event.email_id).await;
        let Some(heard) = heard else {
            self.told.sibling(&self.feedback_queue, queue, &self.queue);
            return Verdict::Delete;
        };
        if heard.sent_twice {
            report::sent_twice(event);
        }
        if self.seen.is_new(event) {
            // Nobody else reads it.
            self.instruments.metrics.heard(event, age(message));
            let span = self.instruments.spans.event(&self.feedback_queue, event);
            report::event(event, &span);
        }
        verdict(heard.known, message.receive_count)
    }

    /// What was read could not be deleted.
    pub(super) fn delete_failed(&self, failure: &QueueFailure) {
        self.told.delete_failed(&self.feedback_queue, failure);
    }
}

/// What becomes of an event, by who knows what it says and how often it was received.
fn verdict(known: KnownTo, receives: u32) -> Verdict {
    match known {
        KnownTo::All => Verdict::Delete,
        KnownTo::Holder => Verdict::Leave(UNSETTLED_HIDDEN_FOR),
        KnownTo::ThisTask => {
            let doubled = 2_u32.saturating_pow(receives.saturating_sub(1));
            let hidden_for = UNRECORDED_HIDDEN_FOR.saturating_mul(doubled);
            Verdict::Leave(hidden_for.min(UNRECORDED_HIDDEN_MAX))
        }
    }
}

fn age(message: &ReceivedMessage) -> Option<Duration> {
    message.sent_at?.elapsed().ok()
}
