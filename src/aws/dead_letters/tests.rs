//! Whole messages and sends over canned answers.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::{SqsDeadLetters, SqsResend};
use crate::{
    ports::{
        EntryFailureKind, ReceiptHandle, ReceiveRequest, ReceivedMessage,
        dead_letters::{
            Attribute, AttributeValue, DeadLetter, DeadLetters, Resend, ResendFailureKind, Resent,
        },
    },
    testing::canned::{Answer, Canned},
};

const URL: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead";
const REQUEST: ReceiveRequest = ReceiveRequest {
    max_messages: 10,
    wait: Duration::from_secs(1),
    visibility: Duration::from_mins(10),
};

fn letter(body: &str) -> DeadLetter {
    DeadLetter {
        message: ReceivedMessage {
            id: "1".to_owned(),
            receipt: ReceiptHandle("AQEB".to_owned()),
            body: body.to_owned(),
            receive_count: 1,
            sent_at: None,
            trace_carriers: BTreeMap::new(),
        },
        attributes: Vec::new(),
        came_from: None,
    }
}

fn attribute(name: &str, data_type: &str, value: AttributeValue) -> Attribute {
    Attribute {
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        value,
    }
}

#[tokio::test]
async fn a_message_is_received_whole_and_sent_as_it_came() {
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793";
    let attributes = json!({
        "bytes": { "DataType": "Binary.gif", "BinaryValue": "AAE=" },
        "count": { "DataType": "Number", "StringValue": "7" },
        "traceparent": { "DataType": "String", "StringValue": "00-4bf9-00f0-01" },
    });
    let canned = Canned::in_turn([
        Answer::json(&json!({ "Messages": [{
            "MessageId": "1",
            "ReceiptHandle": "AQEB",
            "Body": "a",
            "Attributes": {
                "ApproximateReceiveCount": "3",
                "AWSTraceHeader": trace,
                "DeadLetterQueueSourceArn": "arn:aws:sqs:eu-central-1:123456789012:created",
            },
            "MessageAttributes": attributes,
        }] })),
        Answer::json(&json!({ "Successful": [
            { "Id": "0", "MessageId": "2", "MD5OfMessageBody": "0cc175b9c0f1b6a831c399e269772661" },
        ], "Failed": [] })),
    ]);
    let queue = SqsDeadLetters::new(&canned.aws, URL.to_owned(), REQUEST.wait);
    let letters = queue.receive_whole(REQUEST).await.unwrap();
    let [letter] = &letters[..] else {
        panic!("one message")
    };
    assert_eq!(letter.message.id, "1");
    assert_eq!(letter.message.receive_count, 3);
    let came_from = "arn:aws:sqs:eu-central-1:123456789012:created";
    assert_eq!(letter.came_from.as_deref(), Some(came_from));
    let text = |text: &str| AttributeValue::Text(text.to_owned());
    assert_eq!(
        letter.attributes,
        [
            attribute("bytes", "Binary.gif", AttributeValue::Bytes(vec![0, 1])),
            attribute("count", "Number", text("7")),
            attribute("traceparent", "String", text("00-4bf9-00f0-01")),
        ]
    );
    let resend = SqsResend::new(&canned.aws, URL.replace("dead", "created"));
    assert_eq!(resend.resend(&[letter]).await.unwrap(), [Resent::Yes]);
    let [received, sent] = &canned.asked()[..] else {
        panic!("two calls")
    };
    assert_eq!(received.body["MessageAttributeNames"], json!(["All"]));
    assert_eq!(received.body["VisibilityTimeout"], 600);
    assert_eq!(sent.target, "AmazonSQS.SendMessageBatch");
    assert_eq!(sent.body["QueueUrl"], URL.replace("dead", "created"));
    let entry = json!([{
        "Id": "0",
        "MessageBody": "a",
        "MessageAttributes": attributes,
        "MessageSystemAttributes": {
            "AWSTraceHeader": { "DataType": "String", "StringValue": trace },
        },
    }]);
    assert_eq!(sent.body["Entries"], entry, "{:#}", sent.body);
}

#[tokio::test]
async fn each_entry_has_its_answer_and_one_without_is_unknown() {
    let failed = json!([
        { "Id": "2", "Code": "InvalidMessageContents", "Message": "no", "SenderFault": true },
        { "Id": "3", "Code": "InternalError", "Message": "no", "SenderFault": false },
        { "Id": "4", "Code": "RequestThrottled", "Message": "no", "SenderFault": false },
    ]);
    let canned = Canned::new(Answer::json(&json!({
        "Successful": [
            { "Id": "1", "MessageId": "2", "MD5OfMessageBody": "92eb5ffee6ae2fec3ad71c777531578f" },
        ],
        "Failed": failed,
    })));
    let letters = ["a", "b", "c", "d", "e"].map(letter);
    let letters = letters.each_ref();
    let queue = SqsResend::new(&canned.aws, URL.to_owned());
    let resent = queue.resend(&letters[..]).await.unwrap();
    assert_eq!(resent[0], Resent::Unknown);
    assert_eq!(resent[1], Resent::Yes);
    let Resent::No(failure) = &resent[2] else {
        panic!("{resent:?}")
    };
    assert_eq!(failure.kind, EntryFailureKind::Refused);
    assert!(matches!(resent[3], Resent::Maybe(_)), "a server's fault");
    assert!(matches!(resent[4], Resent::No(_)), "throttling");
    let empty = queue.resend(&[]).await.unwrap();
    assert_eq!((empty.len(), canned.asked().len()), (0, 1));
}

#[tokio::test]
async fn only_an_answer_that_says_so_means_that_nothing_was_taken() {
    use ResendFailureKind::{NotSent, Throttled, Unknown};
    for (status, code, kind) in [
        (400, "QueueDoesNotExist", NotSent),
        (403, "AccessDenied", NotSent),
        (400, "BatchRequestTooLong", NotSent),
        (400, "KmsDisabled", NotSent),
        (403, "RequestThrottled", Throttled),
        (429, "SlowHands", Throttled),
        (408, "RequestTimeout", Unknown),
        (500, "InternalError", Unknown),
        (503, "ServiceUnavailable", Unknown),
        (504, "Gateway", Unknown),
    ] {
        let canned = Canned::new(Answer::sqs(status, code, code, "Because."));
        let resend = SqsResend::new(&canned.aws, URL.to_owned());
        let failure = resend.resend(&[&letter("a")]).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{status} {code}");
        assert_eq!(canned.asked().len(), 1, "it is tried once");
    }
    // The queue took it, and its answer cannot be read.
    let canned = Canned::new(Answer::new(200, "application/x-amz-json-1.0", "{"));
    let resend = SqsResend::new(&canned.aws, URL.to_owned());
    let failure = resend.resend(&[&letter("a")]).await.unwrap_err();
    assert_eq!(failure.kind, Unknown);
}
