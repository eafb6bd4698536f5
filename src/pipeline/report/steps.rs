//! What is told at `debug` of a message on its way, and of what the pipeline tries meanwhile.

use std::time::Duration;

use tracing::debug;

use super::Notes;
use crate::{
    ports::{ReceivedMessage, SendFailure},
    text::format_to_the_millisecond,
};

/// A message was received: its outcome comes later.
pub(crate) fn received(message: &ReceivedMessage) {
    debug!(
        messaging.message.id = message.id,
        notifier.receive = message.receive_count,
        "received"
    );
}

/// The next attempt to send a message is made after this time.
pub(crate) fn retrying(message: &ReceivedMessage, notes: &Notes, after: Duration) {
    debug!(
        messaging.message.id = message.id,
        notifier.notification.id = notes.notification_id(),
        notifier.attempt = notes.attempts + 1,
        "backoff: attempt {} follows in {}",
        notes.attempts + 1,
        format_to_the_millisecond(after)
    );
}

/// A probe of the open mail breaker failed, a message or a witness. `next`: when another one is due.
pub(crate) fn probe_failed(failure: &SendFailure, next: Option<Duration>) {
    let next = next.map(|time| format!("; the next is due in {}", format_to_the_millisecond(time)));
    debug!(
        error.r#type = failure.error.code,
        "a probe of the mail breaker failed: {failure}{}",
        next.unwrap_or_default()
    );
}

/// The send rate is another one than when it was looked at last.
pub(super) fn rate_changed(before: Option<f64>, now: Option<f64>) {
    debug!(
        notifier.send_rate = now,
        "the send rate is {} now, and was {}",
        rate_in_words(now),
        rate_in_words(before)
    );
}

/// A rate for people.
pub(super) fn rate_in_words(rate: Option<f64>) -> String {
    match rate {
        // Rates are found by halving, and their last digits say nothing.
        Some(rate) if rate >= 10.0 => format!("{} recipients/s", rate.round()),
        Some(rate) => format!("{} recipients/s", (rate * 100.0).round() / 100.0),
        None => "unlimited".to_owned(),
    }
}
