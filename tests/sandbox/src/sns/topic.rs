//! Topics.

use std::collections::BTreeMap;

use super::super::http::ServiceError;
use super::super::sqs::ACCOUNT;
use super::form::Form;
use super::subscription::Subscription;
use super::xml::{element, list, map};
use super::{REGION, Sns, find, invalid, refuse};

const ATTRIBUTES: [&str; 8] = [
    "DeliveryPolicy",
    "DisplayName",
    "KmsMasterKeyId",
    "Policy",
    "SQSFailureFeedbackRoleArn",
    "SQSSuccessFeedbackRoleArn",
    "SignatureVersion",
    "TracingConfig",
];

pub(super) struct Topic {
    pub(super) arn: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) subscriptions: Vec<Subscription>,
}

impl Topic {
    pub(super) fn signature_version(&self) -> &str {
        self.attributes
            .get("SignatureVersion")
            .map_or("1", String::as_str)
    }
}

impl Sns {
    /// A name that exists gives its topic's ARN.
    pub(super) fn create_topic(&self, form: &Form<'_>) -> Result<String, ServiceError> {
        let name = form.required("Name")?;
        let attributes = form.map("Attributes")?;
        let wants_fifo = attributes.contains(&("FifoTopic", "true"));
        if wants_fifo || name.to_ascii_lowercase().ends_with(".fifo") {
            return Err(invalid("The local SNS has no FIFO topics"));
        }
        let clean = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if !clean || name.len() > 256 {
            return Err(invalid("Topic Name"));
        }
        for (key, value) in &attributes {
            check_attribute(key, value)?;
        }
        let mut topics = self.topics();
        if let Some(topic) = topics.get(name) {
            let same = attributes
                .iter()
                .all(|(key, value)| topic.attributes.get(*key).is_some_and(|old| old == value));
            if !same {
                return Err(invalid(
                    "Attributes Reason: Topic already exists with different attributes",
                ));
            }
            return Ok(element("TopicArn", &topic.arn));
        }
        let topic = Topic {
            arn: format!("arn:aws:sns:{REGION}:{ACCOUNT}:{name}"),
            attributes: attributes
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            subscriptions: Vec::new(),
        };
        let answer = element("TopicArn", &topic.arn);
        topics.insert(name.to_owned(), topic);
        Ok(answer)
    }

    /// Deleting what is not there is no error.
    pub(super) fn delete_topic(&self, form: &Form<'_>) -> Result<String, ServiceError> {
        let arn = form.required("TopicArn")?;
        self.topics().retain(|_, topic| topic.arn != arn);
        Ok(String::new())
    }

    pub(super) fn list_topics(&self) -> String {
        let topics = self.topics();
        list(
            "Topics",
            topics.values().map(|topic| element("TopicArn", &topic.arn)),
        )
    }

    pub(super) fn get_topic_attributes(&self, form: &Form<'_>) -> Result<String, ServiceError> {
        let mut topics = self.topics();
        let topic = find(&mut topics, form.required("TopicArn")?)?;
        let computed = [
            ("TopicArn", topic.arn.clone()),
            ("Owner", ACCOUNT.to_owned()),
            ("SubscriptionsPending", "0".to_owned()),
            (
                "SubscriptionsConfirmed",
                topic.subscriptions.len().to_string(),
            ),
            ("SubscriptionsDeleted", "0".to_owned()),
        ];
        let set = topic
            .attributes
            .iter()
            .map(|(key, value)| (key.as_str(), value.clone()));
        Ok(map("Attributes", computed.into_iter().chain(set)))
    }

    pub(super) fn set_topic_attributes(&self, form: &Form<'_>) -> Result<String, ServiceError> {
        let mut topics = self.topics();
        let topic = find(&mut topics, form.required("TopicArn")?)?;
        let name = form.required("AttributeName")?;
        let value = form.get("AttributeValue").unwrap_or_default();
        check_attribute(name, value)?;
        topic.attributes.insert(name.to_owned(), value.to_owned());
        Ok(String::new())
    }
}

fn check_attribute(name: &str, value: &str) -> Result<(), ServiceError> {
    if !ATTRIBUTES.contains(&name) {
        return Err(invalid("AttributeName"));
    }
    if name == "SignatureVersion" && !matches!(value, "1" | "2") {
        return Err(refuse(
            "InvalidParameter",
            "Invalid parameter: SignatureVersion must be 1 or 2",
        ));
    }
    Ok(())
}
