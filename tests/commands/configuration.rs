//! `config`, and how mistakes in the configuration are told.

use serde_json::{Value, json};

use crate::commands::stage::{command, directory, finish, path, run_bare};

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
    assert!(done.err.contains("SUBJECT is replaced by"), "{done}");
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
        assert_eq!(done.out, "");
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
            format!("template.ttl ({file}:9): is `soon`; allowed: 10s to 1day"),
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
            assert!(!done.err.contains(secret), "{done}");
        }
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_panic() {
    let mut command = command(CIS.into_iter(), &["config"]);
    command.stdout(std::process::Stdio::null());
    finish(command, "").await.exits(0);
}
