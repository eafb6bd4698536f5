//! Subscriptions of SQS queues, and what they let through.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::super::http::ServiceError;
use super::super::sqs::ACCOUNT;
use super::attribute::Attribute;
use super::form::Form;
use super::xml::{element, list, map};
use super::{Sns, find, invalid, not_found, refuse};

pub(super) struct Subscription {
    pub(super) arn: String,
    topic_arn: String,
    /// The queue's ARN.
    pub(super) endpoint: String,
    attributes: BTreeMap<String, String>,
}

impl Subscription {
    pub(super) fn is_raw(&self) -> bool {
        self.attributes
            .get("RawMessageDelivery")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Whether the filter policy lets a message through: each attribute that it names has one of
    /// the values.
    pub(super) fn wants(&self, attributes: &[Attribute]) -> bool {
        let Some(Ok(Value::Object(policy))) = self
            .attributes
            .get("FilterPolicy")
            .map(|policy| serde_json::from_str(policy))
        else {
            return true;
        };
        policy.iter().all(|(name, wanted)| {
            let values = wanted.as_array().into_iter().flatten();
            attributes
                .iter()
                .filter(|attribute| attribute.name == *name)
                .any(|attribute| values.clone().any(|value| attribute.equals(value)))
        })
    }

    fn summary(&self) -> String {
        [
            element("TopicArn", &self.topic_arn),
            element("Protocol", "sqs"),
            element("SubscriptionArn", &self.arn),
            element("Owner", ACCOUNT),
            element("Endpoint", &self.endpoint),
        ]
        .concat()
    }
}

impl Sns {
    /// A queue that is subscribed already gives its subscription's ARN.
    pub(super) fn subscribe(&self, form: &Form<'_>) -> Result<String, ServiceError> {
        let topic_arn = form.required("TopicArn")?;
        if form.required("Protocol")? != "sqs" {
            return Err(invalid("The local SNS delivers to the protocol sqs only"));
        }
        let endpoint = form.required("Endpoint")?;
        let parts: Vec<&str> = endpoint.split(':').collect();
        let ["arn", _, "sqs", _, _, queue] = parts.as_slice() else {
            return Err(invalid("SQS endpoint ARN"));
        };
        if queue.to_ascii_lowercase().ends_with(".fifo") {
            return Err(invalid(
                "Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
            ));
        }
        let mut attributes = BTreeMap::new();
        for (name, value) in form.map("Attributes")? {
            check_attribute(name, value)?;
            attributes.insert(name.to_owned(), value.to_owned());
        }
        let mut topics = self.topics();
        let topic = find(&mut topics, topic_arn)?;
        let known = topic
            .subscriptions
            .iter()
            .find(|subscription| subscription.endpoint == endpoint);
        if let Some(known) = known {
            let same = attributes
                .iter()
                .all(|(name, value)| known.attributes.get(name) == Some(value));
            if !same {
                return Err(invalid(
                    "Attributes Reason: Subscription already exists with different attributes",
                ));
            }
            return Ok(element("SubscriptionArn", &known.arn));
        }
        let subscription = Subscription {
            arn: format!("{}:{}", topic.arn, Uuid::new_v4()),
            topic_arn: topic.arn.clone(),
            endpoint: endpoint.to_owned(),
            attributes,
        };
        let answer = element("SubscriptionArn", &subscription.arn);
        topic.subscriptions.push(subscription);
        Ok(answer)
    }

    /// Ending what is not there is no error.
    pub(super) fn unsubscribe(&self, form: &Form<'_>) -> Result<String, ServiceError> {
        let arn = form.required("SubscriptionArn")?;
        for topic in self.topics().values_mut() {
            topic.subscriptions.retain(|known| known.arn != arn);
        }
        Ok(String::new())
    }

