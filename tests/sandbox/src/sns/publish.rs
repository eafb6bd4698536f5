//! Publishing: SNS's checks, its envelope, and delivery into the subscribed queues.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;
use sha1::{Digest as _, Sha1};
use uuid::Uuid;

use super::super::http::ServiceError;
use super::attribute::{Attribute, EnvelopeAttribute};
use super::form::Form;
use super::policy;
use super::subscription::Subscription;
use super::topic::Topic;
use super::xml::{element, list};
use super::{REGION, Sns, find, invalid, refuse};

/// Message and attributes together, in bytes.
const MOST_BYTES: usize = 256 * 1024;
const MOST_SUBJECT: usize = 100;
/// With raw delivery a message with more attributes is lost, since SQS would refuse it.
const MOST_RAW_ATTRIBUTES: usize = 10;
const MOST_BATCH: usize = 10;

struct Message {
    id: String,
    body: String,
    subject: Option<String>,
    attributes: Vec<Attribute>,
    bytes: usize,
}

/// The body that a queue gets without raw delivery, in the order of the real one.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    r#type: &'a str,
    message_id: &'a str,
    topic_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    message: &'a str,
    timestamp: &'a str,
    signature_version: &'a str,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
    #[serde(rename = "UnsubscribeURL")]
    unsubscribe_url: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<&'a str, EnvelopeAttribute<'a>>,
}

impl Sns {
    pub(super) fn publish(&self, form: &Form<'_>) -> Result<String, ServiceError> {
        let arn = form
            .get("TopicArn")
            .or_else(|| form.get("TargetArn"))
            .filter(|arn| !arn.is_empty())
            .ok_or_else(|| {
                invalid("TopicArn or TargetArn Reason: no value for required parameter")
            })?;
        let message = Message::read(form, "")?;
        let mut topics = self.topics();
        let topic = find(&mut topics, arn)?;
        message.check_size()?;
        self.deliver(topic, &message, form.get("X-Amzn-Trace-Id"));
        Ok(element("MessageId", &message.id))
    }

    pub(super) fn publish_batch(&self, form: &Form<'_>) -> Result<String, ServiceError> {
        let mut topics = self.topics();
        let topic = find(&mut topics, form.required("TopicArn")?)?;
        let entries = form.entries("PublishBatchRequestEntries.member");
        let ids = check_batch(form, &entries)?;
        let mut messages = Vec::new();
        let mut failed = Vec::new();
        for (entry, id) in entries.iter().zip(ids) {
            match Message::read(form, &format!("{entry}.")) {
                Ok(message) => messages.push((id, message)),
                Err(refused) => failed.push(
                    [
                        element("Id", id),
                        element("Code", &refused.code),
                        element("Message", &refused.message),
                        element("SenderFault", "true"),
                    ]
                    .concat(),
                ),
            }
        }
        if messages
            .iter()
            .map(|(_, message)| message.bytes)
            .sum::<usize>()
            > MOST_BYTES
        {
            return Err(refuse(
                "BatchRequestTooLong",
                "The length of all the messages put together is more than the limit.",
            ));
        }
        let trace = form.get("X-Amzn-Trace-Id");
        let successful = messages.iter().map(|(id, message)| {
            self.deliver(topic, message, trace);
            [element("Id", id), element("MessageId", &message.id)].concat()
        });
        let successful = list("Successful", successful);
        Ok(successful + &list("Failed", failed.into_iter()))
    }

    /// Whether there is a topic with this ARN.
    pub fn has_topic(&self, arn: &str) -> bool {
        find(&mut self.topics(), arn).is_ok()
    }

    /// Publishes a text as a service of AWS's does. A topic that is gone loses it.
    pub fn publish_text(&self, arn: &str, subject: &str, body: String) {
        let mut topics = self.topics();
        let Ok(topic) = find(&mut topics, arn) else {
            return;
        };
        let message = Message {
            id: Uuid::new_v4().to_string(),
            bytes: body.len(),
            body,
            subject: Some(subject.to_owned()),
            attributes: Vec::new(),
        };
        self.deliver(topic, &message, None);
    }

    fn deliver(&self, topic: &Topic, message: &Message, trace: Option<&str>) {
        let now = UNIX_EPOCH + Duration::from_millis(self.clock.now_millis());
        let timestamp = humantime::format_rfc3339_millis(now).to_string();
        for subscription in &topic.subscriptions {
            if !subscription.wants(&message.attributes) {
                continue;
            }
            let (body, attributes) = if subscription.is_raw() {
                if message.attributes.len() > MOST_RAW_ATTRIBUTES {
                    continue;
                }
                let attributes = message.attributes.iter().map(Attribute::for_sqs).collect();
                (message.body.clone(), attributes)
            } else {
                (
                    message.envelope(topic, subscription, &timestamp),
                    Vec::new(),
                )
            };
            // A queue that does not let the topic in loses the message, as in the real one. One without
            // a policy lets everybody in, which the real one does not.
            let policy = self.sqs.policy(&subscription.endpoint);
            if policy.is_some_and(|policy| !policy::lets_in(&policy, &topic.arn)) {
                continue;
            }
            // So does one that is gone.
            let _arrived = self.sqs.deliver(
                &subscription.endpoint,
                body,
                attributes,
                trace.map(str::to_owned),
            );
        }
    }
}

