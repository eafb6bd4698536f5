//! Batch calls to the queue, as lease keeper and settler make them.

use std::{panic, time::Duration};

use tokio::{task::JoinError, time::timeout};
use tracing::warn;

use crate::{
    ports::{EntryFailure, QueueFailure},
    telemetry::throttle::Throttle,
};

/// The answers to one call for so many entries, in their order. A call that fails or takes longer
/// than `limit` has none but the type of its error; a line says so, which begins with `trouble`.
pub(super) async fn batch_answers(
    call: impl Future<Output = Result<Vec<Result<(), EntryFailure>>, QueueFailure>>,
    limit: Duration,
    entries: usize,
    trouble: &str,
    failing: &Throttle,
) -> Result<Vec<Result<(), EntryFailure>>, String> {
    let (error_type, reason) = match timeout(limit, call).await {
        Ok(Ok(answers)) => return Ok(answers),
        Ok(Err(failure)) => (failure.error.code.clone(), failure.to_string()),
        Err(_elapsed) => ("timeout".to_owned(), "no answer in time".to_owned()),
    };
    if let Some(suppressed) = failing.due() {
        warn!(
            error.r#type = error_type,
            messaging.batch.message_count = entries,
            notifier.suppressed = suppressed,
            "{trouble}, trying again: {reason}"
        );
    }
    Err(error_type)
}

/// What a task returned. Its panic goes on in its owner, so that it does not pass unseen.
pub(super) fn task_result<T>(done: Result<T, JoinError>) -> T {
    done.unwrap_or_else(|failed| panic::resume_unwind(failed.into_panic()))
}
