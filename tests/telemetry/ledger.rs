//! The metrics and spans of the table that all tasks share.

use sandbox::faults::{Fault, Rule};
use tokio::{sync::OnceCell, time::timeout};

use crate::telemetry::{
    collector::{Collector, GRPC},
    conventions::METRICS_OF_THE_TABLE,
    daemon::LONG,
    scene::Told,
    stage::{QUEUE, Stage},
};

/// The run; the first test that asks plays it.
async fn told() -> &'static Told {
    static TOLD: OnceCell<Told> = OnceCell::const_new();
    TOLD.get_or_init(|| async { timeout(2 * LONG, play()).await.unwrap() })
        .await
}

/// One mail is claimed at once, one is known as sent, one is taken over, one is claimed at last, and one
/// goes without the table.
async fn play() -> Told {
    let stage = Stage::build().await;
    stage.sandbox.make_table("mails").unwrap();
    let collector = Collector::start(GRPC).await;
    let daemon = stage.daemon(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", GRPC),
        ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
        ("NOTIFIER_QUEUE__WAIT_TIME", "1s"),
        ("NOTIFIER_LEDGER__TABLE", "mails"),
        ("NOTIFIER_LEDGER__PATIENCE", "1s"),
    ]);
    stage.publish("enveloped", "first", &[]).await;
    daemon
        .until("the first mail", || stage.mailed("first"))
        .await;
    let faults = &stage.sandbox.faults;
    let failing = Fault::error("InternalServerError", 500);
    faults.add(Rule {
        count: Some(1),
        ..Rule::new("dynamodb:PutItem", failing.clone())
    });
    stage.publish("enveloped", "second", &[]).await;
    daemon
        .until("the second mail", || stage.mailed("second"))
        .await;
    faults.add(Rule::new("dynamodb:*", failing));
    stage.publish("enveloped", "third", &[]).await;
    daemon
        .until("the third mail", || stage.mailed("third"))
        .await;
    daemon
        .until("all of them told", || {
            let points = collector.points();
            points
                .iter()
                .any(|point| point.metric == "notifier.ledger.without_table")
        })
        .await;
    let stopped = daemon.stop().await;
    assert!(stopped.status.success(), "{}", stopped.lines.join("\n"));
    Told::of(&stage, &collector, stopped)
}

#[tokio::test]
async fn claims_and_mails_without_one_are_told_with_their_units() {
    let told = told().await;
    for (name, unit, kind) in METRICS_OF_THE_TABLE {
        let mut points = told.points.iter().filter(|point| point.metric == name);
        let Some(point) = points.next() else {
            // Nobody's claim had ended here.
            assert_eq!(name, "notifier.ledger.take_overs");
            continue;
        };
        assert_eq!((point.unit.as_str(), point.kind), (unit, kind), "{name}");
        assert_eq!(point.attributes["messaging.destination.name"], QUEUE);
    }
    let failed = told.points.iter().any(|point| {
        point.metric == "notifier.ledger.claim.duration"
            && point
                .attributes
                .get("error.type")
                .is_some_and(|code| code == "InternalServerError")
    });
    assert!(failed, "a failed claim has its error's type");
}

#[tokio::test]
async fn a_call_on_the_table_has_a_span_only_where_it_fails_or_is_slow() {
    let told = told().await;
    let spans = told
        .spans
        .iter()
        .filter(|span| span.name.starts_with("DynamoDB/"));
    let spans: Vec<_> = spans.collect();
    assert!(
        spans.iter().any(|span| span.name == "DynamoDB/PutItem"),
        "{spans:?}"
    );
    for span in spans {
        assert_eq!(span.attributes["rpc.method"], span.name);
        assert!(span.attributes.contains_key("error.type"), "{span:?}");
    }
}
