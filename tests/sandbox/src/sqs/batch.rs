//! What the three batch operations share: their limits and their partial failures.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::super::http::ServiceError;
use super::errors::{error, internal};
use super::params::{list, required_text};

const MOST_ENTRIES: usize = 10;

/// What an operation without a result says of an entry: nothing but its id.
#[derive(Serialize)]
pub(super) struct Done {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a, R> {
    successful: Vec<Success<'a, R>>,
    failed: Vec<Failure<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Success<'a, R> {
    id: &'a str,
    #[serde(flatten)]
    result: R,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failure<'a> {
    id: &'a str,
    code: String,
    sender_fault: bool,
    message: String,
}

/// The entries of a batch with their ids, once the batch as a whole is in order.
pub(super) fn entries(request: &Value) -> Result<Vec<(&str, &Value)>, ServiceError> {
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
pub(super) fn answer<R: Serialize>(
    entries: Vec<(&str, &Value)>,
    mut work: impl FnMut(&Value) -> Result<R, ServiceError>,
) -> Result<Vec<u8>, ServiceError> {
    let mut answer = Answer {
        successful: Vec::with_capacity(entries.len()),
        failed: Vec::new(),
    };
    for (id, entry) in entries {
        match work(entry) {
            Ok(result) => answer.successful.push(Success { id, result }),
            Err(error) => answer.failed.push(failure(id, error)),
        }
    }
    serde_json::to_vec(&answer).map_err(|source| internal(&source))
}

/// One failed entry; its code is the legacy one.
fn failure(id: &str, error: ServiceError) -> Failure<'_> {
    Failure {
        id,
        code: error.query_code.unwrap_or(error.code),
        sender_fault: error.status < 500,
        message: error.message,
    }
}
