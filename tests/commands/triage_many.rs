//! `triage` over many messages: whatever is done, and whenever it is interrupted, none is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sandbox::faults::{Fault, Rule};
use sandbox::sqs::Standing;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::commands::stage::{Done, SAMPLES, Stage};
use crate::commands::triage::{dead, lines};

/// How many messages there are, unless `TRIAGE_MESSAGES` says another number.
const MESSAGES: usize = 300;

fn messages() -> usize {
    let asked = std::env::var("TRIAGE_MESSAGES").ok();
    asked.map_or(MESSAGES, |text| text.parse().unwrap())
}

/// Two of three would be mailed. Every message's event is its own.
async fn filled() -> Stage {
    let stage = Stage::right().await;
    for number in 0..messages() {
        let body = if number % 3 == 2 {
            json!({ "summary": format!("no recipient {number}") }).to_string()
        } else {
            let mut envelope: Value = serde_json::from_str(SAMPLES[0].1).unwrap();
            envelope["MessageId"] = json!(format!("notification-{number}"));
            envelope.to_string()
        };
        stage.send("dead", &body).await;
    }
    stage
}

/// The bodies in a queue, each visible and there once.
fn bodies(stage: &Stage, queue: &str) -> BTreeSet<String> {
    let all = stage.aws.sandbox.sqs.snapshot(queue);
    let is_visible = |standing| standing == Standing::Visible;
    assert!(all.iter().all(|message| is_visible(message.standing)));
    let count = all.len();
    let bodies: BTreeSet<_> = all.into_iter().map(|message| message.body).collect();
    assert_eq!(bodies.len(), count, "{queue} holds a message twice");
    bodies
}

fn of<'a>(told: &'a [Value], kind: &str) -> Vec<&'a Value> {
    told.iter().filter(|line| line["type"] == kind).collect()
}

/// Starts it, and interrupts it once this operation was asked for so often.
async fn interrupted(stage: &Stage, arguments: &[&str], operation: &str, after: u64) -> Done {
    let slow = Fault::Latency {
        min_ms: 100,
        max_ms: 100,
    };
    stage.aws.sandbox.faults.add(Rule::new(operation, slow));
    let url = dead(stage);
    let arguments = [&["triage", "--json", "--queue-url", &url], arguments].concat();
    let child = stage.command(&arguments).spawn().unwrap();
    let pid = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    // Read from the start: what it prints is more than a pipe holds.
    let output = tokio::spawn(child.wait_with_output());
    let struck = async {
        let faults = &stage.aws.sandbox.faults;
        while faults.json()["rules"][0]["struck"].as_u64().unwrap() < after {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_mins(10), struck).await.unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = output.await.unwrap().unwrap();
    Done {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[tokio::test]
async fn one_verdict_is_redriven_and_ids_are_deleted_and_nothing_is_lost() {
    let stage = filled().await;
    let all = bodies(&stage, "dead");
    let limit = messages().to_string();
    let url = dead(&stage);
    let base = ["triage", "--yes", "--json", "--queue-url", &url];
    let redrive = ["--redrive", "--verdict", "mail", "--limit", &limit];
    let done = stage.run(&[&base[..], &redrive].concat()).await;
    let told = lines(done.exits(0));
    let redriven = bodies(&stage, "created");
    let left = bodies(&stage, "dead");
    assert_eq!(of(&told, "act").len(), redriven.len());
    assert_eq!(redriven.len(), messages() - messages() / 3);
    assert!(redriven.iter().all(|body| !body.contains("no recipient")));
    assert_eq!(&left | &redriven, all);
    assert!(left.is_disjoint(&redriven));
    // Five of the rest are named.
    let snapshot = stage.aws.sandbox.sqs.snapshot("dead");
    let named: Vec<_> = snapshot.iter().take(5).map(|one| &one.message_id).collect();
    let ids = named.iter().flat_map(|id| ["--id", id.as_str()]);
    let ids: Vec<_> = ids.collect();
    let done = stage.run(&[&base[..], &["--delete"], &ids].concat()).await;
    let told = lines(done.exits(0));
    assert_eq!(of(&told, "act").len(), 5);
    let kept = bodies(&stage, "dead");
    assert_eq!(kept.len() + 5 + redriven.len(), messages());
    for one in snapshot.iter().take(5) {
        assert!(!kept.contains(&one.body));
    }
}

#[tokio::test]
async fn interrupted_in_the_scan_nothing_is_done_and_all_is_put_back() {
    let stage = filled().await;
    let all = bodies(&stage, "dead");
    let limit = messages().to_string();
    let act = ["--redrive", "--verdict", "mail", "--yes", "--limit", &limit];
    let done = interrupted(&stage, &act, "sqs:ReceiveMessage", 5).await;
    let told = lines(done.exits(130));
    let summary = told.last().unwrap();
    assert_eq!(summary["end"], "interrupted");
    assert_eq!(summary["act"]["end"], "interrupted");
    assert_eq!(of(&told, "act").len(), 0);
    let scanned = summary["messages"].as_u64().unwrap();
    assert!((1..messages() as u64).contains(&scanned), "{scanned}");
    assert_eq!(bodies(&stage, "dead"), all);
    assert!(bodies(&stage, "created").is_empty());
}

#[tokio::test]
async fn interrupted_in_the_act_each_message_is_in_one_queue_and_it_says_in_which() {
    let stage = filled().await;
    let all = bodies(&stage, "dead");
    let limit = messages().to_string();
    let act = ["--redrive", "--verdict", "mail", "--yes", "--limit", &limit];
    let done = interrupted(&stage, &act, "sqs:SendMessageBatch", 3).await;
    let told = lines(done.exits(130));
    let results = &told.last().unwrap()["act"]["results"];
    let (redriven, left) = (bodies(&stage, "created"), bodies(&stage, "dead"));
    assert_eq!(results["redriven"], redriven.len());
    let meant = messages() - messages() / 3;
    assert_eq!(results["not_reached"], meant - redriven.len());
    assert!((10..meant).contains(&redriven.len()), "{}", redriven.len());
    assert_eq!(&left | &redriven, all);
    assert!(left.is_disjoint(&redriven));
    // Another run does the rest.
    stage.aws.sandbox.faults.set(Vec::new());
    let url = dead(&stage);
    let again = [&["triage", "--queue-url", &url], &act[..]].concat();
    stage.run(&again).await.exits(0);
    assert_eq!(bodies(&stage, "created").len(), meant);
    assert_eq!(bodies(&stage, "dead").len(), messages() / 3);
}
