//! The span of a fetch of a template that is in a bucket.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tokio::time::timeout;

use crate::telemetry::{
    collector::{Collector, GRPC},
    daemon::LONG,
    scene::Told,
    stage::Stage,
};

#[tokio::test]
async fn a_fetch_from_a_bucket_is_a_span_by_its_own_name() {
    let told = timeout(2 * LONG, play()).await.unwrap();
    let [fetch] = told.named("S3/GetObject").collect::<Vec<_>>()[..] else {
        panic!("the template was fetched once");
    };
    assert_eq!(fetch.kind, SpanKind::Client);
    assert_eq!(fetch.get("rpc.system.name"), "aws-api");
    assert_eq!(fetch.get("rpc.method"), "S3/GetObject");
    assert_eq!(fetch.get("notifier.template.commit_id").len(), 32);
    assert_eq!(fetch.get("notifier.template.blob_id").len(), 32);
    for span in &told.spans {
        assert!(!span.name.contains("CodeCommit"), "{}", span.name);
        assert!(
            !span.name.contains("GetObject") || span.name == fetch.name,
            "{}",
            span.name
        );
    }
}

async fn play() -> Told {
    let stage = Stage::build().await;
    let s3 = &stage.sandbox.s3;
    s3.create("templates", "us-east-1").unwrap();
    s3.keep_versions("templates", true).unwrap();
    s3.put("templates", "new_event.html", b"<p>{summary}</p>")
        .unwrap();
    let collector = Collector::start(GRPC).await;
    let daemon = stage.daemon(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", GRPC),
        ("NOTIFIER_QUEUE__WAIT_TIME", "1s"),
        ("CODECOMMIT_REPO", "s3://templates"),
    ]);
    stage.publish("enveloped", "only", &[]).await;
    daemon.until("the mail", || stage.mailed("only")).await;
    let stopped = daemon.stop().await;
    assert!(stopped.status.success(), "{}", stopped.lines.join("\n"));
    Told::of(&stage, &collector, stopped)
}
