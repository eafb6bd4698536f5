//! Every name against the one list of names, and what nothing that is told may hold.

use std::collections::BTreeSet;

use crate::telemetry::{
    collector::Kind,
    scene::{self, Told},
    stage::SECRETS,
};

/// The metrics with their units and kinds: the conventions' and ours.
const METRICS: [(&str, &str, Kind); 18] = [
    ("messaging.client.operation.duration", "s", Kind::Histogram),
    (
        "messaging.client.consumed.messages",
        "{message}",
        Kind::Counter,
    ),
    ("messaging.process.duration", "s", Kind::Histogram),
    ("notifier.outcomes", "{message}", Kind::Counter),
    ("notifier.emails", "{attempt}", Kind::Counter),
    ("notifier.witnesses", "{mail}", Kind::Counter),
    ("notifier.queue.lag", "s", Kind::Histogram),
    ("notifier.receive.count", "{receive}", Kind::Histogram),
    ("notifier.lease.margin", "s", Kind::Histogram),
    ("notifier.messages.held", "{message}", Kind::Gauge),
    ("notifier.workers.busy", "{worker}", Kind::Gauge),
    ("notifier.breaker.open", "1", Kind::Gauge),
    ("notifier.send_rate", "{recipient}/s", Kind::Gauge),
    ("notifier.template.age", "s", Kind::Gauge),
    ("notifier.template.fetches", "{fetch}", Kind::Counter),
    ("notifier.ledger.hits", "{message}", Kind::Counter),
    ("notifier.ledger.entries", "{message}", Kind::Gauge),
    ("notifier.receives.empty", "{receive}", Kind::Counter),
];

/// The same of SES's events, which are told only where they are read.
pub(crate) const METRICS_OF_EVENTS: [(&str, &str, Kind); 6] = [
    ("notifier.deliveries", "{event}", Kind::Counter),
    ("notifier.delivery.duration", "s", Kind::Histogram),
    ("notifier.feedback.lag", "s", Kind::Histogram),
    ("notifier.feedback.other", "{message}", Kind::Counter),
    ("notifier.feedback.deaf", "1", Kind::Gauge),
    ("notifier.unknown_sends", "{attempt}", Kind::Counter),
];

/// The same of the ledger's table, which are told only where there is one.
pub(crate) const METRICS_OF_THE_TABLE: [(&str, &str, Kind); 3] = [
    ("notifier.ledger.claim.duration", "s", Kind::Histogram),
    ("notifier.ledger.take_overs", "{claim}", Kind::Counter),
    ("notifier.ledger.without_table", "{mail}", Kind::Counter),
];

/// Attributes of the conventions: messaging, RPC and AWS, version 1.44.
const ATTRIBUTES: [&str; 13] = [
    "aws.request_id",
    "aws.sqs.queue.url",
    "error.type",
    "messaging.batch.message_count",
    "messaging.destination.name",
    "messaging.message.id",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.system",
    "rpc.method",
    "rpc.system.name",
    "server.address",
    "server.port",
];

/// The names in `names.rs`, by module.
fn listed(module: &str) -> BTreeSet<&'static str> {
    let source = include_str!("../../src/telemetry/names.rs");
    let (_, rest) = source.split_once(&format!("pub mod {module} {{")).unwrap();
    let (body, _) = rest.split_once("\n}").unwrap();
    let names = body.lines().filter_map(|line| {
        let (_, value) = line.trim().strip_prefix("pub const ")?.split_once('"')?;
        value.split('"').next()
    });
    names.collect()
}

fn attribute_names(told: &Told) -> BTreeSet<&str> {
    let spans = told.spans.iter().flat_map(|span| span.attributes.keys());
    let links = told.spans.iter().flat_map(|span| &span.links);
    let links = links.flat_map(|link| link.attributes.keys());
    let points = told.points.iter().flat_map(|point| point.attributes.keys());
    let all = spans.chain(links).chain(points);
    all.map(String::as_str).collect()
}

#[test]
fn the_list_holds_the_conventions_names_and_ours_under_our_prefix() {
    assert_eq!(listed("attribute"), BTreeSet::from(ATTRIBUTES));
    assert!(
        listed("ours")
            .iter()
            .all(|name| name.starts_with("notifier."))
    );
    let metrics = METRICS.iter().chain(&METRICS_OF_EVENTS);
    let metrics = metrics.chain(&METRICS_OF_THE_TABLE);
    assert_eq!(listed("metric"), metrics.map(|(name, ..)| *name).collect());
}

#[tokio::test]
async fn every_attribute_that_is_told_is_in_the_list() {
    let told = scene::over_grpc().await;
    let mut known = listed("attribute");
    known.extend(listed("ours"));
    let unknown: Vec<_> = attribute_names(told).difference(&known).copied().collect();
    assert!(unknown.is_empty(), "not in names.rs: {unknown:?}");
}

#[tokio::test]
async fn every_metric_has_its_unit_and_kind_and_none_is_missing() {
    let told = scene::over_grpc().await;
    for point in &told.points {
        let of_name = |(name, ..): &&(&str, &str, Kind)| *name == point.metric;
        let (name, unit, kind) = METRICS.iter().find(of_name).unwrap();
        assert_eq!(
            (&point.unit, point.kind),
            (&(*unit).to_owned(), *kind),
            "{name}"
        );
    }
    for (name, ..) in METRICS {
        assert!(!told.last(name).is_empty(), "{name} is never told");
    }
}

#[tokio::test]
async fn attributes_of_metrics_come_from_bounded_sets() {
    let told = scene::over_grpc().await;
    let bounded = [
        "error.type",
        "messaging.destination.name",
        "messaging.operation.name",
        "messaging.operation.type",
        "messaging.system",
        "notifier.breaker",
        "notifier.breaker.cause",
        "notifier.ledger.known_by",
        "notifier.outcome",
        "rpc.method",
        "server.address",
    ];
    for point in &told.points {
        for name in point.attributes.keys() {
            assert!(
                bounded.contains(&name.as_str()),
                "{name} of {}",
                point.metric
            );
        }
    }
}

#[tokio::test]
async fn nothing_that_is_told_holds_an_address_an_events_id_or_its_content() {
    for told in [scene::over_grpc().await, scene::over_http().await] {
        for secret in SECRETS {
            assert!(!told.text.contains(secret), "{secret} was exported");
            for line in &told.stopped.lines {
                assert!(!line.contains(secret), "{secret} is in {line}");
            }
        }
        // What is told of them is masked, so the scan has looked at the right lines.
        let sent = told.stopped.telling("\"sent\"");
        assert!(
            sent.iter()
                .any(|line| line["notifier.email.to"] == "d***@first.example.com")
        );
    }
}