impl Message {
    /// Reads a message whose fields begin with `prefix`.
    fn read(form: &Form<'_>, prefix: &str) -> Result<Self, ServiceError> {
        let message = form.get(&format!("{prefix}Message")).unwrap_or_default();
        if message.is_empty() {
            return Err(invalid("Empty message"));
        }
        let subject = form.get(&format!("{prefix}Subject"));
        if let Some(subject) = subject {
            check_subject(subject)?;
        }
        let body = match form.get(&format!("{prefix}MessageStructure")) {
            None | Some("") => message.to_owned(),
            Some("json") => body_for_sqs(message)?,
            Some(_) => return Err(invalid("MessageStructure")),
        };
        let attributes = form
            .entries(&format!("{prefix}MessageAttributes.entry"))
            .iter()
            .map(|entry| Attribute::read(form, entry))
            .collect::<Result<Vec<_>, _>>()?;
        let names: BTreeSet<&str> = attributes.iter().map(|a| a.name.as_str()).collect();
        if names.len() < attributes.len() {
            return Err(refuse(
                "ParameterValueInvalid",
                "Message attribute names must be unique",
            ));
        }
        let bytes = message.len() + attributes.iter().map(Attribute::bytes).sum::<usize>();
        Ok(Self {
            id: Uuid::new_v4().to_string(),
            body,
            subject: subject.map(str::to_owned),
            attributes,
            bytes,
        })
    }

    fn check_size(&self) -> Result<(), ServiceError> {
        if self.bytes > MOST_BYTES {
            return Err(invalid("Message too long"));
        }
        Ok(())
    }

    fn envelope(&self, topic: &Topic, subscription: &Subscription, timestamp: &str) -> String {
        let host = format!("https://sns.{REGION}.amazonaws.com");
        let envelope = Envelope {
            r#type: "Notification",
            message_id: &self.id,
            topic_arn: &topic.arn,
            subject: self.subject.as_deref(),
            message: &self.body,
            timestamp,
            signature_version: topic.signature_version(),
            signature: mock_signature(&self.id),
            signing_cert_url: format!(
                "{host}/SimpleNotificationService-00000000000000000000000000000000.pem"
            ),
            unsubscribe_url: format!(
                "{host}/?Action=Unsubscribe&SubscriptionArn={}",
                subscription.arn
            ),
            message_attributes: self
                .attributes
                .iter()
                .map(|attribute| (attribute.name.as_str(), attribute.for_envelope()))
                .collect(),
        };
        // Serialising strings into a string cannot fail.
        serde_json::to_string_pretty(&envelope).unwrap_or_default()
    }
}

fn check_subject(subject: &str) -> Result<(), ServiceError> {
    let length = subject.chars().count();
    let starts_well = subject
        .chars()
        .next()
        .is_some_and(|first| first.is_alphanumeric() || first.is_ascii_punctuation());
    if !starts_well || length > MOST_SUBJECT || subject.contains(|c: char| c.is_control()) {
        return Err(invalid("Subject"));
    }
    Ok(())
}

/// With a message structure each protocol may have its own text.
fn body_for_sqs(message: &str) -> Result<String, ServiceError> {
    let Ok(Value::Object(texts)) = serde_json::from_str(message) else {
        return Err(invalid(
            "Message Structure - JSON message body failed to parse",
        ));
    };
    let default = texts
        .get("default")
        .and_then(Value::as_str)
        .ok_or_else(|| invalid("Message Structure - No default entry in JSON message body"))?;
    let body = texts.get("sqs").and_then(Value::as_str).unwrap_or(default);
    Ok(body.to_owned())
}

fn check_batch<'a>(form: &Form<'a>, entries: &[String]) -> Result<Vec<&'a str>, ServiceError> {
    if entries.is_empty() {
        return Err(refuse(
            "EmptyBatchRequest",
            "The batch request doesn't contain any entries.",
        ));
    }
    if entries.len() > MOST_BATCH {
        return Err(refuse(
            "TooManyEntriesInBatchRequest",
            "The batch request contains more entries than permissible (more than 10).",
        ));
    }
    let ids: Vec<&str> = entries
        .iter()
        .map(|entry| form.get(&format!("{entry}.Id")).unwrap_or_default())
        .collect();
    let clean = |id: &&str| {
        !id.is_empty()
            && id.len() <= 80
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    if !ids.iter().all(clean) {
        return Err(refuse(
            "InvalidBatchEntryId",
            "The Id of a batch entry in a batch request doesn't abide by the specification.",
        ));
    }
    if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
        return Err(refuse(
            "BatchEntryIdsNotDistinct",
            "Two or more batch entries in the request have the same Id.",
        ));
    }
    Ok(ids)
}

/// As long as a real signature and different for each message, but signed by nobody.
fn mock_signature(id: &str) -> String {
    let block: [u8; 20] = Sha1::digest(id.as_bytes()).into();
    let bytes: Vec<u8> = block.into_iter().cycle().take(256).collect();
    STANDARD.encode(bytes)
}