    pub(super) fn get_subscription_attributes(
        &self,
        form: &Form<'_>,
    ) -> Result<String, ServiceError> {
        self.with_subscription(form, |subscription| {
            let computed = [
                ("SubscriptionArn", subscription.arn.clone()),
                ("TopicArn", subscription.topic_arn.clone()),
                ("Protocol", "sqs".to_owned()),
                ("Endpoint", subscription.endpoint.clone()),
                ("Owner", ACCOUNT.to_owned()),
                ("ConfirmationWasAuthenticated", "true".to_owned()),
                ("PendingConfirmation", "false".to_owned()),
                ("RawMessageDelivery", subscription.is_raw().to_string()),
            ];
            let set = subscription
                .attributes
                .iter()
                .filter(|(name, _)| *name != "RawMessageDelivery")
                .map(|(name, value)| (name.as_str(), value.clone()));
            Ok(map("Attributes", computed.into_iter().chain(set)))
        })
    }

    pub(super) fn set_subscription_attributes(
        &self,
        form: &Form<'_>,
    ) -> Result<String, ServiceError> {
        self.with_subscription(form, |subscription| {
            let name = form.required("AttributeName")?;
            let value = form.get("AttributeValue").unwrap_or_default();
            check_attribute(name, value)?;
            subscription
                .attributes
                .insert(name.to_owned(), value.to_owned());
            Ok(String::new())
        })
    }

    pub(super) fn list_subscriptions(&self) -> String {
        let topics = self.topics();
        let all = topics.values().flat_map(|topic| &topic.subscriptions);
        list("Subscriptions", all.map(Subscription::summary))
    }

    pub(super) fn list_subscriptions_by_topic(
        &self,
        form: &Form<'_>,
    ) -> Result<String, ServiceError> {
        let mut topics = self.topics();
        let topic = find(&mut topics, form.required("TopicArn")?)?;
        Ok(list(
            "Subscriptions",
            topic.subscriptions.iter().map(Subscription::summary),
        ))
    }

    fn with_subscription(
        &self,
        form: &Form<'_>,
        work: impl FnOnce(&mut Subscription) -> Result<String, ServiceError>,
    ) -> Result<String, ServiceError> {
        let arn = form.required("SubscriptionArn")?;
        let mut topics = self.topics();
        let subscription = topics
            .values_mut()
            .flat_map(|topic| &mut topic.subscriptions)
            .find(|known| known.arn == arn)
            .ok_or_else(|| not_found("Subscription does not exist"))?;
        work(subscription)
    }
}

fn check_attribute(name: &str, value: &str) -> Result<(), ServiceError> {
    match name {
        "RawMessageDelivery" => {
            if ["true", "false"].contains(&value.to_ascii_lowercase().as_str()) {
                Ok(())
            } else {
                Err(invalid(
                    "Attributes Reason: RawMessageDelivery: Invalid value",
                ))
            }
        }
        "FilterPolicy" => check_filter(value),
        "FilterPolicyScope" if value == "MessageAttributes" => Ok(()),
        "FilterPolicyScope" => Err(invalid(
            "Attributes Reason: the local SNS filters by MessageAttributes only",
        )),
        "DeliveryPolicy" | "RedrivePolicy" => Ok(()),
        _ => Err(invalid("AttributeName")),
    }
}

/// Exact values only: an operator that is not understood must not pass as a filter that works.
fn check_filter(policy: &str) -> Result<(), ServiceError> {
    if policy.is_empty() {
        return Ok(());
    }
    let wrong = |reason: &str| {
        refuse(
            "InvalidParameter",
            format!("Invalid parameter: FilterPolicy: {reason}"),
        )
    };
    let Ok(Value::Object(policy)) = serde_json::from_str(policy) else {
        return Err(wrong("failed to parse JSON"));
    };
    for values in policy.values() {
        let values = values
            .as_array()
            .filter(|values| !values.is_empty())
            .ok_or_else(|| wrong("each key must hold a list of values"))?;
        if values
            .iter()
            .any(|value| value.is_object() || value.is_array())
        {
            return Err(wrong("the local SNS compares exact values only"));
        }
    }
    Ok(())
}
