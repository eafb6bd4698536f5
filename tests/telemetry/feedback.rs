//! What is told of what becomes of mails.

use sandbox::faults::{self, Rule};
use sandbox::ses::destination::EventType::{
    Bounce, Complaint, Delivery, DeliveryDelay, Reject, Send,
};
use sandbox::ses::fate::{Fate, FateRule};
use serde_json::json;
use tokio::{sync::OnceCell, time::timeout};

use crate::telemetry::{
    collector::{Collector, GRPC, Point, Span},
    conventions::METRICS_OF_EVENTS,
    daemon::LONG,
    scene::Told,
    stage::{SECRETS, Stage},
};

/// SES takes this event's mail, and its answer gets lost.
const UNANSWERED: &str = "unanswered";
/// What becomes of the mails of these events, and the events that SES publishes of each.
const FATES: [(&str, &[&str]); 6] = [
    ("delivered", &["send", "delivery"]),
    ("bounced", &["send", "bounce"]),
    ("complained", &["send", "delivery", "complaint"]),
    ("rejected", &["send", "reject"]),
    ("delayed", &["send", "delivery_delay", "delivery"]),
    (UNANSWERED, &["send", "delivery"]),
];

const EVENTS: [&str; 6] = [
    "send",
    "delivery",
    "bounce",
    "complaint",
    "reject",
    "delivery_delay",
];

fn fate(name: &str) -> Fate {
    match name {
        "bounced" => Fate::bounced("Permanent", "General"),
        "complained" => Fate::Complained,
        "rejected" => Fate::Rejected,
        "delayed" => Fate::Delayed,
        _ => Fate::Delivered,
    }
}

/// The run; the first test that asks plays it.
async fn told() -> &'static Told {
    static TOLD: OnceCell<Told> = OnceCell::const_new();
    TOLD.get_or_init(|| async { timeout(2 * LONG, play()).await.unwrap() })
        .await
}

async fn play() -> Told {
    let stage = Stage::build().await;
    let types = [Send, Delivery, Bounce, Complaint, Reject, DeliveryDelay];
    let connected = stage
        .sandbox
        .connect_feedback("set", "feedback", true, &types);
    connected.await.unwrap();
    let rules = FATES.map(|(name, _)| FateRule {
        recipient_contains: format!("@{name}."),
        fate: fate(name),
    });
    stage.sandbox.ses.set_fates(rules.to_vec());
    stage.sandbox.faults.add(Rule {
        body_contains: Some(format!("Planning of {UNANSWERED}")),
        count: Some(1),
        ..Rule::new("ses:SendEmail", faults::Fault::ResetAfter)
    });
    let stranger = json!({ "QueueUrl": "feedback", "MessageBody": "no event" });
    let sent = stage.sandbox.sqs.call("SendMessage", stranger).await;
    sent.unwrap();
    let collector = Collector::start(GRPC).await;
    let feedback = stage.queue_url("feedback");
    let daemon = stage.daemon(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", GRPC),
        ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
        ("NOTIFIER_QUEUE__WAIT_TIME", "1s"),
        ("NOTIFIER_FEEDBACK__QUEUE_URL", &feedback),
        ("NOTIFIER_EMAIL__CONFIGURATION_SET", "set"),
        ("LOG_LEVEL", "DEBUG"),
    ]);
    for (name, _) in FATES {
        stage.publish("enveloped", name, &[]).await;
    }
    daemon
        .until("every event", || {
            let points = collector.points();
            EVENTS
                .iter()
                .all(|event| counted(&points, event) >= published(event))
        })
        .await;
    let stopped = daemon.stop().await;
    assert!(stopped.status.success(), "{}", stopped.lines.join("\n"));
    Told::of(&stage, &collector, stopped)
}

/// How many events of this kind SES publishes of all mails.
fn published(event: &str) -> usize {
    let all = FATES.iter().flat_map(|(_, events)| *events);
    all.filter(|known| **known == event).count()
}

