//! `triage` that is stopped while something does not answer: a queue, a reader, or nobody at all.

use std::io::{ErrorKind, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sandbox::faults::{Fault, Rule};
use sandbox::sqs::Standing;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::time::{sleep, timeout};

use crate::commands::stage::{SAMPLES, Stage};
use crate::commands::triage::dead;

const LONG: Duration = Duration::from_mins(1);

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().unwrap().cast_signed()).unwrap()
}

/// Waits until this holds.
async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(LONG, wait).await.unwrap();
}

fn visible(stage: &Stage) -> usize {
    let all = stage.aws.sandbox.sqs.snapshot("dead");
    let visible = all.iter().filter(|one| one.standing == Standing::Visible);
    visible.count()
}

/// Standard output whose reader reads nothing, and which is full.
fn full_and_unread() -> (UnixStream, OwnedFd) {
    let (reader, mut writer) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    loop {
        match writer.write(b"\n") {
            Ok(_) => {}
            Err(full) if full.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    writer.set_nonblocking(false).unwrap();
    (reader, writer.into())
}

#[tokio::test]
async fn a_reader_who_stands_still_keeps_no_signal_from_being_seen() {
    let stage = Stage::right().await;
    for _ in 0..12 {
        stage.send("dead", "{}").await;
    }
    let (_reader, out) = full_and_unread();
    let url = dead(&stage);
    let mut command = stage.command(&["triage", "--json", "--queue-url", &url]);
    let mut child = command.stdout(out).spawn().unwrap();
    until(|| visible(&stage) < 12).await;
    // The first puts the messages back, the second ends it.
    kill_process(pid(&child), Signal::INT).unwrap();
    until(|| visible(&stage) == 12).await;
    assert_eq!(child.try_wait().unwrap(), None);
    kill_process(pid(&child), Signal::INT).unwrap();
    let ended = timeout(LONG, child.wait()).await.unwrap();
    assert_eq!(ended.unwrap().code(), Some(130));
}

#[tokio::test]
async fn cut_short_while_it_puts_messages_back_it_ends_with_the_signals_code() {
    let stage = Stage::right().await;
    stage.send("dead", "{}").await;
    let faults = &stage.aws.sandbox.faults;
    faults.add(Rule::new("sqs:ChangeMessageVisibilityBatch", Fault::Hang));
    let mut command = stage.command(&["triage", "--queue-url", &dead(&stage)]);
    let child = command.spawn().unwrap();
    until(|| faults.json()["rules"][0]["struck"] == 1).await;
    // Two of one kind could become one on their way.
    kill_process(pid(&child), Signal::INT).unwrap();
    kill_process(pid(&child), Signal::TERM).unwrap();
    let output = timeout(LONG, child.wait_with_output()).await.unwrap();
    let output = output.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(
        told.contains("1 message could not be made visible"),
        "{told}"
    );
}

#[tokio::test]
async fn a_killed_act_has_told_what_it_did() {
    let stage = Stage::right().await;
    for _ in 0..10 {
        stage.send("dead", SAMPLES[0].1).await;
    }
    // It is received last, so that it is in a batch of its own.
    let mut last: Value = serde_json::from_str(SAMPLES[0].1).unwrap();
    last["MessageId"] = json!("the-last-one");
    stage.send("dead", &last.to_string()).await;
    let mut hang = Rule::new("sqs:SendMessageBatch", Fault::Hang);
    hang.body_contains = Some("the-last-one".to_owned());
    stage.aws.sandbox.faults.add(hang);
    let url = dead(&stage);
    let act = ["--redrive", "--verdict", "mail", "--yes"];
    let arguments = [&["triage", "--json", "--queue-url", &url], &act[..]].concat();
    let mut child = stage.command(&arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut redriven = 0;
    let read = async {
        while redriven < 10 {
            let line = lines.next_line().await.unwrap().unwrap();
            let line: Value = serde_json::from_str(&line).unwrap();
            redriven += usize::from(line["result"] == "redriven");
        }
    };
    timeout(LONG, read).await.unwrap();
    child.kill().await.unwrap();
    // It was killed in the act, not after it.
    assert_eq!(lines.next_line().await.unwrap(), None);
    assert_eq!(stage.aws.sandbox.sqs.snapshot("created").len(), 10);
}
