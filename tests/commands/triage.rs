//! `triage` over a dead-letter queue.

use sandbox::faults::{Fault, Rule};
use sandbox::sqs::Standing;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::commands::stage::{SAMPLES, Stage, redrive};

fn dead(stage: &Stage) -> String {
    format!("{}/000000000000/dead", stage.aws.url())
}

/// All messages of the dead-letter queue can be received, and each was received so often.
#[track_caller]
fn assert_visible(stage: &Stage, messages: usize, receives: u32) {
    let all = stage.aws.sandbox.sqs.snapshot("dead");
    assert_eq!(all.len(), messages);
    for message in all {
        assert_eq!(message.standing, Standing::Visible);
        assert_eq!(message.receive_count, receives);
    }
}

#[tokio::test]
async fn each_message_is_told_and_none_is_removed() {
    let stage = Stage::right().await;
    let control =
        r#"{"Type":"UnsubscribeConfirmation","MessageId":"1","TopicArn":"t","Message":"m"}"#;
    for body in [SAMPLES[0].1, "{}", "nonsense", control] {
        stage.send("dead", body).await;
    }
    let done = stage.run(&["triage", "--queue-url", &dead(&stage)]).await;
    done.exits(0);
    for told in [
        "would be sent to d***@example.com\n    sent 0s ago, received once, expires in 13d 23h",
        "rejected: no recipient in the field /mailto\n",
        "rejected: the body is not JSON",
        "ignored: UnsubscribeConfirmation of the topic, no event\n",
        "4 messages, which is all that can be seen now\n",
        "     1  would be sent\n",
    ] {
        // The age is the machine's speed.
        let out = done.out.replace("sent 1s ago", "sent 0s ago");
        assert!(out.contains(told), "not told: {told}\n{done}");
    }
    assert!(!done.out.contains("dana.organizer"), "{done}");
    assert_visible(&stage, 4, 1);
    assert_eq!(stage.aws.sandbox.outbox.taken(), 0);
    let done = stage.run(&["triage", "--queue-url", &dead(&stage)]).await;
    assert!(done.exits(0).out.contains("received 2 times"), "{done}");
}

#[tokio::test]
async fn json_tells_the_same() {
    let stage = Stage::right().await;
    stage.send("dead", SAMPLES[1].1).await;
    let arguments = ["triage", "--json", "--queue-url", &dead(&stage)];
    let done = stage.run(&arguments).await;
    let json: Value = serde_json::from_str(&done.exits(0).out).unwrap();
    assert_eq!(
        (&json["end"], &json["not_put_back"]),
        (&json!("emptied"), &json!(0))
    );
    let message = &json["messages"][0];
    assert_eq!(
        (&message["verdict"], &message["receive_count"]),
        (&json!("mail"), &json!(1))
    );
    assert!(
        message["to"][0].as_str().unwrap().contains("***@"),
        "{done}"
    );
    let left = message["forgotten_in_s"].as_u64().unwrap();
    assert!((1_209_500..=1_209_600).contains(&left), "{done}");
}

#[tokio::test]
async fn no_more_than_the_limit_are_received() {
    let stage = Stage::right().await;
    for _ in 0..15 {
        stage.send("dead", "{}").await;
    }
    let arguments = ["triage", "--limit", "12", "--queue-url", &dead(&stage)];
    let done = stage.run(&arguments).await;
    done.exits(0);
    assert!(
        done.out
            .contains("12 messages; there may be more: raise --limit"),
        "{done}"
    );
    let all = stage.aws.sandbox.sqs.snapshot("dead");
    let received = all.iter().filter(|message| message.receive_count > 0);
    assert_eq!(received.count(), 12);
    assert!(
        all.iter()
            .all(|message| message.standing == Standing::Visible)
    );
}

