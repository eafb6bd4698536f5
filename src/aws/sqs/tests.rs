//! The queue over canned answers.

use std::time::{Duration, SystemTime};

use aws_smithy_http_client::test_util::NeverClient;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{SqsQueue, own_endpoint};
use crate::{
    aws::AwsConfig,
    ports::{
        EntryFailure, EntryFailureKind, Queue, QueueFailureKind, ReceiptHandle, ReceiveRequest,
        Redrive,
    },
    testing::canned::{Answer, Canned, over},
};

const URL: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/created";
const SETTLE: Duration = Duration::from_secs(3);
const REQUEST: ReceiveRequest = ReceiveRequest {
    max_messages: 7,
    wait: Duration::from_secs(20),
    visibility: Duration::from_mins(1),
};

fn queue(aws: &AwsConfig) -> SqsQueue {
    SqsQueue::new(aws, URL.to_owned(), REQUEST.wait, SETTLE)
}

fn handles(count: usize) -> Vec<ReceiptHandle> {
    (0..count)
        .map(|number| ReceiptHandle(format!("handle-{number}")))
        .collect()
}

fn failed(id: &str, code: &str, sender_fault: bool) -> Value {
    json!({ "Id": id, "Code": code, "Message": "Because.", "SenderFault": sender_fault })
}

fn kinds(answers: Vec<Result<(), EntryFailure>>) -> Vec<Result<(), EntryFailureKind>> {
    answers
        .into_iter()
        .map(|answer| answer.map_err(|failure| failure.kind))
        .collect()
}

#[tokio::test]
async fn a_receive_asks_for_all_that_we_read_and_no_more() {
    let canned = Canned::new(Answer::json(&json!({})));
    assert_eq!(queue(&canned.aws).receive(REQUEST).await.unwrap().len(), 0);
    let asked = canned.only();
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.target, "AmazonSQS.ReceiveMessage");
    let expected = json!({
        "QueueUrl": URL,
        "MaxNumberOfMessages": 7,
        "WaitTimeSeconds": 20,
        "VisibilityTimeout": 60,
        "MessageSystemAttributeNames":
            ["ApproximateReceiveCount", "SentTimestamp", "AWSTraceHeader"],
        "MessageAttributeNames": ["traceparent", "tracestate"],
    });
    assert_eq!(asked.body, expected, "{:#}", asked.body);
}

#[tokio::test]
async fn an_idle_wait_of_nothing_is_asked_for_as_such() {
    let canned = Canned::new(Answer::json(&json!({ "Messages": [] })));
    let request = ReceiveRequest {
        wait: Duration::ZERO,
        ..REQUEST
    };
    queue(&canned.aws).receive(request).await.unwrap();
    assert_eq!(canned.only().body["WaitTimeSeconds"], 0);
}