/// How many were counted.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small count"
)]
fn counted(points: &[Point], event: &str) -> usize {
    newest(points, "notifier.deliveries", event).map_or(0, |point| point.value as usize)
}

fn newest<'a>(points: &'a [Point], metric: &str, event: &str) -> Option<&'a Point> {
    let mut newest_first = points.iter().rev();
    newest_first.find(|point| point.metric == metric && point.get("notifier.email.event") == event)
}

#[tokio::test]
async fn each_event_is_counted_once_by_what_became_of_the_mail() {
    let points = &told().await.points;
    for event in EVENTS {
        assert_eq!(counted(points, event), published(event), "{event}");
    }
    let bounce = newest(points, "notifier.deliveries", "bounce").unwrap();
    assert_eq!(bounce.get("notifier.bounce.type"), "permanent");
    for metric in ["notifier.delivery.duration", "notifier.feedback.lag"] {
        let point = newest(points, metric, "").unwrap();
        assert!(point.count > 0, "{metric}");
    }
    let deaf = newest(points, "notifier.feedback.deaf", "").unwrap();
    assert!(deaf.value.abs() < 0.5, "events arrive");
}

#[tokio::test]
async fn every_metric_of_events_has_its_unit_and_kind_and_none_is_missing() {
    let points = &told().await.points;
    for (name, unit, kind) in METRICS_OF_EVENTS {
        let point = points.iter().find(|point| point.metric == name);
        let point = point.unwrap_or_else(|| panic!("{name} is never told"));
        assert_eq!((point.unit.as_str(), point.kind), (unit, kind), "{name}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_mail_is_one_line() {
    let stopped = &told().await.stopped;
    for (text, name, level) in [
        ("a mail bounced", "bounced", "WARN"),
        (
            "complaint: a recipient marked a mail as spam",
            "complained",
            "WARN",
        ),
        ("a mail is delayed", "delayed", "INFO"),
    ] {
        let told = stopped.telling(text);
        assert_eq!(told.len(), 1, "{text}");
        assert_eq!(told[0]["level"], level, "{text}");
        let to = format!("d***@{name}.example.com");
        assert_eq!(told[0]["notifier.email.to"], to, "{text}");
        assert_eq!(told[0]["trace_id"].as_str().unwrap().len(), 32);
    }
    let rejected = stopped.telling("SES accepted a mail and will not");
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0]["level"], "WARN");
    assert_eq!(stopped.telling("a mail was delivered").len(), 4);
    let bounced = &stopped.telling("a mail bounced")[0];
    let diagnostic = bounced["notifier.event.diagnostic"].as_str().unwrap();
    assert!(
        diagnostic.contains("d***@bounced.example.com"),
        "{diagnostic}"
    );
}

#[tokio::test]
async fn each_event_is_a_span_that_is_linked_to_the_send_of_its_mail() {
    let told = told().await;
    // The span of a send without an answer has no id of SES's.
    for (name, events) in FATES.iter().filter(|(name, _)| *name != UNANSWERED) {
        let subject = format!("Registered: Planning of {name}");
        let mail = told.mails.iter().find(|(known, _)| *known == subject);
        let (_, id) = mail.unwrap();
        let is_send =
            |span: &&Span| span.name == "SESv2/SendEmail" && span.get("notifier.email.id") == *id;
        let send = told.spans.iter().find(is_send).unwrap();
        let linked = |span: &&Span| span.name == "process feedback" && span.links_to(send);
        let mut spans: Vec<_> = told
            .spans
            .iter()
            .filter(linked)
            .map(|span| span.get("notifier.email.event"))
            .collect();
        spans.sort_unstable();
        let mut events = events.to_vec();
        events.sort_unstable();
        assert_eq!(spans, events, "{name}");
    }
}

#[tokio::test]
async fn no_address_of_an_event_is_told() {
    let told = told().await;
    for secret in SECRETS {
        assert!(!told.text.contains(secret), "{secret} was exported");
        for line in &told.stopped.lines {
            assert!(!line.contains(secret), "{secret} is in {line}");
        }
    }
}
