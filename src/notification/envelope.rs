//! The body of a message: SNS around an event, or the event alone.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::event::{Event, kind_of};

/// What an SQS body turned out to be.
pub enum Envelope {
    /// An event, in an SNS notification or as it was published (raw delivery).
    Notification {
        /// SNS's `MessageId`, the same in every copy of one publication; `None` with raw delivery.
        message_id: Option<String>,
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
pub enum Malformed {
    /// Nothing but white space.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// Not JSON, or nested deeper than 128 levels. Levels in parts that are skipped do not count.
    #[error("{part} is not JSON (line {}, column {})", source.line(), source.column())]
    NotJson {
        /// `the body` or `the event`.
        part: &'static str,
        /// What the parser stumbled on.
        source: serde_json::Error,
    },
    /// JSON, but no object.
    #[error("{part} is not a JSON object but {found}")]
    NotAnObject {
        /// `the body` or `the event`.
        part: &'static str,
        /// `an array`, `a number` and so on.
        found: &'static str,
    },
}

impl Envelope {
    /// Finds the event in an SQS body.
    ///
    /// A body is an SNS message only if `Type`, `MessageId`, `TopicArn` and `Message` are all there
    /// and strings, and the type is one of SNS's three: an event may have a field `Message` or
    /// `Type` of its own. Every other JSON object is an event under raw delivery.
    pub fn open(body: &str) -> Result<Self, Malformed> {
        // What is no object is looked at again below, for what it is.
        let Sns(read) = serde_json::from_str(without_mark(body)).unwrap_or_default();
        if let [
            Value::String(kind),
            Value::String(message_id),
            Value::String(_),
            Value::String(message),
            attributes,
        ] = read
        {
            match kind.as_str() {
                "Notification" => {
                    return Ok(Self::Notification {
                        message_id: Some(message_id),
                        attributes: string_attributes(attributes),
                        event: event("the event", &message)?,
                    });
                }
                "SubscriptionConfirmation" | "UnsubscribeConfirmation" => {
                    return Ok(Self::Control { kind });
                }
                _ => {}
            }
        }
        Ok(Self::Notification {
            message_id: None,
            attributes: Vec::new(),
            event: event("the body", body)?,
        })
    }
}

impl Malformed {
    /// A name out of a small fixed set, for metrics.
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
        f.write_str(match self {
            Self::Notification { .. } => "Notification",
            Self::Control { .. } => "Control",
        })
    }
}

/// The fields that are read of an SNS message.
const SNS_FIELDS: [&str; 5] = [
    "Type",
    "MessageId",
    "TopicArn",
    "Message",
    "MessageAttributes",
];

/// The values of [`SNS_FIELDS`], null where there is none; the last one where a name comes twice.
///
/// The rest of an SNS message, its signature above all, is skipped, and may hold what the parser
/// would refuse elsewhere: a mail is not lost for a field that nobody reads.
#[derive(Default)]
struct Sns([Value; SNS_FIELDS.len()]);

/// A field's name, which is only copied where it holds escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Sns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self::default())
    }
}

impl<'de> Visitor<'de> for Sns {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            if let Some(read) = SNS_FIELDS.iter().position(|field| *field == name) {
                self.0[read] = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(self)
    }
}

/// The event that a JSON text is.
fn event(part: &'static str, text: &str) -> Result<Event, Malformed> {
    let text = without_mark(text);
    if text.trim().is_empty() {
        return Err(Malformed::Empty(part));
    }
    match serde_json::from_str(text) {
        Ok(fields @ Value::Object(_)) => Ok(Event::new(text, fields)),
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

fn string_attributes(attributes: Value) -> Vec<(String, String)> {
    let Value::Object(attributes) = attributes else {
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
