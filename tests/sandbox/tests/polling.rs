//! Receiving: visibility, counts, long polls and limits.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{Bench, bodies, change, pass, text};

#[tokio::test(start_paused = true)]
async fn a_received_message_is_invisible_until_its_timeout_and_counts_its_receives() {
    let bench = Bench::new(json!({ "VisibilityTimeout": "30" })).await;
    let id = bench.send("a").await;
    let first = bench.receive(json!({})).await.remove(0);
    pass(29).await;
    assert!(bench.is_empty().await);
    pass(1).await;
    let second = bench.receive(json!({})).await.remove(0);
    assert_eq!(second["MessageId"], json!(id));
    assert_ne!(first["ReceiptHandle"], second["ReceiptHandle"]);
    let counted = |message: &Value| text(&message["Attributes"]["ApproximateReceiveCount"]);
    assert_eq!(counted(&first), "1");
    assert_eq!(counted(&second), "2");
}

#[tokio::test(start_paused = true)]
async fn timestamps_move_with_time() {
    let bench = Bench::new(json!({})).await;
    bench.send("a").await;
    pass(5).await;
    bench.take(0).await;
    pass(5).await;
    let message = bench.take(0).await;
    let stamp = |name: &str| text(&message["Attributes"][name]).parse::<u64>().unwrap();
    let (sent, first) = (
        stamp("SentTimestamp"),
        stamp("ApproximateFirstReceiveTimestamp"),
    );
    assert_eq!(first - sent, 5000);
}

