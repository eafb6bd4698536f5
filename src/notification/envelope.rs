//! The body of a message: SNS around an event, or the event alone.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::event::{Event, kind_of};

/// What an SQS body turned out to be.
pub enum Envelope {
    /// An event, in an SNS notification or as it was published (raw delivery).
    Notification {
        /// SNS's `MessageId`, the same in every copy of one publication; `None` with raw delivery.
        message_id: Option<String>,
        /// The topic that it was published to; `None` with raw delivery.
        topic_arn: Option<String>,
        /// SNS's message attributes of type `String`, which are unsigned: `traceparent` and the
        /// like. With raw delivery they are SQS's attributes instead and not part of the body.
        attributes: Vec<(String, String)>,
        /// What was published.
        event: Event,
    },
    /// A message of SNS about the subscription itself, of which no mail is made.
    Control {
        /// `SubscriptionConfirmation` or `UnsubscribeConfirmation`.
        kind: String,
    },
}

/// Why a body holds no event. The texts name the place and never the content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Nothing but white space.
    #[error("{0} is empty")]
    Empty(Part),
    /// Not JSON, or nested deeper than 128 levels, of which those that nobody reads do not count.
    #[error("{part} is not JSON (line {}, column {})", source.line(), source.column())]
    NotJson {
        /// Which of the two JSON texts.
        part: Part,
        /// What the parser stumbled on.
        source: serde_json::Error,
    },
    /// JSON, but no object.
    #[error("{part} is not a JSON object but {found}")]
    NotAnObject {
        /// Which of the two JSON texts.
        part: Part,
        /// `an array`, `a number` and so on.
        found: &'static str,
    },
}

/// The two JSON texts of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The SQS body.
    Body,
    /// The string in the notification's `Message`.
    Event,
}

impl Envelope {
    /// Finds the event in an SQS body.
    ///
    /// A body is an SNS message only if `Type`, `MessageId`, `TopicArn` and `Message` are all there
    /// and strings, and the type is one of SNS's three: an event may have a field `Message` or
    /// `Type` of its own. Every other JSON object is an event under raw delivery.
    pub fn open(body: &str) -> Result<Self, Malformed> {
        // What is no object is looked at again below, for what it is.
        let sns = serde_json::from_str::<Sns>(without_mark(body)).unwrap_or_default();
        match (
            sns.kind.as_deref(),
            sns.message_id,
            sns.topic_arn,
            sns.message,
        ) {
            (Some("Notification"), Some(message_id), Some(topic_arn), Some(message)) => {
                Ok(Self::Notification {
                    event: event(Part::Event, &message)?,
                    attributes: sns.attributes.map(string_attributes).unwrap_or_default(),
                    message_id: Some(message_id),
                    topic_arn: Some(topic_arn),
                })
            }
            (
                Some(kind @ ("SubscriptionConfirmation" | "UnsubscribeConfirmation")),
                Some(_),
                Some(_),
                Some(_),
            ) => Ok(Self::Control {
                kind: kind.to_owned(),
            }),
            _ => Ok(Self::Notification {
                message_id: None,
                topic_arn: None,
                attributes: Vec::new(),
                event: event(Part::Body, body)?,
            }),
        }
    }
}

impl Malformed {
    /// A name out of a small fixed set, for metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty(_) => "empty_body",
            Self::NotJson { .. } => "not_json",
            Self::NotAnObject { .. } => "not_an_object",
        }
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Notification {
                message_id,
                topic_arn,
                ..
            } => f
                .debug_struct("Notification")
                .field("message_id", message_id)
                .field("topic_arn", topic_arn)
                .finish_non_exhaustive(),
            Self::Control { kind } => f.debug_struct("Control").field("kind", kind).finish(),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Body => "the body",
            Self::Event => "the event",
        })
    }
}

/// What is read of an SNS message; the rest, its signature above all, is skipped, and may hold what
/// the parser would refuse elsewhere: a mail is not lost for a field that nobody reads. Each field is
/// there if it is of its type, and the last one where a name comes twice.
#[derive(Default)]
struct Sns {
    kind: Option<String>,
    message_id: Option<String>,
    topic_arn: Option<String>,
    message: Option<String>,
    attributes: Option<Map<String, Value>>,
}

#[derive(serde::Deserialize)]
#[serde(field_identifier)]
enum SnsField {
    Type,
    MessageId,
    TopicArn,
    Message,
    MessageAttributes,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Sns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Sns;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sns, A::Error> {
                let mut sns = Sns::default();
                while let Some(field) = map.next_key()? {
                    match field {
                        SnsField::Type => sns.kind = string(map.next_value()?),
                        SnsField::MessageId => sns.message_id = string(map.next_value()?),
                        SnsField::TopicArn => sns.topic_arn = string(map.next_value()?),
                        SnsField::Message => sns.message = string(map.next_value()?),
                        SnsField::MessageAttributes => {
                            sns.attributes = match map.next_value()? {
                                Value::Object(attributes) => Some(attributes),
                                _ => None,
                            }
                        }
                        SnsField::Other => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(sns)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

fn string(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// The event that a JSON text is.
fn event(part: Part, text: &str) -> Result<Event, Malformed> {
    let text = without_mark(text);
    if text.trim().is_empty() {
        return Err(Malformed::Empty(part));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(Event::new(text, fields)),
        Ok(other) => Err(Malformed::NotAnObject {
            part,
            found: kind_of(&other),
        }),
        Err(source) => Err(Malformed::NotJson { part, source }),
    }
}

/// The text behind its byte-order mark, if it has one.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn string_attributes(attributes: Map<String, Value>) -> Vec<(String, String)> {
    attributes
        .into_iter()
        .filter_map(|(name, attribute)| {
            let is_string = attribute.get("Type")?.as_str()? == "String";
            let value = attribute.get("Value")?.as_str()?;
            is_string.then(|| (name, value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests;
