//! Collectors that are dead, hang or refuse: they cost no message and little time.

use std::time::Duration;

use sandbox::faults::{Fault, Rule};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::telemetry::{
    collector::{Collector, GRPC, HTTP},
    daemon::{Stopped, free_port},
    stage::{QUEUE, Stage},
};

/// What the flush may take, and the daemon's own end with it on a busy machine.
const AT_MOST: Duration = Duration::from_secs(3 + 2);

/// Mails twenty messages while telemetry goes to `endpoint`, and stops.
async fn mail_twenty(endpoint: &str, protocol: &str) -> Stopped {
    let stage = Stage::build().await;
    let daemon = stage.daemon(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
        ("NOTIFIER_QUEUE__WAIT_TIME", "1s"),
    ]);
    for number in 0..20 {
        stage
            .publish("enveloped", &format!("event-{number}"), &[])
            .await;
    }
    daemon.until("twenty mails", || stage.mails() == 20).await;
    let empty = || stage.sandbox.sqs.snapshot(QUEUE).is_empty();
    daemon.until("an empty queue", empty).await;
    let stopped = daemon.stop().await;
    assert!(stopped.status.success(), "{}", stopped.lines.join("\n"));
    assert!(stopped.took < AT_MOST, "{:?}", stopped.took);
    assert_eq!(stopped.telling("\"sent\"").len(), 20);
    stopped
}

/// The exporters' own lines do not reach the log, only ours about them does, with the count.
fn check_told_of(stopped: &Stopped) {
    let lines = stopped.telling("has a problem; no message is affected");
    assert!(
        (1..=2).contains(&lines.len()),
        "{}",
        stopped.lines.join("\n")
    );
    assert_eq!(lines[0]["level"], "WARN");
    assert!(
        lines
            .iter()
            .all(|line| line["notifier.suppressed"].is_u64())
    );
    let others = |line: &&Value| {
        line["target"]
            .as_str()
            .is_some_and(|it| it.starts_with("opentelemetry"))
    };
    let all: Vec<Value> = stopped.telling("{");
    assert_eq!(all.iter().filter(others).count(), 0);
}

#[tokio::test]
async fn a_dead_collector_costs_a_warning() {
    for protocol in [GRPC, HTTP] {
        let endpoint = format!("http://{}", free_port().await);
        check_told_of(&mail_twenty(&endpoint, protocol).await);
    }
}

#[tokio::test]
async fn a_hanging_collector_costs_the_flush_its_limit() {
    for protocol in [GRPC, HTTP] {
        // Connections are taken by the system and never answered.
        let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", hanging.local_addr().unwrap());
        mail_twenty(&endpoint, protocol).await;
    }
}

#[tokio::test]
async fn a_collector_that_refuses_costs_a_warning() {
    for protocol in [GRPC, HTTP] {
        let collector = Collector::ill(protocol).await;
        check_told_of(&mail_twenty(collector.endpoint(), protocol).await);
        assert!(collector.spans().is_empty());
    }
}

#[tokio::test]
async fn calls_on_the_queue_that_fail_or_are_never_answered_leave_their_errors() {
    let stage = Stage::build().await;
    let collector = Collector::start(GRPC).await;
    let once = |operation: &str, fault| Rule {
        count: Some(1),
        ..Rule::new(operation, fault)
    };
    let faults = &stage.sandbox.faults;
    faults.add(Rule {
        body_contains: Some("traceparent".to_owned()),
        ..once("sqs:ReceiveMessage", Fault::error("InternalFailure", 500))
    });
    let daemon = stage.daemon(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", GRPC),
    ]);
    daemon.says("started").await;
    // Boot proves its right to delete by the same call, and its right to receive by one that asks for no attribute.
    faults.add(once("sqs:DeleteMessageBatch", Fault::Hang));
    stage.publish("enveloped", "one", &[]).await;
    let empty = || stage.mails() == 1 && stage.sandbox.sqs.snapshot(QUEUE).is_empty();
    daemon.until("an empty queue", empty).await;
    let stopped = daemon.stop().await;
    assert!(stopped.status.success());

    let spans = collector.spans();
    for (operation, error) in [("receive", "InternalFailure"), ("settle", "timeout")] {
        let name = format!("{operation} {QUEUE}");
        let failed: Vec<_> = spans
            .iter()
            .filter(|span| span.name == name && span.failed)
            .collect();
        assert_eq!(failed.len(), 1, "{name}");
        assert_eq!(failed[0].get("error.type"), error);
        let counted = collector.points().into_iter().any(|point| {
            point.metric == "messaging.client.operation.duration"
                && point.get("messaging.operation.name") == operation
                && point.get("error.type") == error
                && point.count == 1
        });
        assert!(counted, "{name}");
    }
    // One receive that fails is tried again within a second, and nobody's business.
    assert!(stopped.telling("nothing can be received").is_empty());
    assert_eq!(stopped.telling("and stay held, trying again").len(), 1);
}
