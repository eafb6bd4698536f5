//! What the three batch operations share: their limits and their partial failures.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::errors::error;
use super::params::{list, required_text};

const MOST_ENTRIES: usize = 10;

/// The entries of a batch with their ids, once the batch as a whole is in order.
pub(crate) fn entries(request: &Value) -> Result<Vec<(&str, &Value)>, ServiceError> {
    let entries = list(request, "Entries")?;
    if entries.is_empty() {
        return Err(error(
            "EmptyBatchRequest",
            "There should be at least one entry in the request.",
        ));
    }
    if entries.len() > MOST_ENTRIES {
        return Err(error(
            "TooManyEntriesInBatchRequest",
            format!(
                "Maximum number of entries per request are {MOST_ENTRIES}. You have sent {}.",
                entries.len()
            ),
        ));
    }
    let mut seen = BTreeSet::new();
    let mut checked = Vec::with_capacity(entries.len());
    for entry in entries {
        let id = required_text(entry, "Id")?;
        let plain = id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !plain || !(1..=80).contains(&id.len()) {
            return Err(error(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
            ));
        }
        if !seen.insert(id) {
            return Err(error(
                "BatchEntryIdsNotDistinct",
                format!("Id {id} repeated."),
            ));
        }
        checked.push((id, entry));
    }
    Ok(checked)
}

/// The answer with its two lists: every entry succeeds or fails for itself.
pub(crate) fn answer(
    entries: Vec<(&str, &Value)>,
    mut work: impl FnMut(&Value) -> Result<Value, ServiceError>,
) -> Value {
    let mut successful = Vec::new();
    let mut failed = Vec::new();
    for (id, entry) in entries {
        match work(entry) {
            Ok(mut result) => {
                result["Id"] = json!(id);
                successful.push(result);
            }
            Err(error) => failed.push(failure(id, &error)),
        }
    }
    json!({ "Successful": successful, "Failed": failed })
}

/// One failed entry; its code is the legacy one.
pub(crate) fn failure(id: &str, error: &ServiceError) -> Value {
    json!({
        "Id": id,
        "Code": error.query_code.as_deref().unwrap_or(&error.code),
        "SenderFault": error.status < 500,
        "Message": error.message,
    })
}
