//! Results that nobody takes: one rule for every command.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use tokio::time::timeout;

use crate::commands::stage::{Done, Stage, command, directory, finish, path};

/// What prints a result without AWS.
const ALONE: [&[&str]; 12] = [
    &["--help"],
    &["-h"],
    &["help"],
    &["help", "check"],
    &["check", "--help"],
    &["--version"],
    &["-v"],
    &["version"],
    &["completions", "bash"],
    &["config", "--default"],
    &["config"],
    &["config", "--json"],
];
/// What asks AWS before.
const WITH_AWS: [&[&str]; 5] = [
    &["check"],
    &["check", "--json"],
    &["render"],
    &["render", "--json"],
    &["triage", "--queue-url"],
];
const GOOD: [(&str, &str); 6] = [
    ("REGION", "us-east-1"),
    ("SQS_URL", "http://127.0.0.1:1/1/q"),
    ("CODECOMMIT_REPO", "templates"),
    ("NEW_EVENT_NOTIFICATION_EMAIL", "new-event.html"),
    ("SENDER", "events@example.com"),
    ("SUBJECT", "Created"),
];

/// A pipe whose reader has gone, as that of `… | head` does.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options()
        .write(true)
        .open("/dev/full")
        .unwrap()
        .into()
}

/// Runs every command with this standard output.
async fn each(stdout: impl Fn() -> Stdio, judge: impl Fn(&Done)) {
    for arguments in ALONE {
        let mut command = command(GOOD.into_iter(), arguments);
        command.stdout(stdout());
        judge(&finish(command, "").await);
    }
    let stage = Stage::right().await;
    stage.template(b"<p>{mailto} {summary} {uid} {events}</p>");
    stage.send("dead", "{}").await;
    let dead = format!("{}/000000000000/dead", stage.aws.url());
    for arguments in WITH_AWS {
        let mut command = stage.command(arguments);
        if arguments[0] == "triage" {
            command.arg(&dead);
        }
        command.stdout(stdout());
        judge(&finish(command, "").await);
    }
}

#[tokio::test]
async fn a_reader_that_has_read_enough_is_no_error_and_no_message() {
    let silent = |done: &Done| assert_eq!(done.exits(0).err, "");
    each(unread, silent).await;
}

#[tokio::test]
async fn a_full_disk_is_told_and_fails() {
    let told = |done: &Done| {
        assert_eq!(
            done.exits(1).err.trim_end(),
            "organizer-notifier: standard output cannot be written: No space left on device (os error 28)"
        );
    };
    each(full, told).await;
}

#[tokio::test]
async fn watching_ends_where_nobody_reads_what_is_rendered() {
    let directory = directory(&[("t.html", "<p>{summary}</p>")]);
    let template = path(&directory, "t.html");
    let mut command = command(
        GOOD.into_iter(),
        &["render", "--watch", "--template", &template],
    );
    command.stdout(unread());
    let done = timeout(Duration::from_secs(30), finish(command, "")).await;
    assert_eq!(done.unwrap().exits(0).err, "");
}

#[tokio::test]
async fn what_is_wrong_is_told_also_where_nobody_reads_the_result() {
    let mut command = command(std::iter::empty(), &["config"]);
    command.stdout(unread());
    let done = finish(command, "").await;
    assert!(done.exits(64).err.contains("SQS_URL is not set"), "{done}");
}

#[tokio::test]
async fn mistakes_that_nobody_reads_have_their_exit_code() {
    for arguments in [&["chek"][..], &["check"]] {
        let mut command = command(std::iter::empty(), arguments);
        command.stderr(unread());
        finish(command, "").await.exits(64);
    }
}
