//! Sending: digests, sizes, delays and what is refused.

use sandbox::sqs::{MessageAttribute, Standing};
use serde_json::{Value, json};

use crate::support::{Bench, pass};

#[tokio::test(start_paused = true)]
async fn digests_are_those_that_aws_computes() {
    let bench = Bench::new(json!({})).await;
    let sent = bench
        .ok(
            "SendMessage",
            json!({
                "MessageBody": "This is a test message",
                "MessageAttributes": {
                    "zeta": { "DataType": "String", "StringValue": "z" },
                    "alpha": { "DataType": "Number", "StringValue": "7" },
                    "bytes": { "DataType": "Binary", "BinaryValue": "AP8=" },
                },
                "MessageSystemAttributes": {
                    "AWSTraceHeader": { "DataType": "String", "StringValue": "Root=1-2-3" },
                },
            }),
        )
        .await;
    // Computed apart from this code, by the description in AWS's developer guide.
    assert_eq!(
        sent["MD5OfMessageBody"],
        json!("fafb00f5732ab283681e124bf8747ed1")
    );
    assert_eq!(
        sent["MD5OfMessageAttributes"],
        json!("2bb3222c95afeca217a7797522c74c51")
    );
    assert_eq!(
        sent["MD5OfMessageSystemAttributes"],
        json!("3f71502e2b401dca4ffefa0d1f324c78")
    );
    let message = bench.take(5).await;
    assert_eq!(message["MD5OfBody"], sent["MD5OfMessageBody"]);
    assert_eq!(
        message["MD5OfMessageAttributes"],
        sent["MD5OfMessageAttributes"]
    );
    assert_eq!(message["Attributes"]["AWSTraceHeader"], json!("Root=1-2-3"));
    assert_eq!(
        message["MessageAttributes"]["bytes"],
        json!({ "DataType": "Binary", "BinaryValue": "AP8=" })
    );
}

#[tokio::test(start_paused = true)]
async fn only_the_attributes_asked_for_are_returned() {
    let bench = Bench::new(json!({ "VisibilityTimeout": "0" })).await;
    let attribute = json!({ "DataType": "String", "StringValue": "x" });
    bench
        .ok(
            "SendMessage",
            json!({ "MessageBody": "a", "MessageAttributes": {
                "foo.a": attribute, "foo.b": attribute, "bar": attribute,
            } }),
        )
        .await;
    let names = async |asked: Value| {
        let answer = bench.ok("ReceiveMessage", asked).await;
        let of = |key: &str| -> Vec<String> {
            let map = answer["Messages"][0][key].as_object();
            let mut names: Vec<_> = map
                .into_iter()
                .flat_map(|map| map.keys().cloned())
                .collect();
            names.sort_unstable();
            names
        };
        (of("Attributes"), of("MessageAttributes"))
    };
    let (none, list) = (Vec::<String>::new(), |list: &[&str]| {
        list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()
    });
    assert_eq!(names(json!({})).await, (none.clone(), none.clone()));
    assert_eq!(
        names(json!({ "MessageAttributeNames": ["foo.*"] })).await.1,
        list(&["foo.a", "foo.b"])
    );
    assert_eq!(
        names(json!({ "MessageAttributeNames": [".*"] })).await.1,
        list(&["bar", "foo.a", "foo.b"])
    );
    assert_eq!(
        names(json!({ "MessageAttributeNames": ["bar", "baz"] }))
            .await
            .1,
        list(&["bar"])
    );
    assert_eq!(
        names(json!({ "AttributeNames": ["SenderId"] })).await.0,
        list(&["SenderId"])
    );
    assert_eq!(
        names(json!({ "MessageSystemAttributeNames": ["All"] }))
            .await
            .0,
        list(&[
            "ApproximateFirstReceiveTimestamp",
            "ApproximateReceiveCount",
            "SenderId",
            "SentTimestamp",
        ])
    );
    let (code, _) = bench
        .refused("ReceiveMessage", json!({ "AttributeNames": ["Colour"] }))
        .await;
    assert_eq!(code, "InvalidAttributeName");
}

