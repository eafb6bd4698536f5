//! Queues and their attributes.

use serde_json::{Value, json};

use crate::support::{Bench, pass};

#[tokio::test(start_paused = true)]
async fn creating_again_with_the_same_attributes_gives_the_same_queue() {
    let bench = Bench::new(json!({ "VisibilityTimeout": "5" })).await;
    bench.send("kept").await;
    bench.create("q", json!({ "VisibilityTimeout": "5" })).await;
    bench.create("q", json!({})).await;
    assert_eq!(bench.sqs.snapshot("q").len(), 1);
    let other = json!({ "QueueName": "q", "Attributes": { "VisibilityTimeout": "6" } });
    let error = bench.sqs.call("CreateQueue", other).await.unwrap_err();
    assert_eq!(error.code, "QueueNameExists");
    assert_eq!(error.query_code.as_deref(), Some("QueueAlreadyExists"));
}

#[tokio::test(start_paused = true)]
async fn names_have_rules_and_fifo_is_refused() {
    let bench = Bench::new(json!({})).await;
    for (name, code) in [
        ("", "InvalidParameterValue"),
        ("a b", "InvalidParameterValue"),
        ("a.b", "InvalidParameterValue"),
        (&"a".repeat(81), "InvalidParameterValue"),
        ("a.fifo", "UnsupportedOperation"),
    ] {
        let (got, _) = bench
            .refused("CreateQueue", json!({ "QueueName": name }))
            .await;
        assert_eq!(got, code, "{name}");
    }
    bench.create(&"a".repeat(80), json!({})).await;
    let fifo = json!({ "QueueName": "a", "Attributes": { "FifoQueue": "true" } });
    assert_eq!(
        bench.refused("CreateQueue", fifo).await.0,
        "UnsupportedOperation"
    );
}

#[tokio::test(start_paused = true)]
async fn attributes_are_checked_and_a_refused_change_changes_nothing() {
    let bench = Bench::new(json!({})).await;
    for (name, low, high) in [
        ("DelaySeconds", 0, 900_u64),
        ("MaximumMessageSize", 1024, 1_048_576),
        ("MessageRetentionPeriod", 60, 1_209_600),
        ("ReceiveMessageWaitTimeSeconds", 0, 20),
        ("VisibilityTimeout", 0, 43_200),
    ] {
        let set = |value: String| json!({ "Attributes": { name: value } });
        for fits in [low, high] {
            bench.ok("SetQueueAttributes", set(fits.to_string())).await;
        }
        for bad in [(high + 1).to_string(), "-1".to_owned(), "x".to_owned()] {
            let (code, _) = bench.refused("SetQueueAttributes", set(bad)).await;
            assert_eq!(code, "InvalidAttributeValue", "{name}");
        }
        let answer = bench
            .ok("GetQueueAttributes", json!({ "AttributeNames": [name] }))
            .await;
        assert_eq!(
            answer,
            json!({ "Attributes": { name: high.to_string() } }),
            "{name}"
        );
    }
    let unknown = json!({ "Attributes": { "Colour": "red" } });
    assert_eq!(
        bench.refused("SetQueueAttributes", unknown).await.0,
        "InvalidAttributeName"
    );
    let unknown = json!({ "AttributeNames": ["Colour"] });
    assert_eq!(
        bench.refused("GetQueueAttributes", unknown).await.0,
        "InvalidAttributeName"
    );
}

#[tokio::test(start_paused = true)]
async fn texts_such_as_policies_and_keys_are_kept_and_removed_by_an_empty_value() {
    let bench = Bench::new(json!({ "Policy": "{}", "KmsMasterKeyId": "alias/key" })).await;
    let ask = json!({ "AttributeNames": ["Policy", "KmsMasterKeyId", "RedrivePolicy"] });
    let both = json!({ "Attributes": { "Policy": "{}", "KmsMasterKeyId": "alias/key" } });
    assert_eq!(bench.ok("GetQueueAttributes", ask.clone()).await, both);
    bench
        .ok(
            "SetQueueAttributes",
            json!({ "Attributes": { "Policy": "", "KmsMasterKeyId": "" } }),
        )
        .await;
    assert_eq!(
        bench.ok("GetQueueAttributes", ask).await,
        json!({ "Attributes": {} })
    );
}

