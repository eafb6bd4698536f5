//! The task definition: times that fit into each other, and a configuration that the daemon takes.

use std::time::Duration;

use organizer_notifier::{ports::SendRate, timing::START_REFUSED_MAX};
use serde_json::{Value, json};

use crate::image::Image;
use crate::stack::{OTHERWISE, Stack};
use crate::{a_lease_holds_a_send, settings, text, yaml};

/// What ECS allows on Fargate.
const STOP_TIMEOUT_MAX: u64 = 120;
/// The notice that Spot gives.
const SPOT_NOTICE: u64 = 120;

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn the_daemon_is_done_before_it_is_killed_and_leaves_time_to_the_collector() {
    for stack in Stack::both() {
        let daemon = stack.container("daemon").unwrap();
        let stop = number(&daemon["StopTimeout"]);
        let grace = settings(&stack.environment("daemon")).grace.as_secs();
        assert!(stop <= STOP_TIMEOUT_MAX);
        assert!(grace + 5 <= stop, "{grace} s of grace in {stop} s");
        if let Some(collector) = stack.container("collector") {
            let collector = number(&collector["StopTimeout"]);
            assert!(grace + collector <= SPOT_NOTICE);
        }
    }
}

#[test]
fn the_stacks_own_times_raise_no_warning() {
    for stack in Stack::both() {
        a_lease_holds_a_send(&settings(&stack.environment("daemon")));
    }
}

#[test]
fn a_version_that_cannot_start_is_unhealthy_before_it_ends_by_itself() {
    let check = Stack::with(&[]).container("daemon").unwrap()["HealthCheck"].clone();
    let interval = number(&check["Interval"]);
    assert!((5..=300).contains(&interval));
    assert!((2..=60).contains(&number(&check["Timeout"])));
    assert!(number(&check["Timeout"]) < interval);
    let retries = number(&check["Retries"]);
    assert!((1..=10).contains(&retries));
    let begins = number(&check["StartPeriod"]);
    assert!(begins <= 300);
    // The circuit breaker counts tasks that are not healthy, and none that end by themselves.
    let known = begins + interval * retries;
    assert!(known <= 120, "{known} s");
    let patience = START_REFUSED_MAX.as_secs();
    assert!(
        patience >= known + 30,
        "a start ends after {patience} s, and is judged after {known} s"
    );
    // A moment without an answer is no reason to end a task that holds messages.
    assert!(interval * (retries - 1) >= 30);
    let entrypoint = Image::read().entrypoint();
    assert_eq!(check["Command"], json!(["CMD", entrypoint, "healthcheck"]));
    let deployment = Stack::with(&[]).resource("Service")["DeploymentConfiguration"].clone();
    // Also where one between them got well.
    assert_eq!(
        deployment["DeploymentCircuitBreaker"],
        json!({ "Enable": true, "Rollback": true, "ResetOnHealthyTask": false })
    );
    assert_eq!(deployment["MinimumHealthyPercent"], 100);
}

#[test]
fn the_daemon_takes_the_variables() {
    let created = settings(&Stack::with(&[]).environment("daemon"));
    assert_eq!(
        created.queue.url,
        "https://sqs.eu-central-1.amazonaws.com/123456789012/Queue"
    );
    assert_eq!(created.region.as_deref(), Some("eu-central-1"));
    assert_eq!(created.email.timeout, Duration::from_secs(30));
    assert_eq!(created.email.max_send_rate, SendRate::Account);
    assert_eq!(created.email.configuration_set, None);
    assert_eq!(created.concurrency, 32);

    let other = settings(&Stack::with(OTHERWISE).environment("daemon"));
    assert!(other.queue.url.ends_with("/created"));
    assert_eq!(other.email.max_send_rate, SendRate::PerSecond(14.0));
    assert_eq!(
        other.email.configuration_set.as_deref(),
        Some("notifications")
    );
    assert_eq!(other.email.reply_to[0].header(), "help@example.com");
}

#[test]
fn the_defaults_of_the_parameters_are_those_of_the_configuration() {
    let defaults = text("config/default.toml");
    for (parameter, key) in [
        ("Concurrency", "concurrency = 32"),
        ("MaxSendRate", "max_send_rate = \"account\""),
    ] {
        let stack = Stack::with(&[]);
        let default = &stack.raw()["Parameters"][parameter]["Default"];
        let (_, value) = key.split_once(" = ").unwrap();
        assert_eq!(default.to_string(), value);
        assert!(defaults.lines().any(|line| line == key), "{key}");
    }
}

#[test]
fn containers_cannot_write_and_the_daemon_runs_as_the_image_has_it() {
    let stack = Stack::with(OTHERWISE);
    for name in ["daemon", "collector"] {
        assert_eq!(
            stack.container(name).unwrap()["ReadonlyRootFilesystem"],
            true,
            "{name}"
        );
    }
    let daemon = stack.container("daemon").unwrap();
    assert_eq!(daemon["User"], Image::read().user());
    assert_eq!(daemon["Essential"], true);
}

#[test]
fn the_collector_cannot_end_the_task_and_outlives_the_daemon() {
    let off = Stack::with(&[("Telemetry", "off")]);
    assert!(off.container("collector").is_none());
    let stack = Stack::with(OTHERWISE);
    let collector = stack.container("collector").unwrap();
    assert_eq!(collector["Essential"], false);
    assert!(
        number(&collector["Memory"]) < 512,
        "it leaves room in the smallest task"
    );
    let daemon = stack.container("daemon").unwrap();
    assert_eq!(
        daemon["DependsOn"],
        json!([{"ContainerName": "collector", "Condition": "START"}])
    );
}

#[test]
fn the_daemon_finds_the_collector_and_only_where_there_is_one() {
    let off = Stack::with(&[("Telemetry", "off")]);
    assert_eq!(off.environment("daemon")["OTEL_EXPORTER_OTLP_ENDPOINT"], "");
    let stack = Stack::with(&[]);
    let config = yaml::read(&stack.environment("collector")["AOT_CONFIG_CONTENT"]);
    let listens = &config["receivers"]["otlp"]["protocols"]["http"]["endpoint"];
    let endpoint = format!("http://{}", listens.as_str().unwrap());
    let daemon = stack.environment("daemon");
    assert_eq!(daemon["OTEL_EXPORTER_OTLP_ENDPOINT"], endpoint);
    assert_eq!(daemon["OTEL_EXPORTER_OTLP_PROTOCOL"], "http/protobuf");
}

#[test]
fn dead_letters_are_kept_longer_than_the_queue_keeps_messages() {
    let stack = Stack::with(&[]);
    let kept = |name: &str| number(&stack.resource(name)["MessageRetentionPeriod"]);
    assert_eq!(kept("DeadLetterQueue"), 14 * 86_400);
    assert!(kept("Queue") < kept("DeadLetterQueue"));
}
