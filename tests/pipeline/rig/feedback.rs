//! The feedback queue: the local AWS's model of a queue, and SES's events in it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use organizer_notifier::{
    notification::MailKey,
    ports::{
        EntryFailure, MailPurpose, Queue, QueueFacts, QueueFailure, QueueFailureKind,
        ReceiptHandle, ReceiveRequest, ReceivedMessage,
    },
};
use sandbox::sqs::Sqs;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{calls::failure, lock};

/// The name of the queue.
const NAME: &str = "feedback";

pub(crate) struct FeedbackQueue {
    sqs: Arc<Sqs>,
    failing: Mutex<Option<QueueFailureKind>>,
    latency: Mutex<Duration>,
}

/// A mail that the mail service took, as its events name it.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) key: MailKey,
    pub(crate) purpose: MailPurpose,
    pub(crate) email_id: String,
}

impl Taken {
    /// An event of it, as SES writes it, with what is particular to its type.
    pub(crate) fn event(&self, kind: &str, detail: (&str, Value)) -> Value {
        let mut tags = json!({
            "ses:configuration-set": ["set"],
            "notification-id": [self.key.notification_id()],
            "event": [self.key.event()],
            "queue": ["q"],
        });
        match self.purpose {
            MailPurpose::Organizer => {}
            MailPurpose::Witness => tags["witness"] = json!(["true"]),
            MailPurpose::Check => tags["check"] = json!(["true"]),
        }
        let mut event = json!({
            "eventType": kind,
            "mail": {
                "messageId": self.email_id,
                "destination": ["dana@example.com"],
                "tags": tags,
            },
        });
        event[detail.0] = detail.1;
        event
    }

    pub(crate) fn sent(&self) -> Value {
        self.event("Send", ("send", json!({})))
    }
}

/// What SNS makes of an event.
pub(crate) fn in_envelope(event: &Value) -> String {
    json!({
        "Type": "Notification",
        "MessageId": "1",
        "TopicArn": "arn:aws:sns:us-east-1:000000000000:feedback",
        "Subject": "Amazon SES Email Event Notification",
        "Message": event.to_string(),
    })
    .to_string()
}

impl FeedbackQueue {
    pub(crate) async fn new(sqs: Arc<Sqs>) -> Arc<Self> {
        let request = json!({ "QueueName": NAME });
        sqs.call("CreateQueue", request).await.unwrap();
        Arc::new(Self {
            sqs,
            failing: Mutex::default(),
            latency: Mutex::default(),
        })
    }

    /// A message arrives.
    pub(crate) async fn send(&self, body: &str) {
        let request = json!({ "QueueUrl": NAME, "MessageBody": body });
        self.sqs.call("SendMessage", request).await.unwrap();
    }

    /// From now on every call fails so, or none.
    pub(crate) fn fail(&self, kind: Option<QueueFailureKind>) {
        *lock(&self.failing) = kind;
    }

    /// From now on a receive is answered this much later.
    pub(crate) fn slow_down(&self, latency: Duration) {
        *lock(&self.latency) = latency;
    }

    pub(crate) fn len(&self) -> usize {
        self.sqs.snapshot(NAME).len()
    }

    fn check(&self) -> Result<(), QueueFailure> {
        match *lock(&self.failing) {
            Some(kind) => Err(failure(kind)),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Queue for FeedbackQueue {
    async fn describe(&self) -> Result<QueueFacts, QueueFailure> {
        self.check()?;
        Ok(QueueFacts {
            redrive: None,
            retention: Duration::from_hours(96),
            default_visibility: Duration::from_secs(30),
        })
    }

    async fn may_receive(&self) -> Result<(), QueueFailure> {
        self.check()
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, QueueFailure> {
        self.check()?;
        let latency = *lock(&self.latency);
        sleep(latency).await;
        let request = json!({
            "QueueUrl": NAME,
            "MaxNumberOfMessages": request.max_messages,
            "WaitTimeSeconds": request.wait.as_secs(),
            "VisibilityTimeout": request.visibility.as_secs(),
            "MessageSystemAttributeNames": ["All"],
        });
        let answer = self.sqs.call("ReceiveMessage", request).await.unwrap();
        self.check()?;
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let received = messages.iter().map(|message| ReceivedMessage {
            id: text(&message["MessageId"]),
            receipt: ReceiptHandle(text(&message["ReceiptHandle"])),
            body: text(&message["Body"]),
            receive_count: text(&message["Attributes"]["ApproximateReceiveCount"])
                .parse()
                .unwrap(),
            sent_at: Some(SystemTime::now()),
            trace_carriers: BTreeMap::new(),
        });
        Ok(received.collect())
    }

    async fn delete(
        &self,
        receipts: &[ReceiptHandle],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        self.check()?;
        for receipt in receipts {
            let request = json!({ "QueueUrl": NAME, "ReceiptHandle": receipt.0 });
            self.sqs.call("DeleteMessage", request).await.unwrap();
        }
        Ok(receipts.iter().map(|_| Ok(())).collect())
    }

    async fn change_visibility(
        &self,
        changes: &[(ReceiptHandle, Duration)],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        for (receipt, after) in changes {
            let request = json!({
                "QueueUrl": NAME,
                "ReceiptHandle": receipt.0,
                "VisibilityTimeout": after.as_secs(),
            });
            let answer = self.sqs.call("ChangeMessageVisibility", request).await;
            answer.unwrap();
        }
        Ok(changes.iter().map(|_| Ok(())).collect())
    }
}
