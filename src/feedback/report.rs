//! What is said of events: a line for what is wrong with a mail, and lines while events do not arrive.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use tracing::{Level, debug, enabled, error, info, warn};

use super::hearing::{Deafness, Hearing};
use crate::{
    notification::{MailKey, mask, masked_text},
    ports::{
        QueueFailure,
        events::{EventRecipient, Fate, MailEvent},
    },
    telemetry::{
        Instruments,
        names::{metric, ours},
        spans::CallSpan,
        throttle::Throttle,
    },
};

/// The longest diagnostic that a line holds.
const DIAGNOSTIC_CHARS_MAX: usize = 200;
/// How often it is looked whether events arrive.
const RECHECK_EVERY: Duration = Duration::from_secs(1);

/// An event of a mail of ours. What is wrong with a mail is one line at warn.
pub(super) fn event(event: &MailEvent, span: &CallSpan) {
    let is_usual = matches!(
        event.fate,
        Fate::Sent | Fate::Delivered | Fate::Opened | Fate::Clicked | Fate::Subscribed
    );
    // Most events are written at no level that anybody reads, and writing costs more than reading.
    if is_usual && !enabled!(Level::DEBUG) {
        return;
    }
    let kind = masked(event.kind.as_deref());
    let subkind = masked(event.subkind.as_deref());
    let of = |read: fn(&EventRecipient) -> Option<&str>| {
        let texts: Vec<_> = event.recipients.iter().filter_map(read).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    };
    let to: Vec<_> = event
        .recipients
        .iter()
        .map(|recipient| mask(&recipient.address))
        .collect();
    let status = of(|recipient| recipient.status.as_deref());
    let status = masked(status.as_deref());
    let diagnostic = of(|recipient| recipient.diagnostic.as_deref());
    let diagnostic = masked(diagnostic.as_deref());
    let (trace_id, span_id) = (span.trace_id(), span.span_id());
    macro_rules! line {
        ($level:ident, $text:expr) => {
            $level!(
                notifier.email.event = event.fate.name(),
                notifier.notification.id = event.key.as_ref().map(MailKey::notification_id),
                notifier.email.id = event.email_id,
                notifier.email.to = (!to.is_empty()).then(|| to.join(", ")),
                notifier.event.r#type = kind,
                notifier.event.subtype = subkind,
                notifier.event.status = status,
                notifier.event.diagnostic = diagnostic,
                trace_id,
                span_id,
                $text
            )
        };
    }
    match event.fate {
        Fate::Bounced => line!(warn, "a mail bounced: the organizer does not get it"),
        Fate::Complained => line!(warn, "complaint: a recipient marked a mail as spam"),
        Fate::Rejected => line!(warn, "SES accepted a mail and will not deliver it"),
        Fate::NotRendered => line!(warn, "SES could not render a mail and did not send it"),
        Fate::Delayed => line!(info, "a mail is delayed: SES goes on trying to deliver it"),
        Fate::Delivered => line!(debug, "a mail was delivered"),
        Fate::Sent | Fate::Opened | Fate::Clicked | Fate::Subscribed => {
            line!(debug, "an event of a mail");
        }
    }
}

/// Two mails with one key were accepted.
pub(super) fn sent_twice(event: &MailEvent) {
    warn!(
        notifier.notification.id = event.key.as_ref().map(MailKey::notification_id),
        notifier.email.id = event.email_id,
        "a mail was sent twice: SES had accepted it before, under another id"
    );
}

/// Text of the mail service's as a line shows it: masked, and not too long.
fn masked(text: Option<&str>) -> Option<String> {
    let masked = masked_text(text?);
    Some(match masked.char_indices().nth(DIAGNOSTIC_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &masked[..end]),
        None => masked,
    })
}

/// What is told once a minute at most.
#[derive(Debug, Default)]
pub(super) struct Told {
    foreign: Throttle,
    sibling: Throttle,
    deleting: Throttle,
}

