//! Dead-letter queues.

use serde_json::json;

use crate::support::{Bench, change, pass, text};

#[tokio::test(start_paused = true)]
async fn the_receive_after_the_last_allowed_one_moves_the_message() {
    let bench = Bench::with_redrive(2, json!({})).await;
    let id = bench.send("a").await;
    pass(3).await;
    let first = bench.take(1).await;
    pass(1).await;
    bench.take(1).await;
    pass(600).await;
    // Nothing moves by itself, only at a receive.
    assert!(bench.sqs.snapshot("dead").is_empty());
    assert!(bench.is_empty().await);
    let moved = bench.receive(json!({ "QueueUrl": "dead" })).await.remove(0);
    assert_eq!(moved["MessageId"], json!(id));
    let attributes = &moved["Attributes"];
    assert_eq!(attributes["ApproximateReceiveCount"], json!("1"));
    assert_eq!(
        attributes["DeadLetterQueueSourceArn"],
        json!("arn:aws:sqs:us-east-1:000000000000:q")
    );
    assert_eq!(
        attributes["SentTimestamp"],
        first["Attributes"]["SentTimestamp"]
    );
}

#[tokio::test(start_paused = true)]
async fn putting_back_counts_as_a_receive_and_extending_does_not() {
    let bench = Bench::with_redrive(2, json!({})).await;
    bench.send("a").await;
    let message = bench.take(30).await;
    for _ in 0..5 {
        bench
            .ok("ChangeMessageVisibility", change(&message, 30))
            .await;
    }
    bench
        .ok("ChangeMessageVisibility", change(&message, 0))
        .await;
    bench.take(0).await;
    assert!(bench.is_empty().await);
    assert_eq!(bench.sqs.snapshot("dead").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_dead_letters_goes_on_to_the_next_message() {
    let bench = Bench::with_redrive(1, json!({})).await;
    bench.send("spent").await;
    bench.take(0).await;
    bench.send("fresh").await;
    let message = bench.take(5).await;
    assert_eq!(text(&message["Body"]), "fresh");
    assert_eq!(bench.sqs.snapshot("dead")[0].body, "spent");
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_expires_by_its_first_sending() {
    let bench = Bench::with_redrive(1, json!({ "MessageRetentionPeriod": "60" })).await;
    bench.send("a").await;
    pass(50).await;
    bench.take(0).await;
    assert!(bench.is_empty().await);
    assert_eq!(bench.sqs.snapshot("dead").len(), 1);
    pass(10).await;
    assert!(bench.sqs.snapshot("dead").is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_handle_of_a_dead_letter_from_its_old_queue_deletes_nothing() {
    let bench = Bench::with_redrive(1, json!({})).await;
    bench.send("a").await;
    let message = bench.take(0).await;
    assert!(bench.is_empty().await);
    bench.delete(&message).await;
    assert_eq!(bench.sqs.snapshot("dead").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_policy_is_checked() {
    let bench = Bench::new(json!({})).await;
    bench.create("dead", json!({})).await;
    let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
    let set = |policy: String| json!({ "Attributes": { "RedrivePolicy": policy } });
    for count in [json!(1), json!("1000")] {
        let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": count });
        bench
            .ok("SetQueueAttributes", set(policy.to_string()))
            .await;
    }
    for policy in [
        json!({ "deadLetterTargetArn": arn, "maxReceiveCount": 0 }),
        json!({ "deadLetterTargetArn": arn, "maxReceiveCount": 1001 }),
        json!({ "deadLetterTargetArn": arn, "maxReceiveCount": "many" }),
        json!({ "deadLetterTargetArn": arn }),
        json!({ "deadLetterTargetArn": "dead", "maxReceiveCount": 1 }),
        json!({ "deadLetterTargetArn": format!("{arn}er"), "maxReceiveCount": 1 }),
        json!("none"),
    ] {
        let (code, _) = bench
            .refused("SetQueueAttributes", set(policy.to_string()))
            .await;
        assert_eq!(code, "InvalidParameterValue", "{policy}");
    }
    let sources = bench
        .ok("ListDeadLetterSourceQueues", json!({ "QueueUrl": "dead" }))
        .await;
    assert_eq!(
        sources,
        json!({ "queueUrls": ["http://127.0.0.1:4566/000000000000/q"] })
    );
    bench.ok("SetQueueAttributes", set(String::new())).await;
    let sources = bench
        .ok("ListDeadLetterSourceQueues", json!({ "QueueUrl": "dead" }))
        .await;
    assert_eq!(sources, json!({ "queueUrls": [] }));
}