#[tokio::test(start_paused = true)]
async fn bodies_have_rules() {
    let bench = Bench::new(json!({ "MaximumMessageSize": "1024" })).await;
    for (body, code) in [
        (json!(null), "MissingParameter"),
        (json!(""), "MissingParameter"),
        (json!(7), "SerializationException"),
        (json!("\u{0}"), "InvalidMessageContents"),
        (json!("\u{b}"), "InvalidMessageContents"),
        (json!("\u{fffe}"), "InvalidMessageContents"),
        (json!("x".repeat(1025)), "InvalidParameterValue"),
    ] {
        let (got, _) = bench
            .refused("SendMessage", json!({ "MessageBody": body }))
            .await;
        assert_eq!(got, code, "{body}");
    }
    for body in ["\t\n\r \u{7f}\u{fffd}\u{10ffff}", &"x".repeat(1024)] {
        bench.send(body).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_size_counts_attribute_names_types_and_values() {
    let bench = Bench::new(json!({ "MaximumMessageSize": "1024" })).await;
    let send = |size: usize| {
        json!({ "MessageBody": "x".repeat(size), "MessageAttributes": {
            "name": { "DataType": "String", "StringValue": "1234567890" },
        } })
    };
    bench.ok("SendMessage", send(1004)).await;
    let (code, text) = bench.refused("SendMessage", send(1005)).await;
    assert_eq!(code, "InvalidParameterValue");
    assert!(text.contains("1024"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn message_attributes_have_rules() {
    let bench = Bench::new(json!({})).await;
    let good = json!({ "DataType": "String.id", "StringValue": "x" });
    let send = |attributes: Value| json!({ "MessageBody": "a", "MessageAttributes": attributes });
    for name in [
        "",
        "AWS.a",
        "amazon.a",
        ".a",
        "a.",
        "a..b",
        "ü",
        &"a".repeat(257),
    ] {
        let (code, _) = bench
            .refused("SendMessage", send(json!({ name: good })))
            .await;
        assert_eq!(code, "InvalidParameterValue", "{name}");
    }
    for bad in [
        json!({ "StringValue": "x" }),
        json!({ "DataType": "Colour", "StringValue": "x" }),
        json!({ "DataType": "String" }),
        json!({ "DataType": "String", "StringValue": "" }),
        json!({ "DataType": "String", "BinaryValue": "AP8=" }),
        json!({ "DataType": "Binary", "StringValue": "x" }),
        json!({ "DataType": "Number", "StringValue": "x" }),
        json!({ "DataType": "String", "StringValue": "\u{b}" }),
    ] {
        let (code, _) = bench
            .refused("SendMessage", send(json!({ "a": bad })))
            .await;
        assert_eq!(code, "InvalidParameterValue", "{bad}");
    }
    let many = |count: usize| -> Value {
        (0..count)
            .map(|number| (format!("a{number}"), good.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    bench.ok("SendMessage", send(many(10))).await;
    bench.refused("SendMessage", send(many(11))).await;
    let system = json!({ "MessageBody": "a", "MessageSystemAttributes": { "Other": good } });
    bench.refused("SendMessage", system).await;
}

#[tokio::test(start_paused = true)]
async fn a_delay_holds_a_message_back_and_the_message_s_own_wins() {
    let bench = Bench::new(json!({ "DelaySeconds": "10" })).await;
    bench.send("queue's").await;
    let own = |seconds: u64| json!({ "MessageBody": "own", "DelaySeconds": seconds });
    bench.ok("SendMessage", own(0)).await;
    assert_eq!(bench.take(600).await["Body"], json!("own"));
    assert_eq!(bench.sqs.snapshot("q")[0].standing, Standing::Delayed);
    pass(9).await;
    assert!(bench.is_empty().await);
    pass(1).await;
    assert_eq!(bench.take(600).await["Body"], json!("queue's"));
    let (code, _) = bench.refused("SendMessage", own(901)).await;
    assert_eq!(code, "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_weighed_whole_and_fails_entry_by_entry() {
    let bench = Bench::new(json!({})).await;
    let entry = |id: &str, body: &str| json!({ "Id": id, "MessageBody": body });
    let half = "x".repeat(600_000);
    let (code, _) = bench
        .refused(
            "SendMessageBatch",
            json!({ "Entries": [entry("a", &half), entry("b", &half)] }),
        )
        .await;
    assert_eq!(code, "BatchRequestTooLong");
    let answer = bench
        .ok(
            "SendMessageBatch",
            json!({ "Entries": [entry("a", "a"), entry("b", "\u{b}"), entry("c", "c")] }),
        )
        .await;
    let ids: Vec<_> = answer["Successful"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sent| {
            assert!(sent["MessageId"].is_string() && sent["MD5OfMessageBody"].is_string());
            &sent["Id"]
        })
        .collect();
    assert_eq!(ids, [&json!("a"), &json!("c")]);
    assert_eq!(answer["Failed"][0]["Id"], json!("b"));
    assert_eq!(answer["Failed"][0]["Code"], json!("InvalidMessageContents"));
    assert_eq!(bench.sqs.snapshot("q").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_from_sns_brings_its_attributes_and_trace() {
    let bench = Bench::new(json!({})).await;
    let attribute = MessageAttribute {
        data_type: "String".to_owned(),
        string_value: Some("x".to_owned()),
        binary_value: None,
    };
    let deliver = |queue: &str| {
        let attributes = vec![("name".to_owned(), attribute.clone())];
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
        let trace = Some("Root=1".to_owned());
        bench.sqs.deliver(&arn, "a".to_owned(), attributes, trace)
    };
    assert!(!deliver("nowhere"));
    assert!(deliver("q"));
    let message = bench.take(5).await;
    assert_eq!(message["Attributes"]["AWSTraceHeader"], json!("Root=1"));
    assert_eq!(
        message["MessageAttributes"]["name"]["StringValue"],
        json!("x")
    );
}
