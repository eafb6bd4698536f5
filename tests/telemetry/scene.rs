//! One run of the daemon with a message of every fate, told to a collector; the tests look at
//! what it told.

use std::time::Duration;

use sandbox::faults::{Fault, Rule};
use tokio::{sync::OnceCell, time::timeout};

use crate::telemetry::{
    collector::{Collector, GRPC, HTTP, Point, Span},
    daemon::{LONG, Stopped},
    stage::{Stage, event},
};

/// The traces that publishers began, and the spans in them that published.
pub(crate) const ENVELOPED: (&str, &str) = ("11111111111111111111111111111111", "1111111111111111");
pub(crate) const RAW: (&str, &str) = ("22222222222222222222222222222222", "2222222222222222");
pub(crate) const XRAY: (&str, &str) = ("33333333333333333333333333333333", "3333333333333333");
pub(crate) const UNSAMPLED: (&str, &str) = ("44444444444444444444444444444444", "4444444444444444");

/// What one run told.
pub(crate) struct Told {
    pub(crate) spans: Vec<Span>,
    pub(crate) points: Vec<Point>,
    pub(crate) text: String,
    pub(crate) stopped: Stopped,
    /// SES's ids of the mails, by subject.
    pub(crate) mails: Vec<(String, String)>,
}

/// The run over gRPC; the first test that asks plays it.
pub(crate) async fn over_grpc() -> &'static Told {
    static TOLD: OnceCell<Told> = OnceCell::const_new();
    TOLD.get_or_init(|| play(GRPC)).await
}

/// The run over HTTP.
pub(crate) async fn over_http() -> &'static Told {
    static TOLD: OnceCell<Told> = OnceCell::const_new();
    TOLD.get_or_init(|| play(HTTP)).await
}

async fn play(protocol: &str) -> Told {
    let told = timeout(2 * LONG, run(protocol)).await;
    told.unwrap()
}

async fn run(protocol: &str) -> Told {
    let stage = Stage::build().await;
    let collector = Collector::start(protocol).await;
    let daemon = stage.daemon(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
        ("NOTIFIER_QUEUE__WAIT_TIME", "1s"),
        ("NOTIFIER_RETRY__MAX_ELAPSED", "1s"),
        ("NOTIFIER_EMAIL__MAX_SEND_RATE", "500"),
    ]);
    let fails = |name: &str, count| Rule {
        body_contains: Some(format!("Planning of {name}")),
        count,
        ..Rule::new("ses:SendEmail", Fault::error("InternalFailure", 500))
    };
    stage.sandbox.faults.add(fails("retried", Some(1)));
    stage.sandbox.faults.add(fails("deferred", None));
    // Slow enough that an export sees it held.
    let slow = Fault::Latency {
        min_ms: 500,
        max_ms: 500,
    };
    stage.sandbox.faults.add(Rule {
        body_contains: Some("Planning of first".to_owned()),
        ..Rule::new("ses:SendEmail", slow)
    });

    stage.publish("enveloped", "first", &[]).await;
    daemon.until("a mail", || stage.mails() == 1).await;
    for (topic, name, (trace, span), flags) in [
        ("enveloped", "enveloped", ENVELOPED, "01"),
        ("raw", "raw", RAW, "01"),
        ("enveloped", "unsampled", UNSAMPLED, "00"),
    ] {
        let context = format!("00-{trace}-{span}-{flags}");
        stage
            .publish(topic, name, &[("traceparent", &context)])
            .await;
    }
    let (trace, span) = XRAY;
    let (time, rest) = trace.split_at(8);
    let header = format!("Root=1-{time}-{rest};Parent={span};Sampled=1");
    stage.send_with_header("xray", &header).await;
    daemon.until("five mails", || stage.mails() == 5).await;

    let whole = event("broken").to_string();
    let cut = whole.split_inclusive("Planning").next().unwrap();
    stage.publish("enveloped", "retried", &[]).await;
    daemon.until("a retry", || stage.mailed("retried")).await;
    stage.publish("enveloped", "deferred", &[]).await;
    daemon.says("deferred, its time for retries").await;
    daemon
        .until("an empty receive", || {
            let empty = |point: &Point| point.metric == "notifier.receives.empty";
            collector.points().iter().any(empty)
        })
        .await;
    // The last message's spans are still in the exporter's queue when the end begins.
    // Last but one: two seconds later it would come again, and be counted twice.
    stage.publish_text("enveloped", cut, &[]).await;
    daemon.says("rejected").await;
    stage.publish("enveloped", "last", &[]).await;
    daemon.until("the last", || stage.mailed("last")).await;
    let stopped = daemon.stop().await;
    assert!(stopped.status.success(), "{}", stopped.lines.join("\n"));
    assert!(stopped.took < Duration::from_secs(10));
    Told::of(&stage, &collector, stopped)
}

impl Told {
    /// What the collector got, and the outbox, once the daemon has stopped.
    pub(crate) fn of(stage: &Stage, collector: &Collector, stopped: Stopped) -> Self {
        let mails = stage.sandbox.outbox.mails().into_iter();
        Self {
            spans: collector.spans(),
            points: collector.points(),
            text: collector.text(),
            stopped,
            mails: mails.map(|mail| (mail.subject, mail.id)).collect(),
        }
    }

    /// The only span of this name with this value of an attribute.
    pub(crate) fn only(&self, name: &str, attribute: &str, value: &str) -> &Span {
        let found: Vec<_> = self
            .named(name)
            .filter(|span| span.get(attribute) == value)
            .collect();
        let [span] = found[..] else {
            panic!("{} spans {name} with {attribute}={value}", found.len());
        };
        span
    }

    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(move |span| span.name == name)
    }

    /// The children of a span, in the order of their attempts.
    pub(crate) fn children(&self, parent: &Span) -> Vec<&Span> {
        let mut children: Vec<_> = self
            .spans
            .iter()
            .filter(|span| span.parent == parent.id)
            .collect();
        children.sort_by_key(|span| span.get("notifier.attempt").parse::<u32>().ok());
        children
    }

    /// The process span of the mail about this event.
    pub(crate) fn process_of(&self, event: &str) -> &Span {
        let subject = format!("Registered: Planning of {event}");
        let mail = self.mails.iter().find(|(known, _)| *known == subject);
        let (_, id) = mail.unwrap();
        let send = self.only("SESv2/SendEmail", "notifier.email.id", id);
        let parent = self.spans.iter().find(|span| span.id == send.parent);
        parent.unwrap()
    }

    /// The newest points of a metric, one for each set of attributes.
    pub(crate) fn last(&self, metric: &str) -> Vec<&Point> {
        let mut last: Vec<&Point> = Vec::new();
        for point in self.points.iter().rev() {
            let known = |other: &&Point| other.attributes == point.attributes;
            if point.metric == metric && !last.iter().any(known) {
                last.push(point);
            }
        }
        last
    }
}
