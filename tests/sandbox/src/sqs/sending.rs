//! Sending messages.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::errors::error;
use super::message::{Content, MAXIMUM_SIZE, Message};
use super::params::number;
use super::queue::Queue;
use super::{Sqs, batch, md5};

impl Sqs {
    pub(super) fn send_message(&self, request: &Value) -> Result<Value, ServiceError> {
        self.with_queue(request, |queue, now| self.send(queue, request, now))
    }

    pub(super) fn send_message_batch(&self, request: &Value) -> Result<Vec<u8>, ServiceError> {
        self.with_queue(request, |queue, now| {
            let entries = batch::entries(request)?;
            // An entry that cannot be read fails for itself and weighs nothing here.
            let total: usize = entries
                .iter()
                .filter_map(|(_, entry)| Content::parse(entry).ok())
                .map(|content| content.size())
                .sum();
            if total > MAXIMUM_SIZE {
                return Err(error(
                    "BatchRequestTooLong",
                    format!(
                        "Batch requests cannot be longer than {MAXIMUM_SIZE} bytes. You have sent {total} bytes."
                    ),
                ));
            }
            batch::answer(entries, |entry| self.send(queue, entry, now))
        })
    }

    fn send(&self, queue: &mut Queue, request: &Value, now: u64) -> Result<Value, ServiceError> {
        let content = Content::parse(request)?;
        let most = queue.attributes.maximum_message_size();
        if content.size() > most {
            return Err(error(
                "InvalidParameterValue",
                format!(
                    "One or more parameters are invalid. Reason: Message must be shorter than {most} bytes."
                ),
            ));
        }
        let delay_millis = number(request, "DelaySeconds", 0..=900)?
            .map_or(queue.attributes.delay_millis(), |seconds| seconds * 1000);
        let mut answer = json!({ "MD5OfMessageBody": content.md5.as_str() });
        if let Some(md5) = md5::of_attributes(&content.attributes) {
            answer["MD5OfMessageAttributes"] = json!(md5.as_str());
        }
        if let Some(md5) = content.md5_of_system_attributes() {
            answer["MD5OfMessageSystemAttributes"] = json!(md5.as_str());
        }
        let message = Message::new(Arc::new(content), now);
        answer["MessageId"] = json!(message.id.to_string());
        self.enqueue(queue, message, delay_millis, now);
        Ok(answer)
    }
}
