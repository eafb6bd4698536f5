//! Alarms and scaling look at metrics that exist.

use std::collections::{BTreeMap, BTreeSet};

use organizer_notifier::telemetry::names::{metric, ours};
use serde_json::{Value, json};

use crate::stack::{OTHERWISE, Stack};
use crate::{settings, strings, text, yaml};

/// What AWS itself measures.
const OF_AWS: &[(&str, &str, &[&str])] = &[
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", &["QueueName"]),
    (
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        &["QueueName"],
    ),
    ("AWS/SQS", "NumberOfMessagesSent", &["QueueName"]),
    ("AWS/DynamoDB", "ReadThrottleEvents", &["TableName"]),
    ("AWS/DynamoDB", "WriteThrottleEvents", &["TableName"]),
    ("AWS/ECS", "CPUUtilization", &["ClusterName", "ServiceName"]),
    ("AWS/SES", "Reputation.BounceRate", &[]),
    ("AWS/SES", "Reputation.ComplaintRate", &[]),
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
    let dimensions = metric["Dimensions"].as_array().into_iter().flatten();
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
            let scaling = &scaling["CustomizedMetricSpecification"]["Metrics"];
            let alarm = &properties["Metrics"];
            for metric in [scaling, alarm]
                .into_iter()
                .filter_map(Value::as_array)
                .flatten()
            {
                if metric["MetricStat"].is_object() {
                    found.push((name.clone(), metric["MetricStat"]["Metric"].clone()));
                }
            }
        }
    }
    found
}

/// What the collector makes metrics of `CloudWatch` of: selector and sets of dimensions.
pub(crate) fn declared() -> Vec<(String, Vec<Vec<String>>)> {
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
            let names = selected(&selector);
            found.extend(names.into_iter().map(|name| (name, sets.clone())));
        }
    }
    found
}

/// The names that a selector stands for: a name between `^` and `$`, with one group of alternatives at most.
fn selected(selector: &str) -> Vec<String> {
    let inner = selector
        .strip_prefix('^')
        .and_then(|rest| rest.strip_suffix('$'));
    let inner = inner.unwrap_or_else(|| panic!("{selector} selects parts of names"));
    let inner = inner.replace("\\.", ".");
    let Some((before, rest)) = inner.split_once('(') else {
        return vec![inner];
    };
    let (group, after) = rest.split_once(')').unwrap();
    group
        .split('|')
        .map(|one| format!("{before}{one}{after}"))
        .collect()
}

