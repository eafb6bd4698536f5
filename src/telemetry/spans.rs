//! The spans: one place that knows their names, kinds, parents and links.
//!
//! ```text
//! receive {queue}        client    of a receive that brought messages or failed
//! process {queue}        consumer  parent: the publisher's context; link: its receive
//!   SESv2/SendEmail      client    one for each attempt
//! settle {queue}         client    a batch; links: the messages' process spans
//! CodeCommit/GetFile     client    a fetch of the template
//! ```
//!
//! Each span names its parent, and none is ever the current one. So they are OpenTelemetry's own
//! spans. A `tracing` span around a message's work would be entered and left at every poll, and
//! nothing here would use it.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    Context, KeyValue,
    propagation::TextMapPropagator,
    trace::{Link, Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer},
};
use opentelemetry_aws::trace::xray_propagator::span_context_from_str;
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{SdkTracer, Span},
};

use super::{
    names::{attribute, ours},
    otlp::Propagators,
};
use crate::{
    mutex::Mutex,
    ports::{CallError, ReceiptHandle, ReceivedMessage, TemplateVersion, queue_name},
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
    /// Absent where nobody exports spans. Nothing is made then.
    tracer: Option<SdkTracer>,
    queue: String,
    /// What the spans of all operations on the queue bear.
    common: Vec<KeyValue>,
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
#[derive(Debug, Default)]
pub(crate) struct CallSpan(Option<Box<Span>>);

/// The span of one message's work. Its ids outlast its end, for the log.
#[derive(Debug, Default)]
pub(crate) struct MessageSpan(CallSpan);

impl Spans {
    /// Spans about the queue at this URL.
    pub(crate) fn new(
        tracer: Option<SdkTracer>,
        queue_url: &str,
        propagators: Propagators,
    ) -> Self {
        let (host, port) = server(queue_url);
        let queue = queue_name(queue_url);
        let mut common = vec![
            KeyValue::new(attribute::MESSAGING_SYSTEM, SYSTEM),
            shared(attribute::DESTINATION, queue),
            shared(attribute::QUEUE_URL, queue_url),
            shared(attribute::SERVER_ADDRESS, host),
        ];
        common.extend(port.map(|port| KeyValue::new(attribute::SERVER_PORT, i64::from(port))));
        Self {
            tracer,
            queue: queue.to_owned(),
            common,
            propagators,
            contexts: Mutex::default(),
        }
    }

    /// The span of a receive that brought these messages and began at `began`. An empty receive gets
    /// none, so the span is made when the receive is over.
    pub(crate) fn received(&self, began: SystemTime, messages: &[ReceivedMessage]) {
        if messages.is_empty() {
            return;
        }
        let span = self.start(None, || {
            let links = messages.iter().filter_map(|message| {
                let origin = self.origin(message, &[])?;
                let id = KeyValue::new(attribute::MESSAGE_ID, message.id.clone());
                Some(Link::new(origin, vec![id], 0))
            });
            let batch = KeyValue::new(attribute::BATCH_COUNT, count(messages.len()));
            self.operation("receive", [batch])
                .with_start_time(began)
                .with_links(links.collect())
        });
        if let Some(context) = span.context() {
            let mut contexts = self.contexts.lock();
            for message in messages {
                contexts.keep(&message.receipt, context.clone());
            }
        }
    }

    /// The span of a receive that failed and began at `began`.
    pub(crate) fn not_received(&self, began: SystemTime, error: &CallError) {
        let build = || self.operation("receive", []).with_start_time(began);
        self.start(None, build).failed(error);
    }

    /// The span of one message's work. `published` are the attributes of its SNS notification, and
    /// `notification_id` its id.
    pub(crate) fn process(
        &self,
        message: &ReceivedMessage,
        published: &[(String, String)],
        notification_id: Option<&str>,
    ) -> MessageSpan {
        if self.tracer.is_none() {
            return MessageSpan::default();
        }
        let is_young = age(message).unwrap_or_default() < TRACE_CONTINUED_FOR;
        let origin = self.origin(message, published);
        let (parent, linked) = match origin {
            Some(context) if context.is_sampled() && is_young => (Some(context), None),
            other => (None, other),
        };
        let receive = self.contexts.lock().get(&message.receipt);
        let links = linked.into_iter().chain(receive).map(Link::with_context);
        let span = self.start(parent, || {
            let about = [
                KeyValue::new(attribute::MESSAGE_ID, message.id.clone()),
                KeyValue::new(ours::RECEIVE_COUNT, i64::from(message.receive_count)),
            ];
            let id = notification_id.map(|id| KeyValue::new(ours::NOTIFICATION_ID, id.to_owned()));
            self.operation("process", about.into_iter().chain(id))
                .with_kind(SpanKind::Consumer)
                .with_links(links.collect())
        });
        if let Some(context) = span.context() {
            self.contexts.lock().keep(&message.receipt, context);
        }
        MessageSpan(span)
    }

    /// The span of one attempt to send, under its message's.
    pub(crate) fn send(
        &self,
        message: &MessageSpan,
        attempt: u32,
        recipients: usize,
        version: &TemplateVersion,
    ) -> CallSpan {
        self.start(message.0.context(), || {
            let about = [
                KeyValue::new(ours::ATTEMPT, i64::from(attempt)),
                KeyValue::new(ours::RECIPIENTS, count(recipients)),
                KeyValue::new(ours::TEMPLATE_COMMIT, version.commit_id.clone()),
                KeyValue::new(ours::TEMPLATE_BLOB, version.blob_id.clone()),
            ];
            aws_call("SESv2/SendEmail", about)
        })
    }

    /// The span of a settling call about these messages; `method` is AWS's name of it.
    pub(crate) fn settle<'a>(
        &self,
        method: &'static str,
        receipts: impl ExactSizeIterator<Item = &'a ReceiptHandle>,
    ) -> CallSpan {
        self.start(None, || {
            let contexts = self.contexts.lock();
            let about = [
                KeyValue::new(attribute::RPC_METHOD, method),
                KeyValue::new(attribute::BATCH_COUNT, count(receipts.len())),
            ];
            let linked = receipts.filter_map(|receipt| contexts.get(receipt));
            self.operation("settle", about)
                .with_links(linked.map(Link::with_context).collect())
        })
    }

    /// The span of a fetch of the template.
    pub(crate) fn fetch(&self) -> CallSpan {
        self.start(None, || aws_call("CodeCommit/GetFile", []))
    }

    /// Forgets a message that has been settled. Nothing will link to it any more.
    pub(crate) fn forget(&self, receipt: &ReceiptHandle) {
        if self.tracer.is_some() {
            self.contexts.lock().forget(receipt);
        }
    }

    /// The span that published the message: W3C's context in the queue's attributes, otherwise in
    /// the notification's, otherwise X-Ray's.
    fn origin(
        &self,
        message: &ReceivedMessage,
        published: &[(String, String)],
    ) -> Option<SpanContext> {
        let carriers = &message.trace_carriers;
        let in_queue = |name: &str| carriers.get(name).map(String::as_str);
        let in_notification = |name: &str| {
            let named = published.iter().find(|(known, _)| known == name);
            named.map(|(_, value)| value.as_str())
        };
        let w3c = || w3c(in_queue).or_else(|| w3c(in_notification));
        let xray = || span_context_from_str(in_queue("AWSTraceHeader")?);
        let w3c = self.propagators.w3c.then(w3c).flatten();
        let context = w3c.or_else(|| self.propagators.xray.then(xray).flatten());
        context.filter(SpanContext::is_valid)
    }

    /// Starts a span under this parent. Nothing is built where nobody exports spans.
    fn start(&self, parent: Option<SpanContext>, build: impl FnOnce() -> SpanBuilder) -> CallSpan {
        CallSpan(self.tracer.as_ref().map(|tracer| {
            let root = Context::new();
            let parent = match parent {
                Some(parent) => root.with_remote_span_context(parent),
                None => root,
            };
            Box::new(tracer.build_with_context(build(), &parent))
        }))
    }

    /// A span of an operation on the queue, which is our call unless it is changed afterwards.
    fn operation(
        &self,
        name: &'static str,
        about: impl IntoIterator<Item = KeyValue>,
    ) -> SpanBuilder {
        let mut attributes = vec![
            KeyValue::new(attribute::OPERATION_NAME, name),
            KeyValue::new(attribute::OPERATION_TYPE, name),
        ];
        attributes.extend(self.common.iter().cloned().chain(about));
        SpanBuilder::from_name(format!("{name} {}", self.queue))
            .with_kind(SpanKind::Client)
            .with_attributes(attributes)
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
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(name, value.to_owned()));
        }
    }

    /// Marks the call as failed, with the error's type and the request's id.
    pub(crate) fn failed(&mut self, error: &CallError) {
        self.failed_as(&error.code);
        self.set_request_id(error);
    }

    /// Adds the id of a request that failed.
    pub(crate) fn set_request_id(&mut self, error: &CallError) {
        if let Some(request_id) = &error.request_id {
            self.set(attribute::AWS_REQUEST_ID, request_id);
        }
    }

    /// Marks the call as failed with an error type alone.
    pub(crate) fn failed_as(&mut self, error_type: &str) {
        self.set(attribute::ERROR_TYPE, error_type);
        if let Some(span) = &mut self.0 {
            span.set_status(Status::error(error_type.to_owned()));
        }
    }

    fn context(&self) -> Option<SpanContext> {
        let context = self.0.as_ref()?.span_context();
        context.is_valid().then(|| context.clone())
    }
}

