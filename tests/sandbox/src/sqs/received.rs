//! The answer to `ReceiveMessage`, written straight from the messages.

use std::fmt::Display;

use serde::{Serialize, Serializer};

use super::super::http::ServiceError;
use super::ACCOUNT;
use super::errors::internal;
use super::md5::{self, Hex};
use super::message::{Message, MessageAttribute};

/// Ids, handle, digest, names and attributes of one message, in bytes.
const AROUND_A_BODY: usize = 768;

/// The key `Messages` is left out where there are none, as AWS does.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    messages: Vec<ReceivedMessage<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ReceivedMessage<'a> {
    #[serde(serialize_with = "as_text")]
    message_id: uuid::Uuid,
    receipt_handle: &'a str,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: &'a str,
    body: &'a str,
    #[serde(skip_serializing_if = "SystemAttributes::is_empty")]
    attributes: SystemAttributes<'a>,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_attributes: Option<Hex>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    message_attributes: Vec<&'a (String, MessageAttribute)>,
}

/// What the service itself knows of a message; every value is a text.
struct SystemAttributes<'a>(Vec<(&'static str, SystemValue<'a>)>);

enum SystemValue<'a> {
    Number(u64),
    Text(&'a str),
}

/// The JSON that goes out for messages with their receipt handles: of the system attributes
/// those that `wants_system` names, of the sender's those that `wants`.
pub(super) fn answer(
    messages: &[(Message, String)],
    wants_system: impl Fn(&str) -> bool,
    wants: impl Fn(&str) -> bool,
) -> Result<Vec<u8>, ServiceError> {
    let size: usize = messages
        .iter()
        .map(|(message, _)| AROUND_A_BODY + message.content.body.len() * 5 / 4)
        .sum();
    let messages = messages
        .iter()
        .map(|(message, handle)| {
            let content = &message.content;
            let chosen: Vec<_> = content
                .attributes
                .iter()
                .filter(|(name, _)| wants(name))
                .collect();
            ReceivedMessage {
                message_id: message.id,
                receipt_handle: handle,
                md5_of_body: content.md5.as_str(),
                body: &content.body,
                attributes: SystemAttributes::of(message, &wants_system),
                md5_of_attributes: md5::of_attributes(chosen.iter().copied()),
                message_attributes: chosen,
            }
        })
        .collect();
    let mut json = Vec::with_capacity(size);
    serde_json::to_writer(&mut json, &Answer { messages }).map_err(|source| internal(&source))?;
    Ok(json)
}

impl<'a> SystemAttributes<'a> {
    fn of(message: &'a Message, wants: impl Fn(&str) -> bool) -> Self {
        let number = |number| Some(SystemValue::Number(number));
        let text = |text: &'a Option<String>| text.as_deref().map(SystemValue::Text);
        let first = message.first_received_at.unwrap_or_default();
        let all = [
            (
                "ApproximateReceiveCount",
                number(message.receive_count.into()),
            ),
            ("ApproximateFirstReceiveTimestamp", number(first)),
            ("SentTimestamp", number(message.sent_at)),
            ("SenderId", Some(SystemValue::Text(ACCOUNT))),
            ("AWSTraceHeader", text(&message.content.trace_header)),
            (
                "DeadLetterQueueSourceArn",
                text(&message.dead_letter_source),
            ),
        ];
        let known = all
            .into_iter()
            .filter(|(name, _)| wants(name))
            .filter_map(|(name, value)| Some((name, value?)));
        Self(known.collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for SystemAttributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Serialize for SystemValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.collect_str(number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

fn as_text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_map<S: Serializer>(
    attributes: &[&(String, MessageAttribute)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(attributes.iter().map(|(name, value)| (name, value)))
}
