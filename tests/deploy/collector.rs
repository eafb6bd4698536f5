//! The collector's configuration: one file, its copy in the stack, and what of it is used.

use std::collections::{BTreeMap, BTreeSet};

use organizer_notifier::telemetry::names::attribute;
use serde_json::Value;

use crate::alarms::declared;
use crate::stack::{OTHERWISE, Stack};
use crate::{sources, strings, text, yaml};

/// The configuration as the collector reads it in this stack: its variables replaced.
fn running(stack: &Stack) -> Value {
    let environment = stack.environment("collector");
    let mut config = environment["AOT_CONFIG_CONTENT"].clone();
    for (name, value) in &environment {
        config = config.replace(&format!("${{env:{name}}}"), value);
    }
    assert!(
        !config.contains("${env:"),
        "a variable is not set: {config}"
    );
    yaml::read(&config)
}

/// The exporters of a pipeline.
fn exporters(config: &Value, pipeline: &str) -> Vec<String> {
    strings(&config["service"]["pipelines"][pipeline]["exporters"])
}

#[test]
fn the_template_holds_the_file() {
    for stack in Stack::both() {
        let copy = &stack.environment("collector")["AOT_CONFIG_CONTENT"];
        assert_eq!(yaml::read(copy), yaml::read(&text("deploy/collector.yaml")));
    }
}

#[test]
fn the_parameter_chooses_the_exporters_and_the_alarms_metrics_come_by_either() {
    let classic = running(&Stack::with(&[]));
    let started = strings(&classic["service"]["extensions"]);
    assert_eq!(
        started,
        [] as [&str; 0],
        "nothing that is not used can fail"
    );
    assert_eq!(exporters(&classic, "traces"), ["awsxray"]);
    assert_eq!(exporters(&classic, "metrics"), ["awsemf"]);
    let otlp = running(&Stack::with(OTHERWISE));
    assert_eq!(exporters(&otlp, "traces"), ["otlphttp/traces"]);
    // Alarms look at metrics that `CloudWatch` makes of the log.
    assert_eq!(exporters(&otlp, "metrics"), ["awsemf", "otlphttp/metrics"]);
}

#[test]
fn every_part_that_is_used_is_there_and_signs_for_its_service() {
    for stack in Stack::both() {
        let config = running(&stack);
        let started: BTreeSet<_> = strings(&config["service"]["extensions"])
            .into_iter()
            .collect();
        for pipeline in ["traces", "metrics"] {
            let parts = &config["service"]["pipelines"][pipeline];
            for kind in ["receivers", "processors", "exporters"] {
                for part in strings(&parts[kind]) {
                    assert!(
                        config[kind].as_object().unwrap().contains_key(&part),
                        "{part}"
                    );
                }
            }
            let processors = strings(&parts["processors"]);
            assert_eq!(processors.first().unwrap(), "memory_limiter");
            assert_eq!(processors.last().unwrap(), "batch");
        }
        let used = ["traces", "metrics"].map(|pipeline| exporters(&config, pipeline));
        let used = used.concat();
        for (name, service, endpoint) in [
            ("otlphttp/traces", "xray", "traces_endpoint"),
            ("otlphttp/metrics", "monitoring", "metrics_endpoint"),
        ] {
            let exporter = &config["exporters"][name];
            let signs = exporter["auth"]["authenticator"].as_str().unwrap();
            let is_used = used.iter().any(|one| one == name);
            assert_eq!(started.contains(signs), is_used, "{signs}");
            assert_eq!(config["extensions"][signs]["service"], service);
            assert_eq!(config["extensions"][signs]["region"], "eu-central-1");
            let host = format!("https://{service}.eu-central-1.amazonaws.com/v1/");
            assert!(exporter[endpoint].as_str().unwrap().starts_with(&host));
        }
    }
}

