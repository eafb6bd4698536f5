//! Ours and the SDK's reader, side by side.

use std::time::Duration;

use aws_sdk_sqs::Client;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::{
    aws::SqsQueue,
    ports::{Queue, QueueFailure, ReceiveRequest},
    testing::canned::{Answer as CannedAnswer, Canned},
};

fn canned(answer: &str) -> Canned {
    Canned::new(CannedAnswer::new(200, "application/x-amz-json-1.0", answer))
}

async fn by_us(answer: &str) -> Result<Vec<ReceivedMessage>, QueueFailure> {
    let url = "https://sqs.eu-central-1.amazonaws.com/1/q".to_owned();
    let second = Duration::from_secs(1);
    let queue = SqsQueue::new(&canned(answer).aws, url, second, second);
    let request = ReceiveRequest {
        max_messages: 10,
        wait: second,
        visibility: second,
    };
    queue.receive(request).await
}

async fn by_the_sdk(answer: &str) -> Option<Vec<ReceivedMessage>> {
    let client = Client::new(&canned(answer).aws.one_attempt(Duration::from_secs(1)));
    let answer = client.receive_message().queue_url("q").send().await.ok()?;
    let messages = answer.messages.unwrap_or_default();
    Some(messages.into_iter().filter_map(received).collect())
}

async fn agree(answer: &str) {
    let told = |message: &ReceivedMessage| {
        let ReceivedMessage {
            id,
            receipt,
            body,
            receive_count,
            sent_at,
            trace_carriers,
        } = message.clone();
        (id, receipt.0, body, receive_count, sent_at, trace_carriers)
    };
    let all = |messages: Vec<_>| messages.iter().map(told).collect::<Vec<_>>();
    let ours = by_us(answer).await;
    assert_eq!(
        ours.ok().map(all),
        by_the_sdk(answer).await.map(all),
        "{answer}"
    );
}

#[tokio::test]
async fn an_answer_is_read_by_us() {
    let answer = json!({ "Messages": [{ "ReceiptHandle": "r", "Body": "\u{e9}\n\"" }] });
    let reads = reading(async {
        let body = answer.to_string();
        READ.with(|read| read.set(messages(body.as_bytes()).ok()));
    });
    let (_, read) = reads.await;
    assert_eq!(read.unwrap()[0].body, "\u{e9}\n\"");
    let queue = canned(&answer.to_string());
    let client = Client::from_conf(
        aws_sdk_sqs::config::Builder::from(&queue.aws.one_attempt(Duration::from_secs(1)))
            .interceptor(AnswerReader)
            .build(),
    );
    let receive = client.receive_message().queue_url("q").send();
    let (answer, read) = reading(receive).await;
    assert!(answer.unwrap().messages.is_none(), "the SDK read nothing");
    assert_eq!(read.unwrap().len(), 1);
}

#[tokio::test]
async fn what_we_cannot_read_is_the_sdks_to_tell_of() {
    for answer in [
        "",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"Messages":null}"#,
        r#"{"Messages":[null]}"#,
        r#"{"Messages":[{"ReceiptHandle":"r","Body":"\ud800"}]}"#,
        r#"{"Messages":[{"ReceiptHandle":"r","Body":"\ud83d\ude00 \u00e9 \/"}]}"#,
        r#"{"Messages":[{"ReceiptHandle":"r","Body":null,"Attributes":null}]}"#,
        r#"{"Messages":[{"ReceiptHandle":"r","Attributes":{"ApproximateReceiveCount":"x"}}]}"#,
        r#"{"Messages":[{"ReceiptHandle":"r","Attributes":{"SentTimestamp":1}}]}"#,
        r#"{"Messages":[{"MessageId":"m","Body":"no handle"}],"other":[1,{"a":"\u0000"}]}"#,
    ] {
        agree(answer).await;
    }
}

fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => "(?s).{0,60}".prop_map(Value::from),
        1 => Just(Value::Null),
        1 => "[0-9]{1,20}".prop_map(Value::from),
    ]
}

/// An object with some of these fields, and one that nobody knows.
fn object(
    names: &'static [&'static str],
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Value> {
    let fields = prop::collection::vec((prop::sample::select(names), value), 0..6);
    fields.prop_map(|fields| {
        let mut object: Map<_, _> = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        object.insert("Unknown".to_owned(), json!([{ "a": ["b", 1.5, null] }]));
        Value::Object(object)
    })
}

fn message() -> impl Strategy<Value = Value> {
    const PLAIN: &[&str] = &["MessageId", "ReceiptHandle", "Body", "MD5OfBody"];
    const SYSTEM: &[&str] = &[
        "ApproximateReceiveCount",
        "SentTimestamp",
        "AWSTraceHeader",
        "SenderId",
    ];
    let attribute = object(&["StringValue", "DataType"], text());
    (
        object(PLAIN, text()),
        prop::option::of(object(SYSTEM, "(?s).{0,20}".prop_map(Value::from))),
        prop::option::of(object(&["traceparent", "tracestate"], attribute)),
    )
        .prop_map(|(mut message, system, attributes)| {
            message["Attributes"] = system.map_or(Value::Null, |mut system| {
                system.as_object_mut().unwrap().remove("Unknown");
                system
            });
            message["MessageAttributes"] = attributes.map_or(Value::Null, |mut attributes| {
                attributes.as_object_mut().unwrap().remove("Unknown");
                attributes
            });
            message
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn each_answer_is_read_as_the_sdk_reads_it(
        messages in prop::collection::vec(message(), 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(agree(&json!({ "Messages": messages }).to_string()));
    }
}
