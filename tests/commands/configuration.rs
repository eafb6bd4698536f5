//! `config`, and how mistakes in the configuration are told.

use serde_json::{Value, json};

use crate::commands::stage::{directory, path, run_bare};

const CIS: [(&str, &str); 6] = [
    ("REGION", "eu-central-1"),
    (
        "SQS_URL",
        "https://sqs.eu-central-1.amazonaws.com/123456789012/created",
    ),
    ("CODECOMMIT_REPO", "templates"),
    ("NEW_EVENT_NOTIFICATION_EMAIL", "new-event.html"),
    ("SENDER", "\"Events\" <events@example.com>"),
    ("SUBJECT", "[Reminder] {summary}"),
];

#[tokio::test]
async fn each_value_is_told_with_its_origin() {
    let directory = directory(&[("my.toml", "[queue]\n\nwait_time = \"5s\"\n")]);
    let file = path(&directory, "my.toml");
    let mut variables = CIS.to_vec();
    variables.push(("NOTIFIER_EMAIL__TIMEOUT", "7s"));
    let arguments = ["config", "--config", &file, "--set", "concurrency=7"];
    let done = run_bare(&variables, &arguments).await;
    done.exits(0);
    let squeezed: Vec<String> = done
        .out
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for line in [
        "concurrency = 7 # --set".to_owned(),
        "[queue]".to_owned(),
        format!("wait_time = \"5s\" # {file}:3"),
        "timeout = \"7s\" # NOTIFIER_EMAIL__TIMEOUT".to_owned(),
        "subject = \"[Reminder] {summary}\" # SUBJECT".to_owned(),
        "visibility_timeout = \"60s\" # default".to_owned(),
        "#configuration_set = # not set".to_owned(),
        "[message.placeholders.uid]".to_owned(),
    ] {
        assert!(squeezed.contains(&line), "no line {line}\n{done}");
    }
    assert!(squeezed[0].starts_with("concurrency"), "{done}");
}

#[tokio::test]
async fn the_output_is_a_configuration_file_that_says_the_same() {
    let printed = run_bare(&CIS, &["config"]).await;
    let directory = directory(&[("all.toml", &printed.exits(0).out)]);
    let file = path(&directory, "all.toml");
    let again = run_bare(&[], &["config", "--json", "--config", &file]).await;
    let once = run_bare(&CIS, &["config", "--json"]).await;
    let values = |out: &str| -> Vec<(String, Value)> {
        let json: Value = serde_json::from_str(out).unwrap();
        let keys = json.as_object().unwrap().iter();
        keys.map(|(key, entry)| (key.clone(), entry["value"].clone()))
            .collect()
    };
    assert_eq!(values(&again.exits(0).out), values(&once.exits(0).out));
}

#[tokio::test]
async fn json_holds_values_and_origins() {
    let done = run_bare(&CIS, &["config", "--json"]).await;
    let json: Value = serde_json::from_str(&done.exits(0).out).unwrap();
    assert_eq!(
        json["queue.url"],
        json!({ "value": CIS[1].1, "origin": "SQS_URL" })
    );
    assert_eq!(
        json["concurrency"],
        json!({ "value": 32, "origin": "default" })
    );
    assert_eq!(
        json["template.file"],
        json!({ "value": null, "origin": "not set" })
    );
}

#[tokio::test]
async fn shadowed_variables_are_told_beside_the_result() {
    let arguments = ["config", "--set", "email.subject=Hello"];
    let done = run_bare(&CIS, &arguments).await;
    done.exits(0);
    assert!(done.err.contains("SUBJECT is overridden by"), "{done}");
}

