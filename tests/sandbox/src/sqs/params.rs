//! Reading the JSON of a request.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::super::http::ServiceError;
use super::errors::{invalid_value, missing, serialization};

/// An optional text; `null` is absent.
pub(super) fn text<'a>(request: &'a Value, name: &str) -> Result<Option<&'a str>, ServiceError> {
    match request.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(serialization(name, "a string")),
    }
}

pub(super) fn required_text<'a>(request: &'a Value, name: &str) -> Result<&'a str, ServiceError> {
    text(request, name)?.ok_or_else(|| missing(name))
}

/// An optional whole number within `range`.
pub(super) fn number(
    request: &Value,
    name: &str,
    range: RangeInclusive<u64>,
) -> Result<Option<u64>, ServiceError> {
    let value = match request.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(value @ Value::Number(_)) => value,
        Some(_) => return Err(serialization(name, "a number")),
    };
    match value.as_u64() {
        Some(number) if range.contains(&number) => Ok(Some(number)),
        _ => {
            let (low, high) = range.into_inner();
            let reason = if low == 0 {
                format!("Must be >= 0 and <= {high}, if provided.")
            } else {
                format!("Must be between {low} and {high}, if provided.")
            };
            Err(invalid_value(value, name, &reason))
        }
    }
}

pub(super) fn list<'a>(request: &'a Value, name: &str) -> Result<&'a [Value], ServiceError> {
    match request.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(serialization(name, "a list")),
    }
}

pub(super) fn texts<'a>(request: &'a Value, name: &str) -> Result<Vec<&'a str>, ServiceError> {
    list(request, name)?
        .iter()
        .map(|item| {
            item.as_str()
                .ok_or_else(|| serialization(name, "a list of strings"))
        })
        .collect()
}

pub(super) fn map<'a>(
    request: &'a Value,
    name: &str,
) -> Result<Option<&'a Map<String, Value>>, ServiceError> {
    match request.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map)),
        Some(_) => Err(serialization(name, "a map")),
    }
}

/// A map of texts to texts, as tags and queue attributes are.
pub(super) fn text_map<'a>(
    request: &'a Value,
    name: &str,
) -> Result<Vec<(&'a str, &'a str)>, ServiceError> {
    let Some(map) = map(request, name)? else {
        return Ok(Vec::new());
    };
    map.iter()
        .map(|(key, value)| match value {
            Value::String(text) => Ok((key.as_str(), text.as_str())),
            _ => Err(serialization(name, "a map of strings")),
        })
        .collect()
}
