//! The protocols' forms and the sandbox's own pages, byte by byte.

use std::time::SystemTime;

use sandbox::faults::{Fault, Rule};
use sandbox::{Running, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn has(&self, header: &str) -> bool {
        self.head
            .to_ascii_lowercase()
            .contains(&format!("\r\n{}", header.to_ascii_lowercase()))
    }

    /// The time that it was sent at.
    pub(crate) fn date(&self) -> SystemTime {
        let line = self
            .head
            .lines()
            .find_map(|line| line.strip_prefix("date: "));
        httpdate::parse_http_date(line.unwrap()).unwrap()
    }
}

pub(crate) async fn request(
    running: &Running,
    first_line: &str,
    headers: &[&str],
    body: &str,
) -> Answer {
    let address = running.url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut text = format!(
        "{first_line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

async fn sqs(running: &Running, operation: &str, path: &str, body: Value) -> Answer {
    let target = format!("x-amz-target: AmazonSQS.{operation}");
    let headers = [target.as_str(), "content-type: application/x-amz-json-1.0"];
    request(
        running,
        &format!("POST {path}"),
        &headers,
        &body.to_string(),
    )
    .await
}

#[tokio::test]
async fn an_sqs_error_has_its_type_and_its_legacy_code() {
    let running = Sandbox::start().await;
    let answer = sqs(&running, "ReceiveMessage", "/", json!({ "QueueUrl": "q" })).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json(),
        json!({
            "__type": "com.amazonaws.sqs#QueueDoesNotExist",
            "message": "The specified queue does not exist.",
        })
    );
    assert!(answer.has("x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender"));
    assert!(answer.has("content-type: application/x-amz-json-1.0"));
    assert!(answer.has("x-amzn-requestid: "));
}

#[tokio::test]
async fn a_request_to_the_queue_s_path_needs_no_queue_url() {
    let running = Sandbox::start().await;
    sqs(&running, "CreateQueue", "/", json!({ "QueueName": "q" })).await;
    let send = json!({ "MessageBody": "a" });
    let answer = sqs(&running, "SendMessage", "/000000000000/q", send).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(running.sandbox.sqs.snapshot("q").len(), 1);
}

#[tokio::test]
async fn faults_take_each_protocol_s_form() {
    let running = Sandbox::start().await;
    let fault = Fault::Error {
        code: "Throttling".to_owned(),
        status: 429,
        message: "a < b".to_owned(),
    };
    running.sandbox.faults.set(vec![Rule::new("*", fault)]);
    let sqs = sqs(&running, "ListQueues", "/", json!({})).await;
    assert_eq!(sqs.json()["__type"], "com.amazonaws.sqs#Throttling");
    assert!(sqs.has("x-amzn-query-error: Throttling;Sender"));
    let target = "x-amz-target: CodeCommit_20150413.GetFile";
    let codecommit = request(&running, "POST /", &[target], "{}").await;
    assert_eq!(
        codecommit.json(),
        json!({ "__type": "Throttling", "message": "a < b" })
    );
    assert!(codecommit.has("content-type: application/x-amz-json-1.1"));
    let ses = request(&running, "GET /v2/email/account", &[], "").await;
    assert_eq!(ses.json(), json!({ "message": "a < b" }));
    assert!(ses.has("x-amzn-errortype: Throttling"));
    let form = "content-type: application/x-www-form-urlencoded; charset=utf-8";
    let sns = request(&running, "POST /", &[form], "Action=Publish").await;
    assert!(
        sns.body
            .contains("<Type>Sender</Type><Code>Throttling</Code><Message>a &lt; b</Message>"),
        "{}",
        sns.body
    );
    for answer in [&sqs, &codecommit, &ses, &sns] {
        assert_eq!(answer.status, 429);
        assert!(answer.has("x-amzn-requestid: "));
    }
    let calls = running.sandbox.calls();
    let names: Vec<_> = calls.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "codecommit:GetFile",
            "ses:GetAccount",
            "sns:Publish",
            "sqs:ListQueues"
        ]
    );
}

#[tokio::test]
async fn what_is_no_call_gets_a_clear_error() {
    let running = Sandbox::start().await;
    let form = ["content-type: application/x-www-form-urlencoded"];
    let query = "Action=ListQueues&Version=2012-11-05";
    let answer = request(&running, "POST /", &form, query).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("JSON protocol"), "{}", answer.body);
    let target = ["x-amz-target: Kinesis_20131202.ListStreams"];
    let answer = request(&running, "POST /", &target, "{}").await;
    assert!(answer.body.contains("#UnknownOperationException"));
    let answer = request(&running, "GET /v2/email/nothing", &[], "").await;
    assert!(answer.has("x-amzn-errortype: UnknownOperationException"));
    let target = ["x-amz-target: AmazonSQS.ListQueues"];
    let answer = request(&running, "POST /", &target, "[").await;
    assert!(answer.body.contains("#SerializationException"));
    assert_eq!(request(&running, "GET /nowhere", &[], "").await.status, 400);
}

#[tokio::test]
async fn bodies_of_several_megabytes_are_read() {
    let running = Sandbox::start().await;
    sqs(&running, "CreateQueue", "/", json!({ "QueueName": "q" })).await;
    let send = json!({ "QueueUrl": "q", "MessageBody": "x".repeat(8_000_000) });
    let answer = sqs(&running, "SendMessage", "/", send).await;
    assert!(
        answer.body.contains("shorter than 1048576"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn the_pages_show_and_change_the_faults_and_the_counts() {
    let running = Sandbox::start().await;
    assert_eq!(request(&running, "GET /health", &[], "").await.status, 200);
    let rules = json!([{ "operation": "sqs:*", "fault": "reset_before", "share": 0.0 }]);
    let put = request(&running, "PUT /faults", &[], &rules.to_string()).await;
    assert_eq!(put.status, 200, "{}", put.body);
    sqs(&running, "CreateQueue", "/", json!({ "QueueName": "q" })).await;
    let shown = request(&running, "GET /faults", &[], "").await.json();
    assert_eq!(shown["rules"][0]["fault"], "reset_before");
    let counts = request(&running, "GET /calls", &[], "").await.json();
    assert_eq!(counts, json!({ "sqs:CreateQueue": 1 }));
    let bad = request(&running, "PUT /faults", &[], "[{}]").await;
    assert_eq!(bad.status, 400);
    assert!(bad.body.contains("operation"), "{}", bad.body);
    let deleted = request(&running, "DELETE /faults", &[], "").await;
    assert_eq!(deleted.status, 204);
    let shown = request(&running, "GET /faults", &[], "").await.json();
    assert_eq!(shown["rules"], json!([]));
    assert_eq!(request(&running, "POST /reset", &[], "").await.status, 204);
    assert!(running.sandbox.calls().is_empty());
    let list = sqs(&running, "ListQueues", "/", json!({})).await;
    assert_eq!(list.json(), json!({}));
}
