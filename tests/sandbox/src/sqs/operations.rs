//! Operations on queues themselves.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::http::ServiceError;
use super::super::lock;
use super::attributes::{Attributes, Redrive};
use super::errors::{error, invalid_value, no_such_queue};
use super::params::{required_text, text, text_map, texts};
use super::queue::Queue;
use super::{ACCOUNT, Caller, Queues, Sqs, fifo_refused, queue_name, queue_url};

/// A purge takes up to a minute in AWS, and a second one within it is refused.
const PURGE_MILLIS: u64 = 60_000;

impl Sqs {
    pub(super) fn create_queue(
        &self,
        caller: &Caller,
        request: &Value,
    ) -> Result<Value, ServiceError> {
        let name = required_text(request, "QueueName")?;
        check_name(name)?;
        let given = text_map(request, "Attributes")?;
        let mut attributes = Attributes::default();
        for (key, value) in &given {
            attributes.set(key, value)?;
        }
        let tags = text_map(request, "tags")?;
        let now = self.clock.now_millis();
        let mut queues = lock(&self.queues);
        check_target(&queues, &attributes)?;
        if let Some(queue) = queues.get(name) {
            let differing = given
                .iter()
                .find(|(key, _)| attributes.get(key) != queue.attributes.get(key));
            if let Some((key, _)) = differing {
                return Err(error(
                    "QueueNameExists",
                    format!(
                        "A queue already exists with the same name and a different value for attribute {key}"
                    ),
                ));
            }
        } else {
            let arn = format!("arn:aws:sqs:{}:{ACCOUNT}:{name}", caller.region);
            let (identity, _) = Uuid::new_v4().as_u64_pair();
            let history = self.history.get().cloned().unwrap_or_default();
            let mut queue = Queue::new(arn, attributes, identity, history, now);
            queue.tell_attributes();
            queue.tags = tags
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
            queues.insert(name.to_owned(), queue);
        }
        Ok(json!({ "QueueUrl": queue_url(caller, name) }))
    }

    pub(super) fn delete_queue(&self, request: &Value) -> Result<Value, ServiceError> {
        let name = queue_name(request)?;
        let mut queues = lock(&self.queues);
        let queue = queues.remove(name).ok_or_else(no_such_queue)?;
        queue.tell("queue_deleted", |_| {});
        queue.changed.notify_waiters();
        Ok(json!({}))
    }

    pub(super) fn list_queues(
        &self,
        caller: &Caller,
        request: &Value,
    ) -> Result<Value, ServiceError> {
        let prefix = text(request, "QueueNamePrefix")?.unwrap_or_default();
        let queues = lock(&self.queues);
        let names = queues.keys().filter(|name| name.starts_with(prefix));
        Ok(urls(caller, "QueueUrls", names))
    }

    pub(super) fn list_dead_letter_source_queues(
        &self,
        caller: &Caller,
        request: &Value,
    ) -> Result<Value, ServiceError> {
        let target = queue_name(request)?;
        let queues = lock(&self.queues);
        if !queues.contains_key(target) {
            return Err(no_such_queue());
        }
        let sources = queues.iter().filter(|(_, queue)| {
            queue
                .attributes
                .redrive()
                .is_some_and(|redrive| name_in(&redrive.target_arn) == target)
        });
        Ok(json!({
            "queueUrls": sources.map(|(name, _)| queue_url(caller, name)).collect::<Vec<_>>()
        }))
    }

    pub(super) fn get_queue_url(
        &self,
        caller: &Caller,
        request: &Value,
    ) -> Result<Value, ServiceError> {
        let name = required_text(request, "QueueName")?;
        if !lock(&self.queues).contains_key(name) {
            return Err(no_such_queue());
        }
        Ok(json!({ "QueueUrl": queue_url(caller, name) }))
    }

    pub(super) fn purge_queue(&self, request: &Value) -> Result<Value, ServiceError> {
        self.with_queue(request, |queue, now| {
            if queue
                .purged_at
                .is_some_and(|purged_at| now < purged_at + PURGE_MILLIS)
            {
                return Err(error(
                    "PurgeQueueInProgress",
                    "Only one PurgeQueue operation is allowed every 60 seconds.",
                ));
            }
            queue.purged_at = Some(now);
            queue.purge();
            Ok(json!({}))
        })
    }

