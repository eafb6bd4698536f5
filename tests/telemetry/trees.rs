//! The spans of messages of every fate, and what connects them.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::telemetry::{
    collector::Span,
    scene::{self, ENVELOPED, RAW, Told, UNSAMPLED, XRAY},
    stage::QUEUE,
};

fn process() -> String {
    format!("process {QUEUE}")
}

fn check_queue_attributes(span: &Span, operation: &str) {
    let name = format!("{operation} {QUEUE}");
    assert_eq!(span.name, name);
    assert_eq!(span.get("messaging.system"), "aws_sqs", "{name}");
    assert_eq!(span.get("messaging.operation.name"), operation);
    assert_eq!(span.get("messaging.operation.type"), operation);
    assert_eq!(span.get("messaging.destination.name"), QUEUE);
    let url = span.get("aws.sqs.queue.url");
    let rest = url.strip_prefix("http://").unwrap();
    let (host, port) = rest.split_once('/').unwrap().0.split_once(':').unwrap();
    assert_eq!(span.get("server.address"), host);
    assert_eq!(span.get("server.port"), port);
}

fn check_sent(told: &Told) {
    let span = told.process_of("first");
    check_queue_attributes(span, "process");
    assert_eq!(span.kind, SpanKind::Consumer);
    assert_eq!(span.parent, "");
    assert!(!span.failed);
    assert_eq!(span.get("error.type"), "");
    assert_eq!(span.get("notifier.outcome"), "sent");
    assert_eq!(span.get("notifier.receive_count"), "1");
    assert_eq!(span.get("messaging.message.id").len(), 36);
    assert_eq!(span.get("notifier.notification.id").len(), 36);

    let [send] = told.children(span)[..] else {
        panic!("one attempt is one span");
    };
    assert_eq!(send.name, "SESv2/SendEmail");
    assert_eq!(send.kind, SpanKind::Client);
    assert_eq!(send.trace_id, span.trace_id);
    assert!(!send.failed);
    assert_eq!(send.get("rpc.system.name"), "aws-api");
    assert_eq!(send.get("rpc.method"), "SESv2/SendEmail");
    assert_eq!(send.get("notifier.attempt"), "1");
    assert_eq!(send.get("notifier.email.recipients"), "1");
    assert_eq!(send.get("notifier.template.commit_id").len(), 40);
    assert_eq!(send.get("notifier.template.blob_id").len(), 40);
    assert!(send.took_nanos > 450_000_000, "it spans the call");
}

#[tokio::test]
async fn a_sent_message_is_a_span_with_its_attempt_beneath() {
    check_sent(scene::over_grpc().await);
}

#[tokio::test]
async fn http_carries_the_same_as_grpc() {
    let told = scene::over_http().await;
    check_sent(told);
    assert_eq!(told.process_of("raw").trace_id, RAW.0);
    assert!(!told.last("notifier.outcomes").is_empty());
}

#[tokio::test]
async fn a_message_is_linked_to_its_receive_and_its_settling_to_it() {
    let told = scene::over_grpc().await;
    let span = told.process_of("first");
    let receive = format!("receive {QUEUE}");
    let its: Vec<_> = told
        .named(&receive)
        .filter(|receive| span.links_to(receive))
        .collect();
    let [received] = its[..] else {
        panic!("one receive brought it");
    };
    check_queue_attributes(received, "receive");
    assert_eq!(received.kind, SpanKind::Client);
    assert_eq!(received.parent, "");
    assert_eq!(received.get("messaging.batch.message_count"), "1");
    assert_ne!(received.trace_id, span.trace_id);

    let settle = format!("settle {QUEUE}");
    let settles: Vec<_> = told
        .named(&settle)
        .filter(|settle| settle.links_to(span))
        .collect();
    let [settled] = settles[..] else {
        panic!("one call deleted it");
    };
    check_queue_attributes(settled, "settle");
    assert_eq!(settled.kind, SpanKind::Client);
    assert_eq!(settled.parent, "");
    assert_eq!(settled.get("rpc.method"), "SQS/DeleteMessageBatch");
    let count = settled.links.len().to_string();
    assert_eq!(settled.get("messaging.batch.message_count"), count);
    assert!(!settled.failed);
}

#[tokio::test]
async fn boots_proofs_of_its_rights_are_no_failures() {
    let told = scene::over_grpc().await;
    let settle = format!("settle {QUEUE}");
    assert!(told.named(&settle).all(|settle| !settle.failed));
    let durations = told.last("messaging.client.operation.duration");
    assert!(
        durations
            .iter()
            .all(|point| point.get("error.type").is_empty())
    );
}

#[tokio::test]
async fn empty_receives_leave_no_span() {
    let told = scene::over_grpc().await;
    for receive in told.named(&format!("receive {QUEUE}")) {
        assert_ne!(receive.get("messaging.batch.message_count"), "0");
    }
    assert!(told.last("notifier.receives.empty")[0].value > 0.0);
}

#[tokio::test]
async fn a_publishers_trace_goes_on_in_ours() {
    let told = scene::over_grpc().await;
    for (event, (trace, publisher)) in [("enveloped", ENVELOPED), ("raw", RAW), ("xray", XRAY)] {
        let span = told.process_of(event);
        assert_eq!(span.trace_id, trace, "{event}");
        assert_eq!(span.parent, publisher, "{event}");
        assert_eq!(told.children(span)[0].trace_id, trace);
    }
}

