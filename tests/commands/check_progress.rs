//! How `check` tells what it finds: row by row, one cause once, and what it had where it was ended.

use std::time::Duration;

use sandbox::faults::{Fault, Rule};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::commands::stage::{Done, Stage};

/// The rows of this result.
fn rows<'a>(done: &'a Done, result: &str) -> Vec<&'a str> {
    let is = |line: &&str| line.get(19..).is_some_and(|rest| rest.starts_with(result));
    done.out.lines().filter(is).collect()
}

fn hangs(stage: &Stage, operation: &str) {
    let rule = Rule::new(operation, Fault::Hang);
    stage.aws.sandbox.faults.add(rule);
}

/// Starts a check that waits for the template alone, and ends it by a signal when the rest is told.
async fn ended_by(signal: rustix::process::Signal, arguments: &[&str]) -> (Option<i32>, String) {
    let stage = Stage::right().await;
    hangs(&stage, "codecommit:GetFile");
    let mut child = stage.command(arguments).spawn().unwrap();
    let pid = rustix::process::Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut told = String::new();
    let waits = async {
        if arguments.contains(&"--json") {
            let faults = &stage.aws.sandbox.faults;
            while faults.json()["rules"][0]["struck"] == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        } else {
            for check in ["queue rights", "sender", "send rate", "right to send"] {
                while !told.contains(&format!("\n{check}  ")) {
                    assert_ne!(out.read_line(&mut told).await.unwrap(), 0, "{told}");
                }
            }
        }
    };
    timeout(Duration::from_secs(30), waits).await.unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
    let ended = async {
        out.read_to_string(&mut told).await.unwrap();
        child.wait().await.unwrap()
    };
    let status = timeout(Duration::from_secs(10), ended).await.unwrap();
    (status.code(), told)
}

#[tokio::test]
async fn rows_come_before_the_last_answer_and_a_signal_tells_what_is_missing() {
    use rustix::process::Signal;
    for (signal, name) in [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM")] {
        let (code, out) = ended_by(signal, &["check"]).await;
        assert_eq!(code, Some(1), "{out}");
        let row = format!("skipped  not answered when {name} ended the check\n");
        assert_eq!(out.matches(&row).count(), 1, "{out}");
        let end = format!("\n\n0 failures, 0 warnings; {name} ended the check\n");
        assert!(out.ends_with(&end), "{out}");
    }
}

#[tokio::test]
async fn json_that_a_signal_cut_short_says_so() {
    let arguments = ["check", "--json"];
    let (code, out) = ended_by(rustix::process::Signal::INT, &arguments).await;
    assert_eq!(code, Some(1), "{out}");
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["complete"], json!(false));
    assert_eq!(json["ok"], json!(false));
    let checks = json["checks"].as_array().unwrap();
    let template = checks.iter().find(|row| row["check"] == "template");
    assert_eq!(template.unwrap()["result"], "skipped");
}

#[tokio::test]
async fn what_does_not_answer_in_time_fails_and_the_rest_is_told() {
    let stage = Stage::right().await;
    hangs(&stage, "codecommit:GetFile");
    let done = stage.run(&["check", "--timeout", "2s"]).await;
    done.exits(1);
    let finding = done.finding("template");
    assert!(
        finding.starts_with("template failed no answer within 2s → "),
        "{done}"
    );
    assert!(done.finding("queue").starts_with("queue ok"), "{done}");
    let end = "\n1 failure, 0 warnings; the check ended after 2s (--timeout)\n";
    assert!(done.out.ends_with(end), "{done}");
    let json = stage.run(&["check", "--timeout", "2s", "--json"]).await;
    let json: Value = serde_json::from_str(&json.exits(1).out).unwrap();
    assert_eq!(json["complete"], json!(false));
    assert_eq!(json["failed"], json!(1));
    stage.run(&["check", "--timeout", "11m"]).await.exits(64);
}

#[tokio::test]
async fn an_endpoint_that_never_answers_is_one_failure() {
    let mut stage = Stage::right().await;
    // It accepts, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    stage.set("AWS_ENDPOINT_URL", &url);
    let done = stage.run(&["check", "--timeout", "1s"]).await;
    done.exits(1);
    assert_eq!(rows(&done, "failed").len(), 1, "{done}");
    assert!(
        done.finding("sender")
            .ends_with("skipped the same: see queue"),
        "{done}"
    );
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_one_failure_and_said_to_be_no_aws() {
    let mut stage = Stage::right().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    stage.set("AWS_ENDPOINT_URL", &url);
    let done = stage.run(&["check"]).await;
    done.exits(1);
    let failed = rows(&done, "failed");
    assert_eq!(failed.len(), 1, "{done}");
    let refused = "the connection to AWS is refused";
    assert_eq!(done.out.matches(refused).count(), 1, "{done}");
    assert_eq!(
        done.finding("endpoint"),
        format!("endpoint note AWS_ENDPOINT_URL sends every call to {url}, not to AWS")
    );
    // One service alone: the others are as they should be.
    stage.set("AWS_ENDPOINT_URL", stage.aws.url().to_owned().as_str());
    stage.set("AWS_ENDPOINT_URL_SESV2", &url);
    let done = stage.run(&["check"]).await;
    done.exits(1);
    assert_eq!(rows(&done, "failed").len(), 1, "{done}");
    assert!(done.finding("queue").starts_with("queue ok"), "{done}");
    let told = format!("AWS_ENDPOINT_URL_SESV2 sends the calls to SES to {url}, not to AWS");
    assert!(done.finding("endpoint").ends_with(&told), "{done}");
}

#[tokio::test]
async fn an_expired_token_is_one_failure() {
    let stage = Stage::right().await;
    for service in ["sqs", "ses", "codecommit"] {
        let fault = Fault::error("ExpiredTokenException", 403);
        let rule = Rule::new(&format!("{service}:*"), fault);
        stage.aws.sandbox.faults.add(rule);
    }
    let done = stage.run(&["check"]).await;
    done.exits(1);
    assert_eq!(rows(&done, "failed").len(), 1, "{done}");
    let expired = "the AWS credentials have expired";
    assert_eq!(done.out.matches(expired).count(), 1, "{done}");
    assert!(done.out.contains("skipped  the same: see "), "{done}");
    assert!(done.out.ends_with("\n1 failure, 0 warnings\n"), "{done}");
}