#[tokio::test(start_paused = true)]
async fn a_receive_with_no_visibility_leaves_the_message_visible() {
    let bench = Bench::new(json!({})).await;
    bench.send("a").await;
    for expected in ["1", "2", "3"] {
        let message = bench.take(0).await;
        assert_eq!(
            message["Attributes"]["ApproximateReceiveCount"],
            json!(expected)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn messages_come_in_the_order_of_sending_up_to_the_number_asked_for() {
    let bench = Bench::new(json!({})).await;
    for body in ["a", "b", "c", "d"] {
        bench.send(body).await;
    }
    let one = bench.receive(json!({})).await;
    assert_eq!(bodies(&one), ["a"]);
    let rest = bench.receive(json!({ "MaxNumberOfMessages": 10 })).await;
    assert_eq!(bodies(&rest), ["b", "c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn a_shuffled_queue_gives_each_message_once_and_in_no_order() {
    let bench = Bench::new(json!({})).await;
    assert!(!bench.sqs.shuffle("other", 7));
    assert!(bench.sqs.shuffle("q", 7));
    let sent: Vec<_> = ('a'..='j').map(String::from).collect();
    for body in &sent {
        bench.send(body).await;
    }
    let received = bench.receive(json!({ "MaxNumberOfMessages": 10 })).await;
    let mut received = bodies(&received);
    assert_ne!(received, sent);
    received.sort_unstable();
    assert_eq!(received, sent);
}

#[tokio::test(start_paused = true)]
async fn the_ranges_of_a_receive_are_checked() {
    let bench = Bench::new(json!({})).await;
    for (name, bad, good) in [
        ("MaxNumberOfMessages", [json!(0), json!(11)], json!(10)),
        ("WaitTimeSeconds", [json!(-1), json!(21)], json!(0)),
        (
            "VisibilityTimeout",
            [json!(-1), json!(43_201)],
            json!(43_200),
        ),
    ] {
        for value in bad {
            let (code, message) = bench
                .refused("ReceiveMessage", json!({ name: value }))
                .await;
            assert_eq!(code, "InvalidParameterValue");
            assert!(message.contains(name), "{message}");
        }
        bench.ok("ReceiveMessage", json!({ name: good })).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_receive_has_no_messages_key() {
    let bench = Bench::new(json!({})).await;
    assert_eq!(bench.ok("ReceiveMessage", json!({})).await, json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_returns_at_the_moment_of_arrival() {
    let bench = Bench::new(json!({})).await;
    let start = Instant::now();
    let (messages, ()) = tokio::join!(poll(&bench, 20), async {
        sleep(Duration::from_millis(3217)).await;
        bench.send("a").await;
    });
    assert_eq!(bodies(&messages), ["a"]);
    assert_eq!(start.elapsed(), Duration::from_millis(3217));
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_without_arrivals_ends_empty_at_its_wait_time() {
    let bench = Bench::new(json!({ "ReceiveMessageWaitTimeSeconds": "7" })).await;
    let start = Instant::now();
    assert!(poll(&bench, 20).await.is_empty());
    assert_eq!(start.elapsed(), Duration::from_secs(20));
    let start = Instant::now();
    assert!(bench.is_empty().await);
    assert_eq!(start.elapsed(), Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_wakes_when_a_visibility_runs_out() {
    let bench = Bench::new(json!({})).await;
    bench.send("a").await;
    bench.take(5).await;
    let start = Instant::now();
    assert_eq!(poll(&bench, 20).await.len(), 1);
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_wakes_when_a_message_taken_meanwhile_comes_back() {
    let bench = Bench::new(json!({})).await;
    let start = Instant::now();
    let (first, second, ()) = tokio::join!(
        bench.receive(json!({ "WaitTimeSeconds": 20, "VisibilityTimeout": 4 })),
        poll(&bench, 20),
        async {
            sleep(Duration::from_secs(1)).await;
            bench.send("a").await;
        }
    );
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_wakes_when_a_delay_runs_out_or_a_message_is_put_back() {
    let bench = Bench::new(json!({})).await;
    let delayed = json!({ "MessageBody": "a", "DelaySeconds": 6 });
    bench.ok("SendMessage", delayed).await;
    let start = Instant::now();
    let messages = poll(&bench, 20).await;
    assert_eq!(start.elapsed(), Duration::from_secs(6));
    let (again, ()) = tokio::join!(poll(&bench, 20), async {
        sleep(Duration::from_secs(2)).await;
        bench
            .ok("ChangeMessageVisibility", change(&messages[0], 0))
            .await;
    });
    assert_eq!(again.len(), 1);
    assert_eq!(start.elapsed(), Duration::from_secs(8));
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_when_its_queue_is_deleted() {
    let bench = Bench::new(json!({})).await;
    let start = Instant::now();
    let (answer, ()) = tokio::join!(
        bench.call("ReceiveMessage", json!({ "WaitTimeSeconds": 20 })),
        async {
            sleep(Duration::from_secs(1)).await;
            bench.ok("DeleteQueue", json!({})).await;
        }
    );
    assert_eq!(answer.unwrap_err().code, "QueueDoesNotExist");
    assert_eq!(start.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn one_arrival_reaches_one_of_many_long_polls() {
    let bench = Bench::new(json!({})).await;
    let (one, two, three, ()) =
        tokio::join!(poll(&bench, 5), poll(&bench, 5), poll(&bench, 5), async {
            sleep(Duration::from_secs(1)).await;
            bench.send("a").await;
        });
    assert_eq!(one.len() + two.len() + three.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_in_flight_limit_refuses_short_polls_and_silences_long_ones() {
    let bench = Bench::new(json!({ "VisibilityTimeout": "43200" })).await;
    let arn = "arn:aws:sqs:us-east-1:000000000000:q";
    for _ in 0..120_001 {
        assert!(bench.sqs.deliver(arn, "a".to_owned(), Vec::new(), None));
    }
    let mut last = Vec::new();
    for _ in 0..12_000 {
        last = bench
            .call("ReceiveMessage", json!({ "MaxNumberOfMessages": 10 }))
            .await
            .unwrap()["Messages"]
            .as_array()
            .unwrap()
            .clone();
        assert_eq!(last.len(), 10);
    }
    let (code, _) = bench.refused("ReceiveMessage", json!({})).await;
    assert_eq!(code, "OverLimit");
    assert!(poll(&bench, 20).await.is_empty());
    let start = Instant::now();
    let (freed, ()) = tokio::join!(poll(&bench, 20), async {
        sleep(Duration::from_secs(3)).await;
        bench.delete(&last[0]).await;
    });
    assert_eq!(freed.len(), 1);
    assert_eq!(start.elapsed(), Duration::from_secs(3));
}

async fn poll(bench: &Bench, seconds: u64) -> Vec<Value> {
    bench.receive(json!({ "WaitTimeSeconds": seconds })).await
}
