//! `check` as a whole, and what stands around the daemon.

use sandbox::faults::{Fault, Rule};
use sandbox::ses::destination::EventType::{
    Bounce, Complaint, Delivery, DeliveryDelay, Reject, Send,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::commands::stage::{Stage, path, run_bare};

#[tokio::test]
async fn a_right_set_up_is_all_right() {
    let stage =
        Stage::with_events(&[Send, Delivery, Bounce, Complaint, Reject, DeliveryDelay]).await;
    let done = stage.run(&["check", "--strict"]).await;
    done.exits(0);
    assert!(done.out.ends_with("\nall right\n"), "{done}");
    assert_eq!(done.err, "");
    let json = stage.run(&["check", "--json"]).await;
    let json: Value = serde_json::from_str(&json.exits(0).out).unwrap();
    assert_eq!(
        (&json["ok"], &json["complete"]),
        (&json!(true), &json!(true))
    );
    let checks = json["checks"].as_array().unwrap();
    let not_ok: Vec<_> = checks
        .iter()
        // The stage is no AWS, which is told.
        .filter(|check| check["result"] != "ok" && check["check"] != "endpoint")
        .collect();
    assert_eq!(not_ok, [&json!(null); 0]);
    assert!(checks.len() >= 17, "{json:#}");
}

#[tokio::test]
async fn it_changes_nothing_and_sends_nothing() {
    let stage = Stage::right().await;
    stage.send("created", "{}").await;
    let before = stage.aws.sandbox.sqs.snapshot("created");
    stage.run(&["check"]).await.exits(0);
    assert_eq!(stage.aws.sandbox.sqs.snapshot("created"), before);
    assert_eq!(stage.aws.sandbox.outbox.taken(), 0);
}

#[tokio::test]
async fn it_has_no_colours_off_a_terminal() {
    let stage = Stage::right().await;
    assert!(!stage.run(&["check"]).await.out.contains('\u{1b}'));
}

#[tokio::test]
async fn a_warning_fails_only_when_strict() {
    let stage = Stage::right().await;
    stage
        .aws
        .sandbox
        .ses
        .update_account(|account| account.production_access = false);
    let done = stage.run(&["check"]).await;
    done.exits(0);
    assert!(done.out.ends_with("\n0 failures, 1 warning\n"), "{done}");
    stage.run(&["check", "--strict"]).await.exits(1);
}

#[tokio::test]
async fn json_tells_what_failed_and_what_to_do() {
    let stage = Stage::right().await;
    stage.template(b"\xff");
    let done = stage.run(&["check", "--json"]).await;
    let json: Value = serde_json::from_str(&done.exits(1).out).unwrap();
    assert_eq!((&json["ok"], &json["failed"]), (&json!(false), &json!(1)));
    let template = json["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["check"] == "template");
    let template = template.unwrap();
    assert_eq!(template["result"], "failed");
    assert_eq!(
        template["remedy"],
        "commit or upload a template that is UTF-8 text and not blank"
    );
}

#[tokio::test]
async fn a_queue_in_another_region_is_told() {
    let mut stage = Stage::right().await;
    stage.set(
        "SQS_URL",
        "https://sqs.eu-west-1.amazonaws.com/000000000000/created",
    );
    let done = stage.run(&["check"]).await;
    done.exits(1);
    assert_eq!(
        done.finding("region"),
        "region failed us-east-1 is in use, and queue.url is in eu-west-1 → set REGION \
         (aws.region) to the queue's, or queue.url to a queue of this region"
    );
}

#[tokio::test]
async fn no_region_is_a_mistake_of_the_configuration() {
    let mut stage = Stage::right().await;
    stage.set("REGION", "");
    // Else the SDK would ask the instance metadata service for one.
    stage.set("AWS_EC2_METADATA_DISABLED", "true");
    let done = stage.run(&["check"]).await;
    done.exits(64);
    assert!(done.err.contains("no AWS region: set REGION"), "{done}");
}

#[tokio::test]
async fn missing_credentials_are_told_once() {
    let mut stage = Stage::right().await;
    stage.set("AWS_ACCESS_KEY_ID", "");
    stage.set("AWS_SECRET_ACCESS_KEY", "");
    stage.set("AWS_EC2_METADATA_DISABLED", "true");
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("credentials");
    assert!(
        finding.starts_with("credentials failed there are no AWS credentials ("),
        "{done}"
    );
    assert!(finding.contains("→ give the task a role"), "{done}");
    assert!(done.finding("aws").contains("skipped"), "{done}");
}

#[tokio::test]
async fn credentials_that_are_not_accepted_are_no_missing_right() {
    let stage = Stage::right().await;
    let fault = Fault::error("ExpiredTokenException", 403);
    stage
        .aws
        .sandbox
        .faults
        .add(Rule::new("sqs:GetQueueAttributes", fault));
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("queue");
    assert!(
        finding.starts_with("queue failed the AWS credentials have expired ("),
        "{done}"
    );
}

#[tokio::test]
async fn an_aws_that_does_not_answer_is_told() {
    let mut stage = Stage::right().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    stage.set("AWS_ENDPOINT_URL_CODECOMMIT", &url);
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let finding = done.finding("template");
    let refused = "template failed the connection to AWS is refused (";
    assert!(finding.starts_with(refused), "{done}");
    assert!(finding.contains("→ check AWS_ENDPOINT_URL"), "{done}");
}

#[tokio::test]
async fn a_collector_is_reached_or_told() {
    let mut stage = Stage::right().await;
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = collector.local_addr().unwrap();
    stage.set("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{address}"));
    let done = stage.run(&["check", "--strict"]).await;
    done.exits(0);
    assert!(done.finding("telemetry").contains("accepts connections"));
    drop(collector);
    let done = stage.run(&["check"]).await;
    done.exits(0);
    let finding = done.finding("telemetry");
    let told = format!("telemetry warning the collector at {address} cannot be reached: ");
    assert!(finding.starts_with(&told), "{done}");
    stage.set("OTEL_EXPORTER_OTLP_ENDPOINT", "collector");
    let done = stage.run(&["check", "--strict"]).await;
    done.exits(1);
    assert!(done.finding("telemetry").contains("is not a URL"), "{done}");
    stage.set("OTEL_SDK_DISABLED", "true");
    let done = stage.run(&["check", "--strict"]).await;
    done.exits(0);
    assert_eq!(
        done.finding("telemetry"),
        "telemetry ok off by OTEL_SDK_DISABLED"
    );
}

#[tokio::test]
async fn a_grace_that_the_platform_cuts_short_is_told() {
    let mut stage = Stage::right().await;
    stage.set("ECS_CONTAINER_METADATA_URI_V4", "http://127.0.0.1:1/v4");
    stage.run(&["check", "--strict"]).await.exits(0);
    let grace = ["check", "--strict", "--set", "shutdown.grace=60s"];
    let done = stage.run(&grace).await;
    done.exits(1);
    assert!(done.finding("stop").contains("→ set stopTimeout"), "{done}");
}

#[tokio::test]
async fn a_shadowed_variable_is_a_note() {
    let stage = Stage::right().await;
    let arguments = ["check", "--strict", "--set", "email.subject=Hello {uid}"];
    let done = stage.run(&arguments).await;
    done.exits(0);
    let finding = done.finding("configuration");
    assert!(finding.contains("SUBJECT is overridden"), "{done}");
}

#[tokio::test]
async fn a_wrong_configuration_is_all_told_and_exits_64() {
    let files = [("bad.toml", "concurency = 3\n")];
    let directory = crate::commands::stage::directory(&files);
    let file = path(&directory, "bad.toml");
    let done = run_bare(&[], &["check", "--config", &file]).await;
    done.exits(64);
    assert!(done.err.contains("did you mean `concurrency`?"), "{done}");
    assert_eq!(done.out, "");
}
