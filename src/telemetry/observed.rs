//! Ports that are watched: every call on the queue and every fetch of the template leaves its
//! metrics and its span, and whoever calls knows nothing of it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Instruments, names::ours, spans::CallSpan};
use crate::ports::{
    EntryFailure, Queue, QueueFacts, QueueFailure, ReceiptHandle, ReceiveRequest, ReceivedMessage,
    TemplateFailure, TemplateFile, TemplateSource,
};

/// The calls by the names that AWS gives them.
const RECEIVE: &str = "SQS/ReceiveMessage";
const DELETE: &str = "SQS/DeleteMessageBatch";
const CHANGE_VISIBILITY: &str = "SQS/ChangeMessageVisibilityBatch";

/// The error type of a call that was given up before it was answered.
const UNANSWERED: &str = "timeout";

type Answers = Result<Vec<Result<(), EntryFailure>>, QueueFailure>;

/// A queue whose calls are measured.
pub struct ObservedQueue {
    queue: Arc<dyn Queue>,
    instruments: Arc<Instruments>,
}

impl ObservedQueue {
    /// Watches `queue`.
    #[must_use]
    pub fn new(queue: Arc<dyn Queue>, instruments: Arc<Instruments>) -> Self {
        Self { queue, instruments }
    }

    /// Makes a settling call and leaves its span and its measure.
    async fn settle(
        &self,
        method: &'static str,
        receipts: &[&ReceiptHandle],
        call: impl Future<Output = Answers>,
    ) -> Answers {
        let mut watched = Settling {
            instruments: &self.instruments,
            method,
            began: Instant::now(),
            span: self.instruments.spans.settle(method, receipts),
            answered: false,
        };
        let answers = call.await;
        watched.answered(&answers);
        answers
    }
}

/// A settling call under way. Whoever makes it gives it up after a time, by dropping it.
struct Settling<'a> {
    instruments: &'a Instruments,
    method: &'static str,
    began: Instant,
    span: CallSpan,
    answered: bool,
}

impl Settling<'_> {
    fn answered(&mut self, answers: &Answers) {
        self.answered = true;
        let error = match answers {
            Ok(answers) => answers
                .iter()
                .find_map(|answer| answer.as_ref().err())
                .map(|entry| {
                    self.span.failed_as(&entry.code);
                    entry.code.as_str()
                }),
            Err(failure) => {
                self.span.failed(&failure.error);
                Some(failure.error.code.as_str())
            }
        };
        self.measure(error);
    }

    fn measure(&self, error: Option<&str>) {
        let metrics = &self.instruments.metrics;
        metrics.called("settle", self.method, self.began.elapsed(), error);
    }
}

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.span.failed_as(UNANSWERED);
            self.measure(Some(UNANSWERED));
        }
    }
}

#[async_trait]
impl Queue for ObservedQueue {
    async fn describe(&self) -> Result<QueueFacts, QueueFailure> {
        self.queue.describe().await
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, QueueFailure> {
        let (began, at) = (Instant::now(), SystemTime::now());
        let received = self.queue.receive(request).await;
        let metrics = &self.instruments.metrics;
        match &received {
            Ok(messages) => {
                metrics.called("receive", RECEIVE, began.elapsed(), None);
                metrics.received(messages.iter().map(|message| {
                    let age = message.sent_at.and_then(|sent| sent.elapsed().ok());
                    (age, message.receive_count)
                }));
                if !messages.is_empty() {
                    self.instruments.spans.received(at, messages);
                }
            }
            Err(failure) => {
                let error = &failure.error;
                metrics.called("receive", RECEIVE, began.elapsed(), Some(&error.code));
                self.instruments.spans.not_received(at, error);
            }
        }
        received
    }

    async fn delete(
        &self,
        receipts: &[ReceiptHandle],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        let all: Vec<_> = receipts.iter().collect();
        self.settle(DELETE, &all, self.queue.delete(receipts)).await
    }

    async fn change_visibility(
        &self,
        changes: &[(ReceiptHandle, Duration)],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        let receipts: Vec<_> = changes.iter().map(|(receipt, _)| receipt).collect();
        let call = self.queue.change_visibility(changes);
        self.settle(CHANGE_VISIBILITY, &receipts, call).await
    }
}

/// A template's source whose fetches leave a span.
pub struct ObservedSource {
    source: Arc<dyn TemplateSource>,
    instruments: Arc<Instruments>,
}

impl ObservedSource {
    /// Watches `source`.
    #[must_use]
    pub fn new(source: Arc<dyn TemplateSource>, instruments: Arc<Instruments>) -> Self {
        Self {
            source,
            instruments,
        }
    }
}

#[async_trait]
impl TemplateSource for ObservedSource {
    async fn fetch(&self) -> Result<TemplateFile, TemplateFailure> {
        let mut span = self.instruments.spans.fetch();
        let fetched = self.source.fetch().await;
        match &fetched {
            Ok(file) => {
                span.set(ours::TEMPLATE_COMMIT, &file.version.commit_id);
                span.set(ours::TEMPLATE_BLOB, &file.version.blob_id);
            }
            Err(failure) => span.failed(&failure.error),
        }
        fetched
    }

    fn location(&self) -> &str {
        self.source.location()
    }
}
