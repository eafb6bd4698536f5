//! The queue over SQS.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    config::{Builder, retry::RetryConfig, timeout::TimeoutConfig},
    operation::get_queue_attributes::GetQueueAttributesOutput,
    types::{
        BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
        DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName,
    },
};
use serde::Deserialize;

use super::{AwsConfig, classify};
use crate::ports::{
    CallError, EntryFailure, Queue, QueueFacts, QueueFailure, QueueFailureKind, ReceiptHandle,
    ReceiveRequest, ReceivedMessage, Redrive,
};

/// SQS answers a long poll when its wait is over; what takes this much longer is a dead connection.
const RECEIVE_SLACK: Duration = Duration::from_secs(10);
/// Attributes are read only at boot, where the SDK's own retries fit.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// One SQS queue.
///
/// Receives, deletes and visibility changes are tried once: poller, settler and lease keeper own
/// their retries. Reading the attributes is retried by the SDK.
pub struct SqsQueue {
    client: Client,
    /// Of their own, since what differs from call to call is put together anew for each.
    receiving: Client,
    settling: Client,
    url: String,
}

impl SqsQueue {
    /// The queue at `url`, received from with waits of at most `wait`; a delete or a visibility
    /// change may take `settle_timeout`.
    #[must_use]
    pub fn new(aws: &AwsConfig, url: String, wait: Duration, settle_timeout: Duration) -> Self {
        Self {
            client: Client::new(&aws.0),
            receiving: one_attempt(aws, wait + RECEIVE_SLACK),
            settling: one_attempt(aws, settle_timeout),
            url,
        }
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn describe(&self) -> Result<QueueFacts, QueueFailure> {
        const OPERATION: &str = "GetQueueAttributes";
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::All)
            .customize()
            .config_override(
                aws_sdk_sqs::config::Config::builder().timeout_config(
                    TimeoutConfig::builder()
                        .operation_attempt_timeout(DESCRIBE_TIMEOUT)
                        .build(),
                ),
            )
            .send()
            .await
            .map_err(|error| classify::queue_failure(OPERATION, error))?;
        facts(OPERATION, &answer)
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, QueueFailure> {
        let answer = self
            .receiving
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(to_i32(request.max_messages))
            .wait_time_seconds(to_i32(request.wait.as_secs()))
            .visibility_timeout(to_i32(request.visibility.as_secs()))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::AwsTraceHeader)
            .message_attribute_names("traceparent")
            .message_attribute_names("tracestate")
            .send()
            .await
            .map_err(|error| classify::queue_failure("ReceiveMessage", error))?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .filter_map(received)
            .collect())
    }

    async fn delete(
        &self,
        receipts: &[ReceiptHandle],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        const OPERATION: &str = "DeleteMessageBatch";
        if receipts.is_empty() {
            return Ok(Vec::new());
        }
        let entries = receipts.iter().enumerate().map(|(position, receipt)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(position.to_string())
                .receipt_handle(&receipt.0)
                .build()
        });
        let entries = entries
            .collect::<Result<_, _>>()
            .map_err(|error| unbuilt(OPERATION, error))?;
        let answer = self
            .settling
            .delete_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| classify::queue_failure(OPERATION, error))?;
        let done = answer.successful.iter().map(|entry| entry.id.as_str());
        Ok(by_position(receipts.len(), done, &answer.failed))
    }

    async fn change_visibility(
        &self,
        changes: &[(ReceiptHandle, Duration)],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure> {
        const OPERATION: &str = "ChangeMessageVisibilityBatch";
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let entries = changes
            .iter()
            .enumerate()
            .map(|(position, (receipt, timeout))| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(position.to_string())
                    .receipt_handle(&receipt.0)
                    .visibility_timeout(to_i32(timeout.as_secs()))
                    .build()
            });
        let entries = entries
            .collect::<Result<_, _>>()
            .map_err(|error| unbuilt(OPERATION, error))?;
        let answer = self
            .settling
            .change_message_visibility_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| classify::queue_failure(OPERATION, error))?;
        let done = answer.successful.iter().map(|entry| entry.id.as_str());
        Ok(by_position(changes.len(), done, &answer.failed))
    }
}