#[tokio::test]
async fn seven_mistakes_are_seven_problems() {
    let file = "\
concurrency = 0
[queue]
url = \"https://sqs.eu-central-1.amazonaws.com/123456789012/created\"
wait_tim = \"5s\"
visibility_timeout = 60
[template]
repository = \"templates\"
path = \"new-event.html\"
ttl = \"soon\"
[email]
sender = \"dana@example.com, secret-AKIAIOSFODNN7EXAMPLE\"
subject = \"Hello\"
";
    let directory = directory(&[("bad.toml", file)]);
    let file = path(&directory, "bad.toml");
    let variables = [
        ("NOTIFIER_QUEU__URL", "x"),
        ("NOTIFIER_LOG__LEVEL", "my-password"),
    ];
    for asked in ["config", "check", "run", "render", "healthcheck"] {
        let done = run_bare(&variables, &[asked, "--config", &file]).await;
        done.exits(64);
        assert_eq!(done.out.is_empty(), asked != "config", "{done}");
        let mut lines = done.err.lines();
        assert_eq!(
            lines.next(),
            Some("organizer-notifier: 7 problems in the configuration:"),
            "{done}"
        );
        let problems: Vec<&str> = lines.collect();
        assert_eq!(problems.len(), 7, "{done}");
        for told in [
            format!("concurrency ({file}:1): is 0; allowed: a whole number from 1 to 1000"),
            format!(
                "queue.wait_tim ({file}:4): is an unknown key; did you mean `queue.wait_time`?"
            ),
            format!("queue.visibility_timeout ({file}:5): is 60 without a unit; allowed: 5s to 1h"),
            format!("template.ttl ({file}:9): is `soon`; allowed: 10s to 1d"),
            format!("email.sender ({file}:11): is not one address"),
            "log.level (NOTIFIER_LOG__LEVEL): is a value that is not shown here; allowed: `trace`"
                .to_owned(),
            "NOTIFIER_QUEU__URL: is an unknown variable; did you mean NOTIFIER_QUEUE__URL?"
                .to_owned(),
        ] {
            let stands = |line: &&str| line.trim_start().starts_with(&told);
            assert!(problems.iter().any(stands), "not told: {told}\n{done}");
        }
        for secret in ["AKIA", "password", "dana@"] {
            assert!(!done.to_string().contains(secret), "{done}");
        }
    }
}

/// A file of which two keys are wrong, two are missing, and one is unknown.
const INCOMPLETE: &str = "\
[queue]
wait_time = 20
[template]
repository = \"templates\"
path = \"new-event.html\"
[email]
sendr = \"events@example.com\"
subject = \"Hello\"
max_send_rate = nan
";

#[tokio::test]
async fn what_there_is_of_a_wrong_configuration_is_printed_and_marked() {
    let directory = directory(&[("a.toml", INCOMPLETE)]);
    let file = path(&directory, "a.toml");
    let done = run_bare(&[], &["config", "--config", &file]).await;
    let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let out: Vec<String> = done.exits(64).out.lines().map(squeezed).collect();
    for line in [
        "#url = # missing: set SQS_URL".to_owned(),
        "#sender = # missing: set SENDER".to_owned(),
        format!("wait_time = 20 # wrong: {file}:2"),
        format!("max_send_rate = nan # wrong: {file}:9"),
        format!("subject = \"Hello\" # {file}:8"),
    ] {
        assert!(out.contains(&line), "no line {line}\n{done}");
    }
    let parsed = done.out.parse::<toml_edit::DocumentMut>();
    assert!(parsed.is_ok(), "{parsed:?}\n{done}");
    let mut told = done.err.lines();
    assert_eq!(
        told.next(),
        Some("organizer-notifier: 5 problems in the configuration:")
    );
    assert_eq!(
        told.next_back(),
        Some(
            "set the variables, or the keys in a file that --config FILE names; all keys: organizer-notifier config --default"
        )
    );
    assert_eq!(told.count(), 5, "{done}");
}

#[tokio::test]
async fn json_says_what_is_missing_or_wrong() {
    let directory = directory(&[("a.toml", INCOMPLETE)]);
    let file = path(&directory, "a.toml");
    let done = run_bare(&[], &["config", "--json", "--config", &file]).await;
    let json: Value = serde_json::from_str(&done.exits(64).out).unwrap();
    assert_eq!(
        json["email.sender"],
        json!({
            "value": null,
            "origin": "not set",
            "problem": "SENDER is not set (email.sender): one address, such as `events@example.com` or `Events <events@example.com>`",
        })
    );
    let wait_time = &json["queue.wait_time"];
    assert_eq!(wait_time["value"], 20);
    assert_eq!(wait_time["origin"], format!("{file}:2"));
    let problem = wait_time["problem"].as_str().unwrap();
    assert!(problem.contains("without a unit"), "{problem}");
    assert!(done.err.contains("SQS_URL is not set"), "{done}");
}

