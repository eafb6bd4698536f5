//! The services of `compose.yaml` fit together and to the code.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::image::Image;
use crate::{a_lease_holds_a_send, settings, strings, text, yaml};

fn services() -> Value {
    yaml::read(&text("deploy/compose.yaml"))["services"].clone()
}

/// A service's variables that the daemon reads, as text.
fn environment(service: &Value) -> BTreeMap<String, String> {
    let all = service["environment"].as_object().unwrap().iter();
    all.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn the_daemon_takes_the_variables() {
    let variables = environment(&services()["daemon"]);
    let settings = settings(&variables);
    a_lease_holds_a_send(&settings);
    let local = &variables["AWS_ENDPOINT_URL"];
    assert!(
        settings
            .queue
            .url
            .starts_with(&format!("{local}/000000000000/"))
    );
    assert!(settings.region.as_ref() == Some(&variables["AWS_REGION"]));
}

#[test]
fn the_local_aws_is_where_the_others_look_for_it() {
    let services = services();
    let image = Image::read();
    let stage = image.stage("sandbox");
    assert!(stage.contains(&("EXPOSE", "4566")));
    assert!(stage.contains(&("CMD", "[\"--listen\", \"0.0.0.0:4566\"]")));
    assert!(services["aws"].is_object());
    for name in ["daemon", "setup", "publish"] {
        let variables = environment(&services[name]);
        assert_eq!(variables["AWS_ENDPOINT_URL"], "http://aws:4566", "{name}");
    }
    // Nobody but this machine.
    assert_eq!(services["aws"]["ports"], json!(["127.0.0.1:4566:4566"]));
    for (name, service) in services.as_object().unwrap() {
        assert!(name == "aws" || service["ports"].is_null(), "{name}");
    }
}

#[test]
fn the_setup_makes_what_the_daemon_is_configured_with() {
    let services = services();
    let variables = environment(&services["daemon"]);
    let script = services["setup"]["command"][0].as_str().unwrap();
    let queue = variables["SQS_URL"].rsplit('/').next().unwrap();
    for part in [
        format!("create-queue --queue-name {queue} "),
        format!(
            "create-repository --repository-name {}",
            variables["CODECOMMIT_REPO"]
        ),
        format!("--file-path {} ", variables["NEW_EVENT_NOTIFICATION_EMAIL"]),
        "--email-identity events@example.com".to_owned(),
    ] {
        assert!(script.contains(&part), "the setup lacks {part}");
    }
    assert!(variables["SENDER"].contains("<events@example.com>"));
    let publish = strings(&services["publish"]["command"]);
    assert!(publish.contains(&format!("--queue-url={}", variables["SQS_URL"])));
    // The CLI tries the first call again and tells its error at the end: a loop around it would do neither.
    assert!(services["setup"]["environment"]["AWS_MAX_ATTEMPTS"].is_string());
    assert!(!script.contains("until ") && !script.contains("/dev/null"));
    // Compose would replace what follows a dollar.
    assert!(!script.contains('$'));
}

#[test]
fn the_collector_is_where_the_daemon_sends_to() {
    let services = services();
    let config = services["collector"]["environment"]["AOT_CONFIG_CONTENT"]
        .as_str()
        .unwrap();
    let config = yaml::read(config);
    let listens = &config["receivers"]["otlp"]["protocols"]["http"]["endpoint"];
    let (_, port) = listens.as_str().unwrap().rsplit_once(':').unwrap();
    let endpoint = &environment(&services["daemon"])["OTEL_EXPORTER_OTLP_ENDPOINT"];
    assert_eq!(*endpoint, format!("http://collector:{port}"));
}

#[test]
fn images_and_mounts_are_there() {
    let services = services();
    let image = Image::read();
    for (name, service) in services.as_object().unwrap() {
        if let Some(target) = service["build"]["target"].as_str() {
            assert!(
                image.stages().contains(&target),
                "{name}: no stage {target}"
            );
            assert_eq!(service["build"]["context"], "..");
        } else {
            let image = service["image"].as_str().unwrap();
            let (_, tag) = image.rsplit_once(':').unwrap();
            assert_ne!(tag, "latest", "{name}");
        }
        for mount in service["volumes"].as_array().into_iter().flatten() {
            let path = mount.as_str().unwrap().split(':').next().unwrap();
            text(path.strip_prefix("../").unwrap());
        }
        for other in service["depends_on"].as_object().into_iter().flatten() {
            assert!(services[other.0].is_object(), "{name} needs {}", other.0);
        }
    }
}

#[test]
fn the_daemon_is_stopped_and_asked_as_on_ecs() {
    let daemon = services()["daemon"].clone();
    let grace = settings(&environment(&daemon)).grace;
    let given = daemon["stop_grace_period"].as_str().unwrap();
    assert!(humantime::parse_duration(given).unwrap() > grace);
    let entrypoint = Image::read().entrypoint();
    assert_eq!(
        daemon["healthcheck"]["test"],
        json!(["CMD", entrypoint, "healthcheck"])
    );
    assert_eq!(daemon["read_only"], true);
}
