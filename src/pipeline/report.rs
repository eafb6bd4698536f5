//! What the pipeline says: one line for each outcome, and lines while nothing gets out.

mod stalls;
mod state;
mod steps;

use std::time::Duration;

use tracing::{debug, error, info, warn};

use self::stalls::in_brackets;
use super::{
    breaker::{Cause, Said, TemplateCause, Transition},
    health_state::Part,
    outcome::{Ending, Outcome, is_last_receive},
};
use crate::{
    feedback::Deafness,
    notification::{JsonPointer, MailKey},
    ports::{ReceivedMessage, SendFailure, TemplateVersion},
    telemetry::{Instruments, LIFECYCLE, spans::MessageSpan},
    text::format_duration,
};

pub(crate) use self::{
    stalls::stalls,
    state::state,
    steps::{probe_failed, received, retrying},
};

/// What is learnt of a message on its way, for its line in the log. It outlives a panic.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// What the ledger knows it by.
    pub(crate) key: Option<MailKey>,
    /// The recipients, masked.
    pub(crate) to: Option<String>,
    /// The mail service's id of the accepted mail.
    pub(crate) email_id: Option<String>,
    pub(crate) attempts: u32,
    /// How many attempts had no answer, so that each may have been mailed.
    pub(crate) unknown: u32,
    /// Of the last failure: what kind, and in words.
    pub(crate) error: Option<(String, String)>,
    pub(crate) span: MessageSpan,
}

impl Notes {
    /// The notification's id, as the mail's tag has it.
    pub(crate) fn notification_id(&self) -> Option<&str> {
        self.key.as_ref().map(MailKey::notification_id)
    }
}

/// Ends a message's span and counts it.
pub(crate) fn ended(
    instruments: &Instruments,
    outcome: Outcome,
    notes: &mut Notes,
    took: Duration,
) {
    let error = error_of(outcome, notes.error.as_ref()).map(|(kind, _)| kind);
    instruments.metrics.ended(outcome.name(), took, error);
    notes.span.end(outcome.name(), error);
}

/// What went wrong with a message that did not end well: the kind, and words if there are any. A
/// failure before a successful attempt does not count.
fn error_of(outcome: Outcome, failure: Option<&(String, String)>) -> Option<(&str, Option<&str>)> {
    let failure = failure.map(|(kind, text)| (kind.as_str(), Some(text.as_str())));
    match outcome {
        Outcome::Sent | Outcome::Duplicate | Outcome::Ignored | Outcome::Released => None,
        Outcome::Panicked => Some((outcome.name(), None)),
        // The reason that it was held for, if there was one.
        Outcome::Lost => Some((outcome.name(), failure.and_then(|(_, text)| text))),
        Outcome::Rejected | Outcome::Deferred | Outcome::Exhausted => {
            failure.or(Some((outcome.name(), None)))
        }
    }
}

/// One message's line. `receive` says how often it was received, this time included, and how often
/// it may be, where the queue has a redrive policy.
pub(crate) fn outcome(
    message: &ReceivedMessage,
    receive: (u32, Option<u32>),
    outcome: Outcome,
    ending: Ending,
    notes: &Notes,
    took: Duration,
) {
    let (count, max) = receive;
    let last = is_last_receive(count, max);
    let receive = match max {
        Some(max) => format!("{count} of {max}"),
        None => count.to_string(),
    };
    let error = match ending {
        Ending::DrainedUnjudged => error_of(Outcome::Rejected, notes.error.as_ref()),
        _ => error_of(outcome, notes.error.as_ref()),
    };
    let (error_type, reason) = (
        error.map(|(kind, _)| kind),
        error.and_then(|(_, text)| text),
    );
    let mut text = sentence(ending, last, reason);
    if notes.unknown > 0 && ending == Ending::LeaseLost && !last {
        "lost its lease before it was known whether its mail was sent: one attempt had no answer; it \
         returns to the queue"
            .clone_into(&mut text);
    } else if notes.unknown > 0 && ending == Ending::Sent {
        text.push_str("; an attempt before had no answer, so the mail may have gone out twice");
    } else if notes.unknown > 0 && !says_unknown(ending) {
        text.push_str("; one attempt had no answer: the mail may have been sent");
    }
    macro_rules! line {
        ($level:ident) => {
            $level!(
                notifier.outcome = outcome.name(),
                notifier.receive = receive,
                messaging.message.id = message.id,
                notifier.notification.id = notes.notification_id(),
                notifier.email.to = notes.to,
                notifier.email.id = notes.email_id,
                notifier.attempts = notes.attempts,
                notifier.duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                error.r#type = error_type,
                trace_id = notes.span.trace_id(),
                span_id = notes.span.span_id(),
                "{text}"
            )
        };
    }
    match outcome {
        Outcome::Released | Outcome::Lost if last => line!(error),
        Outcome::Sent | Outcome::Duplicate | Outcome::Ignored | Outcome::Released => line!(info),
        Outcome::Rejected | Outcome::Deferred | Outcome::Lost => line!(warn),
        Outcome::Exhausted | Outcome::Panicked => line!(error),
    }
}

