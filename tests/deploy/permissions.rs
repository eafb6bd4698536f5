//! The roles hold what is called, on what it is called on, and nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::stack::{OTHERWISE, Stack, TEMPLATE};
use crate::{calls, strings, text};

/// Actions that AWS grants on nothing narrower than the account.
const ACCOUNT_WIDE: &[&str] = &[
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "ses:GetAccount",
    "xray:PutSpans",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
];

/// What services call in the daemon's name or ask about, and so no source shows.
const IN_ITS_NAME: &[&str] = &["kms:Decrypt", "s3:ListBucket"];

/// The policies of the daemon's own rights are named so.
fn is_daemons(policy: &str) -> bool {
    policy.ends_with("Rights")
}

/// The statements of every policy of a role, with the policy's name.
pub(crate) fn statements(stack: &Stack) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, (kind, properties)) in stack.resources() {
        assert_ne!(
            kind, "AWS::IAM::ManagedPolicy",
            "{name} is looked at by nobody"
        );
        if kind == "AWS::IAM::Role" {
            for unseen in ["Policies", "ManagedPolicyArns"] {
                assert!(
                    properties[unseen].is_null(),
                    "{name}: write {unseen} as a RolePolicy"
                );
            }
        }
        if kind == "AWS::IAM::RolePolicy" {
            let document = &properties["PolicyDocument"];
            for statement in document["Statement"].as_array().unwrap() {
                found.push((name.clone(), statement.clone()));
            }
        }
    }
    found
}

fn of_daemon(stack: &Stack) -> BTreeSet<String> {
    let own = statements(stack)
        .into_iter()
        .filter(|(policy, _)| is_daemons(policy));
    own.flat_map(|(_, statement)| strings(&statement["Action"]))
        .collect()
}

#[test]
fn the_daemon_may_do_what_it_calls_and_nothing_else() {
    let called = calls::daemon();
    assert!(called.contains("sqs:ReceiveMessage"), "{called:?}");
    let without = |services: &[&str]| -> BTreeSet<_> {
        let is_of = |action: &String| services.iter().any(|service| action.starts_with(service));
        called.iter().filter(|one| !is_of(one)).cloned().collect()
    };
    assert_eq!(
        called.len() - without(&["dynamodb:"]).len(),
        7,
        "{called:?}"
    );
    let plain = without(&["dynamodb:", "s3:"]);
    assert_eq!(of_daemon(&Stack::with(&[])), plain);
    let mut with_key = without(&["codecommit:"]);
    with_key.extend(IN_ITS_NAME.iter().map(|action| (*action).to_owned()));
    assert_eq!(of_daemon(&Stack::with(OTHERWISE)), with_key);
}

#[test]
fn what_the_daemon_and_the_operators_commands_call_is_told_to_the_operator() {
    let readme = text("deploy/README.md");
    let called = calls::daemon().into_iter().chain(calls::operator());
    for action in called {
        assert!(
            readme.contains(&format!("`{action}`")),
            "deploy/README.md: {action}"
        );
    }
}

#[test]
fn a_wildcard_stands_only_where_aws_has_nothing_narrower() {
    for stack in Stack::both() {
        for (policy, statement) in statements(&stack) {
            assert_eq!(statement["Effect"], "Allow");
            let actions = strings(&statement["Action"]);
            assert!(
                !actions.iter().any(|action| action.contains('*')),
                "{policy}"
            );
            for resource in strings(&statement["Resource"]) {
                if resource == "*" {
                    let wide = |action: &String| ACCOUNT_WIDE.contains(&action.as_str());
                    assert!(actions.iter().all(wide), "{policy}: {actions:?} on *");
                } else {
                    assert!(!resource.contains('*'), "{policy}: {resource}");
                    let named = resource.starts_with("arn:aws:") || resource.ends_with(".Arn>");
                    assert!(named, "{policy}: {resource}");
                }
            }
        }
    }
}

#[test]
fn every_wildcard_is_explained() {
    let template = text(TEMPLATE);
    let lines: Vec<_> = template.lines().collect();
    let mut wildcards = 0;
    for (at, line) in lines.iter().enumerate() {
        if line.contains("Resource: \"*\"") {
            wildcards += 1;
            let begins = |at: &usize| lines[*at].contains("Sid:");
            let sid = (0..=at).rev().find(begins).unwrap();
            assert!(lines[sid - 1].trim().starts_with("# "), "line {}", sid + 1);
        }
    }
    assert!(wildcards >= 7, "this test sees too little: {wildcards}");
}

