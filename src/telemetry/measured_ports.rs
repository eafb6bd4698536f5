//! Ports that are measured. Every call on the queue and every fetch of the template records its
//! metrics and its span, and the callers know nothing of it.

use std::{
    borrow::Cow,
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

/// A port whose calls are measured.
pub(crate) struct Measured<T: ?Sized> {
    port: Arc<T>,
    instruments: Arc<Instruments>,
}

impl<T: ?Sized> Measured<T> {
    /// Measures the calls on `port`.
    pub(crate) fn new(port: Arc<T>, instruments: Arc<Instruments>) -> Self {
        Self { port, instruments }
    }
}

impl Measured<dyn Queue> {
    /// Makes a settling call and records it.
    async fn settle(
        &self,
        method: &'static str,
        receipts: impl ExactSizeIterator<Item = &ReceiptHandle>,
        call: impl Future<Output = Answers>,
    ) -> Answers {
        let mut settling = Settling {
            instruments: &self.instruments,
            method,
            began: Instant::now(),
            span: self.instruments.spans.settle(method, receipts),
            error: Some(Cow::Borrowed(UNANSWERED)),
        };
        let answers = call.await;
        let error = match &answers {
            Ok(answers) => {
                let failure = answers.iter().find_map(|answer| answer.as_ref().err());
                failure.map(|entry| entry.code.clone())
            }
            Err(failure) => {
                settling.span.set_request_id(&failure.error);
                Some(failure.error.code.clone())
            }
        };
        settling.error = error.map(Cow::Owned);
        answers
    }
}

/// A settling call under way. The caller may give it up at its timeout by dropping it, so the call
/// is recorded on drop.
struct Settling<'a> {
    instruments: &'a Instruments,
    method: &'static str,
    began: Instant,
    span: CallSpan,
    error: Option<Cow<'static, str>>,
}

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        let error = self.error.as_deref();
        if let Some(error) = error {
            self.span.failed_as(error);
        }
        let metrics = &self.instruments.metrics;
        metrics.called("settle", self.method, self.began.elapsed(), error);
    }
}

#[async_trait]
impl Queue for Measured<dyn Queue> {
    async fn describe(&self) -> Result<QueueFacts, QueueFailure> {
        self.port.describe().await
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, QueueFailure> {
        let (began, at) = (Instant::now(), SystemTime::now());
        let received = self.port.receive(request).await;
        let Instruments { metrics, spans } = &*self.instruments;
        let failure = received.as_ref().err();
        let error_type = failure.map(|failure| failure.error.code.as_str());
        metrics.called("receive", RECEIVE, began.elapsed(), error_type);
        match &received {
            Ok(messages) => {
                metrics.received(messages);
                spans.received(at, messages);
            }
            Err(failure) => spans.not_received(at, &failure.error),
        }
        received
    }

    async fn delete(&self, receipts: &[ReceiptHandle]) -> Answers {
        let call = self.port.delete(receipts);
        self.settle(DELETE, receipts.iter(), call).await
    }

    async fn change_visibility(&self, changes: &[(ReceiptHandle, Duration)]) -> Answers {
        let receipts = changes.iter().map(|(receipt, _)| receipt);
        let call = self.port.change_visibility(changes);
        self.settle(CHANGE_VISIBILITY, receipts, call).await
    }
}

#[async_trait]
impl TemplateSource for Measured<dyn TemplateSource> {
    async fn fetch(&self) -> Result<TemplateFile, TemplateFailure> {
        let span = self.instruments.spans.fetch();
        let fetched = self.port.fetch().await;
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
        self.port.location()
    }
}
