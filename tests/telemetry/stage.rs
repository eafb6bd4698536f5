//! The local AWS as CIS sets it up, and publishers with and without a trace.

use std::sync::Arc;

use sandbox::{
    Running, Sandbox,
    sqs::{ACCOUNT, Caller},
};
use serde_json::{Value, json};

use crate::telemetry::daemon::Daemon;

pub(crate) const QUEUE: &str = "created-events";
const DEAD: &str = "dead-letters";
const REGION: &str = "us-east-1";
/// Nothing that is told may hold any of these.
pub(crate) const SECRETS: [&str; 4] = ["dana@", "events@example.com", "uid-of-", "Planning of"];

pub(crate) struct Stage {
    pub(crate) sandbox: Arc<Sandbox>,
    queue_url: String,
    running: Running,
}

impl Stage {
    pub(crate) async fn build() -> Self {
        let running = Sandbox::start().await;
        let sandbox = Arc::clone(&running.sandbox);
        let caller = Caller {
            host: running.url().trim_start_matches("http://").to_owned(),
            region: REGION.to_owned(),
        };
        let create = async |request| {
            let created = sandbox.sqs.call_from(&caller, "CreateQueue", request).await;
            created.unwrap()["QueueUrl"].as_str().unwrap().to_owned()
        };
        create(json!({ "QueueName": DEAD })).await;
        let redrive = json!({
            "deadLetterTargetArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{DEAD}"),
            "maxReceiveCount": 4,
        });
        let attributes = json!({ "RedrivePolicy": redrive.to_string() });
        let queue_url = create(json!({ "QueueName": QUEUE, "Attributes": attributes })).await;
        let template = "<p>{summary} {uid} {events} {mailto}</p>";
        sandbox
            .codecommit
            .put("templates", "main", "new_event.html", template.as_bytes())
            .unwrap();
        sandbox.ses.verify("events@example.com");
        let stage = Self {
            sandbox,
            queue_url,
            running,
        };
        stage.topic("enveloped", false).await;
        stage.topic("raw", true).await;
        stage
    }

    /// A topic that the queue is subscribed to.
    async fn topic(&self, name: &str, raw: bool) {
        self.sns(&[("Action", "CreateTopic"), ("Name", name)]).await;
        self.sns(&[
            ("Action", "Subscribe"),
            ("TopicArn", &arn("sns", name)),
            ("Protocol", "sqs"),
            ("Endpoint", &arn("sqs", QUEUE)),
            ("Attributes.entry.1.key", "RawMessageDelivery"),
            ("Attributes.entry.1.value", &raw.to_string()),
        ])
        .await;
    }

    /// The URL of a queue of this name.
    pub(crate) fn queue_url(&self, name: &str) -> String {
        self.queue_url.replace(QUEUE, name)
    }

    /// Starts the daemon with CIS's variables and these.
    pub(crate) fn daemon(&self, more: &[(&str, &str)]) -> Daemon {
        Daemon::start(&self.variables(more))
    }

    pub(crate) fn variables(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let cis = [
            ("REGION", REGION),
            ("SQS_URL", &self.queue_url),
            ("CODECOMMIT_REPO", "templates"),
            ("NEW_EVENT_NOTIFICATION_EMAIL", "new_event.html"),
            ("SENDER", "Calendar <events@example.com>"),
            ("SUBJECT", "Registered: {summary}"),
            ("AWS_ENDPOINT_URL", self.running.url()),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("NOTIFIER_HEALTH__LISTEN", "off"),
            ("NOTIFIER_EMAIL__MAX_SEND_RATE", "unlimited"),
        ];
        let pairs = cis.iter().chain(more);
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// Publishes an event of this name to a topic, with these attributes.
    pub(crate) async fn publish(&self, topic: &str, name: &str, attributes: &[(&str, &str)]) {
        self.publish_text(topic, &event(name).to_string(), attributes)
            .await;
    }

    pub(crate) async fn publish_text(&self, topic: &str, text: &str, attributes: &[(&str, &str)]) {
        let arn = arn("sns", topic);
        let mut form = vec![("Action", "Publish"), ("TopicArn", &arn), ("Message", text)];
        let entries: Vec<_> = (1..)
            .zip(attributes)
            .flat_map(|(number, (name, value))| {
                let entry = format!("MessageAttributes.entry.{number}");
                [
                    (format!("{entry}.Name"), *name),
                    (format!("{entry}.Value.DataType"), "String"),
                    (format!("{entry}.Value.StringValue"), *value),
                ]
            })
            .collect();
        form.extend(entries.iter().map(|(key, value)| (key.as_str(), *value)));
        self.sns(&form).await;
    }

    /// Puts an event of this name into the queue with X-Ray's header.
    pub(crate) async fn send_with_header(&self, name: &str, header: &str) {
        let request = json!({
            "QueueUrl": self.queue_url,
            "MessageBody": event(name).to_string(),
            "MessageSystemAttributes": {
                "AWSTraceHeader": { "DataType": "String", "StringValue": header },
            },
        });
        self.sandbox.sqs.call("SendMessage", request).await.unwrap();
    }

    async fn sns(&self, form: &[(&str, &str)]) {
        let form: Vec<_> = form
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        self.sandbox.sns.call_query(&form).await.unwrap();
    }

    /// How many mails went out.
    pub(crate) fn mails(&self) -> usize {
        self.sandbox.outbox.mails().len()
    }

    /// Whether a mail about this event went out.
    pub(crate) fn mailed(&self, name: &str) -> bool {
        let subject = format!("Registered: Planning of {name}");
        self.sandbox
            .outbox
            .mails()
            .iter()
            .any(|mail| mail.subject == subject)
    }
}

pub(crate) fn event(name: &str) -> Value {
    json!({
        "uid": format!("uid-of-{name}"),
        "mailto": format!("dana@{name}.example.com"),
        "organizer": format!("dana[at]{name}.example.com"),
        "summary": format!("Planning of {name}"),
        "events": 1,
    })
}

fn arn(service: &str, name: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{name}")
}