#[tokio::test]
async fn a_configuration_that_stands_in_no_file_is_printed_as_far_as_it_goes() {
    let done = run_bare(&CIS, &["config", "--config", "/nope.toml"]).await;
    assert!(done.exits(64).out.contains("url = \"https://"), "{done}");
    assert!(done.err.contains("1 problem in the"), "{done}");
}

#[tokio::test]
async fn the_defaults_are_printed_as_they_are_without_a_configuration() {
    let done = run_bare(&[("LOG_LEVEL", "nonsense")], &["config", "--default"]).await;
    let reference = include_str!("../../config/default.toml");
    assert_eq!(done.exits(0).out, reference);
    assert_eq!(done.err, "");
}

#[tokio::test]
async fn the_defaults_depend_on_no_source() {
    for arguments in [
        &["config", "--default", "--set", "concurrency=7"][..],
        &["--config", "/nope.toml", "config", "--default"],
    ] {
        let done = run_bare(&[], arguments).await;
        assert!(
            done.exits(64).err.contains("leave out --config and --set"),
            "{done}"
        );
    }
    let done = run_bare(&[], &["config", "--default", "--json"]).await;
    assert!(done.exits(64).err.contains("--json"), "{done}");
}

#[tokio::test]
async fn a_flag_stands_before_the_command_or_behind_it() {
    for (arguments, value) in [
        (&["--set", "concurrency=7", "config"][..], 7),
        (&["config", "--set", "concurrency=8"], 8),
        (
            &["--set", "concurrency=7", "config", "--set", "concurrency=8"],
            8,
        ),
        (
            &[
                "--set",
                "concurrency=7",
                "config",
                "--set",
                "log.level=debug",
            ],
            7,
        ),
    ] {
        let arguments = [arguments, &["--json"]].concat();
        let done = run_bare(&CIS, &arguments).await;
        let json: Value = serde_json::from_str(&done.exits(0).out).unwrap();
        assert_eq!(
            json["concurrency"],
            json!({ "value": value, "origin": "--set" })
        );
    }
    let directory = directory(&[("a.toml", "concurrency = 3"), ("b.toml", "concurrency = 4")]);
    let (a, b) = (path(&directory, "a.toml"), path(&directory, "b.toml"));
    let done = run_bare(&CIS, &["--config", &a, "config", "--config", &b]).await;
    assert!(done.exits(0).out.contains("concurrency = 4"), "{done}");
}

#[tokio::test]
async fn a_flag_of_triages_own_is_named_as_it_was_typed() {
    let feedback = "http://127.0.0.1:1/1/feedback";
    let variables = [&CIS[..], &[("NOTIFIER_FEEDBACK__QUEUE_URL", feedback)]].concat();
    for (queue, told) in [
        ("x", "\n  --queue-url: is `x`, which does not begin with"),
        (
            feedback,
            "\n  --queue-url: is the queue of feedback.queue_url (NOTIFIER_FEEDBACK__QUEUE_URL)",
        ),
        (
            "https://sqs.us-east-1.amazonaws.com/dead",
            "has no account id before the queue's name",
        ),
    ] {
        let done = run_bare(&variables, &["triage", "--queue-url", queue]).await;
        assert!(done.exits(64).err.contains(told), "{done}");
    }
    // Whichever source names the queue of the events.
    let events = format!("feedback.queue_url={feedback}");
    let arguments = ["triage", "--queue-url", feedback, "--set", &events];
    let done = run_bare(&CIS, &arguments).await;
    let told = "\n  --queue-url: is the queue of feedback.queue_url (--set)";
    assert!(done.exits(64).err.contains(told), "{done}");
    let acts = ["triage", "--redrive", "--yes", "--id", "1", "--queue-url"];
    let dead = "http://127.0.0.1:1/1/dead";
    for (more, told) in [
        (&["--to-queue-url", "x"][..], "\n  --to-queue-url: is `x`"),
        (
            &["--to-queue-url", dead],
            "--to-queue-url and --queue-url name one queue",
        ),
        (
            &["--set", "queue.url=http://127.0.0.1:1/1/dead"],
            "queue.url (SQS_URL) and --queue-url name",
        ),
    ] {
        let arguments = [&acts[..], &[dead], more].concat();
        let done = run_bare(&CIS, &arguments).await;
        assert!(done.exits(64).err.contains(told), "{done}");
    }
}
