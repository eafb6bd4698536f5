//! An event and the fields in it.

use std::{borrow::Cow, collections::HashMap, fmt};

use serde_json::{Value, value::RawValue};

use super::{pointer::JsonPointer, rejection::Rejection};

/// One event: the JSON object that was published. `Debug` hides it.
pub struct Event {
    /// The text that `fields` was parsed from, kept where it has numbers whose digits would be lost.
    source: Option<String>,
    fields: Value,
}

impl Event {
    /// `fields` must be the object that was parsed from `source`.
    pub(super) fn new(source: &str, fields: Value) -> Self {
        Self {
            source: holds_float(&fields).then(|| source.to_owned()),
            fields,
        }
    }

    /// A field as text: strings as they are, numbers as they were written, `true` and `false`.
    /// `Ok(None)` if it is absent or null. Objects and arrays are refused.
    pub(super) fn text(&self, field: &JsonPointer) -> Result<Option<Cow<'_, str>>, Rejection> {
        let mut tokens = field.tokens.iter();
        let value = tokens.try_fold(&self.fields, |value, token| match value {
            Value::Object(fields) => fields.get(token),
            Value::Array(items) => items.get(index(token)?),
            _ => None,
        });
        Ok(Some(match value {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => Cow::Borrowed(text),
            Some(Value::Bool(flag)) => Cow::Borrowed(if *flag { "true" } else { "false" }),
            Some(Value::Number(number)) => {
                let source = self.source.as_deref().filter(|_| number.is_f64());
                let written = source.and_then(|source| as_written(source, field));
                written.map_or_else(|| Cow::Owned(number.to_string()), Cow::Borrowed)
            }
            Some(other @ (Value::Array(_) | Value::Object(_))) => {
                return Err(Rejection::NotText {
                    field: field.clone(),
                    found: kind_of(other),
                });
            }
        }))
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
    let plain = token == "0" || !token.starts_with(['0', '+']);
    token.parse().ok().filter(|_| plain)
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
