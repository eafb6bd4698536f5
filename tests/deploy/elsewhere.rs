//! The page and the manifest for those who do not use the stack.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::image::Image;
use crate::stack::{OTHERWISE, Stack};
use crate::{a_lease_holds_a_send, settings, text, yaml};

/// The documents of the manifest, by kind.
fn manifest() -> BTreeMap<String, Value> {
    let file = text("deploy/kubernetes.yaml");
    let documents = file.split("\n---\n").map(yaml::read);
    documents
        .map(|document| (document["kind"].as_str().unwrap().to_owned(), document))
        .collect()
}

/// What the page asks the reader to replace in the manifest, with what such a value looks like.
const YOURS: &[(&str, &str)] = &[
    ("YOUR_ACCOUNT", "123456789012"),
    ("YOUR_REGION", "eu-central-1"),
    ("YOUR_TAG", "1.0.0"),
    ("YOUR_QUEUE", "notify-organizer"),
    ("YOUR_REPOSITORY", "email-templates"),
    ("YOUR_SENDER", "events@example.com"),
];

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn the_page_names_every_variable_that_the_stack_sets() {
    let page = text("deploy/elsewhere.md");
    for name in Stack::with(OTHERWISE).environment("daemon").keys() {
        assert!(
            page.contains(&format!("`{name}`")),
            "deploy/elsewhere.md: {name}"
        );
    }
}

#[test]
fn the_daemon_takes_the_manifests_variables_and_is_done_before_it_is_killed() {
    let pod = &manifest()["Deployment"]["spec"]["template"]["spec"];
    let variables = pod["containers"][0]["env"].as_array().unwrap().iter();
    let variables = variables.map(|pair| {
        let text = |key: &str| pair[key].as_str().unwrap().to_owned();
        let yours = YOURS.iter();
        let value = yours.fold(text("value"), |value, (name, own)| value.replace(name, own));
        (text("name"), value)
    });
    let settings = settings(&variables.collect());
    let stop = number(&pod["terminationGracePeriodSeconds"]);
    assert!(settings.grace.as_secs() + 5 <= stop);
    a_lease_holds_a_send(&settings);
}

#[test]
fn what_is_the_readers_in_the_manifest_is_listed_and_the_name_of_nothing_else() {
    let page = text("deploy/elsewhere.md");
    let manifest = text("deploy/kubernetes.yaml");
    for (name, own) in YOURS {
        assert!(
            page.contains(&format!("`{name}`")),
            "deploy/elsewhere.md: {name}"
        );
        assert!(manifest.contains(name), "{name} is not in the manifest");
        assert!(!manifest.contains(own), "{own} is nobody's");
        // Replaced everywhere at once, it must hit no variable's name.
        let name = format!("name: {name}");
        assert!(!manifest.contains(&name), "{name} is a variable");
    }
    // The first line says what they begin with.
    let (_, values) = manifest.split_once('\n').unwrap();
    let others = YOURS
        .iter()
        .fold(values.to_owned(), |text, (name, _)| text.replace(name, ""));
    assert!(!others.contains("YOUR_"), "one is not listed");
}

#[test]
fn a_pod_is_asked_as_on_ecs_and_has_no_rights() {
    let pod = &manifest()["Deployment"]["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let image = Image::read();
    for probe in ["startupProbe", "livenessProbe"] {
        let command = &container[probe]["exec"]["command"];
        assert_eq!(
            *command,
            json!([image.entrypoint(), "healthcheck"]),
            "{probe}"
        );
    }
    let start = &container["startupProbe"];
    let judged = number(&start["periodSeconds"]) * number(&start["failureThreshold"]);
    assert!(
        judged <= 120,
        "a refused start ends by itself after three minutes"
    );
    let lives = &container["livenessProbe"];
    assert!(number(&lives["periodSeconds"]) * (number(&lives["failureThreshold"]) - 1) >= 30);
    let user = &pod["securityContext"];
    assert_eq!(
        image.user(),
        format!("{}:{}", user["runAsUser"], user["runAsGroup"])
    );
    let rights = &container["securityContext"];
    assert_eq!(rights["readOnlyRootFilesystem"], true);
    assert_eq!(rights["capabilities"]["drop"], json!(["ALL"]));
    let update = &manifest()["Deployment"]["spec"]["strategy"]["rollingUpdate"];
    assert_eq!(update["maxUnavailable"], 0);
}

#[test]
fn held_messages_start_no_pods() {
    let manifest = manifest();
    let scaling = &manifest["ScaledObject"]["spec"];
    let target = &scaling["scaleTargetRef"]["name"];
    assert_eq!(*target, manifest["Deployment"]["metadata"]["name"]);
    let trigger = &scaling["triggers"][0];
    assert_eq!(trigger["type"], "aws-sqs-queue");
    assert_eq!(trigger["metadata"]["scaleOnInFlight"], "false");
    assert_eq!(trigger["metadata"]["queueURLFromEnv"], "SQS_URL");
    let identity = &trigger["authenticationRef"]["name"];
    assert_eq!(
        *identity,
        manifest["TriggerAuthentication"]["metadata"]["name"]
    );
    let stack = Stack::with(&[]);
    let default = |name: &str| stack.raw()["Parameters"][name]["Default"].to_string();
    assert_eq!(
        trigger["metadata"]["queueLength"],
        default("BacklogPerTask")
    );
    assert_eq!(scaling["minReplicaCount"].to_string(), default("MinTasks"));
    assert_eq!(scaling["maxReplicaCount"].to_string(), default("MaxTasks"));
}
