//! Batch calls to the queue, as lease keeper and settler make them.

use std::{panic, time::Duration};

use tokio::{task::JoinError, time::timeout};
use tracing::{error, warn};

use crate::{
    ports::{EntryFailure, QueueFailure},
    telemetry::throttle::Throttle,
};

/// Why there is no answer for an entry.
#[derive(Clone, Debug)]
pub(super) struct Unanswered {
    /// The type of the error.
    pub(super) error_type: String,
    /// Whether it does not pass by itself.
    pub(super) is_definite: bool,
    /// What to do about it, where that is known.
    pub(super) remedy: Option<&'static str>,
}

impl Unanswered {
    /// For a reason of this type.
    pub(super) fn of(error_type: &str) -> Self {
        Self {
            error_type: error_type.to_owned(),
            is_definite: false,
            remedy: None,
        }
    }
}

/// The answers to one call for so many entries, in their order. A call that fails or takes longer
/// than `limit` has none but what it failed with; a line says so, which begins with `trouble`.
pub(super) async fn batch_answers(
    call: impl Future<Output = Result<Vec<Result<(), EntryFailure>>, QueueFailure>>,
    limit: Duration,
    entries: usize,
    trouble: &str,
    failing: &Throttle,
) -> Result<Vec<Result<(), EntryFailure>>, Unanswered> {
    let (unanswered, reason) = match timeout(limit, call).await {
        Ok(Ok(answers)) => return Ok(answers),
        Ok(Err(failure)) => {
            let unanswered = Unanswered {
                error_type: failure.error.code.clone(),
                is_definite: failure.is_definite(),
                remedy: (failure.is_definite() || failure.error.obstacle.is_some())
                    .then(|| failure.remedy()),
            };
            let remedy = failure.is_definite().then(|| failure.remedy());
            let remedy = remedy.map(|remedy| format!("; {remedy}"));
            (
                unanswered,
                format!("{failure}{}", remedy.unwrap_or_default()),
            )
        }
        Err(_elapsed) => (Unanswered::of("timeout"), "no answer in time".to_owned()),
    };
    if let Some(suppressed) = failing.due() {
        macro_rules! line {
            ($level:ident) => {
                $level!(
                    error.r#type = unanswered.error_type,
                    messaging.batch.message_count = entries,
                    notifier.suppressed = suppressed,
                    "{trouble}, trying again: {reason}"
                )
            };
        }
        // What is not allowed needs somebody.
        if unanswered.is_definite {
            line!(error);
        } else {
            line!(warn);
        }
    }
    Err(unanswered)
}

/// What a task returned. Its panic goes on in its owner, so that it does not pass unseen.
pub(super) fn task_result<T>(done: Result<T, JoinError>) -> T {
    done.unwrap_or_else(|failed| panic::resume_unwind(failed.into_panic()))
}
