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
//! Each names its parent, and none is entered: an `Instrument` around a message's work would enter
//! and leave its spans at every poll, for nobody.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use opentelemetry::{
    Context, KeyValue, global,
    propagation::TextMapPropagator,
    trace::{Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt, Tracer},
};
use opentelemetry_aws::trace::xray_propagator::span_context_from_str;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    names::{SCOPE, SPANS, attribute, ours},
    otlp::Propagators,
};
use crate::ports::{CallError, ReceiptHandle, ReceivedMessage, TemplateVersion, queue_name};

/// A publisher's context that is older than this is linked and not continued: its trace is over.
const CONTINUED_FOR: Duration = Duration::from_hours(1);
/// What the conventions call SQS.
const SYSTEM: &str = "aws_sqs";
/// How many messages' contexts are kept for links. A message in work has one; those whose worker
/// never came to be are pushed out.
const KEPT: usize = 4096;

/// The queue as telemetry names it.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The queue's name.
    pub queue: String,
    /// Its URL.
    pub url: String,
    /// The URL's host.
    pub host: String,
    /// The URL's port, where it names one.
    pub port: Option<u16>,
}

/// Makes spans, or does nothing where nobody exports them.
#[derive(Debug)]
pub struct Spans {
    on: bool,
    destination: Destination,
    /// The name of each message's span.
    process: String,
    propagators: Propagators,
    contexts: Mutex<Contexts>,
}

/// A receipt handle is long and is kept by its hash: were two to share one, a link would be wrong.
#[derive(Debug, Default)]
struct Contexts {
    hasher: RandomState,
    of: HashMap<u64, SpanContext>,
    order: VecDeque<u64>,
}

/// A span's ids, for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
}

impl Destination {
    /// Reads a queue's URL.
    #[must_use]
    pub fn of(url: &str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (authority, None),
        };
        Self {
            queue: queue_name(url).to_owned(),
            url: url.to_owned(),
            host: host.to_owned(),
            port,
        }
    }
}

impl Spans {
    /// Spans about this queue.
    #[must_use]
    pub fn new(on: bool, destination: Destination, propagators: Propagators) -> Self {
        Self {
            on,
            process: format!("process {}", destination.queue),
            destination,
            propagators,
            contexts: Mutex::default(),
        }
    }

    /// The span of a receive that brought these messages and began at `began`.
    pub fn received(&self, began: SystemTime, messages: &[ReceivedMessage]) {
        if !self.on {
            return;
        }
        let links = messages.iter().filter_map(|message| {
            let created = self.created(message, &[])?;
            let id = KeyValue::new(attribute::MESSAGE_ID, message.id.clone());
            Some(Link::new(created, vec![id], 0))
        });
        let links: Vec<_> = links.collect();
        let attributes = vec![KeyValue::new(attribute::BATCH_COUNT, count(messages.len()))];
        let context = self.receive(began, attributes, links, Status::Unset);
        for message in messages {
            self.keep(&message.receipt, context.clone());
        }
    }

    /// The span of a receive that failed and began at `began`.
    pub fn not_received(&self, began: SystemTime, error: &CallError) {
        if !self.on {
            return;
        }
        let mut attributes = vec![KeyValue::new(attribute::ERROR_TYPE, error.code.clone())];
        if let Some(request_id) = &error.request_id {
            attributes.push(KeyValue::new(attribute::AWS_REQUEST_ID, request_id.clone()));
        }
        let status = Status::error(error.code.clone());
        self.receive(began, attributes, Vec::new(), status);
    }

    /// The span of one message's work, and its ids where it is exported. `published` are the
    /// attributes of its SNS notification, and `notification_id` its id.
    pub fn process(
        &self,
        message: &ReceivedMessage,
        published: &[(String, String)],
        notification_id: Option<&str>,
    ) -> (Span, Option<Ids>) {
        if !self.on {
            return (Span::none(), None);
        }
        let destination = &self.destination;
        let span = info_span!(
            target: SPANS,
            parent: None,
            "process",
            otel.name = self.process,
            otel.kind = "consumer",
            { attribute::MESSAGING_SYSTEM } = SYSTEM,
            { attribute::OPERATION_NAME } = "process",
            { attribute::OPERATION_TYPE } = "process",
            { attribute::DESTINATION } = destination.queue,
            { attribute::QUEUE_URL } = destination.url,
            { attribute::SERVER_ADDRESS } = destination.host,
            { attribute::SERVER_PORT } = destination.port.map(i64::from),
            { attribute::MESSAGE_ID } = message.id,
            { ours::RECEIVE_COUNT } = i64::from(message.receive_count),
            { ours::NOTIFICATION_ID } = notification_id,
        );
        if span.is_disabled() {
            return (span, None);
        }
        if let Some(created) = self.created(message, published) {
            let age = message
                .sent_at
                .and_then(|sent| sent.elapsed().ok())
                .unwrap_or_default();
            if created.is_sampled() && age < CONTINUED_FOR {
                // Fails only for a span that has begun, and this one has not.
                drop(span.set_parent(Context::new().with_remote_span_context(created)));
            } else {
                span.add_link(created);
            }
        }
        if let Some(receive) = self.context(&message.receipt) {
            span.add_link(receive);
        }
        let context = span.context().span().span_context().clone();
        let ids = context.is_valid().then(|| Ids {
            trace_id: context.trace_id().to_string(),
            span_id: context.span_id().to_string(),
        });
        self.keep(&message.receipt, context);
        (span, ids)
    }