/// A message whose delete failed; its mail may have gone out. Only the queue knows whether the
/// message comes again; a person who finds it later must not send it a second time.
pub(crate) fn not_deleted(
    message_id: &str,
    (receive_count, max_receive_count): (u32, Option<u32>),
    notes: &Notes,
    given_up: bool,
) {
    let last = is_last_receive(receive_count, max_receive_count);
    if !last && !given_up {
        warn!(
            messaging.message.id = message_id,
            notifier.notification.id = notes.notification_id(),
            "the message's lease was lost before the delete was confirmed; if the message comes \
             again here, the ledger knows it"
        );
        return;
    }
    let fate = match (given_up, last) {
        (true, false) => {
            "the message was not deleted from the queue, so it comes again and may be mailed again;"
        }
        (true, true) => {
            "the message was not deleted from the queue, on its last receive: the queue will dead-letter it;"
        }
        (false, _) => {
            "the message's lease was lost before the delete was confirmed, on its last receive: \
             the queue may dead-letter it;"
        }
    };
    let mailed = match notes.email_id {
        Some(_) => "its mail was sent, so",
        None => "if its mail was sent,",
    };
    error!(
        messaging.message.id = message_id,
        notifier.notification.id = notes.notification_id(),
        notifier.email.id = notes.email_id,
        "{fate} {mailed} do not redrive it"
    );
}

/// Logs a change of a breaker: the `part` that it stops, and what the service said.
pub(crate) fn transition<C: Cause>(part: Part, transition: &Transition<C>, said: Option<&Said>) {
    let what = part.name();
    match transition {
        Transition::Opened { cause } | Transition::Changed { cause } => {
            let (wrong, remedy) = cause.words(said);
            error!(
                target: LIFECYCLE,
                { notifier.breaker.cause = cause.name(), error.r#type = said.map(|said| &*said.code) },
                "{what} has stopped, and receiving with it but for probes: {wrong}{}; {remedy}. It resumes by itself \
                 once a probe goes through. Messages stay in the queue, and those held are \
                 kept as long as their leases are renewed.",
                in_brackets(said),
            );
        }
        // At each start there is no template at first, and nothing has stopped for it.
        Transition::Closed { cause, .. } if cause.is_start() => {}
        Transition::Closed { cause, open_for } => info!(
            target: LIFECYCLE,
            { notifier.breaker.cause = cause.name(), notifier.breaker.open_s = open_for.as_secs() },
            "{what} works again after {}: receiving resumes, one message first",
            format_duration(*open_for),
        ),
    }
}

/// A message lacks a field that the template names, and no mail was written with this version yet.
pub(crate) fn field_missing(placeholder: &str, field: &JsonPointer, version: &TemplateVersion) {
    let cause = TemplateCause::FieldMissing {
        placeholder: placeholder.to_owned(),
    };
    warn!(
        template.blob_id = version.blob_id,
        template.commit_id = version.commit_id,
        "a message lacks the field {field}, which the template's {{{placeholder}}} needs. No mail was \
         written with this template (version {}) yet, so the fault may be the template's: such messages are \
         held until a mail can be written; {}",
        version.short_id(),
        cause.remedy(),
    );
}

/// What the line says, by how the work ended: the outcome follows from that.
fn sentence(ending: Ending, last: bool, reason: Option<&str>) -> String {
    let reason = reason
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    match ending {
        Ending::Sent => "sent".to_owned(),
        Ending::SentByEvent => "sent, as an event of SES's shows".to_owned(),
        Ending::SentByRecord => "sent, as the ledger's table shows".to_owned(),
        Ending::AlreadySent => "duplicate: it was sent before, and is deleted now".to_owned(),
        Ending::ControlMessage => "ignored: a control message of the topic".to_owned(),
        Ending::Rejected => format!("rejected{reason}"),
        Ending::BudgetSpent => unsent(
            "its time for retries (retry.max_elapsed) is over",
            last,
            &reason,
        ),
        Ending::UnknownAtLimit => unsent(
            "its outcome is unknown after two attempts without an answer: the mail may have been \
             sent",
            last,
            &reason,
        ),
        Ending::DrainedInSend => unsent(
            "the daemon stopped before its send was answered: the mail may have been sent",
            last,
            &reason,
        ),
        Ending::DrainedUnjudged if last => format!(
            "released on its last receive: the daemon stopped before it knew whether the message \
             or the account causes the failure, and the queue will dead-letter it{reason}"
        ),
        Ending::Drained if last => format!(
            "released on its last receive, since the daemon stopped before it could be sent: the queue \
             will dead-letter it{reason}"
        ),
        Ending::Drained | Ending::DrainedUnjudged => "released: returned to the queue".to_owned(),
        Ending::LeaseLost if last => {
            format!(
                "lost its lease before it was sent, on its last receive: the queue will dead-letter \
                 it{reason}"
            )
        }
        Ending::LeaseLost => {
            "lost its lease before it was sent; it returns to the queue, and is sent after its next receive".to_owned()
        }
        Ending::Panicked { sent: true } => {
            "its worker failed after the mail was sent; the message is deleted".to_owned()
        }
        Ending::Panicked { sent: false } if last => {
            "its worker failed on its last receive: the queue will dead-letter it".to_owned()
        }
        Ending::Panicked { sent: false } => {
            "its worker failed; the message comes back by itself".to_owned()
        }
    }
}

/// Whether the sentence of an ending says what became of attempts without an answer.
fn says_unknown(ending: Ending) -> bool {
    matches!(
        ending,
        Ending::Sent
            | Ending::SentByEvent
            | Ending::SentByRecord
            | Ending::AlreadySent
            | Ending::UnknownAtLimit
            | Ending::DrainedInSend
            | Ending::Panicked { sent: true }
    )
}

fn unsent(why: &str, last: bool, reason: &str) -> String {
    if last {
        format!(
            "exhausted: this was its last receive, {why}, and the queue will dead-letter it{reason}"
        )
    } else {
        format!("deferred, {why}{reason}")
    }
}

/// What settled a send that had no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// An event shows that it went out.
    ByEvent,
    /// No event came within this time.
    NoEvent(Duration),
    /// No events arrive.
    Deaf(Deafness),
}