#[tokio::test]
async fn a_message_comes_with_its_count_its_time_and_its_trace() {
    let canned = Canned::new(Answer::json(&json!({ "Messages": [{
        "MessageId": "5fea7756",
        "ReceiptHandle": "AQEB",
        "MD5OfBody": "0cc175b9c0f1b6a831c399e269772661",
        "Body": "a",
        "Attributes": {
            "ApproximateReceiveCount": "2",
            "SentTimestamp": "1700000000123",
            "AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793",
        },
        "MessageAttributes": {
            "traceparent": { "DataType": "String", "StringValue": "00-4bf9-00f0-01" },
            "tracestate": { "DataType": "Binary", "BinaryValue": "eA==" },
        },
    }] })));
    let messages = queue(&canned.aws).receive(REQUEST).await.unwrap();
    let [message] = &messages[..] else {
        panic!("one message")
    };
    assert_eq!(message.id, "5fea7756");
    assert_eq!(message.receipt, ReceiptHandle("AQEB".to_owned()));
    assert_eq!(message.body, "a");
    assert_eq!(message.receive_count, 2);
    let sent_at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    assert_eq!(message.sent_at, Some(sent_at));
    let carriers: Vec<_> = message.trace_carriers.iter().collect();
    let expected = [
        ("AWSTraceHeader", "Root=1-5759e988-bd862e3fe1be46a994272793"),
        ("traceparent", "00-4bf9-00f0-01"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(
        carriers,
        expected
            .iter()
            .map(|(name, value)| (name, value))
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_message_without_attributes_was_received_once_and_one_without_handle_is_none() {
    let canned = Canned::new(Answer::json(&json!({ "Messages": [
        { "MessageId": "1", "Body": "a" },
        { "MessageId": "2", "ReceiptHandle": "AQEB", "Body": "b" },
    ] })));
    let messages = queue(&canned.aws).receive(REQUEST).await.unwrap();
    let [message] = &messages[..] else {
        panic!("one message")
    };
    assert_eq!((message.id.as_str(), message.receive_count), ("2", 1));
    assert_eq!(message.sent_at, None);
}

#[tokio::test]
async fn entries_are_sent_by_position() {
    let canned = Canned::new(Answer::json(&json!({ "Successful": [], "Failed": [] })));
    let queue = queue(&canned.aws);
    queue.delete(&handles(2)).await.unwrap();
    let seconds = [90, 0].map(Duration::from_secs);
    let changes: Vec<_> = handles(2).into_iter().zip(seconds).collect();
    queue.change_visibility(&changes).await.unwrap();
    let [deletion, change] = &canned.asked()[..] else {
        panic!("two requests")
    };
    assert_eq!(deletion.target, "AmazonSQS.DeleteMessageBatch");
    let expected = json!({ "QueueUrl": URL, "Entries": [
        { "Id": "0", "ReceiptHandle": "handle-0" },
        { "Id": "1", "ReceiptHandle": "handle-1" },
    ] });
    assert_eq!(deletion.body, expected);
    assert_eq!(change.target, "AmazonSQS.ChangeMessageVisibilityBatch");
    let expected = json!({ "QueueUrl": URL, "Entries": [
        { "Id": "0", "ReceiptHandle": "handle-0", "VisibilityTimeout": 90 },
        { "Id": "1", "ReceiptHandle": "handle-1", "VisibilityTimeout": 0 },
    ] });
    assert_eq!(change.body, expected);
}

#[tokio::test]
async fn answers_find_back_to_their_entries_in_whatever_order_they_come() {
    let canned = Canned::new(Answer::json(&json!({
        "Successful": [{ "Id": "3" }, { "Id": "0" }],
        "Failed": [
            failed("4", "InternalError", false),
            failed("1", "ReceiptHandleIsInvalid", true),
            failed("2", "InvalidParameterValue", true),
        ],
    })));
    let queue = queue(&canned.aws);
    let expected = [
        Ok(()),
        Err(EntryFailureKind::LeaseLost),
        Err(EntryFailureKind::Refused),
        Ok(()),
        Err(EntryFailureKind::Transient),
    ];
    assert_eq!(kinds(queue.delete(&handles(5)).await.unwrap()), expected);
    let changes: Vec<_> = handles(5)
        .into_iter()
        .map(|handle| (handle, SETTLE))
        .collect();
    assert_eq!(
        kinds(queue.change_visibility(&changes).await.unwrap()),
        expected
    );
}

#[tokio::test]
async fn an_entry_that_the_answer_misses_failed_and_an_unknown_one_is_nobodys() {
    let canned = Canned::new(Answer::json(&json!({
        "Successful": [{ "Id": "1" }, { "Id": "7" }, { "Id": "x" }],
        "Failed": [failed("8", "InternalError", false)],
    })));
    let answers = queue(&canned.aws).delete(&handles(3)).await.unwrap();
    assert_eq!(answers[0].as_ref().unwrap_err().code, "Unanswered");
    let missed = Err(EntryFailureKind::Transient);
    assert_eq!(kinds(answers), [missed, Ok(()), missed]);
}

#[tokio::test]
async fn nothing_to_settle_asks_nothing() {
    let canned = Canned::new(Answer::json(&json!({})));
    let queue = queue(&canned.aws);
    assert_eq!(queue.delete(&[]).await.unwrap().len(), 0);
    assert_eq!(queue.change_visibility(&[]).await.unwrap().len(), 0);
    assert_eq!(canned.asked().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn receives_deletes_and_changes_are_one_attempt_whatever_comes_back() {
    for answer in [
        Answer::sqs(500, "InternalFailure", "InternalFailure", "Try again."),
        Answer::new(503, "text/html", "<html>"),
        Answer::sqs(400, "RequestThrottled", "RequestThrottled", "Later."),
    ] {
        let canned = Canned::new(answer);
        let queue = queue(&canned.aws);
        queue.receive(REQUEST).await.unwrap_err();
        assert_eq!(canned.asked().len(), 1);
        queue.delete(&handles(1)).await.unwrap_err();
        assert_eq!(canned.asked().len(), 2);
        queue
            .change_visibility(&[(handles(1).remove(0), SETTLE)])
            .await
            .unwrap_err();
        assert_eq!(canned.asked().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn each_call_ends_in_its_own_time_after_one_attempt() {
    let never = NeverClient::new();
    let queue = queue(&over(never.clone()));
    let began = Instant::now();
    let failure = queue.receive(REQUEST).await.unwrap_err();
    assert_eq!(failure.kind, QueueFailureKind::Transient);
    assert_eq!(failure.error.code, "timeout");
    let said = &failure.error.message;
    assert!(said.starts_with("no answer within "), "{said}");
    assert_eq!(began.elapsed().as_secs(), 30, "the wait and ten seconds");

    let began = Instant::now();
    let request = ReceiveRequest {
        wait: Duration::ZERO,
        ..REQUEST
    };
    let at_once = SqsQueue::new(&over(never.clone()), URL.to_owned(), Duration::ZERO, SETTLE);
    at_once.receive(request).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 10);

    let began = Instant::now();
    queue.delete(&handles(1)).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), SETTLE.as_secs());

    let began = Instant::now();
    queue
        .change_visibility(&[(handles(1).remove(0), SETTLE)])
        .await
        .unwrap_err();
    assert_eq!(began.elapsed().as_secs(), SETTLE.as_secs());
    assert_eq!(never.num_calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_attributes_are_asked_for_again_by_the_sdk_and_each_attempt_ends_in_time() {
    let never = NeverClient::new();
    let began = Instant::now();
    queue(&over(never.clone())).describe().await.unwrap_err();
    assert_eq!(never.num_calls(), 3);
    let elapsed = began.elapsed();
    assert!((15..=18).contains(&elapsed.as_secs()), "{elapsed:?}");
}

#[tokio::test]
async fn the_attributes_tell_redrive_retention_and_visibility() {
    for count in ["2", "\"2\""] {
        let policy = format!(
            "{{\"deadLetterTargetArn\":\"arn:aws:sqs:eu-central-1:1:dead\",\"maxReceiveCount\":{count}}}"
        );
        let canned = Canned::new(Answer::json(&json!({ "Attributes": {
            "RedrivePolicy": policy,
            "MessageRetentionPeriod": "345600",
            "VisibilityTimeout": "30",
        } })));
        let facts = queue(&canned.aws).describe().await.unwrap();
        let redrive = Redrive {
            max_receive_count: 2,
            dead_letter_queue: "arn:aws:sqs:eu-central-1:1:dead".to_owned(),
        };
        assert_eq!(facts.redrive, Some(redrive));
        assert_eq!(facts.retention, Duration::from_hours(96));
        assert_eq!(facts.default_visibility, Duration::from_secs(30));
        let asked = canned.only();
        assert_eq!(asked.target, "AmazonSQS.GetQueueAttributes");
        assert_eq!(
            asked.body,
            json!({ "QueueUrl": URL, "AttributeNames": ["All"] })
        );
    }
}

#[tokio::test]
async fn a_queue_without_redrive_policy_has_none() {
    let canned = Canned::new(Answer::json(
        &json!({ "Attributes": { "VisibilityTimeout": "30" } }),
    ));
    assert_eq!(queue(&canned.aws).describe().await.unwrap().redrive, None);
}

#[tokio::test]
async fn a_redrive_policy_that_cannot_be_read_is_a_failure_and_not_none() {
    for policy in [
        "{",
        "{}",
        "{\"deadLetterTargetArn\":\"a\",\"maxReceiveCount\":\"x\"}",
    ] {
        let canned = Canned::new(Answer::json(
            &json!({ "Attributes": { "RedrivePolicy": policy } }),
        ));
        let failure = queue(&canned.aws).describe().await.unwrap_err();
        assert_eq!(failure.kind, QueueFailureKind::Transient);
        assert_eq!(failure.error.code, "response");
    }
}

#[test]
fn a_queue_whose_url_has_another_host_of_aws_is_asked_there() {
    for (url, asked) in [
        (
            "https://vpce-0ab-cd.sqs.eu-west-3.vpce.amazonaws.com/1/q",
            Some("https://vpce-0ab-cd.sqs.eu-west-3.vpce.amazonaws.com"),
        ),
        (
            "https://vpce-0ab-cd.sqs.cn-north-1.vpce.amazonaws.com.cn/1/q",
            Some("https://vpce-0ab-cd.sqs.cn-north-1.vpce.amazonaws.com.cn"),
        ),
        (
            "https://sqs.eu-west-1.api.aws:443/1/q",
            Some("https://sqs.eu-west-1.api.aws:443"),
        ),
        (
            "https://vpce-0ab-cd.sqs.eusc-de-east-1.vpce.amazonaws.eu/1/q",
            Some("https://vpce-0ab-cd.sqs.eusc-de-east-1.vpce.amazonaws.eu"),
        ),
        (
            "https://sqs.cn-north-1.api.amazonwebservices.com.cn/1/q",
            Some("https://sqs.cn-north-1.api.amazonwebservices.com.cn"),
        ),
        (
            "https://sqs-fips.us-gov-west-1.amazonaws.com/1/q",
            Some("https://sqs-fips.us-gov-west-1.amazonaws.com"),
        ),
        ("https://queue.amazonaws.com/1/q", None),
        ("https://eu-west-2.queue.amazonaws.com/1/q", None),
        ("https://sqs.eu-central-1.amazonaws.com/1/q", None),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/q", None),
        ("http://127.0.0.1:4566/000000000000/q", None),
        ("https://queue.example.com/1/q", None),
    ] {
        assert_eq!(own_endpoint(url).as_deref(), asked, "{url}");
    }
}
