//! Each rule finds its breach, and leaves alone what only looks like one.

use crate::tree::File;
use crate::{circles, neatness, reach};

/// How often the rule finds fault with such a file.
fn count(rule: impl Fn(&File) -> Vec<String>, path: &str, text: &str) -> usize {
    rule(&File::new(path, text)).len()
}

#[test]
fn a_use_of_a_module_above_is_found() {
    let modules = |path: &str, text: &str| count(reach::layers, path, text);
    for (path, text) in [
        ("src/notification/mail.rs", "use crate::ports::Queue;"),
        ("src/notification/mod.rs", "use super::{ports::Queue};"),
        ("src/ports.rs", "fn f() -> crate::pipeline::Outcome {}"),
        ("src/ports.rs", "mod tests { use super::super::config; }"),
        (
            "src/pipeline/worker.rs",
            "use crate::{aws::Sqs, ports::Queue};",
        ),
        ("src/pipeline/worker.rs", "use crate::config::Settings;"),
        (
            "src/pipeline/worker/tests.rs",
            "use super::super::super::daemon::X;",
        ),
        ("src/aws/sqs.rs", "use crate::pipeline::Lease;"),
        ("src/daemon/boot.rs", "use crate::aws;"),
        ("src/daemon.rs", "use crate::cli::Plan;"),
        ("src/telemetry/mod.rs", "use crate::*;"),
        ("src/novelty.rs", ""),
    ] {
        assert_eq!(modules(path, text), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("src/cli/run.rs", "use crate::aws::Sqs;"),
        ("src/main.rs", "use organizer_notifier::aws;"),
        ("src/ports/tests.rs", "use crate::testing::polled::Polled;"),
        (
            "src/pipeline/worker.rs",
            "use crate::{notification::Mail, ports::*};",
        ),
        (
            "src/pipeline/worker.rs",
            "// crate::aws\nconst A: &str = \"crate::aws::B\";",
        ),
        ("src/ports.rs", "mod tests { use super::Queue; }"),
        ("tests/config/main.rs", "use crate::aws;"),
    ] {
        assert_eq!(modules(path, text), 0, "{path}: {text}");
    }
}

/// Every pair of modules that use each other is a ring, and the list has a breach for each.
#[test]
fn a_ring_is_found() {
    let ring = [
        (
            "src/config/texts.rs",
            "use crate::pipeline::drain::SETTLING;",
        ),
        (
            "src/pipeline/poller.rs",
            "use crate::telemetry::Instruments;",
        ),
        ("src/telemetry/otlp.rs", "use crate::config::Log;"),
    ];
    let found = ring.map(|(path, text)| count(reach::layers, path, text));
    assert_eq!(found, [1, 0, 1]);
    for bearer in ["daemon", "health", "pipeline"] {
        let path = format!("src/{bearer}/x.rs");
        assert_eq!(count(reach::layers, &path, "use crate::aws::AwsConfig;"), 1);
    }
}

#[test]
fn two_files_that_use_each_other_are_found() {
    let circles = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(path, text)| File::new(path, text));
        circles::circles(&files.collect::<Vec<_>>())
    };
    let found = circles(&[
        ("src/a/b.rs", "use super::c::C;"),
        ("src/a/c.rs", "fn f() { crate::a::b::g() }"),
    ]);
    assert_eq!(
        found,
        ["src/a/b.rs uses src/a/c.rs", "src/a/c.rs uses src/a/b.rs"]
    );
    let three = [("b", "c"), ("c", "d"), ("d", "b")];
    let three = three.map(|(from, to)| (format!("src/{from}.rs"), format!("use crate::{to}::X;")));
    let three = three
        .each_ref()
        .map(|(path, text)| (path.as_str(), text.as_str()));
    assert_eq!(circles(&three).len(), 3);
    // A module and its part, a file and its tests, and one direction alone.
    for files in [
        [
            ("src/a.rs", "use self::b::B;"),
            ("src/a/b.rs", "use super::A;"),
        ],
        [
            ("src/a.rs", "use crate::b::B;"),
            ("src/b/tests.rs", "use crate::a::A;"),
        ],
        [
            ("src/a/b.rs", "use super::c::C;"),
            ("src/a/c.rs", "use crate::d;"),
        ],
    ] {
        assert_eq!(circles(&files), [""; 0], "{files:?}");
    }
}

#[test]
fn a_word_of_the_wire_away_from_aws_is_found() {
    let words = |path: &str, text: &str| {
        let known = "match code { \"AccessDenied\" | \"Slow\" => X }";
        let files = [
            File::new("src/aws/classify.rs", known),
            File::new(path, text),
        ];
        reach::wire_words(&files).len()
    };
    for text in ["a == \"SHUTDOWN\"", "matches!(a, \"AccessDenied\")"] {
        assert_eq!(words("src/pipeline/worker.rs", text), 1, "{text}");
        assert_eq!(words("src/aws/sqs.rs", text), 0, "{text}");
        assert_eq!(words("src/pipeline/worker/tests.rs", text), 0, "{text}");
    }
    for text in ["// \"SHUTDOWN\"", "\"Slow\"", "\"not AccessDenied\""] {
        assert_eq!(words("src/pipeline/worker.rs", text), 0, "{text}");
    }
}

