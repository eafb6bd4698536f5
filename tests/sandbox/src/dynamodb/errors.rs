//! `DynamoDB`'s refusals and their shape.

use serde_json::{Value, json};

use super::super::http::ServiceError;
pub(super) use super::super::http::refuse;

/// A refusal, with what AWS sends beside its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The error itself.
    pub error: ServiceError,
    /// The item that a condition failed on, where the caller wanted it.
    pub item: Option<Box<Value>>,
}

impl Refusal {
    /// The body of the answer.
    pub fn json(&self) -> Value {
        let ServiceError { code, message, .. } = &self.error;
        let of_the_frame = matches!(
            code.as_str(),
            "SerializationException"
                | "UnknownOperationException"
                | "AccessDeniedException"
                | "UnrecognizedClientException"
                | "InvalidSignatureException"
                | "IncompleteSignatureException"
                | "MissingAuthenticationTokenException"
                | "ServiceUnavailableException"
        );
        let namespace = match code.as_str() {
            "ValidationException" => "com.amazon.coral.validate",
            "ThrottlingException" => "com.amazon.coral.availability",
            _ if of_the_frame => "com.amazon.coral.service",
            _ => "com.amazonaws.dynamodb.v20120810",
        };
        // The frame around the service spells it with a capital.
        let field = if of_the_frame { "Message" } else { "message" };
        let mut body = json!({ "__type": format!("{namespace}#{code}"), field: message });
        if let Some(item) = &self.item {
            body["Item"] = (**item).clone();
        }
        body
    }
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        Self { error, item: None }
    }
}

pub(super) fn invalid(message: impl Into<String>) -> ServiceError {
    refuse("ValidationException", message)
}

/// A value that the model of the service itself does not allow.
pub(super) fn constraint(value: &str, parameter: &str, wanted: &str) -> ServiceError {
    invalid(format!(
        "1 validation error detected: Value {value} at '{parameter}' failed to satisfy constraint: {wanted}"
    ))
}

pub(super) fn serialization(message: impl Into<String>) -> ServiceError {
    refuse("SerializationException", message)
}

/// As the calls on items say it.
pub(super) fn no_such_resource() -> ServiceError {
    refuse("ResourceNotFoundException", "Requested resource not found")
}

/// As the calls on tables say it.
pub(super) fn no_such_table(name: &str) -> ServiceError {
    refuse(
        "ResourceNotFoundException",
        format!("Requested resource not found: Table: {name} not found"),
    )
}

/// What AWS answers where it could serve no request of a batch.
pub(super) fn throughput_exceeded() -> ServiceError {
    refuse(
        "ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API.",
    )
}
