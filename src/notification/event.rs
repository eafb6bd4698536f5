//! An event and the fields in it.

use std::{borrow::Cow, collections::HashMap, fmt, str::FromStr};

use serde_json::{Map, Value, value::RawValue};

/// One event: the JSON object that was published. `Debug` hides it.
pub struct Event {
    /// The text that `fields` was parsed from, kept where it has numbers whose digits would be lost.
    source: Option<String>,
    fields: Value,
}

/// A place in an event (RFC 6901), such as `/organizer` or `/attendees/0/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JsonPointer {
    text: String,
    /// The names and numbers on the way, without escapes.
    tokens: Vec<String>,
}

/// Why a text is no pointer to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PointerError {
    /// Empty (which would be the whole event), or without the leading slash.
    #[error("a field begins with a slash, as in /summary")]
    NoSlash,
    /// A `~` that is neither `~0` (a tilde) nor `~1` (a slash).
    #[error("in a field ~ is written ~0 and / is written ~1")]
    Tilde,
}

impl Event {
    /// `fields` must have been parsed from `source`.
    pub(super) fn new(source: &str, fields: Map<String, Value>) -> Self {
        let fields = Value::Object(fields);
        Self {
            source: holds_float(&fields).then(|| source.to_owned()),
            fields,
        }
    }

    /// A field as text: strings as they are, numbers as they were written, `true` and `false`.
    /// `Ok(None)` if it is absent or null.
    ///
    /// Fails on an object or an array, with `an object` or `an array`.
    pub(super) fn text(&self, field: &JsonPointer) -> Result<Option<Cow<'_, str>>, &'static str> {
        let mut tokens = field.tokens.iter();
        let value = tokens.try_fold(&self.fields, |value, token| match value {
            Value::Object(fields) => fields.get(token),
            Value::Array(items) => items.get(index(token)?),
            _ => None,
        });
        let Some(value) = value else {
            return Ok(None);
        };
        match value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(Cow::Borrowed(text))),
            Value::Bool(flag) => Ok(Some(Cow::Borrowed(if *flag { "true" } else { "false" }))),
            Value::Number(number) if number.is_f64() => Ok(Some(
                self.source
                    .as_deref()
                    .and_then(|source| as_written(source, field))
                    .map_or_else(|| Cow::Owned(number.to_string()), Cow::Borrowed),
            )),
            Value::Number(number) => Ok(Some(Cow::Owned(number.to_string()))),
            Value::Array(_) | Value::Object(_) => Err(kind_of(value)),
        }
    }
}

impl JsonPointer {
    /// Takes a pointer to a field, not to the event as a whole.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        if !text.starts_with('/') {
            return Err(PointerError::NoSlash);
        }
        let escapes = text.split('~').skip(1);
        if !escapes.into_iter().all(|rest| rest.starts_with(['0', '1'])) {
            return Err(PointerError::Tilde);
        }
        let tokens = text.split('/').skip(1);
        Ok(Self {
            text: text.to_owned(),
            tokens: tokens
                .map(|token| token.replace("~1", "/").replace("~0", "~"))
                .collect(),
        })
    }

    /// The pointer as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for JsonPointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for JsonPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").finish_non_exhaustive()
    }
}

/// What a JSON value is, with its article.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Whether one of its numbers was read as a float. The parser limits how deep it goes.
fn holds_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(holds_float),
        Value::Object(fields) => fields.values().any(holds_float),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// The place in an array that a token names: digits, without leading zeros.
fn index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (token == "0" || !token.starts_with('0'));
    plain.then(|| token.parse().ok()).flatten()
}

/// The digits of a number as the publisher wrote them: a float would turn 12345678901234567890123
/// into 1.2345678901234568e22.
fn as_written<'a>(source: &'a str, field: &JsonPointer) -> Option<&'a str> {
    field.tokens.iter().try_fold(source, |json, token| {
        let raw: &'a RawValue = if json.starts_with('[') {
            let items: Vec<&'a RawValue> = serde_json::from_str(json).ok()?;
            items.get(index(token)?).copied()?
        } else {
            let fields: HashMap<Cow<'a, str>, &'a RawValue> = serde_json::from_str(json).ok()?;
            fields.get(token.as_str()).copied()?
        };
        Some(raw.get())
    })
}

#[cfg(test)]
mod tests;
