//! SNS over the query protocol: topics, and subscriptions of SQS queues.

mod attribute;
mod form;
mod policy;
mod publish;
mod subscription;
mod topic;
mod xml;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::form::Form;
use self::topic::Topic;
use super::clock::Clock;
use super::http::{ServiceError, refuse};
use super::sqs::Sqs;

/// The region in the ARNs and URLs made here.
const REGION: &str = "us-east-1";

/// A local SNS account that delivers into the local SQS.
pub struct Sns {
    sqs: Arc<Sqs>,
    clock: Arc<Clock>,
    topics: Mutex<BTreeMap<String, Topic>>,
}

impl Sns {
    /// No topics yet; they deliver to these queues.
    pub fn new(sqs: Arc<Sqs>, clock: Arc<Clock>) -> Self {
        Self {
            sqs,
            clock,
            topics: Mutex::default(),
        }
    }

    /// Forgets every topic.
    pub fn reset(&self) {
        self.topics().clear();
    }

    /// Answers one request of the query protocol with the whole XML document.
    #[expect(
        clippy::unused_async,
        reason = "the frame awaits every service alike, and SQS does wait"
    )]
    pub async fn call_query(&self, form: &[(String, String)]) -> Result<String, ServiceError> {
        let form = Form::new(form);
        let action = form.get("Action").unwrap_or_default();
        let result = match action {
            "CreateTopic" => self.create_topic(&form),
            "DeleteTopic" => self.delete_topic(&form),
            "ListTopics" => Ok(self.list_topics()),
            "GetTopicAttributes" => self.get_topic_attributes(&form),
            "SetTopicAttributes" => self.set_topic_attributes(&form),
            "Subscribe" => self.subscribe(&form),
            "Unsubscribe" => self.unsubscribe(&form),
            "GetSubscriptionAttributes" => self.get_subscription_attributes(&form),
            "SetSubscriptionAttributes" => self.set_subscription_attributes(&form),
            "ListSubscriptions" => Ok(self.list_subscriptions()),
            "ListSubscriptionsByTopic" => self.list_subscriptions_by_topic(&form),
            "Publish" => self.publish(&form),
            "PublishBatch" => self.publish_batch(&form),
            unknown => Err(refuse(
                "InvalidAction",
                format!("The local SNS does not know {unknown}"),
            )),
        }?;
        Ok(xml::answer(action, &result))
    }

    fn topics(&self) -> MutexGuard<'_, BTreeMap<String, Topic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The topic of an ARN; topics are told apart by name alone, whatever the region.
fn find<'a>(
    topics: &'a mut BTreeMap<String, Topic>,
    arn: &str,
) -> Result<&'a mut Topic, ServiceError> {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", _partition, "sns", _region, _account, name] = parts.as_slice() else {
        return Err(invalid("TopicArn"));
    };
    topics
        .get_mut(*name)
        .ok_or_else(|| not_found("Topic does not exist"))
}

fn invalid(what: &str) -> ServiceError {
    refuse("InvalidParameter", format!("Invalid parameter: {what}"))
}

fn not_found(message: &str) -> ServiceError {
    ServiceError {
        status: 404,
        ..refuse("NotFound", message)
    }
}
