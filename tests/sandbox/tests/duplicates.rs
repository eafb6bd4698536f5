//! Messages that arrive twice.

use std::sync::Arc;
use std::time::Duration;

use sandbox::faults::{Fault, Faults, Rule};
use serde_json::json;

use crate::support::{Bench, bodies, pass};

#[tokio::test(start_paused = true)]
async fn a_message_is_delivered_again_under_its_own_or_a_new_id() {
    let bench = Bench::new(json!({})).await;
    let id = bench.send("a").await;
    let after = Duration::from_secs(5);
    assert!(bench.sqs.redeliver("q", &id, Duration::ZERO, false));
    assert!(bench.sqs.redeliver("q", &id, after, true));
    assert!(!bench.sqs.redeliver("q", "other", after, true));
    let messages = bench.receive(json!({ "MaxNumberOfMessages": 10 })).await;
    assert_eq!(bodies(&messages), ["a", "a"]);
    assert!(messages.iter().all(|message| message["MessageId"] == id));
    assert_ne!(messages[0]["ReceiptHandle"], messages[1]["ReceiptHandle"]);
    pass(5).await;
    let late = bench.take(30).await;
    assert_eq!(late["Body"], "a");
    assert_ne!(late["MessageId"], id);
}

#[tokio::test(start_paused = true)]
async fn a_share_of_arrivals_is_doubled() {
    let bench = Bench::new(json!({})).await;
    let faults = Arc::new(Faults::new());
    bench.sqs.inject(faults.clone());
    let fault = Fault::Duplicate {
        after_ms: 2000,
        new_id: false,
    };
    faults.set(vec![Rule {
        share: 0.5,
        ..Rule::new("sqs:Deliver", fault)
    }]);
    for _ in 0..200 {
        bench.send("a").await;
    }
    let copies = bench.sqs.snapshot("q").len() - 200;
    assert!((70..130).contains(&copies), "{copies}");
    // A copy outlives the deletion of the first.
    faults.clear();
    bench.ok("PurgeQueue", json!({})).await;
    faults.set(vec![Rule {
        body_contains: Some("twice".to_owned()),
        ..Rule::new(
            "sqs:*",
            Fault::Duplicate {
                after_ms: 2000,
                new_id: false,
            },
        )
    }]);
    bench.send("once").await;
    let id = bench.send("twice").await;
    for message in bench.receive(json!({ "MaxNumberOfMessages": 10 })).await {
        bench.delete(&message).await;
    }
    pass(2).await;
    assert_eq!(bench.take(5).await["MessageId"], id);
}
