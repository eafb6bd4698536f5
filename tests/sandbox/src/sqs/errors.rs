//! SQS's errors, with the texts that AWS uses.

use super::super::http::ServiceError;

/// The code under which the query protocol knew an error, which SDKs go on reporting.
pub fn query_code(code: &str) -> Option<String> {
    let legacy = match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "QueueNameExists" => "QueueAlreadyExists",
        "MessageNotInflight"
        | "EmptyBatchRequest"
        | "InvalidBatchEntryId"
        | "BatchEntryIdsNotDistinct"
        | "TooManyEntriesInBatchRequest"
        | "BatchRequestTooLong"
        | "UnsupportedOperation"
        | "QueueDeletedRecently"
        | "PurgeQueueInProgress" => return Some(format!("AWS.SimpleQueueService.{code}")),
        _ => return None,
    };
    Some(legacy.to_owned())
}

pub(super) fn error(code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError {
        status: 400,
        code: code.to_owned(),
        query_code: query_code(code),
        message: message.into(),
    }
}

pub(super) fn no_such_queue() -> ServiceError {
    error("QueueDoesNotExist", "The specified queue does not exist.")
}

pub(super) fn missing(parameter: &str) -> ServiceError {
    error(
        "MissingParameter",
        format!("The request must contain the parameter {parameter}."),
    )
}

/// An answer that cannot be put into words.
pub(super) fn internal(source: &serde_json::Error) -> ServiceError {
    ServiceError {
        status: 500,
        ..error("InternalFailure", source.to_string())
    }
}

pub(super) fn serialization(parameter: &str, wanted: &str) -> ServiceError {
    error(
        "SerializationException",
        format!("{parameter} must be {wanted}."),
    )
}

pub(super) fn invalid_value(
    value: impl std::fmt::Display,
    parameter: &str,
    reason: &str,
) -> ServiceError {
    error(
        "InvalidParameterValue",
        format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}"),
    )
}

pub(super) fn invalid_handle(handle: &str) -> ServiceError {
    error(
        "ReceiptHandleIsInvalid",
        format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
    )
}
