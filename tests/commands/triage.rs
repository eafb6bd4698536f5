//! `triage` over a dead-letter queue.

use sandbox::faults::{Fault, Rule};
use sandbox::sqs::Standing;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::commands::stage::{Done, SAMPLES, Stage, redrive};

pub(super) fn dead(stage: &Stage) -> String {
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
        let ages = 1..60;
        let out = ages.fold(done.out.clone(), |out, age| {
            out.replace(&format!("sent {age}s ago"), "sent 0s ago")
        });
        assert!(out.contains(told), "not told: {told}\n{done}");
    }
    assert!(!done.out.contains("dana.organizer"), "{done}");
    assert_visible(&stage, 4, 1);
    assert_eq!(stage.aws.sandbox.outbox.taken(), 0);
    let done = stage.run(&["triage", "--queue-url", &dead(&stage)]).await;
    assert!(done.exits(0).out.contains("received 2 times"), "{done}");
}

/// The objects that it printed, one a line.
pub(super) fn lines(done: &Done) -> Vec<Value> {
    let lines = done.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn json_tells_the_same() {
    let stage = Stage::right().await;
    stage.send("dead", SAMPLES[1].1).await;
    let arguments = ["triage", "--json", "--queue-url", &dead(&stage)];
    let done = stage.run(&arguments).await;
    let [message, summary] = &lines(done.exits(0))[..] else {
        panic!("two lines: {done}")
    };
    assert_eq!(
        (&summary["type"], &summary["end"], &summary["not_put_back"]),
        (&json!("summary"), &json!("emptied"), &json!(0))
    );
    assert_eq!(
        (&summary["mail"], &summary["rejected"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(message["type"], "message");
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
            .contains("12 of about 15 messages; there may be more: raise --limit\n"),
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
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
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
        let arguments = ["triage", "--json", "--queue-url", &url];
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
        assert_eq!(child.wait().await.unwrap().code(), Some(code));
        assert!(rest.contains("\"end\":\"interrupted\""), "{rest}");
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
        done.err.contains("1 message could not be made visible"),
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
async fn a_receive_that_fails_twice_does_not_end_the_scan_and_a_third_time_does() {
    for (times, code, end) in [(2, 0, "emptied"), (3, 1, "failed")] {
        let stage = Stage::right().await;
        stage.send("dead", "{}").await;
        let mut fails = Rule::new("sqs:ReceiveMessage", Fault::error("RequestThrottled", 403));
        fails.count = Some(times);
        stage.aws.sandbox.faults.add(fails);
        let done = stage
            .run(&["triage", "--json", "--queue-url", &dead(&stage)])
            .await;
        let summary = lines(done.exits(code)).pop().unwrap();
        assert_eq!(summary["end"], end, "{done}");
        assert_eq!(summary["maybe_hidden"], 0, "{done}");
        assert_visible(&stage, 1, u32::from(code == 0));
    }
}

#[tokio::test]
async fn what_a_lost_answer_may_have_hidden_is_told() {
    let stage = Stage::right().await;
    for _ in 0..3 {
        stage.send("dead", "{}").await;
    }
    let mut lost = Rule::new("sqs:ReceiveMessage", Fault::ResetAfter);
    lost.count = Some(1);
    stage.aws.sandbox.faults.add(lost);
    let done = stage.run(&["triage", "--queue-url", &dead(&stage)]).await;
    let told = "a receive had no answer: up to 10 messages may be hidden for 10m\n";
    assert!(done.exits(0).err.contains(told), "{done}");
    assert!(done.out.starts_with("0 of about 3 messages"), "{done}");
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

#[tokio::test]
async fn the_summary_comes_first_or_alone() {
    let stage = Stage::right().await;
    for body in ["{}", "{}", SAMPLES[0].1] {
        stage.send("dead", body).await;
    }
    let url = dead(&stage);
    let done = stage.run(&["triage", "--queue-url", &url]).await;
    let begin = "3 messages, which is all that can be seen now\n     2  rejected: no recipient";
    assert!(done.exits(0).out.starts_with(begin), "{done}");
    let (_, details) = done.out.split_once("\n\n").unwrap();
    assert_eq!(details.matches(", received once,").count(), 3, "{done}");
    let alone = stage
        .run(&["triage", "--summary", "--queue-url", &url])
        .await;
    assert_eq!(alone.exits(0).out.matches(", received").count(), 0);
    assert_eq!(alone.out.lines().count(), 5, "{alone}");
    let json = ["triage", "--summary", "--json", "--queue-url", &url];
    assert_eq!(lines(stage.run(&json).await.exits(0)).len(), 1);
    let chosen = ["triage", "--verdict", "mail", "--queue-url", &url];
    let done = stage.run(&chosen).await;
    let (_, details) = done.exits(0).out.split_once("\n\n").unwrap();
    assert_eq!(details.matches("received 4 times").count(), 1, "{done}");
    assert_visible(&stage, 3, 4);
}

#[tokio::test]
async fn messages_in_others_hands_are_told() {
    let stage = Stage::right().await;
    for _ in 0..3 {
        stage.send("dead", "{}").await;
    }
    let taken = json!({ "QueueUrl": "dead", "VisibilityTimeout": 600 });
    stage.sqs("ReceiveMessage", taken).await;
    let done = stage.run(&["triage", "--queue-url", &dead(&stage)]).await;
    let told = "2 messages, which is all that can be seen now: about 1 more are hidden";
    assert!(done.exits(0).out.starts_with(told), "{done}");
}

#[tokio::test]
async fn a_slow_queue_is_no_silence() {
    let stage = Stage::right().await;
    stage.send("dead", "{}").await;
    let slow = Fault::Latency {
        min_ms: 7_000,
        max_ms: 7_000,
    };
    let mut once = Rule::new("sqs:ReceiveMessage", slow);
    once.count = Some(2);
    stage.aws.sandbox.faults.add(once);
    let done = stage.run(&["triage", "--queue-url", &dead(&stage)]).await;
    let told = "organizer-notifier: scanned 1 message (10 s)\n";
    assert_eq!(done.exits(0).err, told);
}

#[tokio::test]
async fn one_message_is_shown_whole_when_that_is_asked_for() {
    let stage = Stage::right().await;
    for _ in 0..120 {
        stage.send("dead", "{}").await;
    }
    let sent = json!({
        "QueueUrl": "dead",
        "MessageBody": SAMPLES[0].1,
        "MessageAttributes": {
            "origin": { "DataType": "String", "StringValue": "by hand" },
            "bytes": { "DataType": "Binary", "BinaryValue": "AAE=" },
        },
    });
    let id = stage.sqs("SendMessage", sent).await["MessageId"].clone();
    let id = id.as_str().unwrap();
    let url = dead(&stage);
    let done = stage
        .run(&["triage", "--queue-url", &url, "--show", id])
        .await;
    assert!(
        done.exits(0).out.contains(SAMPLES[0].1.trim_end()),
        "{done}"
    );
    for told in [
        "would be sent to d***@example.com\n",
        "    attribute bytes (Binary): 2 bytes\n",
        "    attribute origin (String): by hand\n",
    ] {
        assert!(done.out.contains(told), "{done}");
    }
    let json = ["triage", "--json", "--queue-url", &url, "--show", id];
    let json = lines(stage.run(&json).await.exits(0));
    assert_eq!(json[0]["body"], SAMPLES[0].1);
    let bytes = json!({ "data_type": "Binary", "value": [0, 1] });
    assert_eq!(json[0]["attributes"]["bytes"], bytes);
    assert_eq!((json.len(), &json[1]["end"]), (2, &json!("found")));
    let none = ["triage", "--queue-url", &url, "--show", "none"];
    let done = stage.run(&none).await;
    let told = "there is no message none among the 121 of about 121 that were scanned";
    assert!(done.exits(1).err.contains(told), "{done}");
    let all = stage.aws.sandbox.sqs.snapshot("dead");
    assert_eq!(all.len(), 121);
    // A scan ends with what it looked for, so not each has received all of them.
    let visible = all.iter().filter(|one| one.standing == Standing::Visible);
    assert_eq!(visible.count(), 121);
}

#[tokio::test]
async fn without_sender_and_subject_messages_are_judged_but_not_acted_on() {
    let mut stage = Stage::right().await;
    stage.set("SENDER", "");
    stage.set("SUBJECT", "");
    stage.send("dead", SAMPLES[0].1).await;
    let url = dead(&stage);
    let done = stage.run(&["triage", "--queue-url", &url]).await;
    assert!(done.exits(0).out.contains("would be sent"), "{done}");
    assert!(done.err.contains("SENDER and SUBJECT not set"), "{done}");
    let act = ["triage", "--delete", "--verdict", "mail", "--yes"];
    let act = [&act[..], &["--queue-url", &url]].concat();
    let done = stage.run(&act).await;
    for missing in ["SENDER is not set", "SUBJECT is not set"] {
        assert!(done.exits(64).err.contains(missing), "{done}");
    }
    // What else is wrong is told with them.
    stage.set("NOTIFIER_QUEUE__WAIT_TIME", "x");
    let done = stage.run(&["triage", "--queue-url", &url]).await;
    assert!(done.exits(64).err.contains("3 problems"), "{done}");
    assert_visible(&stage, 1, 1);
}
