//! `triage` at a terminal: it asks before it acts.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::time::Instant;

use crate::commands::stage::{SAMPLES, Stage};
use crate::commands::triage::dead;

/// What the person does once the question is there.
enum Then {
    Types(&'static str),
    Interrupts,
}

/// Redrives what would be mailed, at a terminal. Returns the exit code and what stood there.
async fn asked(stage: &Stage, then: Then) -> (Option<i32>, String) {
    let url = dead(stage);
    let arguments = ["--redrive", "--verdict", "mail", "--queue-url", &url];
    at_terminal(stage, &arguments, then).await
}

/// Runs `triage` with these arguments at a terminal. Returns the exit code and what stood there.
async fn at_terminal(stage: &Stage, arguments: &[&str], then: Then) -> (Option<i32>, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let path = ptsname(&terminal, Vec::new()).unwrap();
    let other = || -> Stdio {
        let path = path.to_str().unwrap();
        let end = File::options().read(true).write(true).open(path);
        end.unwrap().into()
    };
    let mut command = stage.command(&[&["triage"], arguments].concat());
    command.env("TERM", "xterm");
    command.stdin(other()).stdout(other()).stderr(other());
    let mut child = command.spawn().unwrap();
    // Else its own ends would keep the terminal open.
    drop(command);
    let pid = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    let mut person = File::from(terminal);
    let mut screen = person.try_clone().unwrap();
    let (sender, shown) = mpsc::channel();
    // It ends when the program's ends are closed.
    thread::spawn(move || {
        let mut some = [0; 1024];
        while let Ok(count @ 1..) = screen.read(&mut some) {
            if sender.send(some[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    let watch = tokio::task::spawn_blocking(move || {
        let deadline = Instant::now() + Duration::from_mins(1);
        let mut seen = Vec::new();
        let mut then = Some(then);
        while let Ok(some) = shown.recv_timeout(deadline - Instant::now()) {
            seen.extend(some);
            if String::from_utf8_lossy(&seen).ends_with("[y/N] ") {
                match then.take() {
                    Some(Then::Types(line)) => person.write_all(line.as_bytes()).unwrap(),
                    Some(Then::Interrupts) => kill_process(pid, Signal::INT).unwrap(),
                    None => {}
                }
            }
        }
        String::from_utf8_lossy(&seen).into_owned()
    });
    let code = child.wait().await.unwrap().code();
    (code, watch.await.unwrap())
}

#[tokio::test]
async fn it_asks_before_it_acts_and_only_a_yes_is_one() {
    let stage = Stage::right().await;
    stage.send("dead", SAMPLES[0].1).await;
    stage.send("dead", "{}").await;
    let count = |queue| stage.aws.sandbox.sqs.snapshot(queue).len();
    let (code, shown) = asked(&stage, Then::Types("n\n")).await;
    assert_eq!(code, Some(1), "{shown}");
    assert!(
        shown.contains("Redrive 1 message to created? [y/N] "),
        "{shown}"
    );
    assert!(shown.contains("nothing was done"), "{shown}");
    let (code, shown) = asked(&stage, Then::Interrupts).await;
    assert_eq!(code, Some(130), "{shown}");
    assert_eq!((count("dead"), count("created")), (2, 0));
    let visible = stage.aws.sandbox.sqs.snapshot("dead");
    let is_visible = |standing| standing == sandbox::sqs::Standing::Visible;
    assert!(visible.iter().all(|one| is_visible(one.standing)));
    let (code, shown) = asked(&stage, Then::Types("y\n")).await;
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("redrove 1 message to created"), "{shown}");
    // The scan was drawn, and wiped before the summary.
    assert!(shown.contains("scanned 0 of about 2 messages …"), "{shown}");
    assert_eq!((count("dead"), count("created")), (1, 1));
}

#[tokio::test]
async fn a_queue_whose_url_ends_with_a_slash_is_named_in_the_question() {
    let stage = Stage::right().await;
    stage.send("dead", "{}").await;
    let url = format!("{}/", dead(&stage));
    let arguments = ["--delete", "--verdict", "rejected", "--queue-url", &url];
    let (code, shown) = at_terminal(&stage, &arguments, Then::Types("y\n")).await;
    assert_eq!(code, Some(0), "{shown}");
    let question = "Delete 1 message from dead for good? [y/N] ";
    assert!(shown.contains(question), "{shown}");
}

#[tokio::test]
async fn the_progress_is_wiped_before_a_line_of_json_is_printed() {
    let stage = Stage::right().await;
    for _ in 0..12 {
        stage.send("dead", SAMPLES[0].1).await;
    }
    let url = dead(&stage);
    let act = ["--redrive", "--verdict", "mail", "--yes"];
    let arguments = [&["--json", "--queue-url", &url], &act[..]].concat();
    let (code, shown) = at_terminal(&stage, &arguments, Then::Types("")).await;
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.matches("{\"type\":\"act\"").count(), 12, "{shown}");
    for drawn in ["scanned 0 of about 12", "redriven 10 of 12 messages"] {
        assert!(shown.contains(drawn), "{shown}");
    }
    for line in shown.lines().filter(|line| line.contains("{\"")) {
        let (before, _) = line.split_once("{\"").unwrap();
        assert!(before.is_empty() || before.ends_with("\u{1b}[2K"), "{line}");
    }
}
