//! Deleting messages and changing their visibility.

use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::Sqs;
use super::batch::{self, Done};
use super::errors::missing;
use super::params::{number, required_text};
use super::queue::Queue;

const VISIBILITY_SECONDS: std::ops::RangeInclusive<u64> = 0..=43_200;

impl Sqs {
    pub(super) fn delete_message(&self, request: &Value) -> Result<Value, ServiceError> {
        self.with_queue(request, |queue, _| delete(queue, request))?;
        Ok(json!({}))
    }

    pub(super) fn delete_message_batch(&self, request: &Value) -> Result<Vec<u8>, ServiceError> {
        self.with_queue(request, |queue, _| {
            let entries = batch::entries(request)?;
            batch::answer(entries, |entry| delete(queue, entry))
        })
    }

    pub(super) fn change_message_visibility(&self, request: &Value) -> Result<Value, ServiceError> {
        self.with_queue(request, |queue, now| change(queue, request, now))?;
        Ok(json!({}))
    }

    pub(super) fn change_message_visibility_batch(
        &self,
        request: &Value,
    ) -> Result<Vec<u8>, ServiceError> {
        self.with_queue(request, |queue, now| {
            let entries = batch::entries(request)?;
            batch::answer(entries, |entry| change(queue, entry, now))
        })
    }
}

fn delete(queue: &mut Queue, request: &Value) -> Result<Done, ServiceError> {
    queue.delete(required_text(request, "ReceiptHandle")?)?;
    Ok(Done {})
}

fn change(queue: &mut Queue, request: &Value, now: u64) -> Result<Done, ServiceError> {
    let handle = required_text(request, "ReceiptHandle")?;
    let seconds = number(request, "VisibilityTimeout", VISIBILITY_SECONDS)?
        .ok_or_else(|| missing("VisibilityTimeout"))?;
    queue.change_visibility(handle, seconds, now)?;
    Ok(Done {})
}