/// What the attributes say.
pub(super) fn facts(
    operation: &'static str,
    answer: &GetQueueAttributesOutput,
) -> Result<QueueFacts, QueueFailure> {
    let attribute = |name| answer.attributes().and_then(|all| all.get(&name));
    let seconds = |name| {
        let text = attribute(name).map_or("0", String::as_str);
        text.parse().map(Duration::from_secs).unwrap_or_default()
    };
    let redrive = match attribute(QueueAttributeName::RedrivePolicy) {
        Some(policy) if !policy.is_empty() => {
            Some(redrive(policy).map_err(|error| QueueFailure {
                kind: QueueFailureKind::Transient,
                error: Box::new(CallError {
                    operation,
                    code: "response".to_owned(),
                    message: "the redrive policy cannot be read".to_owned(),
                    request_id: None,
                    source: Some(Box::new(error)),
                }),
            })?)
        }
        _ => None,
    };
    Ok(QueueFacts {
        redrive,
        retention: seconds(QueueAttributeName::MessageRetentionPeriod),
        default_visibility: seconds(QueueAttributeName::VisibilityTimeout),
    })
}

/// A client whose calls are one attempt of at most `timeout`, without the SDK's retries.
fn one_attempt(aws: &AwsConfig, timeout: Duration) -> Client {
    let config = Builder::from(&aws.0)
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(timeout)
                .build(),
        );
    Client::from_conf(config.build())
}

/// A delivery in our terms. One without a handle could neither be settled nor renewed, so it is
/// none; SQS always gives one.
fn received(message: Message) -> Option<ReceivedMessage> {
    let system = message.attributes.unwrap_or_default();
    let number = |name| system.get(&name).and_then(|text| text.parse::<u64>().ok());
    let receive_count = number(MessageSystemAttributeName::ApproximateReceiveCount).unwrap_or(1);
    let sent_at = number(MessageSystemAttributeName::SentTimestamp)
        .map(|millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
    let mut trace_carriers = BTreeMap::new();
    if let Some(header) = system.get(&MessageSystemAttributeName::AwsTraceHeader) {
        trace_carriers.insert("AWSTraceHeader".to_owned(), header.clone());
    }
    for (name, value) in message.message_attributes.unwrap_or_default() {
        if let Some(text) = value.string_value {
            trace_carriers.insert(name, text);
        }
    }
    let receipt = message.receipt_handle?;
    Some(ReceivedMessage {
        // SQS always gives one; the handle is as good to tell messages apart by.
        id: message.message_id.unwrap_or_else(|| receipt.clone()),
        receipt: ReceiptHandle(receipt),
        body: message.body.unwrap_or_default(),
        receive_count: u32::try_from(receive_count.max(1)).unwrap_or(u32::MAX),
        sent_at,
        trace_carriers,
    })
}

/// The answers of a batch in the order of its entries, whose ids are their positions. An entry of
/// which the answer says nothing counts as failed, so that it is tried again.
fn by_position<'a>(
    entries: usize,
    done: impl Iterator<Item = &'a str>,
    failed: &[BatchResultErrorEntry],
) -> Vec<Result<(), EntryFailure>> {
    let mut answers: Vec<_> = (0..entries)
        .map(|_| {
            Err(classify::entry_failure(
                "Unanswered",
                "the answer names no such entry",
                false,
            ))
        })
        .collect();
    let mut set = |id: &str, answer| {
        if let Some(slot) = id
            .parse::<usize>()
            .ok()
            .and_then(|index| answers.get_mut(index))
        {
            *slot = answer;
        }
    };
    for id in done {
        set(id, Ok(()));
    }
    for entry in failed {
        let message = entry.message.as_deref().unwrap_or_default();
        let failure = classify::entry_failure(&entry.code, message, entry.sender_fault);
        set(&entry.id, Err(failure));
    }
    answers
}

fn redrive(policy: &str) -> Result<Redrive, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Policy {
        dead_letter_target_arn: String,
        max_receive_count: serde_json::Value,
    }
    let policy: Policy = serde_json::from_str(policy)?;
    // SQS keeps the number as it was given, which may be a string.
    let text = policy.max_receive_count.to_string();
    let max_receive_count = serde_json::from_str(text.trim_matches('"'))?;
    Ok(Redrive {
        max_receive_count,
        dead_letter_queue: policy.dead_letter_target_arn,
    })
}

fn unbuilt(
    operation: &'static str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> QueueFailure {
    QueueFailure {
        kind: QueueFailureKind::Transient,
        error: Box::new(CallError {
            operation,
            code: "request".to_owned(),
            message: error.to_string(),
            request_id: None,
            source: Some(Box::new(error)),
        }),
    }
}

fn to_i32(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
