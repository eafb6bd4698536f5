//! What the daemon finds outside: queue, topic, repository and mail service, as CIS sets them up.

use std::sync::Arc;

use sandbox::faults::Rule;
use sandbox::outbox::StoredMail;
use sandbox::sqs::MessageState;
use sandbox::{Running, Sandbox};
use serde_json::{Value, json};

use crate::daemon::output::Secrets;

pub(crate) const QUEUE: &str = "inbox";
pub(crate) const DEAD: &str = "dead";
pub(crate) const REPOSITORY: &str = "email-templates";
pub(crate) const PATH: &str = "notifications/new_event.html";
pub(crate) const TEMPLATE: &[u8] = include_bytes!("../fixtures/template.html");
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:events";

/// A local AWS with a queue that dead-letters after two receives.
pub(crate) struct World {
    running: Running,
    pub(crate) secrets: Arc<Secrets>,
}

impl World {
    /// With the topic's envelope around each event, and the template in place.
    pub(crate) async fn new() -> Self {
        let world = Self::without_template(false).await;
        world.put_template(TEMPLATE);
        world
    }

    /// With raw delivery, and the template in place.
    pub(crate) async fn raw() -> Self {
        let world = Self::without_template(true).await;
        world.put_template(TEMPLATE);
        world
    }

    pub(crate) async fn without_template(raw: bool) -> Self {
        let world = Self {
            running: Sandbox::start().await,
            secrets: Arc::default(),
        };
        world.sqs("CreateQueue", json!({ "QueueName": DEAD })).await;
        let policy = json!({
            "deadLetterTargetArn": format!("arn:aws:sqs:us-east-1:000000000000:{DEAD}"),
            "maxReceiveCount": 2,
        });
        let attributes = json!({ "RedrivePolicy": policy.to_string() });
        let queue = json!({ "QueueName": QUEUE, "Attributes": attributes });
        world.sqs("CreateQueue", queue).await;
        world
            .sns(&[("Action", "CreateTopic"), ("Name", "events")])
            .await;
        let endpoint = format!("arn:aws:sqs:us-east-1:000000000000:{QUEUE}");
        world
            .sns(&[
                ("Action", "Subscribe"),
                ("TopicArn", TOPIC),
                ("Protocol", "sqs"),
                ("Endpoint", &endpoint),
                ("Attributes.entry.1.key", "RawMessageDelivery"),
                ("Attributes.entry.1.value", &raw.to_string()),
            ])
            .await;
        world.aws().ses.verify("noreply@example.com");
        world
    }

    pub(crate) fn aws(&self) -> &Sandbox {
        &self.running.sandbox
    }

    /// CIS's six variables, the endpoint with credentials, and no port that tests running side by
    /// side would fight for.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let queue = format!("{}/000000000000/{QUEUE}", self.running.url());
        [
            ("REGION", "us-east-1"),
            ("SQS_URL", &queue),
            ("CODECOMMIT_REPO", REPOSITORY),
            ("SENDER", "Calendar Bücher, Inc. <noreply@example.com>"),
            ("SUBJECT", "Registered: {summary} ({uid})"),
            ("NEW_EVENT_NOTIFICATION_EMAIL", PATH),
            ("AWS_ENDPOINT_URL", self.running.url()),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("NOTIFIER_HEALTH__LISTEN", "off"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    pub(crate) fn put_template(&self, content: &[u8]) {
        self.aws()
            .codecommit
            .put(REPOSITORY, "main", PATH, content)
            .unwrap();
    }

    /// Publishes as CIS does, and gives the SNS message id.
    pub(crate) async fn publish(&self, event: &str) -> String {
        self.secrets.learn(event);
        let answer = self
            .sns(&[
                ("Action", "Publish"),
                ("TopicArn", TOPIC),
                ("Message", event),
            ])
            .await;
        let (_, rest) = answer.split_once("<MessageId>").unwrap();
        let (id, _) = rest.split_once("</MessageId>").unwrap();
        id.to_owned()
    }

    /// Publishes an event of this number, and gives the SNS message id.
    pub(crate) async fn publish_numbered(&self, number: usize) -> String {
        self.publish(&numbered(number).to_string()).await
    }

    /// Puts a body into the queue as it is, and gives the SQS message id.
    pub(crate) async fn send(&self, body: &str) -> String {
        self.secrets.learn(body);
        let message = json!({ "QueueUrl": QUEUE, "MessageBody": body });
        let answer = self.sqs("SendMessage", message).await;
        answer["MessageId"].as_str().unwrap().to_owned()
    }

    pub(crate) fn set_fault(&self, rule: Rule) {
        self.aws().faults.set(vec![rule]);
    }

    pub(crate) fn mails(&self) -> Vec<StoredMail> {
        self.aws().outbox.mails()
    }

    /// What is still in the queue, held or not.
    pub(crate) fn queued(&self) -> Vec<MessageState> {
        self.aws().sqs.snapshot(QUEUE)
    }

    pub(crate) fn dead(&self) -> Vec<MessageState> {
        self.aws().sqs.snapshot(DEAD)
    }

    pub(crate) fn calls(&self, operation: &str) -> u64 {
        self.aws().calls().get(operation).copied().unwrap_or(0)
    }

    /// How many receives were made beside the one of nothing, by which boot proves its right.
    pub(crate) fn receives(&self) -> u64 {
        self.calls("sqs:ReceiveMessage").saturating_sub(1)
    }

    pub(crate) async fn sqs(&self, operation: &str, request: Value) -> Value {
        self.aws().sqs.call(operation, request).await.unwrap()
    }

    async fn sns(&self, form: &[(&str, &str)]) -> String {
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        self.aws().sns.call_query(&form).await.unwrap()
    }
}

/// A plain event, different from that of every other number.
pub(crate) fn numbered(number: usize) -> Value {
    json!({
        "uid": format!("uid-{number:04}-of-an-event"),
        "mailto": format!("person{number:04}@guests.example"),
        "organizer": format!("person{number:04}[at]guests.example"),
        "summary": format!("Meeting {number:04} of many"),
        "events": 1,
        "paid": {},
    })
}

/// The tag that joins a mail with its message: the SNS message id, or with raw delivery SQS's.
pub(crate) fn tag(mail: &StoredMail) -> &str {
    let mut tags = mail.tags.iter();
    let (_, value) = tags.find(|(name, _)| name == "notification-id").unwrap();
    value
}