#[tokio::test(start_paused = true)]
async fn counts_tell_visible_delayed_and_in_flight_apart() {
    let bench = Bench::new(json!({})).await;
    for body in ["a", "b", "c"] {
        bench.send(body).await;
    }
    let delayed = json!({ "MessageBody": "d", "DelaySeconds": 10 });
    bench.ok("SendMessage", delayed).await;
    bench.receive(json!({ "MaxNumberOfMessages": 2 })).await;
    assert_eq!(counts(&bench).await, ["1", "2", "1"]);
    pass(10).await;
    assert_eq!(counts(&bench).await, ["2", "2", "0"]);
    pass(20).await;
    assert_eq!(counts(&bench).await, ["4", "0", "0"]);
}

#[tokio::test(start_paused = true)]
async fn retention_counts_from_the_sending_and_takes_messages_in_flight_too() {
    let bench = Bench::new(json!({ "MessageRetentionPeriod": "60" })).await;
    bench.send("held").await;
    pass(30).await;
    bench.send("later").await;
    bench.receive(json!({ "VisibilityTimeout": 600 })).await;
    pass(29).await;
    assert_eq!(bench.sqs.snapshot("q").len(), 2);
    pass(1).await;
    let left = bench.sqs.snapshot("q");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].body, "later");
    pass(30).await;
    assert!(bench.is_empty().await);
}

#[tokio::test(start_paused = true)]
async fn a_second_purge_within_a_minute_is_refused() {
    let bench = Bench::new(json!({})).await;
    bench.send("a").await;
    bench.ok("PurgeQueue", json!({})).await;
    assert!(bench.sqs.snapshot("q").is_empty());
    pass(59).await;
    assert_eq!(
        bench.refused("PurgeQueue", json!({})).await.0,
        "PurgeQueueInProgress"
    );
    pass(1).await;
    bench.ok("PurgeQueue", json!({})).await;
}

#[tokio::test(start_paused = true)]
async fn a_deleted_queue_is_gone() {
    let bench = Bench::new(json!({})).await;
    bench.ok("DeleteQueue", json!({})).await;
    for operation in ["ReceiveMessage", "DeleteQueue", "GetQueueAttributes"] {
        let error = bench.call(operation, json!({})).await.unwrap_err();
        assert_eq!(error.code, "QueueDoesNotExist");
        assert_eq!(
            error.query_code.as_deref(),
            Some("AWS.SimpleQueueService.NonExistentQueue")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_addressed_by_the_last_part_of_any_url() {
    let bench = Bench::new(json!({})).await;
    for url in ["http://elsewhere:1/000000000000/q", "/000000000000/q", "q"] {
        bench
            .ok("GetQueueAttributes", json!({ "QueueUrl": url }))
            .await;
    }
    let (code, _) = bench
        .refused("GetQueueAttributes", json!({ "QueueUrl": "/" }))
        .await;
    assert_eq!(code, "InvalidAddress");
}

#[tokio::test(start_paused = true)]
async fn operations_that_are_not_there_say_so() {
    let bench = Bench::new(json!({})).await;
    for (operation, code) in [
        ("StartMessageMoveTask", "UnsupportedOperation"),
        ("FlyToTheMoon", "UnknownOperationException"),
    ] {
        let (got, message) = bench.refused(operation, json!({})).await;
        assert_eq!(got, code);
        assert!(message.contains(operation), "{message}");
    }
}

async fn counts(bench: &Bench) -> [String; 3] {
    let answer = bench
        .ok("GetQueueAttributes", json!({ "AttributeNames": ["All"] }))
        .await;
    ["", "NotVisible", "Delayed"].map(|kind| {
        match &answer["Attributes"][format!("ApproximateNumberOfMessages{kind}")] {
            Value::String(count) => count.clone(),
            other => panic!("{other}"),
        }
    })
}