    /// The span of one attempt to send, under its message's.
    pub fn send(
        &self,
        process: &Span,
        attempt: u32,
        recipients: usize,
        version: &TemplateVersion,
    ) -> Span {
        if !self.on {
            return Span::none();
        }
        info_span!(
            target: SPANS,
            parent: process,
            "send",
            otel.name = "SESv2/SendEmail",
            otel.kind = "client",
            { attribute::RPC_SYSTEM } = "aws-api",
            { attribute::RPC_METHOD } = "SESv2/SendEmail",
            { ours::ATTEMPT } = i64::from(attempt),
            { ours::RECIPIENTS } = count(recipients),
            { ours::TEMPLATE_COMMIT } = version.commit_id,
            { ours::TEMPLATE_BLOB } = version.blob_id,
        )
    }

    /// The span of a settling call about these messages; `method` is AWS's name of it.
    pub fn settle(&self, method: &'static str, receipts: &[&ReceiptHandle]) -> Span {
        if !self.on {
            return Span::none();
        }
        let span = info_span!(
            target: SPANS,
            parent: None,
            "settle",
            otel.name = format_args!("settle {}", self.destination.queue),
            otel.kind = "client",
        );
        if !span.is_disabled() {
            for pair in self.call_attributes("settle") {
                span.set_attribute(pair.key, pair.value);
            }
            span.set_attribute(attribute::RPC_METHOD, method);
            span.set_attribute(attribute::BATCH_COUNT, count(receipts.len()));
            for context in receipts.iter().filter_map(|receipt| self.context(receipt)) {
                span.add_link(context);
            }
        }
        span
    }

    /// The span of a fetch of the template.
    pub fn fetch(&self) -> Span {
        if !self.on {
            return Span::none();
        }
        let span = info_span!(
            target: SPANS,
            parent: None,
            "fetch",
            otel.name = "CodeCommit/GetFile",
            otel.kind = "client",
        );
        if !span.is_disabled() {
            span.set_attribute(attribute::RPC_SYSTEM, "aws-api");
            span.set_attribute(attribute::RPC_METHOD, "CodeCommit/GetFile");
        }
        span
    }

    /// The message has been settled: nothing will link to it any more.
    pub fn forget(&self, receipt: &ReceiptHandle) {
        if self.on {
            let mut contexts = self.lock();
            let hash = contexts.hasher.hash_one(receipt);
            contexts.of.remove(&hash);
        }
    }

    /// Where and by whom the message was published: W3C's context in the queue's attributes, then
    /// in the notification's, then X-Ray's.
    fn created(
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
        let xray = || {
            let context = span_context_from_str(in_queue("AWSTraceHeader")?)?;
            context.is_valid().then_some(context)
        };
        let w3c = self.propagators.w3c.then(w3c).flatten();
        w3c.or_else(|| self.propagators.xray.then(xray).flatten())
    }

    /// Exports the span of a receive that is over; only then is known whether there is one.
    fn receive(
        &self,
        began: SystemTime,
        attributes: Vec<KeyValue>,
        links: Vec<Link>,
        status: Status,
    ) -> SpanContext {
        let mut all = self.call_attributes("receive");
        all.extend(attributes);
        let tracer = global::tracer(SCOPE);
        let builder = tracer
            .span_builder(format!("receive {}", self.destination.queue))
            .with_kind(SpanKind::Client)
            .with_start_time(began)
            .with_attributes(all)
            .with_links(links);
        let mut span = tracer.build_with_context(builder, &Context::new());
        span.set_status(status);
        span.span_context().clone()
    }

    fn call_attributes(&self, operation: &'static str) -> Vec<KeyValue> {
        let destination = &self.destination;
        let mut attributes = vec![
            KeyValue::new(attribute::MESSAGING_SYSTEM, SYSTEM),
            KeyValue::new(attribute::OPERATION_NAME, operation),
            KeyValue::new(attribute::OPERATION_TYPE, operation),
            KeyValue::new(attribute::DESTINATION, destination.queue.clone()),
            KeyValue::new(attribute::QUEUE_URL, destination.url.clone()),
            KeyValue::new(attribute::SERVER_ADDRESS, destination.host.clone()),
        ];
        if let Some(port) = destination.port {
            attributes.push(KeyValue::new(attribute::SERVER_PORT, i64::from(port)));
        }
        attributes
    }

    fn keep(&self, receipt: &ReceiptHandle, context: SpanContext) {
        let mut contexts = self.lock();
        let hash = contexts.hasher.hash_one(receipt);
        if contexts.of.insert(hash, context).is_none() {
            contexts.order.push_back(hash);
        }
        while contexts.order.len() > KEPT {
            if let Some(oldest) = contexts.order.pop_front() {
                contexts.of.remove(&oldest);
            }
        }
    }

    fn context(&self, receipt: &ReceiptHandle) -> Option<SpanContext> {
        if self.on {
            let contexts = self.lock();
            let hash = contexts.hasher.hash_one(receipt);
            contexts.of.get(&hash).cloned()
        } else {
            None
        }
    }

    fn lock(&self) -> MutexGuard<'_, Contexts> {
        self.contexts.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

/// Marks a span as failed, with what is known of the call.
pub fn failed(span: &Span, error: &CallError) {
    if span.is_disabled() {
        return;
    }
    span.set_attribute(attribute::ERROR_TYPE, error.code.clone());
    if let Some(request_id) = &error.request_id {
        span.set_attribute(attribute::AWS_REQUEST_ID, request_id.clone());
    }
    span.set_status(Status::error(error.code.clone()));
}

/// Marks a span as failed with an error type alone.
pub fn failed_as(span: &Span, error_type: &str) {
    if !span.is_disabled() {
        span.set_attribute(attribute::ERROR_TYPE, error_type.to_owned());
        span.set_status(Status::error(error_type.to_owned()));
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
