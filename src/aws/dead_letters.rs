//! What `triage` does over SQS beyond what the daemon does: it receives messages whole and sends them to
//! another queue. Each call is tried once: `triage` owns the retries.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    primitives::Blob,
    types::{
        Message, MessageAttributeValue, MessageSystemAttributeName,
        MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
        SendMessageBatchRequestEntry,
    },
};

use super::{
    AwsConfig,
    classify::{Failure, THROTTLED, entry_failure},
    sqs,
};
use crate::ports::{
    CallError, QueueFailure, ReceiveRequest,
    dead_letters::{
        Attribute, AttributeValue, DeadLetter, DeadLetters, Resend, ResendFailure,
        ResendFailureKind, Resent,
    },
};

/// The name of the trace header, as the daemon receives it and as a sender gives it.
const TRACE_HEADER: &str = "AWSTraceHeader";
/// The type of a text.
const TEXT: &str = "String";
/// How long sending a batch may take. A batch can weigh a megabyte.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// A queue of dead letters.
pub struct SqsDeadLetters {
    client: Client,
    url: String,
}

impl SqsDeadLetters {
    /// The queue at `url`, received from with waits of at most `wait`.
    pub fn new(aws: &AwsConfig, url: String, wait: Duration) -> Self {
        let config = aws.one_attempt(wait + sqs::RECEIVE_SLACK);
        let client = sqs::client(&config, &url);
        Self { client, url }
    }
}

#[async_trait]
impl DeadLetters for SqsDeadLetters {
    async fn receive_whole(
        &self,
        request: ReceiveRequest,
    ) -> Result<Vec<DeadLetter>, QueueFailure> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(sqs::to_i32(request.max_messages))
            .wait_time_seconds(sqs::to_i32(request.wait.as_secs()))
            .visibility_timeout(sqs::to_i32(request.visibility.as_secs()))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::AwsTraceHeader)
            .message_system_attribute_names(MessageSystemAttributeName::DeadLetterQueueSourceArn)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(|error| Failure::new("ReceiveMessage", error).of_queue())?;
        let messages = answer.messages.unwrap_or_default();
        Ok(messages.into_iter().filter_map(whole).collect())
    }
}

/// A queue that messages are sent to again.
pub struct SqsResend {
    client: Client,
    url: String,
}

impl SqsResend {
    /// The queue at `url`.
    pub fn new(aws: &AwsConfig, url: String) -> Self {
        let client = sqs::client(&aws.one_attempt(SEND_TIMEOUT), &url);
        Self { client, url }
    }
}

#[async_trait]
impl Resend for SqsResend {
    async fn resend(&self, letters: &[&DeadLetter]) -> Result<Vec<Resent>, ResendFailure> {
        const OPERATION: &str = "SendMessageBatch";
        let entries = letters
            .iter()
            .enumerate()
            .map(|(position, letter)| entry(position, letter))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| {
                let error = CallError::local(OPERATION, "request", error);
                ResendFailure::new(ResendFailureKind::NotSent, error)
            })?;
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| Failure::new(OPERATION, error).of_resend())?;
        let mut resent = vec![Resent::Unknown; letters.len()];
        let mut set = |id: &str, what| {
            let position = id.parse::<usize>().ok();
            if let Some(slot) = position.and_then(|position| resent.get_mut(position)) {
                *slot = what;
            }
        };
        for entry in &answer.successful {
            set(&entry.id, Resent::Yes);
        }
        for entry in &answer.failed {
            let message = entry.message.as_deref().unwrap_or_default();
            let failure = entry_failure(&entry.code, message, entry.sender_fault);
            // A server's fault may come after the queue has taken the message.
            let is_taken_by_none = entry.sender_fault || THROTTLED.contains(&entry.code.as_str());
            let resent = if is_taken_by_none {
                Resent::No(failure)
            } else {
                Resent::Maybe(failure)
            };
            set(&entry.id, resent);
        }
        Ok(resent)
    }
}

/// A message with all that its publisher gave it.
fn whole(message: Message) -> Option<DeadLetter> {
    let source = MessageSystemAttributeName::DeadLetterQueueSourceArn;
    let system = message.attributes.as_ref();
    let came_from = system.and_then(|system| system.get(&source)).cloned();
    let given = message.message_attributes.as_ref();
    let mut attributes: Vec<_> = given
        .into_iter()
        .flatten()
        .filter_map(|(name, given)| {
            let text = given.string_value.clone().map(AttributeValue::Text);
            let bytes = || given.binary_value.clone().map(Blob::into_inner);
            Some(Attribute {
                name: name.clone(),
                data_type: given.data_type.clone(),
                value: text.or_else(|| bytes().map(AttributeValue::Bytes))?,
            })
        })
        .collect();
    // The SDK has them in no order.
    attributes.sort_by(|one, other| one.name.cmp(&other.name));
    Some(DeadLetter {
        message: sqs::received(message)?,
        attributes,
        came_from,
    })
}

fn entry(
    position: usize,
    letter: &DeadLetter,
) -> Result<SendMessageBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
    let mut attributes = HashMap::new();
    for Attribute {
        name,
        data_type,
        value,
    } in &letter.attributes
    {
        let builder = MessageAttributeValue::builder().data_type(data_type);
        let builder = match value {
            AttributeValue::Text(text) => builder.string_value(text),
            AttributeValue::Bytes(bytes) => builder.binary_value(Blob::new(bytes.clone())),
        };
        attributes.insert(name.clone(), builder.build()?);
    }
    let mut entry = SendMessageBatchRequestEntry::builder()
        .id(position.to_string())
        .message_body(&letter.message.body);
    if !attributes.is_empty() {
        entry = entry.set_message_attributes(Some(attributes));
    }
    if let Some(header) = letter.message.trace_carriers.get(TRACE_HEADER) {
        let header = MessageSystemAttributeValue::builder()
            .data_type(TEXT)
            .string_value(header)
            .build()?;
        let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
        entry = entry.message_system_attributes(name, header);
    }
    entry.build()
}

#[cfg(test)]
mod tests;