impl MessageSpan {
    /// Ends the span of a message that came to this outcome, with the error's type where it failed.
    pub(crate) fn end(&mut self, outcome: &'static str, error: Option<&str>) {
        self.0.set(ours::OUTCOME, outcome);
        if let Some(error) = error {
            self.0.failed_as(error);
        }
        if let Some(span) = &mut self.0.0 {
            span.end();
        }
    }

    /// The trace, in 32 hexadecimal digits.
    pub(crate) fn trace_id(&self) -> Option<String> {
        Some(self.0.context()?.trace_id().to_string())
    }

    /// The span, in 16 hexadecimal digits.
    pub(crate) fn span_id(&self) -> Option<String> {
        Some(self.0.context()?.span_id().to_string())
    }
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

/// An attribute whose text is shared, since each span and each record clones it.
pub(super) fn shared(name: &'static str, text: &str) -> KeyValue {
    KeyValue::new(name, Arc::<str>::from(text))
}

/// A call of an AWS service; `method` is AWS's name of it.
fn aws_call(method: &'static str, about: impl IntoIterator<Item = KeyValue>) -> SpanBuilder {
    let mut attributes = vec![
        KeyValue::new(attribute::RPC_SYSTEM, "aws-api"),
        KeyValue::new(attribute::RPC_METHOD, method),
    ];
    attributes.extend(about);
    SpanBuilder::from_name(method)
        .with_kind(SpanKind::Client)
        .with_attributes(attributes)
}

/// W3C's context out of a carrier.
fn w3c<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Option<SpanContext> {
    value("traceparent")?;
    let carrier: HashMap<_, _> = ["traceparent", "tracestate"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), value(name)?.to_owned())))
        .collect();
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    let context = context.span().span_context().clone();
    context.is_valid().then_some(context)
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
