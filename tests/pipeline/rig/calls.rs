//! Calls on the queue, and what may become of them.

use std::time::Duration;

use organizer_notifier::ports::{
    CallError, EntryFailure, EntryFailureKind, QueueFailure, QueueFailureKind, obstacle::Obstacle,
};
use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Describe,
    ProveReceive,
    Receive,
    Delete,
    Change,
}

/// A call, as it began.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) at: Duration,
    pub(crate) operation: Operation,
    /// The messages that it settles or renews; `?` for a handle that was made up.
    pub(crate) names: Vec<String>,
    /// The visibilities asked for.
    pub(crate) seconds: Vec<u64>,
    /// How many messages a receive asks for.
    pub(crate) asked: usize,
    /// How many receives are under way, this one included.
    pub(crate) under_way: usize,
}

/// What becomes of a call.
#[derive(Clone, Debug)]
pub(crate) enum Reaction {
    Pass,
    /// It fails as a whole and has no effect.
    Fail(QueueFailureKind),
    /// Nobody looks at it, for this reason.
    Bar(Obstacle),
    /// It has its effect, and fails all the same.
    FailAfter(QueueFailureKind),
    /// It has no effect, and no answer ever comes.
    Hang,
    /// It has no effect, and the client gives it up after this time.
    TimeOut(Duration),
    /// It is this long on its way to the queue.
    LateThere(Duration),
    /// Its answer is this long on its way back.
    LateBack(Duration),
    /// The entry of this message fails, and has no effect.
    Entry(String, EntryFailureKind),
    Panic,
}

/// A message that was received.
#[derive(Clone, Debug)]
pub(crate) struct Delivered {
    pub(crate) at: Duration,
    pub(crate) name: String,
}

/// What the production client makes of the model's answer.
pub(crate) fn of_the_model(entry: &Value) -> EntryFailure {
    let code = entry["Code"].as_str().unwrap_or_default();
    let text = entry["Message"].as_str().unwrap_or_default();
    let lost = matches!(code, "ReceiptHandleIsInvalid" | "MessageNotInflight")
        || text.contains("not available");
    let kind = if lost {
        EntryFailureKind::LeaseLost
    } else {
        EntryFailureKind::Refused
    };
    entry_failure(kind, code)
}

pub(crate) fn entry_failure(kind: EntryFailureKind, code: &str) -> EntryFailure {
    EntryFailure {
        kind,
        code: code.to_owned(),
        message: format!("{kind:?}"),
    }
}

pub(crate) fn failure(kind: QueueFailureKind) -> QueueFailure {
    QueueFailure {
        kind,
        error: Box::new(CallError {
            operation: "Scripted",
            code: "Scripted".to_owned(),
            message: format!("{kind:?}"),
            request_id: None,
            obstacle: None,
            source: None,
        }),
    }
}
