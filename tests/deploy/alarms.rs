//! Alarms and scaling look at metrics that exist.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::stack::{OTHERWISE, Stack};
use crate::{strings, text, yaml};

/// What AWS itself measures.
const OF_AWS: &[(&str, &str, &[&str])] = &[
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", &["QueueName"]),
    (
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        &["QueueName"],
    ),
    ("AWS/DynamoDB", "ReadThrottleEvents", &["TableName"]),
    ("AWS/DynamoDB", "WriteThrottleEvents", &["TableName"]),
    ("AWS/ECS", "CPUUtilization", &["ClusterName", "ServiceName"]),
];

/// The names of the daemon's metrics and attributes.
fn names() -> BTreeSet<String> {
    let source = text("src/telemetry/names.rs");
    let lines = source.lines().filter(|line| line.contains("pub const"));
    lines
        .map(|line| line.split('"').nth(1).unwrap().to_owned())
        .collect()
}

fn dimensions(metric: &Value) -> Vec<&str> {
    let dimensions = metric["Dimensions"].as_array().unwrap().iter();
    dimensions
        .map(|dimension| dimension["Name"].as_str().unwrap())
        .collect()
}

/// Every metric that alarms and the scaling look at.
fn watched(stack: &Stack) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, (_, properties)) in stack.resources() {
        if properties["MetricName"].is_string() {
            found.push((name, properties));
        } else {
            let scaling = &properties["TargetTrackingScalingPolicyConfiguration"];
            let metrics = &scaling["CustomizedMetricSpecification"]["Metrics"];
            for metric in metrics.as_array().into_iter().flatten() {
                if metric["MetricStat"].is_object() {
                    found.push((name.clone(), metric["MetricStat"]["Metric"].clone()));
                }
            }
        }
    }
    found
}

/// What the collector makes metrics of `CloudWatch` of: selector and sets of dimensions.
fn declared() -> Vec<(String, Vec<Vec<String>>)> {
    let config = yaml::read(&text("deploy/collector.yaml"));
    let declarations = &config["exporters"]["awsemf"]["metric_declarations"];
    let mut found = Vec::new();
    for declaration in declarations.as_array().unwrap() {
        let sets: Vec<_> = declaration["dimensions"]
            .as_array()
            .unwrap()
            .iter()
            .map(strings)
            .collect();
        for selector in strings(&declaration["metric_name_selectors"]) {
            let name = selector
                .trim_start_matches('^')
                .trim_end_matches('$')
                .replace('\\', "");
            found.push((name, sets.clone()));
        }
    }
    found
}

#[test]
fn every_metric_that_is_watched_exists() {
    let declared = declared();
    for stack in Stack::both() {
        let watched = watched(&stack);
        assert!(watched.len() >= 5, "this test sees too little: {watched:?}");
        for (resource, metric) in watched {
            let namespace = metric["Namespace"].as_str().unwrap();
            let name = metric["MetricName"].as_str().unwrap();
            let dimensions = dimensions(&metric);
            if namespace == "OrganizerNotifier" {
                let (_, sets) = declared.iter().find(|(own, _)| own == name).unwrap();
                assert!(
                    sets.iter().any(|set| *set == dimensions),
                    "{resource}: {dimensions:?}"
                );
            } else {
                let known = OF_AWS.contains(&(namespace, name, &dimensions));
                assert!(known, "{resource}: {namespace} {name} {dimensions:?}");
            }
        }
    }
}

#[test]
fn the_collector_passes_on_what_the_daemon_measures() {
    let names = names();
    let config = yaml::read(&text("deploy/collector.yaml"));
    assert_eq!(
        config["exporters"]["awsemf"]["namespace"],
        "OrganizerNotifier"
    );
    for (metric, sets) in declared() {
        assert!(
            names.contains(&metric),
            "{metric} is no metric of the daemon's"
        );
        for dimension in sets.concat() {
            assert!(
                names.contains(&dimension),
                "{metric}: no attribute {dimension}"
            );
        }
    }
}

#[test]
fn alarms_say_where_the_runbook_is_and_reach_whoever_is_named() {
    let runbook = text("deploy/runbook.md");
    for (name, (kind, alarm)) in Stack::with(OTHERWISE).resources() {
        if kind != "AWS::CloudWatch::Alarm" {
            continue;
        }
        for actions in ["AlarmActions", "OKActions"] {
            let topic = "arn:aws:sns:eu-central-1:123456789012:a";
            assert_eq!(strings(&alarm[actions]), [topic], "{name}");
        }
        let description = alarm["AlarmDescription"].as_str().unwrap();
        assert!(description.contains("deploy/runbook.md"), "{name}");
        let heading = description.split('"').nth(1).unwrap();
        let found = runbook.lines().any(|line| line == format!("### {heading}"));
        assert!(found, "deploy/runbook.md has no heading \"{heading}\"");
        assert!(alarm["TreatMissingData"].is_string(), "{name}");
    }
}

#[test]
fn silence_is_an_alarm_only_where_it_means_that_nothing_runs() {
    let stack = Stack::with(OTHERWISE);
    let missing = |name: &str| stack.resource(name)["TreatMissingData"].clone();
    assert_eq!(missing("NoTaskAlarm"), "breaching");
    for quiet in [
        "OldestMessageAlarm",
        "DeadLettersAlarm",
        "BreakerAlarm",
        "FeedbackAlarm",
        "TableAlarm",
        "TableReadsAlarm",
    ] {
        assert_eq!(missing(quiet), "notBreaching", "{quiet}");
    }
}

#[test]
fn scaling_begins_with_a_task_and_survives_there_being_none() {
    let stack = Stack::with(&[]);
    let parameters = &stack.raw()["Parameters"];
    assert_eq!(parameters["MinTasks"]["MinValue"], 1);
    let (least, most) = (&parameters["MinTasks"], &parameters["MaxTasks"]);
    assert!(least["Default"].as_u64() <= most["Default"].as_u64());
    let policy = stack.resource("ScalingPolicy");
    let metrics = &policy["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"]
        ["Metrics"];
    let returned: Vec<_> = metrics
        .as_array()
        .unwrap()
        .iter()
        .filter(|metric| metric["ReturnData"] == true)
        .collect();
    assert_eq!(returned.len(), 1);
    assert_eq!(
        returned[0]["Expression"],
        "IF(FILL(tasks, 0) > 0, waiting / FILL(tasks, 1), waiting)"
    );
}
