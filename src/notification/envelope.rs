//! The body of a message: SNS around an event, or the event alone.

use std::fmt;

use super::{
    event::{Event, Fields},
    json::{self, Fault},
    key::EventHash,
};

/// SNS's message attributes that are read: a trace's context, as W3C names it.
const READ_ATTRIBUTES: [&str; 2] = ["traceparent", "tracestate"];

/// What an SQS body turned out to be.
pub enum Envelope {
    /// An event, in an SNS notification or as it was published (raw delivery).
    Notification {
        /// SNS's `MessageId`, the same in every copy of one publication; `None` with raw delivery.
        message_id: Option<String>,
        /// SNS's message attributes `traceparent` and `tracestate`, which are unsigned. With raw
        /// delivery they are SQS's attributes instead and not part of the body.
        attributes: Vec<(String, String)>,
        /// What was published.
        event: Event,
        /// The hash of it, as it was published.
        hash: EventHash,
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
    /// Not JSON, nor what Python's encoder makes of it.
    #[error("{part} is not JSON: {reason}")]
    NotJson {
        /// `the body` or `the event`.
        part: &'static str,
        /// What is wrong, the character that it is wrong with, its line and its column in bytes.
        reason: String,
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
    /// Finds the event in an SQS body, and reads these fields of it.
    ///
    /// A body is an SNS message only if `Type`, `MessageId`, `TopicArn` and `Message` are all there
    /// and strings, and the type is one of SNS's three: an event may have a field `Message` or
    /// `Type` of its own. Every other JSON object is an event under raw delivery.
    pub(super) fn open(body: &str, fields: &Fields) -> Result<Self, Malformed> {
        // What is no object is looked at again below, for what it is.
        let sns = json::read(without_mark(body), |object| {
            let written = json::fields(object, &SNS_FIELDS)?;
            let strings = written[..4].iter().map(|value| json::string((*value)?));
            let attributes = written[4].map(read_attributes);
            Ok((strings.collect::<Option<Vec<_>>>(), attributes))
        });
        if let Ok((Some(strings), attributes)) = sns
            && let Ok([kind, message_id, _, message]) = <[String; 4]>::try_from(strings)
        {
            match kind.as_str() {
                "Notification" => {
                    return Ok(Self::Notification {
                        message_id: Some(message_id),
                        attributes: attributes.unwrap_or_default(),
                        event: event("the event", &message, fields)?,
                        hash: EventHash::of(&message),
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
            event: event("the body", body, fields)?,
            hash: EventHash::of(body),
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

/// The fields that are read of an SNS message. The rest, its signature above all, is passed over.
const SNS_FIELDS: [&str; 5] = [
    "Type",
    "MessageId",
    "TopicArn",
    "Message",
    "MessageAttributes",
];

/// The event that a JSON text is.
fn event(part: &'static str, text: &str, fields: &Fields) -> Result<Event, Malformed> {
    let text = without_mark(text);
    if text.trim().is_empty() {
        return Err(Malformed::Empty(part));
    }
    json::read(text, |object| Event::read(object, fields)).map_err(|fault| match fault {
        Fault::Syntax(reason) => Malformed::NotJson { part, reason },
        Fault::NotAnObject(found) => Malformed::NotAnObject { part, found },
    })
}

/// The text behind its byte-order mark, if it has one.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// What is read of SNS's message attributes, an object as it was written.
fn read_attributes(attributes: &str) -> Vec<(String, String)> {
    let written = json::fields(attributes, &READ_ATTRIBUTES).unwrap_or_default();
    let named = READ_ATTRIBUTES.iter().zip(written);
    let read = named.filter_map(|(name, attribute)| {
        let parts = json::fields(attribute?, &["Type", "Value"]).ok()?;
        let [kind, value] = parts.try_into().ok()?;
        let is_string = json::string(kind?)? == "String";
        let value = json::string(value?)?;
        is_string.then(|| ((*name).to_owned(), value))
    });
    read.collect()
}

#[cfg(test)]
mod tests;