/// The metrics that `CloudWatch` makes of lines of the log.
fn of_the_log(stack: &Stack) -> Vec<String> {
    let all = stack.resources().into_values();
    let filters = all.filter(|(kind, _)| kind == "AWS::Logs::MetricFilter");
    filters
        .map(|(_, filter)| filter["MetricTransformations"][0]["MetricName"].clone())
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
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
            if namespace == "OrganizerNotifier" && of_the_log(&stack).iter().any(|own| own == name)
            {
                assert!(dimensions.is_empty(), "{resource}: {dimensions:?}");
            } else if namespace == "OrganizerNotifier" {
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
    for (name, (kind, alarm)) in everything().resources() {
        if kind != "AWS::CloudWatch::Alarm" {
            continue;
        }
        let topic = "arn:aws:sns:eu-central-1:123456789012:a";
        assert_eq!(strings(&alarm["AlarmActions"]), [topic], "{name}");
        // That no more came in the next minute is no good news.
        if name == "MoreDeadLettersAlarm" {
            assert!(alarm["OKActions"].is_null(), "{name}");
        } else {
            assert_eq!(strings(&alarm["OKActions"]), [topic], "{name}");
        }
        let description = alarm["AlarmDescription"].as_str().unwrap();
        assert!(description.contains("deploy/runbook.md"), "{name}");
        let (_, heading) = description.split_once("deploy/runbook.md: \"").unwrap();
        let heading = heading.trim_end_matches("\".");
        let found = runbook.lines().any(|line| line == format!("### {heading}"));
        assert!(found, "deploy/runbook.md has no heading \"{heading}\"");
        assert!(alarm["TreatMissingData"].is_string(), "{name}");
    }
}

/// A stack with every alarm that there is.
fn everything() -> Stack {
    let all: Vec<_> = OTHERWISE
        .iter()
        .copied()
        .filter(|(name, _)| *name != "Reputation")
        .collect();
    Stack::with(&all)
}

/// The alarms of a stack, by name.
fn alarms(stack: &Stack) -> BTreeMap<String, Value> {
    let all = stack.resources().into_iter();
    let alarms = all.filter(|(_, (kind, _))| kind == "AWS::CloudWatch::Alarm");
    alarms.map(|(name, (_, alarm))| (name, alarm)).collect()
}

#[test]
fn every_alarm_is_there_without_asking_and_those_on_the_daemons_metrics_go_with_the_collector() {
    let off = alarms(&Stack::with(&[("Telemetry", "off")]));
    for always in [
        "ErrorLinesAlarm",
        "OldestMessageAlarm",
        "DeadLettersAlarm",
        "MoreDeadLettersAlarm",
        "NoTaskAlarm",
        "BounceRateAlarm",
    ] {
        assert!(off.contains_key(always), "{always}");
    }
    let on = alarms(&Stack::with(&[]));
    let more: Vec<_> = on.keys().filter(|name| !off.contains_key(*name)).collect();
    let expected = [
        "BreakerAlarm",
        "LostLeasesAlarm",
        "NoTelemetryAlarm",
        "QueueLagAlarm",
        "RejectedAlarm",
        "TemplateAgeAlarm",
    ];
    assert_eq!(more, expected);
    let all = alarms(&everything());
    assert!(alarms(&Stack::with(&[("LedgerTable", "create")])).contains_key("WithoutTableAlarm"));
    assert!(alarms(&Stack::with(&[("Feedback", "on")])).contains_key("DeafAlarm"));
    assert_eq!(all.len(), on.len() + 4, "feedback's two, the table's two");
    let none = alarms(&Stack::with(&[("MinTasks", "0"), ("MaxTasks", "0")]));
    let fewer: Vec<_> = on.keys().filter(|name| !none.contains_key(*name)).collect();
    assert_eq!(
        fewer,
        ["NoTaskAlarm", "NoTelemetryAlarm"],
        "nobody is to run"
    );
}

#[test]
fn silence_is_an_alarm_only_where_it_means_that_nothing_runs() {
    for (name, alarm) in alarms(&everything()) {
        let expected = match name.as_str() {
            "NoTaskAlarm" | "NoTelemetryAlarm" => "breaching",
            "BounceRateAlarm" | "ComplaintRateAlarm" => "ignore",
            _ => "notBreaching",
        };
        assert_eq!(alarm["TreatMissingData"], expected, "{name}");
    }
}

/// The rows of the guide's table of alarms: what each looks at, when it rings, and the stack's answer.
fn told() -> Vec<[String; 3]> {
    let page = text("deploy/telemetry.md");
    let (_, table) = page.split_once("\n## Alarms\n").unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{row}");
        [cells[0], cells[1], cells[3]].map(str::to_owned)
    })
    .collect()
}

/// What stands in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_guides_table_of_alarms_is_what_the_stack_builds() {
    let alarms = alarms(&everything());
    let mut named = BTreeSet::new();
    let rows = told();
    assert!(rows.len() >= 12, "this test sees too little");
    for [looks_at, when, answer] in rows {
        let own: Vec<_> = quoted(&answer)
            .into_iter()
            .filter(|name| name.ends_with("Alarm"))
            .collect();
        if own.is_empty() {
            assert!(
                answer.starts_with("no: "),
                "{looks_at}: say why the stack has none"
            );
            continue;
        }
        for name in own {
            let alarm = alarms
                .get(name)
                .unwrap_or_else(|| panic!("there is no {name}"));
            named.insert(name.to_owned());
            if answer.starts_with("by ") {
                continue;
            }
            let alarm = alarm.to_string();
            let metric = quoted(&looks_at)[0].replace("STACK", "notifier");
            assert!(
                alarm.contains(&format!("\"{metric}\"")),
                "{name} does not look at {metric}"
            );
            // A set of sums, least and most has no percentiles.
            assert!(!when.contains("percentile"), "{name}: {when}");
        }
    }
    let built: BTreeSet<_> = alarms.keys().cloned().collect();
    assert_eq!(named, built, "each alarm of the stack has its row");
}