#[test]
fn mails_may_go_to_every_organizer_and_to_the_simulator() {
    for stack in Stack::both() {
        let mut own = statements(&stack);
        own.retain(|(_, statement)| statement["Action"] == "ses:SendEmail");
        assert!(!own.is_empty());
        for (policy, mail) in own {
            assert!(mail["Condition"].is_null(), "{policy}: {mail}");
        }
    }
}

#[test]
fn an_existing_queue_is_named_whole() {
    let stack = Stack::with(OTHERWISE);
    let resources: BTreeSet<_> = statements(&stack)
        .into_iter()
        .filter(|(policy, _)| is_daemons(policy))
        .flat_map(|(_, statement)| strings(&statement["Resource"]))
        .collect();
    let expected = [
        "arn:aws:sqs:eu-central-1:123456789012:created",
        "<FeedbackQueue.Arn>",
        "<Table.Arn>",
        "arn:aws:s3:::mail-templates/new_event.html",
        "arn:aws:s3:::mail-templates",
        "arn:aws:ses:eu-central-1:123456789012:identity/example.com",
        "arn:aws:ses:eu-central-1:123456789012:configuration-set/notifications",
        "*",
        "arn:aws:kms:eu-central-1:123456789012:key/1",
    ];
    assert_eq!(resources, BTreeSet::from(expected.map(str::to_owned)));
}

#[test]
fn nothing_connects_to_a_task_and_it_connects_by_https_alone() {
    for stack in Stack::both() {
        let group = stack.resource("SecurityGroup");
        assert!(group["SecurityGroupIngress"].is_null());
        let egress = group["SecurityGroupEgress"].as_array().unwrap();
        assert!(!egress.is_empty());
        for rule in egress {
            assert_eq!(
                (&rule["FromPort"], &rule["ToPort"]),
                (&443.into(), &443.into())
            );
        }
        let task = stack.resource("TaskDefinition");
        for container in task["ContainerDefinitions"].as_array().unwrap() {
            assert!(container["PortMappings"].is_null());
        }
    }
}

#[test]
fn the_collectors_image_may_be_read_where_it_is_a_copy_of_ones_own() {
    let images = |stack: &Stack| {
        let own = statements(stack);
        let (_, found) = own.iter().find(|(_, one)| one["Sid"] == "Image").unwrap();
        strings(&found["Resource"])
    };
    let ours = "arn:aws:ecr:eu-central-1:123456789012:repository/organizer-notifier";
    assert_eq!(images(&Stack::with(&[])), [ours]);
    let copy = "arn:aws:ecr:eu-central-1:123456789012:repository/collector";
    assert_eq!(images(&Stack::with(OTHERWISE)), [ours, copy]);
}

#[test]
fn the_collector_may_do_what_its_exporters_call_and_nothing_else() {
    for (exporters, expected) in [("classic", "logs xray"), ("otlp", "cloudwatch logs xray")] {
        let stack = Stack::with(&[("Exporters", exporters)]);
        let own = statements(&stack)
            .into_iter()
            .filter(|(policy, _)| policy == "CollectorPolicy");
        let services: BTreeSet<_> = own
            .flat_map(|(_, statement)| strings(&statement["Action"]))
            .map(|action| action.split(':').next().unwrap().to_owned())
            .collect();
        assert_eq!(Vec::from_iter(services).join(" "), expected);
    }
    assert!(
        !Stack::with(&[("Telemetry", "off")])
            .resources()
            .contains_key("CollectorPolicy")
    );
}

#[test]
fn the_configuration_set_is_in_the_role_and_the_words_say_that_a_default_one_counts() {
    let role = |set| {
        let own = statements(&Stack::with(&[("ConfigurationSet", set)]));
        let all = own.into_iter().map(|(_, statement)| statement);
        all.collect::<Value>().to_string()
    };
    assert!(role("default").contains("configuration-set/default"));
    assert!(!role("").contains("configuration-set"));
    let stack = Stack::with(&[]);
    let description = &stack.raw()["Parameters"]["ConfigurationSet"]["Description"];
    assert!(description.as_str().unwrap().contains("identity's default"));
    for page in ["deploy/README.md", "deploy/runbook.md"] {
        let told = text(page);
        assert!(
            told.contains("get-email-identity"),
            "{page} does not say how to look"
        );
    }
}
