//! All mistakes are told at once, each with its key, its place and what is allowed.

use organizer_notifier::config::{Flags, Origin};

use crate::{CIS, file_line, load_file, load_with, only_problem, with_file, with_overrides};

#[test]
fn five_mistakes_in_a_file_and_two_variables_are_seven_problems() {
    let file = r#"concurrency = 0

[queue]
wait_time = 20
visibility_timeout = "2h"

[email]
sendr = "events@example.com"
max_send_rate = "fast"
"#;
    let variables = [
        CIS,
        &[
            ("NOTIFIER_TEMPLATE__TTL", "1s"),
            ("NOTIFIER_QUEUE_URL", "x"),
        ],
    ]
    .concat();
    let files = [("notifier.toml", file)];
    let problems = load_with(&variables, &files, &with_file("notifier.toml")).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "7 problems in the configuration:
  concurrency (notifier.toml:1): is 0; allowed: a whole number from 1 to 1000
  queue.wait_time (notifier.toml:4): is 20 without a unit; allowed: 0s to 20s in whole seconds, with a unit, such as `15s`
  queue.visibility_timeout (notifier.toml:5): is `2h`; allowed: 5s to 1h in whole seconds, with a unit, such as `15s`
  email.sendr (notifier.toml:8): is an unknown key; did you mean `email.sender`?
  email.max_send_rate (notifier.toml:9): is `fast`; allowed: `account`, `unlimited`, or a number of recipients per second from 0.01 to 10000, without quotes
  NOTIFIER_QUEUE_URL: is an unknown variable; did you mean NOTIFIER_QUEUE__URL?
  template.ttl (NOTIFIER_TEMPLATE__TTL): is `1s`; allowed: 10s to 1d, with a unit, such as `15s`"
    );
    let places: Vec<_> = problems
        .iter()
        .map(|problem| problem.origin.clone())
        .collect();
    assert_eq!(places[3], file_line("notifier.toml", 8));
    assert_eq!(
        places[6],
        Origin::Variable("NOTIFIER_TEMPLATE__TTL".to_owned())
    );
}

#[test]
fn an_empty_environment_is_told_everything_that_is_needed() {
    let problems = load_with(&[], &[], &Flags::default()).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "5 problems in the configuration:
  SQS_URL is not set (queue.url): the URL of a standard SQS queue, such as `https://sqs.eu-central-1.amazonaws.com/123456789012/my-queue`
  CODECOMMIT_REPO is not set (template.repository): the name of a CodeCommit repository, or `s3://` and the name of an S3 bucket
  NEW_EVENT_NOTIFICATION_EMAIL is not set (template.path): the template's path in the repository, or its key in the bucket
  SENDER is not set (email.sender): one address, such as `events@example.com` or `Events <events@example.com>`
  SUBJECT is not set (email.subject): text, with placeholders such as `{summary}` or without
set the variables, or the keys in a file that --config FILE names; all keys: organizer-notifier config --default"
    );
    assert!(
        problems
            .iter()
            .all(|problem| problem.origin == Origin::Unset)
    );
}

#[test]
fn problems_stand_by_line_then_those_of_variables_of_flags_and_what_is_missing() {
    let file = "[log]\nlevel = 'loud'\n[email]\nsubjct = 's'\n[queue]\nwait_time = 20\n";
    let variables = [
        ("SQS_URL", "http://127.0.0.1:1/q"),
        ("CODECOMMIT_REPO", "a b"),
        ("NEW_EVENT_NOTIFICATION_EMAIL", "new_event.html"),
        ("NOTIFIER_EMAIL__TIMEOUT", "25s"),
        ("NOTIFIER_LOG_LEVEL", "info"),
        ("SENDER", "a@x.com"),
    ];
    let flags = Flags {
        config: Some("a.toml".into()),
        ..with_overrides(&[("concurrency", "0")])
    };
    let problems = load_with(&variables, &[("a.toml", file)], &flags).unwrap_err();
    let places: Vec<_> = problems
        .iter()
        .map(|problem| (problem.key.as_str(), problem.origin.to_string()))
        .collect();
    let place = |key, origin: &str| (key, origin.to_owned());
    assert_eq!(
        places,
        [
            place("log.level", "a.toml:2"),
            place("email.subjct", "a.toml:4"),
            place("queue.wait_time", "a.toml:6"),
            place("NOTIFIER_LOG_LEVEL", "NOTIFIER_LOG_LEVEL"),
            place("template.repository", "CODECOMMIT_REPO"),
            place("concurrency", "--set"),
            place("shutdown.grace", "default"),
            place("email.subject", "not set"),
        ]
    );
}

