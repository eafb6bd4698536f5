use std::fmt;

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
    /// SNS talking about the subscription itself, which is nobody's mail.
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
    /// Not JSON, or nested deeper than 128 levels.
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
        let (text, mut fields) = object(Part::Body, body)?;
        match sns_type(&fields) {
            Some("Notification") => {}
            Some(kind @ ("SubscriptionConfirmation" | "UnsubscribeConfirmation")) => {
                return Ok(Self::Control {
                    kind: kind.to_owned(),
                });
            }
            _ => {
                return Ok(Self::Notification {
                    message_id: None,
                    topic_arn: None,
                    attributes: Vec::new(),
                    event: Event::new(text.to_owned(), fields),
                });
            }
        }
        let message = take_string(&mut fields, "Message").unwrap_or_default();
        let (text, event) = object(Part::Event, &message)?;
        Ok(Self::Notification {
            event: Event::new(text.to_owned(), event),
            attributes: string_attributes(&mut fields),
            message_id: take_string(&mut fields, "MessageId"),
            topic_arn: take_string(&mut fields, "TopicArn"),
        })
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

/// Parses a JSON object, and returns it with the text that it was parsed from.
fn object(part: Part, text: &str) -> Result<(&str, Map<String, Value>), Malformed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Malformed::Empty(part));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok((text, fields)),
        Ok(other) => Err(Malformed::NotAnObject {
            part,
            found: kind_of(&other),
        }),
        Err(source) => Err(Malformed::NotJson { part, source }),
    }
}

/// The `Type` of an object that has the full shape of an SNS message.
fn sns_type(fields: &Map<String, Value>) -> Option<&str> {
    let string = |name| fields.get(name).and_then(Value::as_str);
    string("MessageId")?;
    string("TopicArn")?;
    string("Message")?;
    string("Type")
}

fn take_string(fields: &mut Map<String, Value>, name: &str) -> Option<String> {
    match fields.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn string_attributes(fields: &mut Map<String, Value>) -> Vec<(String, String)> {
    let Some(Value::Object(attributes)) = fields.remove("MessageAttributes") else {
        return Vec::new();
    };
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
