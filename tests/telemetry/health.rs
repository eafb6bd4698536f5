//! The health port of the real daemon, from boot to its end; and what it says of itself at boot.

use std::time::Duration;

use sandbox::faults::{Fault, Rule};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use crate::telemetry::{
    daemon::{LONG, free_port},
    stage::{SECRETS, Stage},
};

/// The status and the body; none where nobody listens.
async fn get(address: &str, path: &str) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some((status, serde_json::from_str(body).ok()?))
}

/// Waits until `/readyz` says so.
async fn becomes(address: &str, expected: (u16, Value)) {
    let began = Instant::now();
    loop {
        let answer = get(address, "/readyz").await;
        if answer.as_ref() == Some(&expected) {
            return;
        }
        assert!(began.elapsed() < LONG, "{answer:?} instead of {expected:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn well() -> (u16, Value) {
    (200, json!({ "ok": true }))
}

fn not_because(reason: &str) -> (u16, Value) {
    (503, json!({ "ok": false, "reasons": [reason] }))
}

#[tokio::test]
async fn readiness_follows_boot_work_breaker_and_drain_while_liveness_waits_for_boot_alone() {
    let stage = Stage::build().await;
    let address = free_port().await;
    let slow_boot = Fault::Hang;
    stage
        .sandbox
        .faults
        .add(Rule::new("sqs:GetQueueAttributes", slow_boot));
    let daemon = stage.daemon(&[
        ("NOTIFIER_HEALTH__LISTEN", address.as_str()),
        ("NOTIFIER_QUEUE__WAIT_TIME", "1s"),
    ]);
    becomes(&address, not_because("starting")).await;
    assert_eq!(
        get(&address, "/livez").await,
        Some(not_because("starting")),
        "what cannot start must not take the place of what works"
    );

    stage.sandbox.faults.clear();
    becomes(&address, well()).await;

    let paused = Fault::error("SendingPausedException", 400);
    stage.sandbox.faults.add(Rule::new("ses:SendEmail", paused));
    stage.publish("enveloped", "outage", &[]).await;
    becomes(&address, not_because("sending has stopped: paused")).await;
    assert_eq!(
        get(&address, "/livez").await,
        Some(well()),
        "an outage of SES is alive"
    );
    stage.sandbox.faults.clear();
    becomes(&address, well()).await;
    daemon.until("the mail", || stage.mails() == 1).await;

    // A send under way keeps the drain long enough to be looked at.
    let slow = Fault::Latency {
        min_ms: 3000,
        max_ms: 3000,
    };
    stage.sandbox.faults.add(Rule::new("ses:SendEmail", slow));
    stage.publish("enveloped", "slow", &[]).await;
    let sends = || stage.sandbox.calls()["ses:SendEmail"];
    let before = sends();
    daemon.until("a send", || sends() > before).await;
    let (stopped, ()) = tokio::join!(daemon.stop(), async {
        becomes(&address, not_because("stopping")).await;
        assert_eq!(get(&address, "/livez").await, Some(well()));
    });
    assert!(stopped.status.success());
    assert_eq!(stage.mails(), 2);
    assert_eq!(
        get(&address, "/livez").await,
        None,
        "nobody listens any more"
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_a_boot_error_that_names_it() {
    let stage = Stage::build().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let daemon = stage.daemon(&[("NOTIFIER_HEALTH__LISTEN", address.as_str())]);
    let stopped = daemon.end().await;
    assert_eq!(stopped.status.code(), Some(1));
    let told = stopped.lines.join("\n");
    assert!(
        told.contains("health.listen") && told.contains(&address),
        "{told}"
    );
    assert!(stage.sandbox.calls().is_empty(), "nothing was received");
}

#[tokio::test]
async fn the_configuration_is_told_once_with_its_sources_and_without_addresses() {
    let stage = Stage::build().await;
    let daemon = stage.daemon(&[("NOTIFIER_EMAIL__REPLY_TO", "dana@reply.example.com")]);
    daemon.says("started").await;
    let stopped = daemon.stop().await;
    let [line] = &stopped.telling("configuration: ")[..] else {
        panic!("it is one line: {}", stopped.lines.join("\n"));
    };
    assert_eq!(line["level"], "INFO");
    let text = line["message"].as_str().unwrap();
    for part in [
        "aws.region = \"us-east-1\" (REGION)",
        "concurrency = 32 (default)",
        "email.sender = \"Calendar <e***@example.com>\" (SENDER)",
        "(NOTIFIER_EMAIL__REPLY_TO)",
        "d***@reply.example.com",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    let all = stopped.lines.join("\n");
    assert!(SECRETS.iter().all(|secret| !all.contains(secret)), "{all}");
    assert!(!all.contains("\"local\""), "no credentials");
}
