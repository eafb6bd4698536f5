//! A message, its attributes and the rules they must keep.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use super::super::http::ServiceError;
use super::errors::{error, missing, serialization};
use super::md5::{self, Hex};
use super::params::{map, required_text, text};

/// The most that one message or one batch may weigh, in bytes.
pub(super) const MAXIMUM_SIZE: usize = 1_048_576;
const MOST_ATTRIBUTES: usize = 10;

/// A user-defined message attribute; one of the two values is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, with the sender's own suffix.
    pub data_type: String,
    /// The value of a text or number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// The value of bytes.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_base64")]
    pub binary_value: Option<Vec<u8>>,
}

/// What the sender gave: it never changes, so copies share it.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub body: String,
    pub md5: Hex,
    pub attributes: Vec<(String, MessageAttribute)>,
    pub trace_header: Option<String>,
}

/// A message in a queue.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub id: Uuid,
    pub content: Arc<Content>,
    /// When it was first sent, in milliseconds since the epoch: retention counts from here, also
    /// after a move to a dead-letter queue.
    pub sent_at: u64,
    pub receive_count: u32,
    pub first_received_at: Option<u64>,
    /// The ARN of the queue that it was dead-lettered from.
    pub dead_letter_source: Option<String>,
}

impl Message {
    pub(super) fn new(content: Arc<Content>, now: u64) -> Self {
        Self {
            id: Uuid::new_v4(),
            content,
            sent_at: now,
            receive_count: 0,
            first_received_at: None,
            dead_letter_source: None,
        }
    }
}

impl Content {
    pub(super) fn new(
        body: String,
        attributes: Vec<(String, MessageAttribute)>,
        trace_header: Option<String>,
    ) -> Self {
        Self {
            md5: md5::of_body(&body),
            body,
            attributes,
            trace_header,
        }
    }

    /// Body, attribute names, types and values together, in bytes, as SQS counts them.
    pub(super) fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, attribute)| {
            name.len()
                + attribute.data_type.len()
                + attribute.string_value.as_ref().map_or(0, String::len)
                + attribute.binary_value.as_ref().map_or(0, Vec::len)
        });
        self.body.len() + attributes.sum::<usize>()
    }

    /// Reads and checks the content of a `SendMessage` or of an entry of its batch. The size is
    /// the queue's to check.
    pub(super) fn parse(request: &Value) -> Result<Self, ServiceError> {
        let body = required_text(request, "MessageBody")?;
        if body.is_empty() {
            return Err(missing("MessageBody"));
        }
        if !body.chars().all(is_allowed) {
            return Err(error(
                "InvalidMessageContents",
                "Invalid characters found in the message body. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.",
            ));
        }
        Ok(Self::new(
            body.to_owned(),
            parse_attributes(request)?,
            parse_trace_header(request)?,
        ))
    }

    /// The digest of the system attributes as `SendMessage` answers it.
    pub(super) fn md5_of_system_attributes(&self) -> Option<Hex> {
        let header = self.trace_header.clone()?;
        let attribute = MessageAttribute {
            data_type: "String".to_owned(),
            string_value: Some(header),
            binary_value: None,
        };
        md5::of_attributes([&("AWSTraceHeader".to_owned(), attribute)])
    }
}

impl MessageAttribute {
    fn parse(name: &str, json: &Value) -> Result<Self, ServiceError> {
        let data_type = text(json, "DataType")?.unwrap_or_default();
        let string_value = text(json, "StringValue")?.map(str::to_owned);
        let binary_value = text(json, "BinaryValue")?
            .map(|base64| {
                STANDARD
                    .decode(base64)
                    .map_err(|_| serialization("BinaryValue", "base64"))
            })
            .transpose()?;
        let refuse = |reason: &str| {
            Err(error(
                "InvalidParameterValue",
                format!("The message attribute '{name}' {reason}"),
            ))
        };
        let kind = data_type.split('.').next().unwrap_or_default();
        if data_type.is_empty() {
            return refuse("must contain a non-empty message attribute type.");
        }
        if data_type.len() > 256 || !matches!(kind, "String" | "Number" | "Binary") {
            return refuse(
                "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.",
            );
        }
        let filled = if kind == "Binary" {
            string_value.is_none() && binary_value.as_ref().is_some_and(|bytes| !bytes.is_empty())
        } else {
            binary_value.is_none() && string_value.as_ref().is_some_and(|text| !text.is_empty())
        };
        if !filled {
            return refuse(&format!(
                "must contain a non-empty message attribute value of type '{kind}'."
            ));
        }
        if let Some(text) = &string_value {
            if !text.chars().all(is_allowed) {
                return refuse("must contain only valid characters.");
            }
            if kind == "Number" && text.parse::<f64>().is_err() {
                return refuse("has a value that is not a number.");
            }
        }
        Ok(Self {
            data_type: data_type.to_owned(),
            string_value,
            binary_value,
        })
    }
}

#[expect(clippy::ref_option, reason = "serde gives the field by reference")]
fn as_base64<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    bytes
        .as_ref()
        .map(|bytes| STANDARD.encode(bytes))
        .serialize(serializer)
}

/// What XML 1.0 allows, which is SQS's rule for bodies; surrogates cannot be in a `char`.
fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

fn parse_attributes(request: &Value) -> Result<Vec<(String, MessageAttribute)>, ServiceError> {
    let Some(attributes) = map(request, "MessageAttributes")? else {
        return Ok(Vec::new());
    };
    if attributes.len() > MOST_ATTRIBUTES {
        return Err(error(
            "InvalidParameterValue",
            format!(
                "Number of message attributes [{}] exceeds the allowed maximum [{MOST_ATTRIBUTES}].",
                attributes.len()
            ),
        ));
    }
    attributes
        .iter()
        .map(|(name, json)| {
            check_name(name)?;
            Ok((name.clone(), MessageAttribute::parse(name, json)?))
        })
        .collect()
}

fn check_name(name: &str) -> Result<(), ServiceError> {
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    let lower = name.to_ascii_lowercase();
    let reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    if (1..=256).contains(&name.len()) && plain && !reserved && !dots {
        return Ok(());
    }
    Err(error(
        "InvalidParameterValue",
        format!(
            "Invalid message attribute name '{name}': up to 256 letters, digits, hyphens, underscores and single inner periods, not starting with AWS. or Amazon."
        ),
    ))
}

fn parse_trace_header(request: &Value) -> Result<Option<String>, ServiceError> {
    let Some(attributes) = map(request, "MessageSystemAttributes")? else {
        return Ok(None);
    };
    if let Some(unknown) = attributes.keys().find(|name| *name != "AWSTraceHeader") {
        return Err(error(
            "InvalidParameterValue",
            format!("Message system attribute name {unknown} is invalid."),
        ));
    }
    let Some(json) = attributes.get("AWSTraceHeader") else {
        return Ok(None);
    };
    let attribute = MessageAttribute::parse("AWSTraceHeader", json)?;
    if attribute.data_type != "String" {
        return Err(error(
            "InvalidParameterValue",
            "The message system attribute 'AWSTraceHeader' must be of type String.",
        ));
    }
    Ok(attribute.string_value)
}
