//! The local AWS as CIS sets it up: topic, queue, dead-letter queue, template, sender.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use sandbox::{
    Sandbox,
    faults::{self, Rule},
    http::ServiceError,
    outbox::StoredMail,
    ses::{
        destination::EventType,
        fate::{Fate, FateRule},
        publisher::{EventFault, EventRule},
    },
    sqs::{ACCOUNT, Caller, MessageState},
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::event::{self, Event};

/// CIS's names.
pub(crate) const QUEUE: &str = "notify-organizer-of-successful-event-create";
pub(crate) const TOPIC: &str = "new-event-created";
/// A queue of its own for SES's events, and the configuration set that publishes them.
pub(crate) const FEEDBACK: &str = "ses-feedback";
const SET: &str = "organizer-notifier";
/// How long events take to arrive.
const EVENTS_AFTER_MS: u64 = 300;
const DEAD_LETTERS: &str = "notify-organizer-dead-letters";
const REPOSITORY: &str = "email-templates";
const TEMPLATE_PATH: &str = "new_event.html";
const TEMPLATE: &[u8] = include_bytes!("template.html");
const REGION: &str = "us-east-1";
const SENDER: &str = "Calendar Invites <events@example.com>";
const SENDER_IDENTITY: &str = "events@example.com";
const SUBJECT: &str = "Registered: {summary}";

/// A local AWS that serves until this is dropped.
pub(crate) struct Stage {
    sandbox: Arc<Sandbox>,
    url: String,
    queue_url: String,
    feedback_url: String,
    topic_arn: String,
    _serving: DropGuard,
}

/// An event that is on its way.
pub(crate) struct Published {
    pub(crate) event: Event,
    /// SNS's id, which the mail bears as a tag.
    pub(crate) notification_id: String,
    /// SQS's id, which the message keeps in the dead-letter queue.
    pub(crate) message_id: String,
}

impl Published {
    /// Whether this is its mail.
    pub(crate) fn is_told_by(&self, mail: &StoredMail) -> bool {
        mail.tags
            .iter()
            .any(|(_, value)| *value == self.notification_id)
    }
}

impl Stage {
    pub(crate) async fn build() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("the local AWS finds no free loopback port")?;
        let host = listener.local_addr()?.to_string();
        let sandbox = Sandbox::new();
        let shutdown = CancellationToken::new();
        let (served, stop) = (sandbox.clone(), shutdown.clone());
        tokio::spawn(async move { served.serve(listener, stop).await });

        let url = format!("http://{host}");
        let caller = Caller {
            host,
            region: REGION.to_owned(),
        };
        let queue_url = queues(&sandbox, &caller).await.map_err(refused)?;
        let topic_arn = topic(&sandbox).await.map_err(refused)?;
        sandbox
            .codecommit
            .put(REPOSITORY, "main", TEMPLATE_PATH, TEMPLATE)
            .map_err(refused)?;
        sandbox.ses.verify(SENDER_IDENTITY);
        feedback(&sandbox).await.map_err(refused)?;
        Ok(Self {
            feedback_url: queue_url.replace(QUEUE, FEEDBACK),
            sandbox,
            url,
            queue_url,
            topic_arn,
            _serving: shutdown.drop_guard(),
        })
    }

    /// Publishes to the topic, one event after the other.
    pub(crate) async fn publish(&self, events: Vec<Event>) -> anyhow::Result<Vec<Published>> {
        let mut published = Vec::new();
        for event in events {
            let answer = query(
                &self.sandbox,
                &[
                    ("Action", "Publish"),
                    ("TopicArn", &self.topic_arn),
                    ("Message", &event.message),
                ],
            )
            .await
            .map_err(refused)?;
            let notification_id = element(&answer, "MessageId").to_owned();
            let message = self
                .sandbox
                .sqs
                .snapshot(QUEUE)
                .into_iter()
                .find(|message| message.body.contains(&notification_id))
                .with_context(|| format!("{} did not reach the queue", event.what))?;
            published.push(Published {
                event,
                notification_id,
                message_id: message.message_id,
            });
        }
        Ok(published)
    }

    /// All that the daemon is told: CIS's six variables, two for SES's events, and where AWS is.
    pub(crate) fn variables(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("REGION", REGION),
            ("SQS_URL", &self.queue_url),
            ("CODECOMMIT_REPO", REPOSITORY),
            ("NEW_EVENT_NOTIFICATION_EMAIL", TEMPLATE_PATH),
            ("SENDER", SENDER),
            ("SUBJECT", SUBJECT),
            ("NOTIFIER_EMAIL__CONFIGURATION_SET", SET),
            ("NOTIFIER_FEEDBACK__QUEUE_URL", &self.feedback_url),
            ("AWS_ENDPOINT_URL", &self.url),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
        ]
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn mails(&self) -> Vec<StoredMail> {
        self.sandbox.outbox.mails()
    }

    pub(crate) fn dead_letters(&self) -> Vec<MessageState> {
        self.sandbox.sqs.snapshot(DEAD_LETTERS)
    }

    pub(crate) fn queue_is_empty(&self) -> bool {
        self.sandbox.sqs.snapshot(QUEUE).is_empty()
    }
}

