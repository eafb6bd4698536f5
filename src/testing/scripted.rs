//! A queue for the tests of single parts: it gives prepared answers and remembers what it was
//! asked. The semantics of a real queue are the local AWS's, not this one's.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use crate::ports::{
    CallError, EntryFailure, EntryFailureKind, Queue, QueueFacts, QueueFailure, QueueFailureKind,
    ReceiptHandle, ReceiveRequest, ReceivedMessage,
};

/// One answer to a batch call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Done,
    /// Every entry fails so.
    Entries(EntryFailureKind),
    /// The entry at this position fails so, the others are done.
    Entry(usize, EntryFailureKind),
    /// The call fails as a whole.
    Call(QueueFailureKind),
    /// Done, after this long.
    Late(Duration),
    Hang,
}

/// A batch call that was made: when, and with which handles and visibilities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) at: Instant,
    pub(crate) entries: Vec<(String, Option<Duration>)>,
}

#[derive(Default)]
pub(crate) struct ScriptedQueue {
    script: Mutex<VecDeque<Answer>>,
    /// The answer once the script is through.
    rest: Mutex<Option<Answer>>,
    asked: Mutex<Vec<Asked>>,
}

impl ScriptedQueue {
    /// Answers in this order, and `rest` from then on.
    pub(crate) fn new(script: &[Answer], rest: Answer) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script.iter().copied().collect()),
            rest: Mutex::new(Some(rest)),
            asked: Mutex::default(),
        })
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    async fn answer(
        &self,
        entries: Vec<(String, Option<Duration>)>,
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        let count = entries.len();
        self.asked.lock().unwrap().push(Asked {
            at: Instant::now(),
            entries,
        });
        let scripted = self.script.lock().unwrap().pop_front();
        let answer = scripted
            .or(*self.rest.lock().unwrap())
            .unwrap_or(Answer::Done);
        match answer {
            Answer::Done => Ok(vec![Ok(()); count]),
            Answer::Entries(kind) => Ok(vec![Err(entry_failure(kind)); count]),
            Answer::Entry(position, kind) => {
                let mut answers = vec![Ok(()); count];
                answers[position] = Err(entry_failure(kind));
                Ok(answers)
            }
            Answer::Call(kind) => Err(queue_failure(kind)),
            Answer::Late(after) => {
                sleep(after).await;
                Ok(vec![Ok(()); count])
            }
            Answer::Hang => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Queue for ScriptedQueue {
    async fn describe(&self) -> Result<QueueFacts, QueueFailure> {
        unreachable!("no test of a single part reads attributes")
    }

    async fn may_receive(&self) -> Result<(), QueueFailure> {
        unreachable!("no test of a single part proves rights")
    }

    async fn receive(&self, _: ReceiveRequest) -> Result<Vec<ReceivedMessage>, QueueFailure> {
        unreachable!("no test of a single part receives")
    }

    async fn delete(
        &self,
        receipts: &[ReceiptHandle],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        self.answer(
            receipts
                .iter()
                .map(|receipt| (receipt.0.clone(), None))
                .collect(),
        )
        .await
    }

    async fn change_visibility(
        &self,
        changes: &[(ReceiptHandle, Duration)],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        let entries = changes
            .iter()
            .map(|(receipt, timeout)| (receipt.0.clone(), Some(*timeout)));
        self.answer(entries.collect()).await
    }
}

pub(crate) fn handle(text: &str) -> ReceiptHandle {
    ReceiptHandle(text.to_owned())
}

fn entry_failure(kind: EntryFailureKind) -> EntryFailure {
    EntryFailure {
        kind,
        code: "Scripted".to_owned(),
        message: "as told".to_owned(),
    }
}

fn queue_failure(kind: QueueFailureKind) -> QueueFailure {
    let error = CallError {
        operation: "Scripted",
        code: "Scripted".to_owned(),
        message: "as told".to_owned(),
        request_id: None,
        obstacle: None,
        source: None,
    };
    QueueFailure {
        kind,
        error: Box::new(error),
    }
}