#[test]
fn a_file_without_a_header_is_found() {
    let headed = |path: &str, text: &str| count(neatness::headed, path, text);
    assert_eq!(headed("src/ports.rs", "use std::fmt;"), 1);
    assert_eq!(headed("src/ports/tests.rs", ""), 1);
    assert_eq!(headed("src/ports.rs", "//! The outside world."), 0);
    assert_eq!(headed("tests/house/main.rs", ""), 0);
}

#[test]
fn an_effect_in_the_notification_is_found() {
    let notification = |path: &str, text: &str| count(reach::notification, path, text);
    for text in [
        "use tokio::time::sleep;",
        "fn f() { tracing::info!(\"x\") }",
        "use std::{fmt, fs};",
        "fn f() { std::time::SystemTime::now(); }",
        "#[async_trait::async_trait] trait T {}",
        "use ::aws_sdk_sqs as sqs;",
    ] {
        assert_eq!(notification("src/notification/mail.rs", text), 1, "{text}");
        assert_eq!(notification("src/pipeline/worker.rs", text), 0, "{text}");
    }
    let pure = "use serde_json::Value; use std::{fmt, time::Duration}; use element::Gap;";
    assert_eq!(notification("src/notification/mail.rs", pure), 0);
}

#[test]
fn a_crate_away_from_home_is_found() {
    let homes = |path: &str, text: &str| count(reach::homes, path, text);
    for (path, text) in [
        ("src/daemon/boot.rs", "use aws_sdk_sqs::Client;"),
        (
            "src/main.rs",
            "async fn f() { aws_config::load_from_env().await; }",
        ),
        (
            "src/pipeline/poller.rs",
            "use ::backoff::ExponentialBackoff;",
        ),
        ("src/pipeline/poller.rs", "use figment::Figment;"),
        ("src/pipeline/poller.rs", "type R = anyhow::Result<()>;"),
        ("src/daemon.rs", "use signal_hook_tokio::Signals;"),
        ("src/ports.rs", "use aws_smithy_types::DateTime;"),
        ("src/pipeline/worker.rs", "use opentelemetry::KeyValue;"),
        (
            "src/cli/run.rs",
            "use tracing_opentelemetry::OpenTelemetrySpanExt;",
        ),
    ] {
        assert_eq!(homes(path, text), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("src/aws/sqs.rs", "use aws_sdk_sqs::Client;"),
        ("src/backoff.rs", "use ::backoff::ExponentialBackoff;"),
        ("src/pipeline/poller.rs", "use super::backoff::Backoff;"),
        (
            "src/telemetry/mod.rs",
            "const FILTER: &str = \"aws_sdk_sqs::x=warn\";",
        ),
        ("tests/sandbox/tests/sqs.rs", "use aws_sdk_sqs::Client;"),
        ("src/telemetry/otlp.rs", "use opentelemetry::KeyValue;"),
    ] {
        assert_eq!(homes(path, text), 0, "{path}: {text}");
    }
}

#[test]
fn a_long_file_is_found() {
    let length = |path: &str, lines: usize| count(neatness::length, path, &"\n".repeat(lines));
    assert_eq!(length("src/main.rs", 100), 0);
    assert_eq!(length("src/main.rs", 101), 1);
    assert_eq!(length("src/aws/sqs.rs", 500), 0);
    assert_eq!(length("src/aws/sqs.rs", 501), 1);
    assert_eq!(length("tests/sandbox/conformance.py", 501), 1);
    assert_eq!(length("README.md", 200), 0);
    assert_eq!(length("README.md", 201), 1);
    assert_eq!(length("tests/golden/google.mail", 501), 0);
}

#[test]
fn what_is_muted_or_undone_is_found() {
    let muted = |text: &str| count(neatness::muted, "src/lib.rs", text);
    for text in [
        "#[allow(dead_code)] fn f() {}",
        "#![allow(dead_code)]",
        "#[cfg_attr(test, allow(dead_code))] fn f() {}",
        "#[test]\n#[ignore = \"slow\"] fn f() {}",
        "#[x([1])] #[ignore] fn f() {}",
        "fn f() { todo!() }",
        "fn f() { std::unimplemented!(\"x\") }",
    ] {
        assert_eq!(muted(text), 1, "{text}");
    }
    for text in [
        "// #[allow(dead_code)] todo!()",
        "#[expect(dead_code, reason = \"allow\")] fn todo() { gate.allow([ignore]) }",
        "#[test] fn f(allow: [u8; 1]) {}",
    ] {
        assert_eq!(muted(text), 0, "{text}");
    }
}

#[test]
fn a_home_directory_is_found() {
    let homes = |text: String| count(neatness::home_directories, "README.md", &text);
    for home in ["home", "Users", "root"] {
        assert_eq!(homes(format!("cd /{home}/dana/src")), 1);
        assert_eq!(homes(format!("cd C:\\{home}\\dana")), 1);
        assert_eq!(homes(format!("the {home} of /{home}")), 0);
    }
}

#[test]
fn a_stranger_at_the_top_level_is_found() {
    let top_level = |path: &str| neatness::top_level(&[File::new(path, "")]).len();
    assert_eq!(top_level("notes.md"), 1);
    assert_eq!(top_level("examples/demo.rs"), 1);
    assert_eq!(top_level("tests/examples/demo.rs"), 0);
    assert_eq!(top_level(".ci/run"), 0);
    assert_eq!(top_level("LICENSE"), 0);
}
