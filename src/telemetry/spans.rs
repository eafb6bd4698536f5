//! The spans: one place that knows their names, kinds, parents and links.
//!
//! ```text
//! receive {queue}        client    of a receive that brought messages or failed
//! process {queue}        consumer  parent: the publisher's context; link: its receive
//!   SESv2/SendEmail      client    one for each attempt
//! settle {queue}         client    a batch; links: the messages' process spans
//! CodeCommit/GetFile     client    a fetch of the template, which with a bucket is S3/GetObject
//! process {feedback}     consumer  what became of a mail; link: its SendEmail
//! ```
//!
//! They are `tracing` spans, which a [layer](layer::layer) exports. Each names its parent, and none is ever
//! entered. A span around a message's work would be entered and left at every poll, and nothing
//! here would use it.

pub(super) mod layer;
mod origin;

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    time::{Duration, SystemTime},
};

use opentelemetry::{
    Context, KeyValue,
    trace::{SpanContext, SpanId, Status, TraceContextExt, TraceId},
};
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use self::layer::starting_at;
use super::{
    names::{SPANS, attribute, ours},
    otlp::Propagators,
};
use crate::{
    mutex::Mutex,
    notification::MailKey,
    ports::{
        CallError, ReceiptHandle, ReceivedMessage, TemplateVersion, events::MailEvent, queue_name,
    },
};

/// A message's span continues the publisher's trace until the message is this old. Later it only
/// links to that trace, which is over by then.
const TRACE_CONTINUED_FOR: Duration = Duration::from_hours(1);
/// What the conventions call SQS.
pub(super) const SYSTEM: &str = "aws_sqs";
/// How many messages' contexts are kept for links. Each message in work has one. A message that no
/// worker took leaves one behind, which newer ones push out.
const CONTEXTS_MAX: usize = 4096;

/// Makes spans.
#[derive(Debug)]
pub(crate) struct Spans {
    /// Whether anybody exports spans. Otherwise none is made.
    is_on: bool,
    queue: String,
    queue_url: String,
    host: String,
    port: Option<i64>,
    propagators: Propagators,
    contexts: Mutex<Contexts>,
}

/// The spans of messages in work, for links.
///
/// A receipt handle is long and is kept by its hash. If two shared one, a link would be wrong.
#[derive(Debug, Default)]
struct Contexts {
    hasher: RandomState,
    of: HashMap<u64, SpanContext>,
    order: VecDeque<u64>,
}

/// The span of one call, which ends when it is dropped. Empty where nobody exports spans.
#[derive(Debug)]
pub(crate) struct CallSpan(Span);

/// The span of one message's work. Its ids outlast its end, for the log.
#[derive(Debug, Default)]
pub(crate) struct MessageSpan {
    span: Option<CallSpan>,
    ids: Option<(TraceId, SpanId)>,
}

/// A span under this parent, where anybody exports spans.
macro_rules! span {
    ($spans:expr, $parent:expr, $name:literal, $($about:tt)*) => {
        if $spans.is_on {
            info_span!(target: SPANS, parent: $parent, $name, $($about)*)
        } else {
            Span::none()
        }
    };
}

/// A span of an operation on the queue. It has no parent until it is given one.
macro_rules! operation {
    ($spans:expr, $name:literal, $kind:literal, $($about:tt)*) => {
        span!(
            $spans,
            None,
            $name,
            otel.name = format_args!("{} {}", $name, $spans.queue),
            otel.kind = $kind,
            { attribute::MESSAGING_SYSTEM } = SYSTEM,
            { attribute::OPERATION_NAME } = $name,
            { attribute::OPERATION_TYPE } = $name,
            { attribute::DESTINATION } = $spans.queue,
            { attribute::QUEUE_URL } = $spans.queue_url,
            { attribute::SERVER_ADDRESS } = $spans.host,
            { attribute::SERVER_PORT } = $spans.port,
            $($about)*
        )
    };
}

impl Spans {
    /// Spans about the queue at this URL, made where `is_on`.
    pub(crate) fn new(is_on: bool, queue_url: &str, propagators: Propagators) -> Self {
        let (host, port) = server(queue_url);
        Self {
            is_on,
            queue: queue_name(queue_url).to_owned(),
            queue_url: queue_url.to_owned(),
            host: host.to_owned(),
            port: port.map(i64::from),
            propagators,
            contexts: Mutex::default(),
        }
    }

    /// The span of a receive that brought these messages and began at `began`. An empty receive gets
    /// none, so the span is made when the receive is over.
    pub(crate) fn received(&self, began: SystemTime, messages: &[ReceivedMessage]) {
        if messages.is_empty() || !self.is_on {
            return;
        }
        let CallSpan(span) = self.receive(began, Some(messages.len()));
        for message in messages {
            if let Some(origin) = self.propagators.origin(message, &[]) {
                let id = KeyValue::new(attribute::MESSAGE_ID, message.id.clone());
                span.add_link_with_attributes(origin, vec![id]);
            }
        }
        if let Some(context) = started(&span) {
            let mut contexts = self.contexts.lock();
            for message in messages {
                contexts.keep(&message.receipt, context.clone());
            }
        }
    }

