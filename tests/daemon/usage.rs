//! The command line and the configuration, before anything is connected.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::daemon::process::{Daemon, Ended};

const SOON: Duration = Duration::from_secs(10);
/// A good configuration of CIS's variables.
const GOOD: [(&str, &str); 6] = [
    ("REGION", "us-east-1"),
    (
        "SQS_URL",
        "https://sqs.us-east-1.amazonaws.com/123456789012/inbox",
    ),
    ("CODECOMMIT_REPO", "email-templates"),
    ("SENDER", "Events <noreply@example.com>"),
    ("SUBJECT", "Your event {summary}"),
    ("NEW_EVENT_NOTIFICATION_EMAIL", "new_event.html"),
];

async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Daemon::spawn(arguments, variables, Arc::default())
        .ended(SOON)
        .await
}

/// The good configuration with one variable changed.
fn with<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut variables = GOOD.to_vec();
    variables.retain(|(good, _)| *good != name);
    variables.push((name, value));
    variables
}

#[tokio::test]
async fn without_a_configuration_all_that_is_needed_is_listed() {
    let ended = run(&[], &[]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (64, ""));
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(
        lines[0],
        "organizer-notifier: 5 problems in the configuration:"
    );
    for (key, variable) in [
        ("queue.url", "SQS_URL"),
        ("template.repository", "CODECOMMIT_REPO"),
        ("template.path", "NEW_EVENT_NOTIFICATION_EMAIL"),
        ("email.sender", "SENDER"),
        ("email.subject", "SUBJECT"),
    ] {
        let told = format!("  {variable} is not set ({key}): ");
        let is_told = lines.iter().any(|line| line.starts_with(&told));
        assert!(is_told, "{}", ended.stderr);
    }
}

#[tokio::test]
async fn mistakes_are_told_with_their_place_and_what_is_allowed() {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(b"[queue]\nwait_time = \"30s\"\nvisibilty_timeout = \"1m\"\n")
        .unwrap();
    let path = file.path().to_str().unwrap();
    let ended = run(&["--config", path], &GOOD).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (64, ""));
    let expected = format!(
        "organizer-notifier: 2 problems in the configuration:
  queue.wait_time ({path}:2): is `30s`; allowed: 0s to 20s in whole seconds, with a unit, such as `15s`
  queue.visibilty_timeout ({path}:3): is an unknown key; did you mean `queue.visibility_timeout`?"
    );
    assert_eq!(ended.stderr, expected);
}

#[tokio::test]
async fn a_wrong_variable_flag_or_command_ends_with_64() {
    let named = with("SENDER", "the events team");
    let bucket = with("CODECOMMIT_REPO", "s3://templates/mails");
    let misspelt = with("NOTIFIER_QUEUE__WAITTIME", "5s");
    for (arguments, variables, told) in [
        (
            &[][..],
            &named[..],
            "email.sender (SENDER): is not one address: it contains a space or a control \
             character; allowed: one address",
        ),
        (
            &[],
            &bucket,
            "template.repository (CODECOMMIT_REPO): is `s3://templates/mails`, with more than a bucket: \
             folders and the file's name belong into template.path",
        ),
        (&[], &misspelt, "did you mean NOTIFIER_QUEUE__WAIT_TIME?"),
        (
            &["--set", "queue.wait_time=30s"],
            &GOOD,
            "queue.wait_time (--set): is `30s`; allowed: 0s to 20s",
        ),
        (&["--confg", "x"], &GOOD, "--config"),
        (&["--set", "x"], &GOOD, "KEY=VALUE"),
        (&["walk"], &GOOD, "walk"),
    ] {
        let ended = run(arguments, variables).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (64, ""), "{told}");
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn help_and_version_go_to_standard_output() {
    let help = run(&["--help"], &[]).await;
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    assert!(
        help.stdout.contains("Usage: organizer-notifier"),
        "{}",
        help.stdout
    );
    assert!(help.stdout.contains("--config <FILE>"), "{}", help.stdout);
    let version = run(&["--version"], &[]).await;
    assert_eq!((version.code, version.stderr.as_str()), (0, ""));
    assert_eq!(
        version.stdout,
        concat!("organizer-notifier ", env!("CARGO_PKG_VERSION"), "\n")
    );
}
