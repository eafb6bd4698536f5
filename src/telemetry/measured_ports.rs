//! Ports that are measured. Every call on the queue and every fetch of the template records its
//! metrics and its span, and the callers know nothing of it.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use tokio::time::Instant;
use tracing::debug;

use super::{Instruments, names::ours, spans::CallSpan};
use crate::{
    ports::{
        EntryFailure, Queue, QueueFacts, QueueFailure, ReceiptHandle, ReceiveRequest,
        ReceivedMessage, TemplateFailure, TemplateFile, TemplateSource, TemplateVersion,
        table::{
            Claim, Claimed, ClockDifference, Known, LedgerTable, SentMail, TableFacts, TableFailure,
        },
    },
    text::format_duration,
};

/// The calls by the names that AWS gives them.
const RECEIVE: &str = "SQS/ReceiveMessage";
const DELETE: &str = "SQS/DeleteMessageBatch";
const CHANGE_VISIBILITY: &str = "SQS/ChangeMessageVisibilityBatch";

/// A call on the ledger's table that takes longer has a span, and so has one that fails. There are two
/// calls for each mail.
const SLOW_TABLE: Duration = Duration::from_millis(50);

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

    async fn may_receive(&self) -> Result<(), QueueFailure> {
        self.port.may_receive().await
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
                debug!("received {} in {:.1?}", messages.len(), began.elapsed());
                metrics.received(messages);
                spans.received(at, messages);
            }
            Err(failure) => {
                debug!("a receive failed after {:.1?}: {failure}", began.elapsed());
                spans.not_received(at, &failure.error);
            }
        }
        received
    }

    async fn delete(&self, receipts: &[ReceiptHandle]) -> Answers {
        let call = self.port.delete(receipts);
        let answers = self.settle(DELETE, receipts.iter(), call).await;
        settled("deleted", receipts.len(), &answers);
        answers
    }

    async fn change_visibility(&self, changes: &[(ReceiptHandle, Duration)]) -> Answers {
        let receipts = changes.iter().map(|(receipt, _)| receipt);
        let call = self.port.change_visibility(changes);
        let answers = self.settle(CHANGE_VISIBILITY, receipts, call).await;
        let longest = changes.iter().map(|(_, visibility)| *visibility).max();
        let what = match longest.unwrap_or_default() {
            Duration::ZERO => "returned to the queue".to_owned(),
            visibility => format!("kept hidden for {} more", format_duration(visibility)),
        };
        settled(&what, changes.len(), &answers);
        answers
    }
}

/// Tells at `debug` what became of a batch.
fn settled(what: &str, count: usize, answers: &Answers) {
    match answers {
        Ok(answers) => {
            let failures = answers.iter().filter_map(|answer| answer.as_ref().err());
            let done = answers.len() - failures.clone().count();
            let failure = failures.map(|entry| format!(": {}", entry.code)).next();
            debug!("{what} {done} of {count}{}", failure.unwrap_or_default());
        }
        Err(failure) => debug!("{what} none of {count}: {failure}"),
    }
}

#[async_trait]
impl TemplateSource for Measured<dyn TemplateSource> {
    async fn fetch(&self) -> Result<TemplateFile, TemplateFailure> {
        let span = self.instruments.spans.fetch(self.port.call());
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

    fn label(&self, version: &TemplateVersion) -> String {
        self.port.label(version)
    }

    fn location(&self) -> &str {
        self.port.location()
    }

    fn call(&self) -> &'static str {
        self.port.call()
    }
}

impl Measured<dyn LedgerTable> {
    /// Makes a call on the table, and records it where it is slow or fails.
    async fn on_table<T>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T, TableFailure>>,
    ) -> Result<T, TableFailure> {
        let (began, at) = (Instant::now(), SystemTime::now());
        let answer = call.await;
        let error = answer.as_ref().err().map(|failure| &*failure.error);
        if error.is_some() || began.elapsed() > SLOW_TABLE {
            self.instruments.spans.ledger(method, at, error);
        }
        answer
    }
}

#[async_trait]
impl LedgerTable for Measured<dyn LedgerTable> {
    fn name(&self) -> &str {
        self.port.name()
    }

    async fn describe(&self) -> Result<TableFacts, TableFailure> {
        self.port.describe().await
    }

    async fn prove_rights(&self) -> Vec<TableFailure> {
        self.port.prove_rights().await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, TableFailure> {
        let began = Instant::now();
        let call = self.port.claim(claim);
        let claimed = self.on_table("DynamoDB/PutItem", call).await;
        let error = claimed.as_ref().err();
        let error = error.map(|failure| failure.error.code.as_str());
        self.instruments.metrics.claimed(began.elapsed(), error);
        claimed
    }

    async fn drop_claim(&self, key: &str, owners: &[String]) -> Result<(), TableFailure> {
        let call = self.port.drop_claim(key, owners);
        self.on_table("DynamoDB/DeleteItem", call).await
    }

    async fn record(&self, sent: &[SentMail]) -> Result<Vec<usize>, TableFailure> {
        let call = self.port.record(sent);
        self.on_table("DynamoDB/BatchWriteItem", call).await
    }

    async fn look(&self, key: &str) -> Result<Option<Known>, TableFailure> {
        self.on_table("DynamoDB/GetItem", self.port.look(key)).await
    }

    async fn look_at_all(&self, keys: &[String]) -> Result<Vec<Option<Known>>, TableFailure> {
        let call = self.port.look_at_all(keys);
        self.on_table("DynamoDB/BatchGetItem", call).await
    }

    fn clock(&self) -> Option<ClockDifference> {
        self.port.clock()
    }
}