    /// The span of a receive that failed and began at `began`.
    pub(crate) fn not_received(&self, began: SystemTime, error: &CallError) {
        self.receive(began, None).failed(error);
    }

    fn receive(&self, began: SystemTime, messages: Option<usize>) -> CallSpan {
        let batch = messages.map(count);
        let span = operation!(
            self,
            "receive",
            "client",
            { attribute::BATCH_COUNT } = batch
        );
        set_parent(&span, starting_at(began));
        CallSpan(span)
    }

    /// The span of one message's work. `published` are the attributes of its SNS notification, and
    /// `notification_id` its id.
    pub(crate) fn process(
        &self,
        message: &ReceivedMessage,
        published: &[(String, String)],
        notification_id: Option<&str>,
    ) -> MessageSpan {
        let span = operation!(
            self,
            "process",
            "consumer",
            { attribute::MESSAGE_ID } = message.id,
            { ours::RECEIVE_COUNT } = i64::from(message.receive_count),
            { ours::NOTIFICATION_ID } = notification_id
        );
        if span.is_disabled() {
            return MessageSpan::default();
        }
        if let Some(origin) = self.propagators.origin(message, published) {
            let is_young = age(message).unwrap_or_default() < TRACE_CONTINUED_FOR;
            if origin.is_sampled() && is_young {
                set_parent(&span, Context::new().with_remote_span_context(origin));
            } else {
                span.add_link(origin);
            }
        }
        let receive = self.contexts.lock().get(&message.receipt);
        if let Some(receive) = receive {
            span.add_link(receive);
        }
        let ids = started(&span).map(|context| {
            let ids = (context.trace_id(), context.span_id());
            self.contexts.lock().keep(&message.receipt, context);
            ids
        });
        let span = Some(CallSpan(span));
        MessageSpan { span, ids }
    }

    /// The span of one attempt to send, under its message's.
    pub(crate) fn send(
        &self,
        message: &MessageSpan,
        attempt: u32,
        recipients: usize,
        version: &TemplateVersion,
    ) -> CallSpan {
        let parent = message.span.as_ref().and_then(|span| span.0.id());
        CallSpan(span!(
            self,
            parent,
            "SESv2/SendEmail",
            otel.kind = "client",
            { attribute::RPC_SYSTEM } = "aws-api",
            { attribute::RPC_METHOD } = "SESv2/SendEmail",
            { ours::ATTEMPT } = i64::from(attempt),
            { ours::RECIPIENTS } = count(recipients),
            { ours::TEMPLATE_COMMIT } = version.commit_id,
            { ours::TEMPLATE_BLOB } = version.blob_id
        ))
    }

    /// The span of a settling call about these messages; `method` is AWS's name of it.
    pub(crate) fn settle<'a>(
        &self,
        method: &'static str,
        receipts: impl ExactSizeIterator<Item = &'a ReceiptHandle>,
    ) -> CallSpan {
        let span = operation!(
            self,
            "settle",
            "client",
            { attribute::RPC_METHOD } = method,
            { attribute::BATCH_COUNT } = count(receipts.len())
        );
        if !span.is_disabled() {
            let contexts = self.contexts.lock();
            for context in receipts.filter_map(|receipt| contexts.get(receipt)) {
                span.add_link(context);
            }
        }
        CallSpan(span)
    }

    /// The span of an event of one of our mails, linked to the span of its send.
    pub(crate) fn event(&self, feedback_queue: &str, event: &MailEvent) -> CallSpan {
        let span = span!(
            self,
            None,
            "process",
            otel.name = format_args!("process {feedback_queue}"),
            otel.kind = "consumer",
            { attribute::MESSAGING_SYSTEM } = SYSTEM,
            { attribute::OPERATION_NAME } = "process",
            { attribute::OPERATION_TYPE } = "process",
            { attribute::DESTINATION } = feedback_queue,
            { ours::FATE } = event.fate.name(),
            { ours::EMAIL_ID } = event.email_id,
            { ours::NOTIFICATION_ID } = event.key.as_ref().map(MailKey::notification_id)
        );
        let sent = event.traceparent.as_deref().filter(|_| self.is_on);
        if let Some(sent) = sent.and_then(origin::of_traceparent) {
            span.add_link(sent);
        }
        CallSpan(span)
    }

    /// The span of a fetch of the template; `method` is AWS's name of it.
    pub(crate) fn fetch(&self, method: &'static str) -> CallSpan {
        CallSpan(span!(
            self,
            None,
            "fetch",
            otel.name = method,
            otel.kind = "client",
            { attribute::RPC_SYSTEM } = "aws-api",
            { attribute::RPC_METHOD } = method
        ))
    }

    /// The span of a call on the ledger's table that began at `began`; `method` is AWS's name of it.
    pub(crate) fn ledger(
        &self,
        method: &'static str,
        began: SystemTime,
        error: Option<&CallError>,
    ) {
        let span = span!(
            self,
            None,
            "ledger",
            otel.name = method,
            otel.kind = "client",
            { attribute::RPC_SYSTEM } = "aws-api",
            { attribute::RPC_METHOD } = method
        );
        set_parent(&span, starting_at(began));
        if let Some(error) = error {
            CallSpan(span).failed(error);
        }
    }

    /// Forgets a message that has been settled. Nothing will link to it any more.
    pub(crate) fn forget(&self, receipt: &ReceiptHandle) {
        if self.is_on {
            self.contexts.lock().forget(receipt);
        }
    }
}