impl Settled {
    /// Its name in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ByEvent => "event",
            Self::NoEvent(_) => "no_event",
            Self::Deaf(_) => "deaf",
        }
    }
}

/// A send that had no answer is settled. What an event shows is told with the outcome.
pub(crate) fn unknown_settled(message: &ReceivedMessage, notes: &Notes, settled: Settled) {
    let why = match settled {
        Settled::ByEvent => return,
        Settled::NoEvent(patience) => {
            format!(
                "no event about this mail came within {}",
                format_duration(patience)
            )
        }
        Settled::Deaf(deafness) => format!("no event is waited for, because {deafness}"),
    };
    warn!(
        messaging.message.id = message.id,
        notifier.notification.id = notes.notification_id(),
        notifier.settled_by = settled.name(),
        trace_id = notes.span.trace_id(),
        span_id = notes.span.span_id(),
        "SES did not answer a send, and it stays unknown whether the mail was sent: {why}"
    );
}

/// As of a message, the first failure since an acceptance is told: before the first message is received
/// nothing else tells of it. A refusal is the breaker's to tell.
pub(crate) fn witness_failed(failure: &SendFailure, first: bool) {
    let code = &*failure.error.code;
    if first && failure.kind.is_temporary() {
        warn!(
            error.r#type = code,
            "a test mail to SES's mailbox simulator failed, and another is sent: {failure}"
        );
    } else {
        debug!(
            error.r#type = code,
            "a test mail to SES's mailbox simulator failed, and another is sent: {failure}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_lost_on_its_last_receive_says_what_it_was_held_for() {
        let notes = ("Code".to_owned(), "Refused.".to_owned());
        let (kind, reason) = error_of(Outcome::Lost, Some(&notes)).unwrap();
        assert_eq!((kind, reason), ("lost", Some("Refused.")));
        assert!(sentence(Ending::LeaseLost, true, reason).ends_with("dead-letter it: Refused."));
        assert!(!sentence(Ending::LeaseLost, false, reason).contains("Refused."));
    }

    #[test]
    fn a_worker_that_failed_on_the_last_receive_is_not_said_to_come_back() {
        let ending = Ending::Panicked { sent: false };
        let said = |last| sentence(ending, last, None);
        assert!(said(true).contains("the queue will dead-letter it"));
        assert!(said(false).contains("the message comes back by itself"));
    }
}
