//! The metrics, each at least once with its value.

use sandbox::faults::{Fault, Rule};

use crate::telemetry::{
    collector::{Collector, GRPC, Kind, Point},
    scene::{self, Told},
    stage::{QUEUE, Stage},
};

/// The sum over the points that have these attributes.
fn sum(told: &Told, metric: &str, attributes: &[(&str, &str)]) -> f64 {
    let fits = |point: &&&Point| {
        attributes
            .iter()
            .all(|(name, value)| point.get(name) == *value)
    };
    let points = told.last(metric);
    points.iter().filter(fits).map(|point| point.value).sum()
}

/// The same of what a histogram counted.
fn count(told: &Told, metric: &str, attributes: &[(&str, &str)]) -> u64 {
    let fits = |point: &&&Point| {
        attributes
            .iter()
            .all(|(name, value)| point.get(name) == *value)
    };
    let points = told.last(metric);
    points.iter().filter(fits).map(|point| point.count).sum()
}

#[expect(clippy::float_cmp, reason = "counts are whole numbers")]
fn is(value: f64, expected: f64, what: &str) {
    assert_eq!(value, expected, "{what}");
}

#[tokio::test]
async fn outcomes_and_attempts_are_counted() {
    let told = scene::over_grpc().await;
    for (outcome, expected) in [("sent", 7.0), ("rejected", 1.0), ("deferred", 1.0)] {
        let counted = sum(
            told,
            "notifier.outcomes",
            &[
                ("notifier.outcome", outcome),
                ("messaging.destination.name", QUEUE),
            ],
        );
        is(counted, expected, outcome);
    }
    is(sum(told, "notifier.outcomes", &[]), 9.0, "all outcomes");
    is(
        sum(told, "notifier.emails", &[("error.type", "")]),
        7.0,
        "accepted",
    );
    let failed = sum(
        told,
        "notifier.emails",
        &[("error.type", "InternalFailure")],
    );
    let attempts = told.named("SESv2/SendEmail").filter(|span| span.failed);
    is(
        failed,
        f64::from(u32::try_from(attempts.count()).unwrap()),
        "failed attempts",
    );
    assert!(failed >= 2.0);
}

#[tokio::test]
async fn the_conventional_metrics_measure_calls_and_work() {
    let told = scene::over_grpc().await;
    is(
        sum(
            told,
            "messaging.client.consumed.messages",
            &[("messaging.operation.name", "receive")],
        ),
        9.0,
        "consumed",
    );
    let receives = [
        ("messaging.operation.name", "receive"),
        ("messaging.operation.type", "receive"),
    ];
    assert!(count(told, "messaging.client.operation.duration", &receives) >= 9);
    for method in ["SQS/DeleteMessageBatch", "SQS/ChangeMessageVisibilityBatch"] {
        let settles = [
            ("messaging.operation.name", "settle"),
            ("rpc.method", method),
        ];
        assert!(
            count(told, "messaging.client.operation.duration", &settles) >= 1,
            "{method}"
        );
    }
    let process = "messaging.process.duration";
    assert_eq!(count(told, process, &[]), 9);
    assert_eq!(count(told, process, &[("error.type", "")]), 7);
    assert_eq!(count(told, process, &[("error.type", "not_json")]), 1);
    assert_eq!(
        count(told, process, &[("error.type", "InternalFailure")]),
        1
    );
    let bounds = &told.last(process)[0].bounds;
    assert_eq!(bounds[..3], [0.005, 0.01, 0.025]);
    assert!(bounds.contains(&20.0), "an idle long poll has a bucket");
}

#[tokio::test]
async fn lag_receives_and_lease_margin_are_measured() {
    let told = scene::over_grpc().await;
    assert_eq!(count(told, "notifier.queue.lag", &[]), 9);
    let lag = sum(told, "notifier.queue.lag", &[]);
    assert!((0.0..60.0).contains(&lag), "{lag} s");
    assert_eq!(count(told, "notifier.receive.count", &[]), 9);
    is(
        sum(told, "notifier.receive.count", &[]),
        9.0,
        "each was received once",
    );
    let sends = count(told, "notifier.lease.margin", &[]);
    let attempts = told.named("SESv2/SendEmail").count();
    assert_eq!(usize::try_from(sends).unwrap(), attempts);
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let margin = sum(told, "notifier.lease.margin", &[]) / sends as f64;
    assert!(
        (10.0..60.0).contains(&margin),
        "{margin} s of leases of 60 s"
    );
}

#[tokio::test]
async fn gauges_tell_what_is_held_and_in_force() {
    let told = scene::over_grpc().await;
    let most = |metric: &str| {
        let points = told.points.iter().filter(|point| point.metric == metric);
        points.map(|point| point.value).fold(f64::NAN, f64::max)
    };
    assert!(most("notifier.messages.held") >= 1.0);
    let (busy, held) = (
        most("notifier.workers.busy"),
        most("notifier.messages.held"),
    );
    assert!((1.0..=held).contains(&busy), "{busy} of {held}");
    is(most("notifier.send_rate"), 500.0, "the rate that is set");
    assert!((0.1..300.0).contains(&most("notifier.template.age")));
    is(most("notifier.template.fetches"), 1.0, "fetches");
    // The last mail may have gone out after the last look at the ledger.
    assert!(most("notifier.ledger.entries") >= 6.0);
    is(most("notifier.ledger.hits"), 0.0, "no message came twice");
    for part in ["sending", "rendering"] {
        let open = told.last("notifier.breaker.open");
        let of_part = open
            .iter()
            .find(|point| point.get("notifier.breaker") == part);
        is(of_part.unwrap().value, 0.0, part);
    }
    assert!(most("notifier.receives.empty") >= 1.0);
}

#[tokio::test]
async fn a_known_message_is_a_hit_and_an_open_breaker_shows_its_cause() {
    let stage = Stage::build().await;
    let collector = Collector::start(GRPC).await;
    let daemon = stage.daemon(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", GRPC),
        ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
    ]);
    let seen = |metric: &str, attributes: &[(&str, &str)]| {
        collector.points().iter().any(|point| {
            let mut pairs = attributes.iter();
            point.metric == metric
                && point.value >= 1.0
                && pairs.all(|(name, value)| point.get(name) == *value)
        })
    };
    let twice = Fault::Duplicate {
        after_ms: 0,
        new_id: true,
    };
    stage.sandbox.faults.add(Rule::new("sqs:Deliver", twice));
    stage.publish("enveloped", "twice", &[]).await;
    let hit = || seen("notifier.ledger.hits", &[]);
    daemon.until("a hit", hit).await;
    let duplicate = [("notifier.outcome", "duplicate")];
    let outcome = || seen("notifier.outcomes", &duplicate);
    daemon.until("a duplicate", outcome).await;
    stage.sandbox.faults.clear();

    let paused = Fault::error("SendingPausedException", 400);
    stage.sandbox.faults.add(Rule::new("ses:SendEmail", paused));
    stage.publish("enveloped", "outage", &[]).await;
    let open = [
        ("notifier.breaker", "sending"),
        ("notifier.breaker.cause", "paused"),
    ];
    let opened = || seen("notifier.breaker.open", &open);
    daemon.until("an open breaker", opened).await;
    let stopped = daemon.stop().await;
    assert!(stopped.status.success());
    assert_eq!(stopped.telling("sending has stopped").len(), 1);
    let points = collector.points();
    assert!(
        points
            .iter()
            .all(|point| point.kind != Kind::Counter || point.value >= 0.0)
    );
}