impl Told {
    pub(super) fn foreign(&self, feedback_queue: &str, what: &str) {
        if let Some(suppressed) = self.foreign.due() {
            warn!(
                notifier.suppressed = suppressed,
                "the feedback queue {feedback_queue} holds {what}. The message is left there; \
                 only the events of the configuration set should reach this queue"
            );
        }
    }

    pub(super) fn sibling(&self, feedback_queue: &str, theirs: &str, ours: &str) {
        if let Some(suppressed) = self.sibling.due() {
            warn!(
                notifier.suppressed = suppressed,
                "the feedback queue {feedback_queue} brings events of mails of the queue {theirs}, which \
                 this daemon does not work for (its queue is {ours}): they are lost to the daemon that \
                 does; give each daemon a feedback queue of its own"
            );
        }
    }

    pub(super) fn delete_failed(&self, feedback_queue: &str, failure: &QueueFailure) {
        if let Some(suppressed) = self.deleting.due() {
            warn!(
                error.r#type = failure.error.code,
                notifier.suppressed = suppressed,
                "events cannot be deleted from the feedback queue {feedback_queue} and come again: \
                 {failure}; {}",
                failure.feedback_remedy()
            );
        }
    }
}

/// Says when feedback becomes deaf, once a minute while it is, and when it hears again.
pub(super) async fn tell_deafness(hearing: &Hearing, feedback_queue: &str) {
    loop {
        hearing.deaf().await;
        let throttle = Throttle::default();
        while let Some(deafness) = hearing.deafness() {
            if throttle.due().is_some() {
                match deafness {
                    Deafness::NotReceived => {
                        hearing.with_failure(|failure| not_received(feedback_queue, failure));
                    }
                    Deafness::NoEvents(_) if hearing.is_among_others() => {
                        no_events_for_anybody(feedback_queue, deafness);
                    }
                    Deafness::NoEvents(_) => no_events(feedback_queue, deafness),
                }
            }
            sleep(RECHECK_EVERY).await;
        }
        info!("events arrive again in the feedback queue {feedback_queue}, and are used");
    }
}

fn not_received(feedback_queue: &str, failure: &QueueFailure) {
    error!(
        error.r#type = failure.error.code,
        "the feedback queue {feedback_queue} cannot be received from: {failure}; {}; mails are \
         still sent",
        failure.feedback_remedy()
    );
}

fn no_events(feedback_queue: &str, deafness: Deafness) {
    warn!(
        notifier.feedback.deafness = deafness.name(),
        "no events arrive in the feedback queue {feedback_queue}: {deafness}. If SES does not \
         answer a send, no event is waited for, and the mail can be sent twice; check the \
         configuration set's event destination, its topic and the topic's subscription with \
         `check --feedback`"
    );
}

/// The same where a send without an answer waits all the same, since another task may hear of it.
fn no_events_for_anybody(feedback_queue: &str, deafness: Deafness) {
    warn!(
        notifier.feedback.deafness = deafness.name(),
        "no events arrive in the feedback queue {feedback_queue} for this task: {deafness}. If \
         SES does not answer a send, its event is waited for, which helps only if events arrive \
         at another task; check the configuration set's event destination, its topic and the \
         topic's subscription with `check --feedback`"
    );
}

/// Registers the gauge of deafness.
pub(super) fn observe(hearing: &Arc<Hearing>, instruments: &Instruments) {
    let hearing = Arc::downgrade(hearing);
    let read = move || {
        let Some(hearing) = hearing.upgrade() else {
            return Vec::new();
        };
        match hearing.deafness() {
            None => vec![(0.0, Vec::new())],
            Some(deafness) => vec![(1.0, vec![(ours::DEAFNESS, deafness.name())])],
        }
    };
    let text = "1 while no events arrive, by reason.";
    instruments
        .metrics
        .observe(metric::FEEDBACK_DEAF, "1", text, read);
}
