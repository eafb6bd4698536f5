//! The standard variables, as the specification has them.

use std::{process::ExitStatus, time::Duration};

use crate::commands::network::{PrivateTls, Proxy};
use crate::telemetry::{
    collector::{Collector, GRPC, HTTP},
    daemon::{Daemon, Stopped},
    stage::Stage,
};

/// Mails one message with these variables besides the endpoint's, and stops.
async fn mail_one(collector: &Collector, variables: &[(&str, &str)]) -> Stopped {
    let stage = Stage::build().await;
    let mut all = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())];
    all.extend(variables);
    let daemon = stage.daemon(&all);
    stage.publish("enveloped", "one", &[]).await;
    daemon.until("a mail", || stage.mails() == 1).await;
    let stopped = daemon.stop().await;
    assert!(stopped.status.success(), "{}", stopped.lines.join("\n"));
    stopped
}

#[tokio::test]
async fn without_a_protocol_it_is_http() {
    let collector = Collector::start(HTTP).await;
    mail_one(&collector, &[]).await;
    assert!(!collector.spans().is_empty());
    assert!(!collector.points().is_empty());
}

#[tokio::test]
async fn a_disabled_sdk_tells_nothing() {
    let collector = Collector::start(HTTP).await;
    let stopped = mail_one(&collector, &[("OTEL_SDK_DISABLED", "true")]).await;
    assert!(collector.spans().is_empty() && collector.points().is_empty());
    let sent = &stopped.telling("\"sent\"")[0];
    assert!(sent.get("trace_id").is_none_or(serde_json::Value::is_null));
}

#[tokio::test]
async fn each_signal_can_be_left_out() {
    let collector = Collector::start(HTTP).await;
    mail_one(&collector, &[("OTEL_TRACES_EXPORTER", "none")]).await;
    assert!(collector.spans().is_empty() && !collector.points().is_empty());
    let collector = Collector::start(HTTP).await;
    mail_one(&collector, &[("OTEL_METRICS_EXPORTER", "none")]).await;
    assert!(!collector.spans().is_empty() && collector.points().is_empty());
}

#[tokio::test]
async fn the_resource_says_who_tells() {
    let collector = Collector::start(GRPC).await;
    let named = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", GRPC),
        ("OTEL_SERVICE_NAME", "reminders"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=other,deployment.environment.name=a%20b",
        ),
    ];
    mail_one(&collector, &named).await;
    let resources = collector.resources();
    assert!(resources.len() >= 2, "of spans and of metrics");
    for resource in &resources {
        assert_eq!(resource["service.name"], "reminders");
        assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(resource["service.instance.id"].len(), 32);
        assert_eq!(resource["deployment.environment.name"], "a b");
        assert_eq!(resource["telemetry.sdk.name"], "opentelemetry");
        assert_eq!(resource["telemetry.sdk.language"], "rust");
        assert_eq!(
            resource["service.instance.id"],
            resources[0]["service.instance.id"]
        );
    }
}

#[tokio::test]
async fn without_a_name_the_service_is_ours() {
    let collector = Collector::start(HTTP).await;
    mail_one(&collector, &[]).await;
    assert_eq!(
        collector.resources()[0]["service.name"],
        "organizer-notifier"
    );
}

#[tokio::test]
async fn a_sampler_that_takes_nothing_leaves_the_metrics() {
    let collector = Collector::start(HTTP).await;
    mail_one(&collector, &[("OTEL_TRACES_SAMPLER", "always_off")]).await;
    assert!(collector.spans().is_empty());
    assert!(!collector.points().is_empty());
}

#[tokio::test]
async fn values_that_nobody_knows_are_warned_of() {
    let collector = Collector::start(HTTP).await;
    let unknown = [
        ("OTEL_METRICS_EXPORTER", "otlp,prometheus"),
        ("OTEL_TRACES_SAMPLER", "coin"),
    ];
    let stopped = mail_one(&collector, &unknown).await;
    assert_eq!(stopped.telling("OTEL_METRICS_EXPORTER=prometheus").len(), 1);
    assert_eq!(stopped.telling("'coin'").len(), 1);
    assert!(!collector.spans().is_empty());
}

#[tokio::test]
async fn propagators_choose_what_is_continued() {
    let collector = Collector::start(HTTP).await;
    let stage = Stage::build().await;
    let daemon = stage.daemon(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()),
        ("OTEL_PROPAGATORS", "xray"),
    ]);
    let context = format!("00-{:032x}-{:016x}-01", 5, 5);
    stage
        .publish("enveloped", "one", &[("traceparent", &context)])
        .await;
    daemon.until("a mail", || stage.mails() == 1).await;
    daemon.stop().await;
    assert!(
        collector
            .spans()
            .iter()
            .all(|span| span.trace_id != format!("{:032x}", 5))
    );
}

async fn refused(endpoint: (&str, &str), protocol: &str) -> (ExitStatus, String) {
    let stage = Stage::build().await;
    let daemon: Daemon = stage.daemon(&[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]);
    let stopped = daemon.end().await;
    assert!(stopped.took < Duration::from_secs(20));
    assert!(stage.sandbox.calls().is_empty(), "AWS was not called");
    (stopped.status, stopped.lines.join("\n"))
}

#[tokio::test]
async fn an_endpoint_that_is_none_is_a_boot_error() {
    for protocol in [GRPC, HTTP] {
        for variable in [
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        ] {
            let (status, told) = refused((variable, "http://no where:4317"), protocol).await;
            assert_eq!(status.code(), Some(64), "{told}");
            assert!(told.contains("cannot be set up"), "{told}");
            assert!(told.contains("OTEL_EXPORTER_OTLP_"), "{told}");
        }
    }
}

#[tokio::test]
async fn a_collector_of_a_private_ca_is_trusted_where_a_variable_names_its_file() {
    for (protocol, alpn) in [(GRPC, "h2"), (HTTP, "http/1.1")] {
        let collector = Collector::start(protocol).await;
        let tls = PrivateTls::before(collector.endpoint(), alpn).await;
        let (url, ca) = (tls.url(), tls.ca());
        let trusting = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", &ca),
        ];
        mail_one(&collector, &trusting).await;
        assert!(!collector.spans().is_empty(), "{protocol}");
        assert!(!collector.points().is_empty(), "{protocol}");
        let stage = Stage::build().await;
        let wrong = [("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "/none.pem")];
        let daemon = stage.daemon(&[&trusting[..], &wrong].concat());
        let stopped = daemon.end().await;
        assert_eq!(stopped.status.code(), Some(64));
        let told = stopped.lines.join("\n");
        assert!(
            told.contains(
                "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE is `/none.pem`, which cannot be read"
            ),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_collector_on_this_machine_is_never_asked_through_a_proxy() {
    let proxy = Proxy::start().await;
    for protocol in [GRPC, HTTP] {
        let collector = Collector::start(protocol).await;
        let local = collector.endpoint().replace("127.0.0.1", "localhost");
        let proxied = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", local.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("HTTP_PROXY", &proxy.url),
            ("ALL_PROXY", &proxy.url),
        ];
        mail_one(&collector, &proxied).await;
        assert!(!collector.spans().is_empty(), "{protocol}");
        assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
    }
}