impl Contexts {
    fn keep(&mut self, receipt: &ReceiptHandle, context: SpanContext) {
        let hash = self.hasher.hash_one(receipt);
        if self.of.insert(hash, context).is_none() {
            self.order.push_back(hash);
        }
        while self.order.len() > CONTEXTS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.of.remove(&oldest);
            }
        }
    }

    fn get(&self, receipt: &ReceiptHandle) -> Option<SpanContext> {
        self.of.get(&self.hasher.hash_one(receipt)).cloned()
    }

    fn forget(&mut self, receipt: &ReceiptHandle) {
        self.of.remove(&self.hasher.hash_one(receipt));
    }
}

impl CallSpan {
    /// Adds an attribute.
    pub(crate) fn set(&self, name: &'static str, value: &str) {
        if !self.0.is_disabled() {
            self.0.set_attribute(name, value.to_owned());
        }
    }

    /// The trace, in 32 hexadecimal digits. The span has started then.
    pub(crate) fn trace_id(&self) -> Option<String> {
        self.context().map(|context| context.trace_id().to_string())
    }

    /// The span, in 16 hexadecimal digits. It has started then.
    pub(crate) fn span_id(&self) -> Option<String> {
        self.context().map(|context| context.span_id().to_string())
    }

    fn context(&self) -> Option<SpanContext> {
        (!self.0.is_disabled()).then(|| started(&self.0)).flatten()
    }

    /// Where this span is, as W3C writes it. It has started then.
    pub(crate) fn traceparent(&self) -> Option<String> {
        let context = self.context()?;
        Some(format!(
            "00-{}-{}-{:02x}",
            context.trace_id(),
            context.span_id(),
            context.trace_flags()
        ))
    }

    /// Marks the call as failed, with the error's type and the request's id.
    pub(crate) fn failed(&self, error: &CallError) {
        self.failed_as(&error.code);
        self.set_request_id(error);
    }

    /// Adds the id of a request that failed.
    pub(crate) fn set_request_id(&self, error: &CallError) {
        if let Some(request_id) = &error.request_id {
            self.set(attribute::AWS_REQUEST_ID, request_id);
        }
    }

    /// Marks the call as failed with an error type alone.
    pub(crate) fn failed_as(&self, error_type: &str) {
        self.set(attribute::ERROR_TYPE, error_type);
        if !self.0.is_disabled() {
            self.0.set_status(Status::error(error_type.to_owned()));
        }
    }
}

impl MessageSpan {
    /// Ends the span of a message that came to this outcome, with the error's type where it failed.
    pub(crate) fn end(&mut self, outcome: &'static str, error: Option<&str>) {
        if let Some(span) = self.span.take() {
            span.set(ours::OUTCOME, outcome);
            if let Some(error) = error {
                span.failed_as(error);
            }
        }
    }

    /// The trace, in 32 hexadecimal digits.
    pub(crate) fn trace_id(&self) -> Option<String> {
        self.ids.map(|(trace, _)| trace.to_string())
    }

    /// The span, in 16 hexadecimal digits.
    pub(crate) fn span_id(&self) -> Option<String> {
        self.ids.map(|(_, span)| span.to_string())
    }
}

/// Sets what a span starts under.
fn set_parent(span: &Span, context: Context) {
    // This fails only for a span that is empty or has started.
    drop(span.set_parent(context));
}

/// Starts a span for its context, which names it in links and in the log. Its parent is fixed then.
fn started(span: &Span) -> Option<SpanContext> {
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then_some(context)
}

/// The host of a queue's URL, and its port where the URL names one.
pub(super) fn server(queue_url: &str) -> (&str, Option<u16>) {
    let rest = queue_url
        .split_once("://")
        .map_or(queue_url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (authority, None),
    }
}

/// How long ago the message was sent to the queue.
pub(super) fn age(message: &ReceivedMessage) -> Option<Duration> {
    message.sent_at?.elapsed().ok()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