#[tokio::test]
async fn a_queue_with_a_redrive_policy_is_left_alone() {
    let stage = Stage::right().await;
    stage
        .set_queue("created", json!({ "RedrivePolicy": redrive(1) }))
        .await;
    stage.send("created", "{}").await;
    let url = format!("{}/000000000000/created", stage.aws.url());
    let done = stage.run(&["triage", "--queue-url", &url]).await;
    done.exits(1);
    assert!(
        done.err.contains("the queue has a redrive policy"),
        "{done}"
    );
    let received = |stage: &Stage| stage.aws.sandbox.sqs.snapshot("created")[0].receive_count;
    assert_eq!(received(&stage), 0);
    let arguments = ["triage", "--despite-redrive", "--queue-url", &url];
    stage.run(&arguments).await.exits(0);
    assert_eq!(received(&stage), 1);
}

#[tokio::test]
async fn interrupted_it_puts_back_what_it_holds() {
    for signal in ["-INT", "-TERM"] {
        let stage = Stage::right().await;
        for _ in 0..15 {
            stage.send("dead", "{}").await;
        }
        // The second receive waits until the signal is there.
        let mut slow = Rule::new(
            "sqs:ReceiveMessage",
            Fault::Latency {
                min_ms: 2000,
                max_ms: 2000,
            },
        );
        slow.body_contains = Some("\"MaxNumberOfMessages\":10".to_owned());
        let faults = &stage.aws.sandbox.faults;
        let url = dead(&stage);
        let arguments = ["triage", "--queue-url", &url];
        let mut child = stage.command(&arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        faults.add(slow);
        lines.next_line().await.unwrap().unwrap();
        let pid = child.id().unwrap().to_string();
        let mut kill = tokio::process::Command::new("kill");
        assert!(kill.args([signal, &pid]).status().await.unwrap().success());
        let mut rest = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            rest.push_str(&line);
        }
        assert_eq!(child.wait().await.unwrap().code(), Some(0));
        assert!(rest.contains("interrupted, there may be more"), "{rest}");
        let all = stage.aws.sandbox.sqs.snapshot("dead");
        assert_eq!(all.len(), 15);
        assert!(
            all.iter()
                .all(|message| message.standing == Standing::Visible)
        );
        assert!(all.iter().any(|message| message.receive_count > 0));
    }
}

#[tokio::test]
async fn what_could_not_be_put_back_is_told() {
    let stage = Stage::right().await;
    stage.send("dead", "{}").await;
    let fault = Fault::error("AccessDenied", 400);
    let faults = &stage.aws.sandbox.faults;
    faults.add(Rule::new("sqs:ChangeMessageVisibilityBatch", fault));
    let done = stage.run(&["triage", "--queue-url", &dead(&stage)]).await;
    done.exits(1);
    assert!(
        done.err.contains("1 messages could not be made visible"),
        "{done}"
    );
    assert!(done.err.contains("sqs:ChangeMessageVisibility"), "{done}");
}

#[tokio::test]
async fn one_failed_attempt_to_put_back_is_tried_again() {
    let stage = Stage::right().await;
    stage.send("dead", "{}").await;
    let fault = Fault::error("InternalFailure", 500);
    let mut once = Rule::new("sqs:ChangeMessageVisibilityBatch", fault);
    once.count = Some(1);
    stage.aws.sandbox.faults.add(once);
    let done = stage.run(&["triage", "--queue-url", &dead(&stage)]).await;
    done.exits(0);
    assert_visible(&stage, 1, 1);
}

#[tokio::test]
async fn a_queue_that_cannot_be_looked_at_is_told() {
    for (operation, code, told) in [
        (
            "sqs:GetQueueAttributes",
            "AccessDenied",
            "give the role sqs:GetQueueAttributes",
        ),
        (
            "sqs:ReceiveMessage",
            "AccessDenied",
            "the scan ended early, since the queue cannot be received from: ",
        ),
        (
            "codecommit:GetFile",
            "AccessDeniedException",
            "no template: GetFile",
        ),
    ] {
        let stage = Stage::right().await;
        let fault = Fault::error(code, 400);
        stage.aws.sandbox.faults.add(Rule::new(operation, fault));
        let done = stage.run(&["triage", "--queue-url", &dead(&stage)]).await;
        done.exits(1);
        assert!(done.err.contains(told), "{done}");
    }
    let stage = Stage::right().await;
    let arguments = [
        "triage",
        "--queue-url",
        "arn:aws:sqs:us-east-1:000000000000:dead",
    ];
    stage.run(&arguments).await.exits(64);
}
