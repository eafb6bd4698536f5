//! What a history says, and that it says it when it happens.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use sandbox::faults::{Fault, Rule};
use sandbox::{Running, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A sandbox that keeps a history, and has a queue `q` that dead-letters to `dead` after one receive.
pub(crate) struct Kept {
    pub(crate) running: Running,
    pub(crate) file: PathBuf,
}

impl Kept {
    pub(crate) async fn start(name: &str) -> Self {
        let running = Sandbox::start().await;
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.jsonl"));
        running.sandbox.write_history(&file).unwrap();
        running.sandbox.ses.verify("shop@example.com");
        let policy = json!({
            "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead",
            "maxReceiveCount": 1,
        });
        let kept = Self { running, file };
        kept.sqs("CreateQueue", json!({ "QueueName": "dead" }))
            .await;
        let attributes = json!({ "RedrivePolicy": policy.to_string() });
        let create = json!({ "QueueName": "q", "Attributes": attributes });
        kept.sqs("CreateQueue", create).await;
        kept
    }

    /// Sends a request of the client `key-1`, and gives the stream that its answer comes on.
    async fn ask(&self, first_line: &str, target: &str, body: &Value) -> TcpStream {
        let address = self.running.url().strip_prefix("http://").unwrap();
        let body = body.to_string();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let text = format!(
            "{first_line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=key-1/20260101/us-east-1/sqs/aws4_request\r\n\
             user-agent: somebody\r\n{target}\r\n{body}",
            body.len()
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// The answer's body; nothing where the connection was reset.
    async fn call(&self, first_line: &str, target: &str, body: &Value) -> Option<Value> {
        let mut stream = self.ask(first_line, target, body).await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str(body).ok()
    }

    pub(crate) async fn sqs(&self, operation: &str, mut body: Value) -> Option<Value> {
        if body.get("QueueName").is_none() {
            body["QueueUrl"] = json!("q");
        }
        let target = format!("x-amz-target: AmazonSQS.{operation}\r\n");
        self.call("POST /", &target, &body).await
    }

    async fn dynamodb(&self, operation: &str, body: Value) {
        let target = format!("x-amz-target: DynamoDB_20120810.{operation}\r\n");
        self.call("POST /", &target, &body).await;
    }

    pub(crate) async fn mail(&self, notification: &str) -> Option<Value> {
        let body = json!({
            "FromEmailAddress": "shop@example.com",
            "Destination": { "ToAddresses": ["dana@example.com"] },
            "Content": { "Simple": {
                "Subject": { "Data": "Hello" },
                "Body": { "Text": { "Data": "a text that nobody needs" } },
            } },
            "EmailTags": [{ "Name": "notification-id", "Value": notification }],
        });
        self.call("POST /v2/email/outbound-emails", "", &body).await
    }

    /// Receives the one message there is, and gives its id and handle.
    pub(crate) async fn receive(&self, visibility: u64) -> Option<(String, String)> {
        let body = json!({ "VisibilityTimeout": visibility });
        let answer = self.sqs("ReceiveMessage", body).await?;
        let field = |name: &str| Some(answer["Messages"][0][name].as_str()?.to_owned());
        Some((field("MessageId")?, field("ReceiptHandle")?))
    }

    fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.file).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn of_kind(&self, kind: &str) -> Vec<Value> {
        let mut records = self.records();
        records.retain(|record| record["kind"] == kind);
        records
    }

    /// The kinds of the records that belong to the last call of this operation, in order.
    fn last(&self, operation: &str) -> Vec<String> {
        let records = self.records();
        let mut calls = records.iter().rev();
        let call = calls.find(|record| record["op"] == operation).unwrap();
        let own = records.iter().filter(|one| one["call"] == call["seq"]);
        own.map(|one| one["kind"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The records of the last call of this operation once there is one of this kind.
    async fn last_with(&self, operation: &str, kind: &str) -> Vec<String> {
        let looking = async {
            loop {
                let found = self.last(operation);
                if found.iter().any(|one| one == kind) {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), looking).await.unwrap()
    }
}

#[tokio::test]
async fn nothing_is_kept_unless_it_is_asked_for() {
    let running = Sandbox::start().await;
    let mark = json!({ "mark": "started" }).to_string();
    let answer = super::wire::request(&running, "POST /history/marks", &[], &mark).await;
    assert_eq!(
        (answer.status, &*answer.body),
        (409, "no history is kept\n")
    );
    assert!(!running.sandbox.history.is_on());
}

#[tokio::test]
async fn a_second_file_is_refused() {
    let kept = Kept::start("second").await;
    let again = kept
        .running
        .sandbox
        .write_history(&kept.file.with_extension("other"));
    assert!(again.is_err());
}

#[tokio::test]
async fn a_message_is_followed_from_its_arrival_to_its_deletion() {
    let kept = Kept::start("followed").await;
    kept.sqs("SendMessage", json!({ "MessageBody": "an order" }))
        .await;
    let (message, handle) = kept.receive(30).await.unwrap();
    let change = json!({ "ReceiptHandle": handle, "VisibilityTimeout": 60 });
    kept.sqs("ChangeMessageVisibility", change).await;
    let delete = json!({ "ReceiptHandle": handle });
    for gone in [true, false] {
        kept.sqs("DeleteMessage", delete.clone()).await;
        let deleted = kept.of_kind("deleted").pop().unwrap();
        assert_eq!(
            (&deleted["handle"], &deleted["gone"]),
            (&json!(handle), &json!(gone))
        );
    }
    let arrived = kept.of_kind("arrived").remove(0);
    assert_eq!(arrived["body"], "an order");
    assert_eq!(
        (&arrived["message"], &arrived["how"]),
        (&json!(message), &json!("sent"))
    );
    let received = kept.of_kind("received").remove(0);
    assert_eq!(
        (&received["handle"], &received["count"]),
        (&json!(handle), &json!(1))
    );
    let until = received["ms"].as_u64().unwrap() + 30_000;
    assert!(received["until"].as_u64().unwrap().abs_diff(until) < 1000);
    assert_eq!(kept.of_kind("visibility")[0]["seconds"], 60);
    let call = &kept.records()[usize::try_from(received["call"].as_u64().unwrap()).unwrap()];
    assert_eq!(
        (&call["op"], &call["client"]),
        (&json!("sqs:ReceiveMessage"), &json!("key-1"))
    );
    assert_eq!(
        (&call["agent"], &call["request"]["VisibilityTimeout"]),
        (&json!("somebody"), &json!(30))
    );
}

#[tokio::test]
async fn numbers_have_no_gaps_and_an_effect_stands_between_its_call_and_its_answer() {
    let kept = Kept::start("order").await;
    kept.sqs("SendMessage", json!({ "MessageBody": "x" })).await;
    let written = kept.last_with("sqs:SendMessage", "written").await;
    assert_eq!(written, ["arrived", "answer", "written"]);
    for (number, record) in kept.records().iter().enumerate() {
        assert_eq!(record["seq"], number);
        assert!(
            record["call"]
                .as_u64()
                .is_none_or(|call| call < number as u64)
        );
    }
}

#[tokio::test]
async fn a_fault_is_told_with_what_took_effect_all_the_same() {
    let kept = Kept::start("struck").await;
    let send = || kept.sqs("SendMessage", json!({ "MessageBody": "x" }));
    let faults = &kept.running.sandbox.faults;
    faults.set(vec![Rule::new("sqs:SendMessage", Fault::ResetAfter)]);
    assert!(send().await.is_none());
    assert_eq!(
        kept.last("sqs:SendMessage"),
        ["struck", "arrived", "unanswered"]
    );
    faults.set(vec![Rule::new("sqs:SendMessage", Fault::ResetBefore)]);
    assert!(send().await.is_none());
    assert_eq!(kept.last("sqs:SendMessage"), ["struck", "unanswered"]);
    faults.set(vec![Rule::new(
        "sqs:SendMessage",
        Fault::error("InternalError", 500),
    )]);
    send().await;
    let answer = kept.of_kind("answer").pop().unwrap();
    assert_eq!(
        (&answer["status"], &answer["code"]),
        (&json!(500), &json!("InternalError"))
    );
    faults.clear();
    let changes: Vec<_> = kept.of_kind("faults");
    assert_eq!(changes.len(), 4);
    assert_eq!(changes[0]["rules"][0]["fault"], "reset_after");
    assert_eq!(changes[3]["change"], "cleared");
    assert_eq!(kept.of_kind("unanswered")[0]["how"], "reset");
}

#[tokio::test]
async fn a_caller_who_leaves_before_the_answer_is_seen_to() {
    let kept = Kept::start("left").await;
    let hang = Rule::new("sqs:ReceiveMessage", Fault::Hang);
    kept.running.sandbox.faults.set(vec![hang]);
    let target = "x-amz-target: AmazonSQS.ReceiveMessage\r\n";
    let stream = kept
        .ask("POST /", target, &json!({ "QueueUrl": "q" }))
        .await;
    let struck = kept.running.sandbox.clone();
    while struck.faults.json()["rules"][0]["struck"] == 0 {
        tokio::task::yield_now().await;
    }
    drop(stream);
    let told = kept.last_with("sqs:ReceiveMessage", "unanswered").await;
    assert_eq!(told, ["struck", "unanswered"]);
    assert_eq!(kept.of_kind("unanswered")[0]["how"], "hung up");
}

#[tokio::test]
async fn an_entry_that_a_fault_fails_is_named() {
    let kept = Kept::start("entries").await;
    let fault = Fault::EntryError {
        code: "InternalError".to_owned(),
        message: "no".to_owned(),
    };
    let rule = Rule {
        count: Some(1),
        ..Rule::new("sqs:SendMessageBatch", fault)
    };
    kept.running.sandbox.faults.set(vec![rule]);
    let entries = ["one", "two"].map(|id| json!({ "Id": id, "MessageBody": id }));
    kept.sqs("SendMessageBatch", json!({ "Entries": entries }))
        .await;
    let struck = kept.of_kind("struck_entry").remove(0);
    assert_eq!(
        (&struck["entry"], &struck["code"]),
        (&json!("one"), &json!("InternalError"))
    );
    let answer = kept.of_kind("answer").pop().unwrap();
    assert_eq!(answer["body"]["Failed"][0]["Id"], "one");
    assert_eq!(kept.of_kind("arrived").len(), 1);
}

#[tokio::test]
async fn a_lease_that_lapses_and_a_message_that_is_dead_lettered_are_told() {
    let kept = Kept::start("dead").await;
    let duplicate = Fault::Duplicate {
        after_ms: 0,
        new_id: false,
    };
    kept.running.sandbox.faults.set(vec![Rule {
        count: Some(1),
        ..Rule::new("sqs:Deliver", duplicate)
    }]);
    kept.sqs("SendMessage", json!({ "MessageBody": "x" })).await;
    let (message, handle) = kept.receive(1).await.unwrap();
    kept.receive(43_200).await.unwrap();
    // The long poll ends with the lease.
    let wait = json!({ "WaitTimeSeconds": 2 });
    kept.sqs("ReceiveMessage", wait).await;
    let how: Vec<_> = kept
        .of_kind("arrived")
        .iter()
        .map(|one| one["how"].clone())
        .collect();
    assert_eq!(how, ["sent", "copy", "dead_letter"]);
    let lapsed = kept.of_kind("visible").remove(0);
    let received = kept.of_kind("received").remove(0);
    assert_eq!(received["handle"], json!(handle));
    assert_eq!(
        (&lapsed["key"], &lapsed["was"]),
        (&received["key"], &json!("in_flight"))
    );
    assert_eq!(lapsed["at"], received["until"]);
    let dead = kept.of_kind("dead").remove(0);
    assert_eq!(
        (&dead["message"], &dead["count"]),
        (&json!(message), &json!(1))
    );
}

#[tokio::test]
async fn a_mail_is_told_with_its_tags_and_without_its_text() {
    let kept = Kept::start("mail").await;
    let answer = kept.mail("n-1").await.unwrap();
    let mail = kept.of_kind("mail").remove(0);
    assert_eq!(mail["mail"], answer["MessageId"]);
    assert_eq!(mail["tags"], json!({ "notification-id": "n-1" }));
    assert_eq!(
        (&mail["to"], &mail["simulated"]),
        (&json!(["dana@example.com"]), &json!(false))
    );
    let text = fs::read_to_string(&kept.file).unwrap();
    assert!(!text.contains("a text that nobody needs"));
}

#[tokio::test]
async fn items_are_told_as_they_are_after_each_write() {
    let kept = Kept::start("items").await;
    kept.running.sandbox.make_table("mails").unwrap();
    let put = json!({
        "TableName": "mails",
        "Item": { "id": { "S": "k" } },
        "ConditionExpression": "attribute_not_exists(id)",
    });
    kept.dynamodb("PutItem", put.clone()).await;
    kept.dynamodb("PutItem", put).await;
    let write = |request| json!({ "RequestItems": { "mails": [request] } });
    let item = json!({ "PutRequest": { "Item": { "id": { "S": "j" } } } });
    kept.dynamodb("BatchWriteItem", write(item)).await;
    let delete = json!({ "TableName": "mails", "Key": { "id": { "S": "k" } } });
    kept.dynamodb("DeleteItem", delete).await;
    let items = kept.of_kind("item");
    let told: Vec<_> = items
        .iter()
        .map(|one| (&one["key"], one["item"].is_null()))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("k"), false),
            (&json!("j"), false),
            (&json!("k"), true)
        ]
    );
    assert_eq!(kept.of_kind("item_refused")[0]["key"], "k");
}

#[tokio::test]
async fn marks_stand_among_the_records() {
    let kept = Kept::start("marks").await;
    let mark = json!({ "mark": "signal", "client": "key-1", "grace_ms": 28_000 }).to_string();
    let running = &kept.running;
    let set = super::wire::request(running, "POST /history/marks", &[], &mark).await;
    assert_eq!(set.status, 204);
    for wrong in ["{}", "[]", "{\"mark\": 1}"] {
        let refused = super::wire::request(running, "POST /history/marks", &[], wrong).await;
        assert_eq!(refused.status, 400, "{wrong}");
    }
    let marks = kept.of_kind("mark");
    assert_eq!(marks.len(), 1);
    assert_eq!(
        (&marks[0]["mark"], &marks[0]["grace_ms"]),
        (&json!("signal"), &json!(28_000))
    );
}