#[tokio::test]
async fn an_unsampled_context_is_linked_and_not_continued() {
    let told = scene::over_grpc().await;
    let (trace, publisher) = UNSAMPLED;
    let span = told.process_of("unsampled");
    assert_eq!(span.parent, "");
    assert_ne!(span.trace_id, trace);
    let to_publisher = |link: &&crate::telemetry::collector::Link| link.trace_id == trace;
    let link = span.links.iter().find(to_publisher).unwrap();
    assert_eq!(link.span_id, publisher);
}

#[tokio::test]
async fn a_receive_links_to_the_publishers_that_the_queue_names() {
    let told = scene::over_grpc().await;
    let name = format!("receive {QUEUE}");
    for (event, (trace, publisher)) in [("raw", RAW), ("xray", XRAY)] {
        let mut links = told.named(&name).flat_map(|span| &span.links);
        let link = links.find(|link| link.trace_id == trace).unwrap();
        assert_eq!(link.span_id, publisher);
        let id = told.process_of(event).get("messaging.message.id");
        assert_eq!(link.attributes["messaging.message.id"], id);
    }
}

#[tokio::test]
async fn a_rejected_message_fails_with_a_kind_and_without_an_attempt() {
    let told = scene::over_grpc().await;
    let span = told.only(&process(), "notifier.outcome", "rejected");
    assert!(span.failed);
    assert_eq!(span.get("error.type"), "not_json");
    assert_eq!(span.kind, SpanKind::Consumer);
    assert!(told.children(span).is_empty());
    let settle = format!("settle {QUEUE}");
    let given_back = told.named(&settle).find(|settle| settle.links_to(span));
    let given_back = given_back.unwrap();
    let method = "SQS/ChangeMessageVisibilityBatch";
    assert_eq!(given_back.get("rpc.method"), method);
}

#[tokio::test]
async fn a_retried_failure_is_on_its_attempt_and_not_on_the_message() {
    let told = scene::over_grpc().await;
    let span = told.process_of("retried");
    assert!(!span.failed);
    assert_eq!(span.get("error.type"), "");
    assert_eq!(span.get("notifier.outcome"), "sent");
    let [first, second] = told.children(span)[..] else {
        panic!("two attempts");
    };
    assert!(first.failed);
    assert_eq!(first.get("error.type"), "InternalFailure");
    assert_eq!(first.get("notifier.attempt"), "1");
    assert_ne!(first.get("aws.request_id"), "");
    assert_eq!(first.get("notifier.email.id"), "");
    assert!(!second.failed);
    assert_eq!(second.get("notifier.attempt"), "2");
    assert_eq!(second.get("error.type"), "");
}

#[tokio::test]
async fn a_deferred_message_fails_with_its_last_failure() {
    let told = scene::over_grpc().await;
    let span = told.only(&process(), "notifier.outcome", "deferred");
    assert!(span.failed);
    assert_eq!(span.get("error.type"), "InternalFailure");
    let attempts = told.children(span);
    assert!(!attempts.is_empty());
    assert!(attempts.iter().all(|attempt| attempt.failed));
}

#[tokio::test]
async fn a_fetch_of_the_template_is_a_span_and_nothing_of_the_sdks_is() {
    let told = scene::over_grpc().await;
    let [fetch] = told.named("CodeCommit/GetFile").collect::<Vec<_>>()[..] else {
        panic!("the template was fetched once");
    };
    assert_eq!(fetch.kind, SpanKind::Client);
    assert_eq!(fetch.get("rpc.system.name"), "aws-api");
    assert_eq!(fetch.get("rpc.method"), "CodeCommit/GetFile");
    assert_eq!(fetch.get("notifier.template.commit_id").len(), 40);
    let ours = ["CodeCommit/", "SESv2/", "process ", "receive ", "settle "];
    for span in &told.spans {
        assert!(
            ours.iter().any(|name| span.name.starts_with(name)),
            "{}",
            span.name
        );
        assert_eq!(span.events, 0, "log lines are no events of {}", span.name);
    }
}

#[tokio::test]
async fn the_spans_of_the_last_message_arrive_although_the_end_follows_at_once() {
    let told = scene::over_grpc().await;
    let span = told.process_of("last");
    assert_eq!(span.get("notifier.outcome"), "sent");
    let settle = format!("settle {QUEUE}");
    assert!(told.named(&settle).any(|settle| settle.links_to(span)));
}

#[tokio::test]
async fn outcome_lines_and_first_failures_name_their_span() {
    let told = scene::over_grpc().await;
    let retried = told.process_of("retried");
    let id = retried.get("messaging.message.id");
    let lines = told.stopped.telling(id);
    assert_eq!(lines.len(), 2, "its first failure and its outcome");
    for line in &lines {
        assert_eq!(line["trace_id"], retried.trace_id, "{line}");
        assert_eq!(line["span_id"], retried.id, "{line}");
    }
    let rejected = told.only(&process(), "notifier.outcome", "rejected");
    let line = &told.stopped.telling("rejected")[0];
    assert_eq!(line["span_id"], rejected.id);
    assert_eq!(line["notifier.receive"], "1 of 4");
}
