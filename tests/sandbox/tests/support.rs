//! A queue to test with, on the model itself.

use std::sync::Arc;
use std::time::Duration;

use sandbox::clock::Clock;
use sandbox::http::ServiceError;
use sandbox::sqs::Sqs;
use serde_json::{Value, json};

/// SQS with the queue `q`; requests without a queue URL go to it.
pub(crate) struct Bench {
    pub(crate) sqs: Arc<Sqs>,
}

impl Bench {
    pub(crate) async fn new(attributes: Value) -> Self {
        let sqs = Arc::new(Sqs::new(Arc::new(Clock::new())));
        let bench = Self { sqs };
        bench.create("q", attributes).await;
        bench
    }

    /// A queue `q` that dead-letters to `dead` after `most` receives.
    pub(crate) async fn with_redrive(most: u32, dead_attributes: Value) -> Self {
        let sqs = Arc::new(Sqs::new(Arc::new(Clock::new())));
        let bench = Self { sqs };
        bench.create("dead", dead_attributes).await;
        let policy = json!({
            "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead",
            "maxReceiveCount": most,
        });
        bench
            .create("q", json!({ "RedrivePolicy": policy.to_string() }))
            .await;
        bench
    }

    pub(crate) async fn create(&self, name: &str, attributes: Value) {
        self.ok(
            "CreateQueue",
            json!({ "QueueName": name, "Attributes": attributes }),
        )
        .await;
    }

    pub(crate) async fn call(
        &self,
        operation: &str,
        mut request: Value,
    ) -> Result<Value, ServiceError> {
        if request.get("QueueUrl").is_none() {
            request["QueueUrl"] = json!("q");
        }
        self.sqs.call(operation, request).await
    }

    pub(crate) async fn ok(&self, operation: &str, request: Value) -> Value {
        match self.call(operation, request).await {
            Ok(answer) => answer,
            Err(error) => panic!("{operation} was refused: {error:?}"),
        }
    }

    /// The code and text of the refusal.
    pub(crate) async fn refused(&self, operation: &str, request: Value) -> (String, String) {
        match self.call(operation, request).await {
            Ok(answer) => panic!("{operation} was answered: {answer}"),
            Err(error) => (error.code, error.message),
        }
    }

    /// Sends and gives the message id.
    pub(crate) async fn send(&self, body: &str) -> String {
        let sent = self.ok("SendMessage", json!({ "MessageBody": body })).await;
        text(&sent["MessageId"])
    }

    /// The messages of one receive, with all their attributes.
    pub(crate) async fn receive(&self, mut request: Value) -> Vec<Value> {
        request["MessageSystemAttributeNames"] = json!(["All"]);
        request["MessageAttributeNames"] = json!(["All"]);
        let answer = self.ok("ReceiveMessage", request).await;
        match answer.get("Messages") {
            Some(messages) => messages.as_array().unwrap().clone(),
            None => Vec::new(),
        }
    }

    /// The one message there is, visible again after `seconds`.
    pub(crate) async fn take(&self, seconds: u64) -> Value {
        let mut messages = self
            .receive(json!({ "VisibilityTimeout": seconds, "MaxNumberOfMessages": 10 }))
            .await;
        assert_eq!(messages.len(), 1, "{messages:?}");
        messages.remove(0)
    }

    pub(crate) async fn is_empty(&self) -> bool {
        self.receive(json!({})).await.is_empty()
    }

    pub(crate) async fn delete(&self, message: &Value) {
        let handle = &message["ReceiptHandle"];
        self.ok("DeleteMessage", json!({ "ReceiptHandle": handle }))
            .await;
    }
}

pub(crate) fn change(message: &Value, seconds: u64) -> Value {
    json!({ "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": seconds })
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

pub(crate) fn bodies(messages: &[Value]) -> Vec<String> {
    messages
        .iter()
        .map(|message| text(&message["Body"]))
        .collect()
}

pub(crate) async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}
