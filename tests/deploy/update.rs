//! What running tasks may do while the stack is updated, in a model of `CloudFormation`: it makes or changes what the
//! new template has, and takes away what the new template lacks only when the new tasks run. A policy with
//! another name is another policy.

use std::collections::{BTreeMap, BTreeSet};

use crate::permissions::statements;
use crate::stack::Stack;
use crate::strings;

/// An action on a resource.
type Right = (String, String);

/// The daemon's rights by the resource that holds them and the name of its policy.
fn rights(stack: &Stack) -> BTreeMap<(String, String), BTreeSet<Right>> {
    let mut found = BTreeMap::new();
    for (policy, statement) in statements(stack) {
        let resource = stack.resource(&policy);
        let name = &resource["PolicyName"];
        if resource["RoleName"] != "<TaskRole>" || name == "collector" {
            continue;
        }
        let own: &mut BTreeSet<Right> = found
            .entry((policy, name.as_str().unwrap().to_owned()))
            .or_default();
        for action in strings(&statement["Action"]) {
            let resources = strings(&statement["Resource"]).into_iter();
            own.extend(resources.map(|resource| (action.clone(), resource)));
        }
    }
    found
}

/// The rights while old tasks run beside new ones.
fn meanwhile(before: &Stack, after: &Stack) -> BTreeSet<Right> {
    let mut policies = rights(before);
    // One that has the same name is changed in place, before the new tasks start.
    policies.extend(rights(after));
    policies.into_values().flatten().collect()
}

type Parameters = &'static [(&'static str, &'static str)];

const QUEUE_A: (&str, &str) = (
    "SqsUrl",
    "https://sqs.eu-central-1.amazonaws.com/123456789012/a",
);
const QUEUE_B: (&str, &str) = (
    "SqsUrl",
    "https://sqs.eu-central-1.amazonaws.com/123456789012/b",
);
const KEY_A: (&str, &str) = ("KmsKeyArn", "arn:aws:kms:eu-central-1:123456789012:key/a");
const KEY_B: (&str, &str) = ("KmsKeyArn", "arn:aws:kms:eu-central-1:123456789012:key/b");

/// Changes of what the rights are on, each in both directions.
const CHANGES: &[(Parameters, Parameters)] = &[
    (&[QUEUE_A], &[QUEUE_B]),
    (&[QUEUE_A], &[]),
    (&[KEY_A], &[KEY_B]),
    (&[QUEUE_A, KEY_A], &[QUEUE_A]),
    (
        &[("SenderIdentity", "example.com")],
        &[("SenderIdentity", "events@example.org")],
    ),
    (&[("ConfigurationSet", "a")], &[("ConfigurationSet", "b")]),
    (&[("ConfigurationSet", "a")], &[]),
    (&[("Feedback", "on")], &[]),
    (
        &[("Feedback", "on"), ("ConfigurationSet", "a")],
        &[("ConfigurationSet", "a")],
    ),
    (
        &[("Feedback", "on")],
        &[("Feedback", "on"), ("ConfigurationSet", "a")],
    ),
    (&[("LedgerTable", "create")], &[]),
    (&[("LedgerTable", "mails")], &[]),
    (&[("LedgerTable", "mails")], &[("LedgerTable", "create")]),
    (&[("CodecommitRepo", "a")], &[("CodecommitRepo", "b")]),
    (&[("TemplateBucket", "a")], &[("TemplateBucket", "b")]),
    (&[("TemplateBucket", "a")], &[]),
];

#[test]
fn running_tasks_keep_their_rights_until_the_new_ones_run() {
    for (one, other) in CHANGES {
        for (from, to) in [(one, other), (other, one)] {
            let (before, after) = (Stack::with(from), Stack::with(to));
            let available = meanwhile(&before, &after);
            for stack in [&before, &after] {
                let needed: BTreeSet<_> = rights(stack).into_values().flatten().collect();
                assert!(needed.len() >= 7, "this test sees too little");
                let missing: Vec<_> = needed.difference(&available).collect();
                assert!(missing.is_empty(), "{from:?} to {to:?}: {missing:?}");
            }
        }
    }
}

#[test]
fn tasks_begin_after_their_rights() {
    for stack in Stack::both() {
        let task = &stack.raw()["Resources"]["TaskDefinition"];
        let mut before: BTreeSet<_> = strings(&task["DependsOn"]).into_iter().collect();
        // What is made only under a condition is referred to: DependsOn names only what is always there.
        for name in &before {
            assert!(
                stack.raw()["Resources"][name]["Condition"].is_null(),
                "{name}"
            );
        }
        let referred = stack.resolved(&task["Metadata"]["After"]);
        let names = strings(&referred).into_iter();
        before.extend(names.map(|name| name.trim_matches(['<', '>']).to_owned()));
        for (name, (kind, policy)) in stack.resources() {
            if kind == "AWS::IAM::RolePolicy" && policy["PolicyName"] != "collector" {
                assert!(before.contains(&name), "{name}: {before:?}");
            }
        }
    }
}

