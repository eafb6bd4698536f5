//! SQS's errors, with the texts that AWS uses.

use super::super::http::ServiceError;

/// The code under which the query protocol knew an error, which SDKs go on reporting.
pub(crate) fn query_code(code: &str) -> Option<String> {
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

pub(crate) fn error(code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError {
        status: 400,
        code: code.to_owned(),
        query_code: query_code(code),
        message: message.into(),
    }
}

pub(crate) fn no_such_queue() -> ServiceError {
    error("QueueDoesNotExist", "The specified queue does not exist.")
}

pub(crate) fn missing(parameter: &str) -> ServiceError {
    error(
        "MissingParameter",
        format!("The request must contain the parameter {parameter}."),
    )
}

/// An answer that cannot be put into words.
pub(crate) fn internal(source: &serde_json::Error) -> ServiceError {
    ServiceError {
        status: 500,
        ..error("InternalFailure", source.to_string())
    }
}

pub(crate) fn serialization(parameter: &str, wanted: &str) -> ServiceError {
    error(
        "SerializationException",
        format!("{parameter} must be {wanted}."),
    )
}

pub(crate) fn invalid_value(
    value: impl std::fmt::Display,
    parameter: &str,
    reason: &str,
) -> ServiceError {
    error(
        "InvalidParameterValue",
        format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}"),
    )
}

pub(crate) fn invalid_handle(handle: &str) -> ServiceError {
    error(
        "ReceiptHandleIsInvalid",
        format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
    )
}
