//! Parents and links of spans.

use std::{collections::BTreeMap, slice, sync::Arc};

use opentelemetry::trace::{SpanId, TraceId, TracerProvider as _};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use tracing::subscriber::with_default;
use tracing_subscriber::{layer::SubscriberExt, registry};

use super::{layer::layer, *};

/// Keeps what is exported.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().extend(batch);
        Ok(())
    }
}

const PUBLISHED: &str = "00-0000000000000000000000000000000a-000000000000000b-01";
const NOTIFIED: &str = "00-0000000000000000000000000000000c-000000000000000d-01";
const HEADER: &str = "Root=1-00000000-00000000000000000000000e;Parent=000000000000000f;Sampled=1";

fn message(age: Duration, carriers: &[(&str, &str)]) -> ReceivedMessage {
    let carriers = carriers.iter();
    ReceivedMessage {
        id: "id".to_owned(),
        receipt: ReceiptHandle("receipt".to_owned()),
        body: String::new(),
        receive_count: 1,
        sent_at: Some(SystemTime::now() - age),
        trace_carriers: carriers
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
    }
}

/// What is exported of the spans that `make` makes.
fn exported(make: impl FnOnce(&Spans)) -> Vec<SpanData> {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(kept.clone())
        .build();
    let both = Propagators {
        w3c: true,
        xray: true,
    };
    let subscriber = registry().with(layer(provider.tracer("tests")));
    with_default(subscriber, || {
        make(&Spans::new(true, "http://host:1/0/q", both));
    });
    kept.0.lock().clone()
}

/// The process span of one message.
fn process(message: &ReceivedMessage, published: &[(&str, &str)]) -> SpanData {
    let published: Vec<_> = published
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let spans = exported(|spans| drop(spans.process(message, &published, None)));
    let [span] = &spans[..] else {
        panic!("{} spans", spans.len());
    };
    span.clone()
}

fn trace(number: u128) -> TraceId {
    TraceId::from(number)
}

#[test]
fn the_queues_context_beats_the_notifications_and_both_beat_x_rays() {
    let young = Duration::from_secs(1);
    let all = [("traceparent", PUBLISHED), ("AWSTraceHeader", HEADER)];
    let notified = [("traceparent", NOTIFIED)];
    let span = process(&message(young, &all), &notified);
    assert_eq!(span.span_context.trace_id(), trace(0xa));
    assert_eq!(span.parent_span_id, SpanId::from(0xb));
    assert!(span.parent_span_is_remote);
    let span = process(&message(young, &all[1..]), &notified);
    assert_eq!(span.span_context.trace_id(), trace(0xc));
    let span = process(&message(young, &all[1..]), &[]);
    assert_eq!(span.span_context.trace_id(), trace(0xe));
    assert_eq!(span.parent_span_id, SpanId::from(0xf));
}

#[test]
fn a_context_older_than_an_hour_is_linked_and_not_continued() {
    let carriers = [("traceparent", PUBLISHED)];
    for (age, continued) in [(3_590, true), (3_600, false), (86_400, false)] {
        let span = process(&message(Duration::from_secs(age), &carriers), &[]);
        assert_eq!(
            span.span_context.trace_id() == trace(0xa),
            continued,
            "{age} s"
        );
        let links = &span.links.links;
        if continued {
            assert!(links.is_empty());
        } else {
            assert_eq!(span.parent_span_id, SpanId::INVALID);
            assert_eq!(links[0].span_context.trace_id(), trace(0xa));
            assert_eq!(links[0].span_context.span_id(), SpanId::from(0xb));
        }
    }
}

#[test]
fn a_context_that_names_no_span_begins_a_trace_of_our_own() {
    for carrier in [
        ("traceparent", "00-garbage"),
        ("AWSTraceHeader", "Root=1-00000000-00000000000000000000000e"),
    ] {
        let span = process(&message(Duration::ZERO, &[carrier]), &[]);
        assert_eq!(span.parent_span_id, SpanId::INVALID, "{carrier:?}");
        assert!(span.links.links.is_empty());
    }
}

#[test]
fn a_receive_starts_with_its_call_and_links_to_where_its_messages_were_published() {
    let began = SystemTime::now() - Duration::from_secs(20);
    let message = message(Duration::ZERO, &[("traceparent", PUBLISHED)]);
    let spans = exported(|spans| {
        spans.received(began, slice::from_ref(&message));
        drop(spans.process(&message, &[], None));
    });
    let [receive, process] = &spans[..] else {
        panic!("{} spans", spans.len());
    };
    assert_eq!(receive.start_time, began);
    assert!(process.start_time > began && receive.end_time > began);
    assert_eq!(receive.parent_span_id, SpanId::INVALID);
    let link = &receive.links.links[0];
    assert_eq!(link.span_context.span_id(), SpanId::from(0xb));
    assert_eq!(
        link.attributes,
        [KeyValue::new(attribute::MESSAGE_ID, "id")]
    );
    let link = &process.links.links[0];
    assert_eq!(link.span_context, receive.span_context);
}

#[test]
fn contexts_of_messages_that_were_never_settled_are_pushed_out() {
    let mut contexts = Contexts::default();
    let context = SpanContext::empty_context();
    for number in 0..CONTEXTS_MAX * 2 {
        contexts.keep(&ReceiptHandle(number.to_string()), context.clone());
    }
    assert_eq!(contexts.of.len(), CONTEXTS_MAX);
    assert!(contexts.get(&ReceiptHandle("0".to_owned())).is_none());
}

#[test]
fn numbers_among_the_attributes_are_numbers() {
    let version = TemplateVersion {
        commit_id: "commit".to_owned(),
        blob_id: "blob".to_owned(),
    };
    let spans = exported(|spans| {
        let message = message(Duration::ZERO, &[]);
        let process = spans.process(&message, &[], Some("notification"));
        assert!(process.trace_id().is_some());
        drop(spans.send(&process, 2, 3, &version));
    });
    let all: HashMap<_, _> = spans
        .iter()
        .flat_map(|span| &span.attributes)
        .map(|pair| (pair.key.as_str(), pair.value.clone()))
        .collect();
    for (name, value) in [
        (attribute::SERVER_PORT, opentelemetry::Value::I64(1)),
        (ours::RECEIVE_COUNT, 1.into()),
        (ours::ATTEMPT, 2.into()),
        (ours::RECIPIENTS, 3.into()),
        (ours::NOTIFICATION_ID, "notification".into()),
        (attribute::MESSAGE_ID, "id".into()),
        (attribute::MESSAGING_SYSTEM, "aws_sqs".into()),
        (attribute::OPERATION_NAME, "process".into()),
        (attribute::DESTINATION, "q".into()),
        (attribute::SERVER_ADDRESS, "host".into()),
        (ours::TEMPLATE_COMMIT, "commit".into()),
        (ours::TEMPLATE_BLOB, "blob".into()),
    ] {
        assert_eq!(all.get(name), Some(&value), "{name}");
    }
}