#[test]
fn the_names_of_policies_are_such_as_iam_takes_however_long_the_values_are() {
    let queue = format!(
        "https://sqs.eu-central-1.amazonaws.com/123456789012/{}",
        "q".repeat(80)
    );
    let key = format!(
        "arn:aws:kms:eu-central-1:123456789012:key/{}",
        "k".repeat(36)
    );
    let [identity, set] = ["i".repeat(119), "s".repeat(64)];
    let [table, repository] = ["t".repeat(122), "r".repeat(100)];
    let stack = Stack::with(&[
        ("SqsUrl", queue.as_str()),
        ("KmsKeyArn", key.as_str()),
        ("SenderIdentity", identity.as_str()),
        ("Feedback", "off"),
        ("ConfigurationSet", set.as_str()),
        ("LedgerTable", table.as_str()),
        ("CodecommitRepo", repository.as_str()),
    ]);
    let mut longest = 0;
    for (_, name) in rights(&stack).keys() {
        assert!(name.len() <= 128, "{name}");
        let allowed = |char: char| char.is_ascii_alphanumeric() || "_+=,.@-".contains(char);
        assert!(name.chars().all(allowed), "{name}");
        longest = longest.max(name.len());
    }
    assert!(longest > 120, "this test sees too little");
    // The parameters take nothing longer, and nothing that a name may not hold.
    let parameters = &stack.raw()["Parameters"];
    for (parameter, pattern) in [
        ("SqsUrl", "[A-Za-z0-9_-]{1,80}"),
        ("KmsKeyArn", "[A-Za-z0-9-]{1,36}"),
        ("SenderIdentity", "[A-Za-z0-9_+=,.@-]{1,119}"),
        ("ConfigurationSet", "[A-Za-z0-9_-]{0,64}"),
        ("LedgerTable", "[A-Za-z0-9_.-]{3,122}"),
        ("CodecommitRepo", "[A-Za-z0-9._-]{1,100}"),
        ("TemplateBucket", "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
    ] {
        let allowed = parameters[parameter]["AllowedPattern"].as_str().unwrap();
        assert!(allowed.ends_with(pattern), "{parameter}: {allowed}");
    }
}

/// What is made before a resource: what it depends on, refers to, or names a part of.
fn before(stack: &Stack, name: &str) -> BTreeSet<String> {
    let resources = stack.raw()["Resources"].as_object().unwrap();
    let mut found = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(next) = open.pop() {
        let resource = &resources[&next];
        let resolved = [&resource["Properties"], &resource["Metadata"]]
            .into_iter()
            .filter(|part| !part.is_null());
        let mut texts: Vec<String> = resolved
            .map(|part| stack.resolved(part).to_string())
            .collect();
        if !resource["DependsOn"].is_null() {
            let depends = strings(&resource["DependsOn"]).into_iter();
            texts.extend(depends.map(|one| format!("<{one}>")));
        }
        for text in texts {
            for piece in text.split('<').skip(1) {
                let referred = piece.split(['>', '.']).next().unwrap();
                if resources.contains_key(referred) && found.insert(referred.to_owned()) {
                    open.push(referred.to_owned());
                }
            }
        }
    }
    found
}

#[test]
fn a_queue_that_is_created_is_subscribed_when_nothing_after_the_service_can_fail_any_more() {
    // What fails takes a first creation back, and the queue with it: no event may lie there then.
    let topic = ("TopicArn", "arn:aws:sns:eu-central-1:123456789012:events");
    for more in [
        &[topic][..],
        &[topic, ("MinTasks", "0"), ("MaxTasks", "0")],
        &[topic, ("Feedback", "on"), ("Telemetry", "off")],
    ] {
        let stack = Stack::with(more);
        let first = before(&stack, "Subscription");
        assert!(first.contains("QueuePolicy"), "{first:?}");
        let mut late = 0;
        for name in stack.resources().into_keys() {
            let is_late =
                before(&stack, &name).contains("Service") || name == "FeedbackDestination";
            if is_late && name != "Subscription" {
                assert!(first.contains(&name), "{name} is not before: {first:?}");
                late += 1;
            }
        }
        assert!(late >= 2, "this test sees too little");
    }
}
