//! Reading requests: every parameter is known, or the request is refused.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::super::http::ServiceError;
use super::errors::{constraint, serialization};

/// Reads a request or a part of one.
pub(super) fn read<T: DeserializeOwned>(request: Value) -> Result<T, ServiceError> {
    serde_json::from_value(request).map_err(|source| serialization(source.to_string()))
}

/// A parameter without which there is no request.
pub(super) fn required<T>(value: Option<T>, parameter: &str) -> Result<T, ServiceError> {
    value.ok_or_else(|| constraint("null", parameter, "Member must not be null"))
}

/// The name in a `TableName`, which may be the table's ARN.
pub(super) fn table_name(given: Option<&str>) -> Result<&str, ServiceError> {
    let given = required(given, "tableName")?;
    check_name(named(given), "tableName")?;
    Ok(named(given))
}

/// The name in what may be the table's ARN.
pub(super) fn named(given: &str) -> &str {
    match given.strip_prefix("arn:") {
        Some(arn) => arn.rsplit('/').next().unwrap_or_default(),
        None => given,
    }
}

pub(super) fn check_name(name: &str, parameter: &str) -> Result<(), ServiceError> {
    let wanted = match name.len() {
        0..3 => "Member must have length greater than or equal to 3",
        256.. => "Member must have length less than or equal to 255",
        _ if !name.bytes().all(is_part_of_name) => {
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        }
        _ => return Ok(()),
    };
    Err(constraint(&format!("'{name}'"), parameter, wanted))
}

fn is_part_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}

/// A word of a set; without it, the first of the set.
pub(super) fn one_of<'a>(
    given: Option<&'a str>,
    parameter: &str,
    set: &[&'a str],
) -> Result<&'a str, ServiceError> {
    match given {
        None => Ok(set.first().copied().unwrap_or_default()),
        Some(word) if set.contains(&word) => Ok(word),
        Some(word) => Err(constraint(
            &format!("'{word}'"),
            parameter,
            &format!("Member must satisfy enum value set: [{}]", set.join(", ")),
        )),
    }
}

/// A number of things to give at most.
pub(super) fn limit(given: Option<i64>, most: usize) -> Result<usize, ServiceError> {
    let Some(given) = given else {
        return Ok(most);
    };
    let value = format!("'{given}'");
    match usize::try_from(given) {
        Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
        Ok(limit) if limit > most => Err(constraint(
            &value,
            "limit",
            &format!("Member must have value less than or equal to {most}"),
        )),
        _ => Err(constraint(
            &value,
            "limit",
            "Member must have value greater than or equal to 1",
        )),
    }
}

/// A table and nothing else.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct OfTable {
    pub(super) table_name: Option<String>,
}

/// Attributes by name, not yet read.
pub(super) type Attributes = Map<String, Value>;
