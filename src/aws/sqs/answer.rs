//! The answer to a receive, read by us and not by the SDK. The SDK's reader looks at each byte by itself,
//! at a tenth of what a message costs. A test holds what we read against what the SDK reads, and what we
//! cannot read is left to it, so that a fault has one name.

use std::{
    cell::Cell,
    collections::BTreeMap,
    mem,
    time::{Duration, SystemTime},
};

use aws_sdk_sqs::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::BeforeDeserializationInterceptorContextMut,
    },
    error::BoxError,
    types::{Message, MessageSystemAttributeName},
};
use serde::Deserialize;

use crate::ports::{ReceiptHandle, ReceivedMessage};

tokio::task_local! {
    /// What the answer to the one receive within [`reading`] holds.
    static READ: Cell<Option<Vec<ReceivedMessage>>>;
}

/// Reads the answers of a client, whose bodies have to be in memory.
#[derive(Debug)]
pub(super) struct AnswerReader;

impl Intercept for AnswerReader {
    fn name(&self) -> &'static str {
        "AnswerReader"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response_mut();
        let body = answer
            .body()
            .bytes()
            .filter(|_| answer.status().is_success());
        let Some(messages) = body.and_then(|body| messages(body).ok()) else {
            return Ok(());
        };
        if READ.try_with(|read| read.set(Some(messages))).is_ok() {
            drop(mem::replace(answer.body_mut(), "{}".into()));
        }
        Ok(())
    }
}

/// Makes a receive of a client that has [`AnswerReader`]. `None` is what the SDK has read itself.
pub(super) fn reading<T>(
    receive: impl Future<Output = T>,
) -> impl Future<Output = (T, Option<Vec<ReceivedMessage>>)> {
    READ.scope(Cell::new(None), async {
        let answer = receive.await;
        (answer, READ.with(Cell::take))
    })
}

fn messages(answer: &[u8]) -> Result<Vec<ReceivedMessage>, serde_json::Error> {
    let answer: Answer = serde_json::from_slice(answer)?;
    let messages = answer.messages.unwrap_or_default();
    Ok(messages
        .into_iter()
        .filter_map(Delivery::received)
        .collect())
}

/// A message that the SDK has read.
pub(in crate::aws) fn received(message: Message) -> Option<ReceivedMessage> {
    let mut attributes = message.attributes.unwrap_or_default();
    let mut attribute = |name| attributes.remove(&name);
    let delivery = Delivery {
        message_id: message.message_id,
        receipt_handle: message.receipt_handle,
        body: message.body,
        attributes: Some(Attributes {
            approximate_receive_count: attribute(
                MessageSystemAttributeName::ApproximateReceiveCount,
            ),
            sent_timestamp: attribute(MessageSystemAttributeName::SentTimestamp),
            trace_header: attribute(MessageSystemAttributeName::AwsTraceHeader),
        }),
        message_attributes: message.message_attributes.map(|attributes| {
            let texts = attributes.into_iter().map(|(name, value)| {
                let string_value = value.string_value;
                (name, MessageAttribute { string_value })
            });
            texts.collect()
        }),
    };
    delivery.received()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    messages: Option<Vec<Delivery>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delivery {
    message_id: Option<String>,
    receipt_handle: Option<String>,
    body: Option<String>,
    attributes: Option<Attributes>,
    message_attributes: Option<BTreeMap<String, MessageAttribute>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    approximate_receive_count: Option<String>,
    sent_timestamp: Option<String>,
    #[serde(rename = "AWSTraceHeader")]
    trace_header: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MessageAttribute {
    string_value: Option<String>,
}

impl Delivery {
    /// In our terms. One without a handle could neither be settled nor renewed, so it is none; SQS always
    /// gives one.
    fn received(self) -> Option<ReceivedMessage> {
        let attributes = self.attributes.unwrap_or_default();
        let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok());
        let receive_count = number(attributes.approximate_receive_count).unwrap_or(1);
        let sent_at = number(attributes.sent_timestamp)
            .map(|millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        let mut trace_carriers = BTreeMap::new();
        if let Some(header) = attributes.trace_header {
            trace_carriers.insert("AWSTraceHeader".to_owned(), header);
        }
        for (name, value) in self.message_attributes.unwrap_or_default() {
            if let Some(text) = value.string_value {
                trace_carriers.insert(name, text);
            }
        }
        let receipt = self.receipt_handle?;
        Some(ReceivedMessage {
            // SQS always gives an id; the receipt handle distinguishes messages as well.
            id: self.message_id.unwrap_or_else(|| receipt.clone()),
            receipt: ReceiptHandle(receipt),
            body: self.body.unwrap_or_default(),
            receive_count: u32::try_from(receive_count.max(1)).unwrap_or(u32::MAX),
            sent_at,
            trace_carriers,
        })
    }
}

#[cfg(test)]
mod tests;
