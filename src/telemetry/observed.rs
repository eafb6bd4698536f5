//! Ports that are watched: every call on the queue and every fetch of the template leaves its
//! metrics and its span, and whoever calls knows nothing of it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use tokio::time::Instant;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    Instruments,
    names::ours,
    spans::{failed, failed_as},
};
use crate::ports::{
    EntryFailure, Queue, QueueFacts, QueueFailure, ReceiptHandle, ReceiveRequest, ReceivedMessage,
    TemplateFailure, TemplateFile, TemplateSource,
};

/// The calls by the names that AWS gives them.
const RECEIVE: &str = "SQS/ReceiveMessage";
const DELETE: &str = "SQS/DeleteMessageBatch";
const CHANGE_VISIBILITY: &str = "SQS/ChangeMessageVisibilityBatch";

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

    fn settled(
        &self,
        method: &'static str,
        took: Duration,
        span: &Span,
        answers: &Result<Vec<Result<(), EntryFailure>>, QueueFailure>,
    ) {
        let error = match answers {
            Ok(answers) => answers
                .iter()
                .find_map(|answer| answer.as_ref().err())
                .map(|entry| {
                    failed_as(span, &entry.code);
                    entry.code.as_str()
                }),
            Err(failure) => {
                failed(span, &failure.error);
                Some(failure.error.code.as_str())
            }
        };
        self.instruments
            .metrics
            .called("settle", method, took, error);
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
        let began = Instant::now();
        let span = self
            .instruments
            .spans
            .settle(DELETE, &receipts.iter().collect::<Vec<_>>());
        let answers = self.queue.delete(receipts).instrument(span.clone()).await;
        self.settled(DELETE, began.elapsed(), &span, &answers);
        answers
    }

    async fn change_visibility(
        &self,
        changes: &[(ReceiptHandle, Duration)],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        let began = Instant::now();
        let receipts: Vec<_> = changes.iter().map(|(receipt, _)| receipt).collect();
        let span = self.instruments.spans.settle(CHANGE_VISIBILITY, &receipts);
        let answers = self
            .queue
            .change_visibility(changes)
            .instrument(span.clone())
            .await;
        self.settled(CHANGE_VISIBILITY, began.elapsed(), &span, &answers);
        answers
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
        let span = self.instruments.spans.fetch();
        let fetched = self.source.fetch().instrument(span.clone()).await;
        match &fetched {
            Ok(file) if !span.is_disabled() => {
                span.set_attribute(ours::TEMPLATE_COMMIT, file.version.commit_id.clone());
                span.set_attribute(ours::TEMPLATE_BLOB, file.version.blob_id.clone());
            }
            Ok(_) => {}
            Err(failure) => failed(&span, &failure.error),
        }
        fetched
    }

    fn location(&self) -> &str {
        self.source.location()
    }
}