#[test]
fn a_local_template_needs_no_repository() {
    let problems = load_file("template.file = \"a.html\"").unwrap_err();
    let keys: Vec<_> = problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(keys, ["queue.url", "email.sender", "email.subject"]);
}

/// The only problem of a file on top of a good configuration.
fn mistake(text: &str) -> (String, usize, String) {
    let result = load_with(CIS, &[("a.toml", text)], &with_file("a.toml"));
    let problem = only_problem(result);
    match problem.origin {
        Origin::File {
            line: Some(line), ..
        } => (problem.key, line, problem.message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn unknown_keys_and_sections_of_a_file_are_refused() {
    for (text, key, line, said) in [
        (
            "\nsender = 'a@x.com'",
            "sender",
            2,
            "did you mean `email.sender`?",
        ),
        (
            "[emial]\nsender = 'a@x.com'",
            "emial",
            1,
            "unknown section; did you mean `email`?",
        ),
        (
            "[email.sender]\nx = 1",
            "email.sender",
            1,
            "is a section; allowed: one address",
        ),
        ("email = 5", "email", 1, "is a section; allowed: keys in it"),
        ("log.level = 2026-01-01", "log.level", 1, "is a date"),
        (
            "[[email.reply_to]]\na = 1",
            "email.reply_to",
            1,
            "is a date or a section",
        ),
        (
            "\"email.sender\" = 'a@x.com'",
            "email.sender",
            1,
            "is an unknown key",
        ),
        ("\"a\\nb\" = 1", "a\\nb", 1, "is an unknown key"),
        (
            "telemetry.endpoint = 'x'",
            "telemetry",
            1,
            "is an unknown section",
        ),
    ] {
        let (its_key, its_line, message) = mistake(text);
        assert_eq!((its_key.as_str(), its_line), (key, line), "{text}");
        assert!(message.contains(said), "{text}: {message}");
    }
}

#[test]
fn placeholders_are_checked_like_other_keys() {
    let section = "[message.placeholders.place]\nfield = '/a'\n";
    let (key, line, message) = mistake(&format!("{section}feild = '/b'"));
    assert_eq!(
        (key.as_str(), line),
        ("message.placeholders.place.feild", 3)
    );
    assert!(
        message.ends_with("did you mean `message.placeholders.place.field`?"),
        "{message}"
    );

    let (key, line, message) = mistake(&format!("{section}fallback = 'b'"));
    assert_eq!(
        (key.as_str(), line),
        ("message.placeholders.place.fallback", 3)
    );
    assert!(
        message.starts_with("is `b`, which does not begin with `/`; allowed: "),
        "{message}"
    );

    for name in ["'a b'", "a-b", "2nd", "''"] {
        let (_, _, message) = mistake(&format!("[message.placeholders.{name}]\nfield = '/a'"));
        assert!(
            message.contains("a name of letters, digits and `_` that does not begin with a digit"),
            "{name}: {message}"
        );
    }
}

#[test]
fn unknown_keys_of_flags_are_refused() {
    let flags = with_overrides(&[("log.levl", "info")]);
    let problem = only_problem(load_with(CIS, &[], &flags));
    assert_eq!(
        problem.to_string(),
        "log.levl (--set): is an unknown key; did you mean `log.level`?"
    );
    let flags = with_overrides(&[("email", "x")]);
    let problem = only_problem(load_with(CIS, &[], &flags));
    assert_eq!(problem.message, "is a section; allowed: one of its keys");
}

#[test]
fn a_flag_with_an_empty_value_does_not_unset_a_required_key() {
    let flags = with_overrides(&[("email.subject", "")]);
    let problem = only_problem(load_with(CIS, &[], &flags));
    assert_eq!(problem.origin, Origin::Flag("--set"));
    assert!(
        problem.message.starts_with("is empty; allowed: "),
        "{problem}"
    );
}

#[test]
fn addresses_and_secrets_are_not_shown() {
    let text = "[email]\nsender = 'dana smith@example.com'\nreply_to = 'help@example.com'\n[aws]\nregion = 'AKIAIOSFODNN7EXAMPLE'\n";
    let problems = load_file(text).unwrap_err().to_string();
    for private in ["dana", "help@", "AKIA"] {
        assert!(!problems.contains(private), "{problems}");
    }
}

#[test]
fn a_required_key_with_a_mistake_is_not_told_as_missing_too() {
    let text = "queue.url = 2026-01-01\ntemplate.file = 'a'\nemail = { sender = 'a@x.com', subject = 's' }";
    let problem = only_problem(load_file(text));
    assert_eq!(
        (problem.key.as_str(), problem.origin),
        ("queue.url", file_line("notifier.toml", 1))
    );
}