#[test]
fn values_go_to_cloudwatch_as_what_came_since_the_last_time_and_none_is_lost() {
    // Sums since the start would count everything again each minute, and hide the first of each series.
    const VARIABLE: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    for stack in Stack::both() {
        assert_eq!(stack.environment("daemon")[VARIABLE], "delta");
    }
    let awsemf = &yaml::read(&text("deploy/collector.yaml"))["exporters"]["awsemf"];
    assert_eq!(awsemf["retain_initial_value_of_delta_metric"], true);
    let compose = yaml::read(&text("deploy/compose.yaml"));
    assert_eq!(
        compose["services"]["daemon"]["environment"][VARIABLE],
        "delta"
    );
    assert!(
        text("deploy/telemetry.md").contains(VARIABLE),
        "other collectors need it, too"
    );
}

/// The units that a metric's instruments have in the sources, by the metric's constant in the list of names.
fn units() -> BTreeMap<String, BTreeSet<String>> {
    let mut constants = BTreeMap::new();
    for line in text("src/telemetry/names.rs").lines() {
        if let Some(rest) = line.trim().strip_prefix("pub const ") {
            let constant = rest.split(':').next().unwrap();
            let value = line.split('"').nth(1).unwrap();
            constants.insert(format!("metric::{constant}"), value.to_owned());
        }
    }
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, code) in sources("src") {
        let dense: String = code.split_whitespace().collect();
        for (constant, name) in &constants {
            for rest in dense.split(&format!("{constant},\"")).skip(1) {
                let unit = rest.split('"').next().unwrap();
                found
                    .entry(name.clone())
                    .or_default()
                    .insert(unit.to_owned());
            }
        }
        // Histograms of seconds are made by a function that gives the unit.
        for (constant, name) in &constants {
            if dense.contains(&format!("seconds({constant},")) {
                found.insert(name.clone(), BTreeSet::from(["s".to_owned()]));
            }
        }
    }
    found
}

#[test]
fn cloudwatch_knows_the_unit_of_every_metric_that_it_is_given() {
    // The exporter passes on a unit that it does not know, and CloudWatch takes only those of its list.
    let awsemf = &yaml::read(&text("deploy/collector.yaml"))["exporters"]["awsemf"];
    let descriptors = awsemf["metric_descriptors"].as_array().unwrap();
    let units = units();
    let mut described = BTreeSet::new();
    for (metric, _) in declared() {
        let own = units.get(&metric);
        let own = own.unwrap_or_else(|| panic!("{metric}: no unit is found"));
        let descriptor = descriptors.iter().find(|one| one["metric_name"] == *metric);
        for unit in own {
            let expected = match unit.as_str() {
                "s" => None,
                "{recipient}/s" => Some("Count/Second"),
                "1" => Some("Count"),
                counted if counted.starts_with('{') && counted.ends_with('}') => Some("Count"),
                other => panic!("{metric}: what is {other} at CloudWatch?"),
            };
            let given = descriptor.map(|one| one["unit"].as_str().unwrap());
            assert_eq!(given, expected, "{metric} in {unit}");
        }
        if let Some(descriptor) = descriptor {
            assert_eq!(descriptor["overwrite"], true, "{metric}");
            described.insert(metric);
        }
    }
    assert_eq!(
        described.len(),
        descriptors.len(),
        "each is of a metric that is given"
    );
}

#[test]
fn x_ray_sees_a_service_and_calls_of_aws() {
    let config = yaml::read(&text("deploy/collector.yaml"));
    let service = &config["processors"]["attributes/service"];
    assert_eq!(service["include"]["span_kinds"][0], "SPAN_KIND_CONSUMER");
    assert_eq!(service["actions"][0]["key"], "peer.service");
    assert_eq!(service["actions"][0]["value"], env!("CARGO_PKG_NAME"));
    let calls = &config["processors"]["attributes/calls"]["actions"][0];
    assert_eq!(calls["key"], "rpc.system");
    assert_eq!(calls["from_attribute"], attribute::RPC_SYSTEM);
    let used = strings(&config["service"]["pipelines"]["traces"]["processors"]);
    for processor in ["attributes/service", "attributes/calls"] {
        assert!(used.iter().any(|one| one == processor), "{processor}");
    }
}
