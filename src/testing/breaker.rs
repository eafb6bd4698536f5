//! Settings of a mail breaker for tests, and failures to report to it.

use std::time::Duration;

use crate::{
    backoff::{Backoff, Jitter, LONGEST_DELAY},
    pipeline::breaker::MailBreakerSettings,
    ports::{CallError, SendFailure, SendFailureKind},
};

/// Probes after one second, doubling to a minute. Without witnesses it is closed from the start.
pub(crate) fn settings(witness: bool) -> MailBreakerSettings {
    MailBreakerSettings {
        witness,
        suspect_hold_max: Duration::from_mins(10),
        waiting_max: 8,
        backoff: || Backoff::new(Duration::from_secs(1), LONGEST_DELAY, Jitter::Off),
    }
}

/// A send that failed with this code.
pub(crate) fn failure(kind: SendFailureKind, code: &str) -> SendFailure {
    SendFailure::new(
        kind,
        CallError {
            operation: "SendEmail",
            code: code.to_owned(),
            message: format!("{kind:?}"),
            request_id: None,
            obstacle: None,
            source: None,
        },
    )
}