/// SES's events reach a queue; one address bounces, and one answer gets lost.
async fn feedback(sandbox: &Sandbox) -> Result<(), ServiceError> {
    use EventType::{Bounce, Complaint, Delivery, DeliveryDelay, Reject, Send};
    let types = [Send, Delivery, Bounce, Complaint, Reject, DeliveryDelay];
    sandbox
        .connect_feedback(SET, FEEDBACK, true, &types)
        .await?;
    sandbox.ses.set_fates(vec![FateRule {
        recipient_contains: event::UNKNOWN_ADDRESS.to_owned(),
        fate: Fate::bounced("Permanent", "General"),
    }]);
    let delay = EventFault::Delay {
        min_ms: EVENTS_AFTER_MS,
        max_ms: EVENTS_AFTER_MS,
    };
    sandbox.ses.set_event_rules(vec![EventRule {
        types: Vec::new(),
        fault: delay,
        share: 1.0,
    }]);
    sandbox.faults.add(Rule {
        body_contains: Some(event::UNANSWERED.to_owned()),
        count: Some(1),
        ..Rule::new("ses:SendEmail", faults::Fault::ResetAfter)
    });
    Ok(())
}

/// The queue's URL.
async fn queues(sandbox: &Sandbox, caller: &Caller) -> Result<String, ServiceError> {
    let create = async |request| sandbox.sqs.call_from(caller, "CreateQueue", request).await;
    create(json!({ "QueueName": DEAD_LETTERS })).await?;
    let redrive = json!({
        "deadLetterTargetArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{DEAD_LETTERS}"),
        "maxReceiveCount": 2,
    });
    let attributes = json!({ "VisibilityTimeout": "30", "RedrivePolicy": redrive.to_string() });
    let created = create(json!({ "QueueName": QUEUE, "Attributes": attributes })).await?;
    Ok(created["QueueUrl"].as_str().unwrap_or_default().to_owned())
}

/// The ARN of a topic that the queue is subscribed to.
async fn topic(sandbox: &Sandbox) -> Result<String, ServiceError> {
    let created = query(sandbox, &[("Action", "CreateTopic"), ("Name", TOPIC)]).await?;
    let arn = element(&created, "TopicArn").to_owned();
    let queue = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}");
    query(
        sandbox,
        &[
            ("Action", "Subscribe"),
            ("TopicArn", &arn),
            ("Protocol", "sqs"),
            ("Endpoint", &queue),
        ],
    )
    .await?;
    Ok(arn)
}

async fn query(sandbox: &Sandbox, form: &[(&str, &str)]) -> Result<String, ServiceError> {
    let form: Vec<(String, String)> = form
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    sandbox.sns.call_query(&form).await
}

/// The text of the first element of this name; none of those asked for holds another element.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    xml.split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once('<'))
        .map_or("", |(text, _)| text)
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn refused(error: ServiceError) -> anyhow::Error {
    anyhow!("the local AWS refused: {}: {}", error.code, error.message)
}
