//! Why an event becomes no mail.

use std::fmt;

use super::{address::AddressError, pointer::JsonPointer};

/// The most recipients of one mail, which is SES's limit.
pub const RECIPIENTS_MAX: usize = 50;

/// Why an event becomes no mail, which no retry changes. The texts hold no value of the event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A placeholder has neither a field nor a default to take its value from.
    #[error("no field {field}, which the {needs}'s {{{placeholder}}} needs")]
    MissingField {
        /// The placeholder's name, without the braces.
        placeholder: String,
        /// The field that it looks for first.
        field: JsonPointer,
        /// Who names the placeholder.
        needs: Needs,
    },
    /// A field that is needed as text is an object, an array, or one of the numbers that JSON does not
    /// have.
    #[error("the field {field} is not text but {found}")]
    NotText {
        /// Which field.
        field: JsonPointer,
        /// `an object`, `an array`, `NaN`, `Infinity` or `-Infinity`.
        found: &'static str,
    },
    /// The event names nobody to write to.
    #[error("no recipient in the field {field}{}", because(*instead))]
    NoRecipient {
        /// The field of the recipients.
        field: JsonPointer,
        /// What the message looks like instead of an event.
        instead: Option<&'static str>,
    },
    /// A recipient is no address.
    #[error("recipient {position} is not a valid address: {error}")]
    BadRecipient {
        /// Counted from 1, empty parts left out.
        position: usize,
        /// What is wrong with it.
        error: AddressError,
    },
    /// More than [`RECIPIENTS_MAX`] different recipients.
    #[error("{0} recipients, but at most {RECIPIENTS_MAX} are allowed")]
    TooManyRecipients(usize),
    /// A mail to the sender would come back as an event. Recipients count from 1, empty parts left
    /// out.
    #[error("recipient {0} is the sender itself, which would loop")]
    OwnAddress(usize),
}

/// Who names a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Needs {
    /// The template. Many events in a row without one of its fields speak against the template.
    Template,
    /// The configured subject.
    Subject,
}

impl Rejection {
    /// A name out of a small fixed set, for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::MissingField { .. } => "missing_field",
            Self::NotText { .. } => "not_text",
            Self::NoRecipient { .. } => "no_recipient",
            Self::BadRecipient { .. } => "bad_recipient",
            Self::TooManyRecipients(_) => "too_many_recipients",
            Self::OwnAddress(_) => "own_address",
        }
    }
}

fn because(instead: Option<&str>) -> String {
    instead
        .map(|what| format!(": this looks like {what}"))
        .unwrap_or_default()
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Template => "template",
            Self::Subject => "subject",
        })
    }
}