    pub(super) fn get_queue_attributes(&self, request: &Value) -> Result<Value, ServiceError> {
        let wanted = texts(request, "AttributeNames")?;
        if let Some(unknown) = wanted.iter().find(|name| !Attributes::is_known(name)) {
            return Err(error(
                "InvalidAttributeName",
                format!("Unknown Attribute {unknown}."),
            ));
        }
        self.with_queue(request, |queue, _| {
            let all = wanted.contains(&"All");
            let mut answer = Map::new();
            for (name, value) in computed(queue) {
                if all || wanted.contains(&name) {
                    answer.insert(name.to_owned(), json!(value));
                }
            }
            for (name, value) in queue.attributes.iter() {
                if all || wanted.contains(&name) {
                    answer.insert(name.to_owned(), json!(value));
                }
            }
            Ok(json!({ "Attributes": answer }))
        })
    }

    pub(super) fn set_queue_attributes(&self, request: &Value) -> Result<Value, ServiceError> {
        let name = queue_name(request)?;
        let given = text_map(request, "Attributes")?;
        let now = self.clock.now_millis();
        let mut queues = lock(&self.queues);
        let mut attributes = queues
            .get(name)
            .ok_or_else(no_such_queue)?
            .attributes
            .clone();
        for (key, value) in given {
            attributes.set(key, value)?;
        }
        check_target(&queues, &attributes)?;
        if let Some(queue) = queues.get_mut(name) {
            queue.attributes = attributes;
            queue.modified_at = now;
            queue.tell_attributes();
            // A long poll may sit on messages that a shorter retention has just dropped.
            queue.changed.notify_waiters();
        }
        Ok(json!({}))
    }

    pub(super) fn tag_queue(&self, request: &Value) -> Result<Value, ServiceError> {
        let tags = text_map(request, "Tags")?;
        self.with_queue(request, |queue, _| {
            for (key, value) in tags {
                queue.tags.insert(key.to_owned(), value.to_owned());
            }
            Ok(json!({}))
        })
    }

    pub(super) fn untag_queue(&self, request: &Value) -> Result<Value, ServiceError> {
        let keys = texts(request, "TagKeys")?;
        self.with_queue(request, |queue, _| {
            for key in keys {
                queue.tags.remove(key);
            }
            Ok(json!({}))
        })
    }

    pub(super) fn list_queue_tags(&self, request: &Value) -> Result<Value, ServiceError> {
        self.with_queue(request, |queue, _| Ok(json!({ "Tags": queue.tags })))
    }
}

/// The queue's name at the end of an ARN.
pub(super) fn name_in(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

fn check_name(name: &str) -> Result<(), ServiceError> {
    let plain = name.strip_suffix(".fifo").unwrap_or(name);
    let allowed = plain
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if !allowed || plain.is_empty() || name.len() > 80 {
        return Err(invalid_value(
            name,
            "QueueName",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
        ));
    }
    if plain.len() < name.len() {
        return Err(fifo_refused());
    }
    Ok(())
}

fn check_target(queues: &Queues, attributes: &Attributes) -> Result<(), ServiceError> {
    match attributes.redrive() {
        Some(redrive) if !queues.contains_key(name_in(&redrive.target_arn)) => Err(
            Redrive::no_target(attributes.get("RedrivePolicy").unwrap_or_default()),
        ),
        _ => Ok(()),
    }
}

fn computed(queue: &Queue) -> [(&'static str, String); 6] {
    [
        (
            "ApproximateNumberOfMessages",
            queue.visible_count().to_string(),
        ),
        (
            "ApproximateNumberOfMessagesDelayed",
            queue.delayed_count().to_string(),
        ),
        (
            "ApproximateNumberOfMessagesNotVisible",
            queue.in_flight_count().to_string(),
        ),
        ("CreatedTimestamp", (queue.created_at / 1000).to_string()),
        (
            "LastModifiedTimestamp",
            (queue.modified_at / 1000).to_string(),
        ),
        ("QueueArn", queue.arn.clone()),
    ]
}

/// The key is left out where the list is empty, as AWS does.
fn urls<'a>(caller: &Caller, key: &str, names: impl Iterator<Item = &'a String>) -> Value {
    let urls: Vec<_> = names.map(|name| queue_url(caller, name)).collect();
    if urls.is_empty() {
        json!({})
    } else {
        json!({ key: urls })
    }
}