#[test]
fn thresholds_follow_the_settings_that_they_are_about() {
    let stack = everything();
    let settings = settings(&stack.environment("daemon"));
    let threshold = |name: &str| alarms(&stack)[name]["Threshold"].as_u64().unwrap();
    assert_eq!(
        threshold("TemplateAgeAlarm"),
        3 * settings.template.ttl.as_secs()
    );
}

#[test]
fn a_lease_that_ends_is_counted_as_what_it_is() {
    // A send begins only with a margin that lasts for it, so that however late renewals come no margin is short:
    // messages are lost instead, at WARN.
    let alarm = &alarms(&everything())["LostLeasesAlarm"];
    let dimension = json!({"Name": ours::OUTCOME, "Value": "lost"});
    assert!(text("src/pipeline/outcome.rs").contains("Self::Lost => \"lost\""));
    assert_eq!(alarm["Dimensions"][1], dimension);
    assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold");
    assert!(alarm["Threshold"].as_u64().unwrap() <= 2, "few are enough");
    for (name, alarm) in alarms(&everything()) {
        assert_ne!(alarm["MetricName"], metric::LEASE_MARGIN, "{name}");
    }
}

#[test]
fn an_alarm_on_dynamodbs_metrics_has_a_value_in_each_minute() {
    // An alarm that looks at them alone ignores missing data whatever it is told, and would stay on.
    let mut seen = 0;
    for (name, alarm) in alarms(&everything()) {
        assert_ne!(alarm["Namespace"], "AWS/DynamoDB", "{name}");
        let Some(metrics) = alarm["Metrics"].as_array() else {
            continue;
        };
        let expression = metrics.iter().find_map(|one| one["Expression"].as_str());
        for metric in metrics {
            if metric["MetricStat"]["Metric"]["Namespace"] == "AWS/DynamoDB" {
                let filled = format!("FILL({}, 0)", metric["Id"].as_str().unwrap());
                assert!(expression.unwrap().contains(&filled), "{name}: {filled}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 2);
}

#[test]
fn a_stop_by_ses_is_told_where_alarms_go_to() {
    assert!(
        !Stack::with(&[]).resources().contains_key("StopRule"),
        "to nobody"
    );
    let rule = everything().resource("StopRule");
    assert_eq!(rule["EventPattern"]["source"][0], "aws.ses");
    assert_eq!(
        rule["EventPattern"]["detail-type"][0],
        "Sending Status Disabled"
    );
    assert_eq!(
        rule["Targets"][0]["Arn"],
        "arn:aws:sns:eu-central-1:123456789012:a"
    );
    assert!(
        !Stack::with(OTHERWISE).resources().contains_key("StopRule"),
        "another stack tells"
    );
}

#[test]
fn error_lines_are_counted_as_the_runbook_looks_for_them() {
    let filter = Stack::with(&[]).resource("ErrorLines");
    let pattern = filter["FilterPattern"].as_str().unwrap();
    assert_eq!(pattern, "{ $.level = \"ERROR\" }");
    assert_eq!(filter["LogGroupName"], "<LogGroup>");
    assert!(text("deploy/runbook.md").contains(&format!("--filter-pattern '{pattern}'")));
    let daemon = Stack::with(&[]).environment("daemon");
    assert_eq!(
        daemon["NOTIFIER_LOG__FORMAT"], "json",
        "the filter reads JSON"
    );
}
