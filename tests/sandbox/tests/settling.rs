//! Receipt handles: deleting and changing the visibility.

use serde_json::{Value, json};

use crate::support::{Bench, change, pass};

#[tokio::test(start_paused = true)]
async fn a_deleted_message_does_not_come_back_and_deleting_again_succeeds() {
    let bench = Bench::new(json!({})).await;
    bench.send("a").await;
    let message = bench.take(5).await;
    bench.delete(&message).await;
    bench.delete(&message).await;
    pass(5).await;
    assert!(bench.is_empty().await);
}

#[tokio::test(start_paused = true)]
async fn an_expired_handle_deletes_while_nobody_received_the_message_again() {
    let bench = Bench::new(json!({})).await;
    bench.send("a").await;
    let message = bench.take(5).await;
    pass(6).await;
    bench.delete(&message).await;
    assert!(bench.sqs.snapshot("q").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_superseded_handle_deletes_nothing_and_reports_success() {
    let bench = Bench::new(json!({})).await;
    bench.send("a").await;
    let first = bench.take(5).await;
    pass(5).await;
    let second = bench.take(5).await;
    bench.delete(&first).await;
    let entries = json!({ "Entries": [{ "Id": "a", "ReceiptHandle": first["ReceiptHandle"] }] });
    let answer = bench.ok("DeleteMessageBatch", entries).await;
    assert_eq!(answer["Successful"], json!([{ "Id": "a" }]));
    assert_eq!(bench.sqs.snapshot("q").len(), 1);
    bench.delete(&second).await;
    assert!(bench.sqs.snapshot("q").is_empty());
}

#[tokio::test(start_paused = true)]
async fn handles_that_the_queue_never_gave_are_refused() {
    let bench = Bench::new(json!({})).await;
    bench.create("other", json!({})).await;
    bench.send("a").await;
    let handle = bench.take(5).await["ReceiptHandle"].clone();
    let cut = handle.as_str().unwrap()[..20].to_owned();
    let elsewhere = json!("other");
    for (handle, queue) in [
        (json!("made up"), json!("q")),
        (json!(""), json!("q")),
        (json!(cut), json!("q")),
        (handle, elsewhere),
    ] {
        for operation in ["DeleteMessage", "ChangeMessageVisibility"] {
            let request =
                json!({ "QueueUrl": queue, "ReceiptHandle": handle, "VisibilityTimeout": 1 });
            let (code, _) = bench.refused(operation, request).await;
            assert_eq!(code, "ReceiptHandleIsInvalid", "{handle}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_visibility_counts_from_now() {
    let bench = Bench::new(json!({})).await;
    bench.send("a").await;
    let message = bench.take(10).await;
    pass(9).await;
    bench
        .ok("ChangeMessageVisibility", change(&message, 10))
        .await;
    pass(9).await;
    assert!(bench.is_empty().await);
    pass(1).await;
    // The next receive is back at its own timeout.
    bench.take(10).await;
    pass(10).await;
    bench.take(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_visibility_of_zero_makes_the_message_visible_at_once() {
    let bench = Bench::new(json!({})).await;
    bench.send("a").await;
    let message = bench.take(600).await;
    bench
        .ok("ChangeMessageVisibility", change(&message, 0))
        .await;
    let again = bench.take(600).await;
    assert_eq!(again["Attributes"]["ApproximateReceiveCount"], json!("2"));
}

#[tokio::test(start_paused = true)]
async fn an_expired_message_is_not_in_flight() {
    let bench = Bench::new(json!({})).await;
    bench.send("a").await;
    let message = bench.take(5).await;
    pass(5).await;
    let error = bench
        .call("ChangeMessageVisibility", change(&message, 5))
        .await
        .unwrap_err();
    assert_eq!(error.code, "MessageNotInflight");
    assert_eq!(
        error.query_code.as_deref(),
        Some("AWS.SimpleQueueService.MessageNotInflight")
    );
}

#[tokio::test(start_paused = true)]
async fn the_visibility_of_a_superseded_or_deleted_message_is_not_there_to_change() {
    let bench = Bench::new(json!({})).await;
    bench.send("a").await;
    let first = bench.take(0).await;
    let second = bench.take(60).await;
    assert_unavailable(&bench, &first).await;
    bench.delete(&second).await;
    assert_unavailable(&bench, &second).await;
}

#[tokio::test(start_paused = true)]
async fn twelve_hours_from_the_receive_are_the_most() {
    let bench = Bench::new(json!({})).await;
    bench.send("a").await;
    let message = bench.take(43_200).await;
    pass(100).await;
    let (code, text) = bench
        .refused("ChangeMessageVisibility", change(&message, 43_101))
        .await;
    assert_eq!(code, "InvalidParameterValue");
    assert!(
        text.ends_with(
            "Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
        ),
        "{text}"
    );
    bench
        .ok("ChangeMessageVisibility", change(&message, 43_100))
        .await;
    // A renewed timeout does not begin the twelve hours anew.
    pass(43_000).await;
    bench
        .refused("ChangeMessageVisibility", change(&message, 101))
        .await;
    bench
        .ok("ChangeMessageVisibility", change(&message, 100))
        .await;
    let (code, _) = bench
        .refused("ChangeMessageVisibility", change(&message, 43_201))
        .await;
    assert_eq!(code, "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_changes_fails_entry_by_entry() {
    let bench = Bench::new(json!({})).await;
    bench.send("a").await;
    let stale = bench.take(0).await;
    let held = bench.take(60).await;
    let entry = |id: &str, handle: &Value, seconds: u64| json!({ "Id": id, "ReceiptHandle": handle, "VisibilityTimeout": seconds });
    let answer = bench
        .ok(
            "ChangeMessageVisibilityBatch",
            json!({ "Entries": [
                entry("made-up", &json!("x"), 5),
                entry("held", &held["ReceiptHandle"], 5),
                entry("stale", &stale["ReceiptHandle"], 5),
                entry("long", &held["ReceiptHandle"], 43_201),
            ] }),
        )
        .await;
    assert_eq!(answer["Successful"], json!([{ "Id": "held" }]));
    let failed: Vec<_> = answer["Failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| {
            assert_eq!(failure["SenderFault"], json!(true));
            assert!(failure["Message"].is_string());
            (&failure["Id"], &failure["Code"])
        })
        .collect();
    let expected = [
        ("made-up", "ReceiptHandleIsInvalid"),
        ("stale", "InvalidParameterValue"),
        ("long", "InvalidParameterValue"),
    ]
    .map(|(id, code)| (json!(id), json!(code)));
    assert_eq!(
        failed,
        expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>()
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_in_disorder_is_refused_whole() {
    let bench = Bench::new(json!({})).await;
    bench.send("a").await;
    let handle = bench.take(60).await["ReceiptHandle"].clone();
    let entry = |id: &str| json!({ "Id": id, "ReceiptHandle": handle });
    let eleven: Vec<_> = (0..11).map(|number| entry(&number.to_string())).collect();
    for (entries, code) in [
        (vec![], "EmptyBatchRequest"),
        (eleven, "TooManyEntriesInBatchRequest"),
        (vec![entry("a"), entry("a")], "BatchEntryIdsNotDistinct"),
        (vec![entry("a"), entry("ü")], "InvalidBatchEntryId"),
        (vec![entry("")], "InvalidBatchEntryId"),
        (vec![entry(&"a".repeat(81))], "InvalidBatchEntryId"),
    ] {
        let (got, _) = bench
            .refused("DeleteMessageBatch", json!({ "Entries": entries }))
            .await;
        assert_eq!(got, code);
    }
    assert_eq!(bench.sqs.snapshot("q").len(), 1);
}

async fn assert_unavailable(bench: &Bench, message: &Value) {
    let (code, text) = bench
        .refused("ChangeMessageVisibility", change(message, 5))
        .await;
    assert_eq!(code, "InvalidParameterValue");
    assert!(
        text.starts_with("Value ") && text.ends_with(" for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."),
        "{text}"
    );
}
