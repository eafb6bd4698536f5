//! What a failed call means to an operator, read from its code.

use std::error::Error as StdError;

use aws_sdk_sqs::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use super::{ACCESS_DENIED, CREDENTIALS, take_apart};
use crate::ports::{CallError, inspect::RefusalKind};

/// What is known of a failed call.
pub fn call_error<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Box<CallError>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    Box::new(take_apart(operation, error).error)
}

/// What an operator has to do about a failed call depends on this.
#[must_use]
pub fn refusal_kind(error: &CallError) -> RefusalKind {
    match error.code.as_str() {
        "credentials" => RefusalKind::Credentials,
        code if CREDENTIALS.contains(&code) => RefusalKind::Credentials,
        "http_403" => RefusalKind::Denied,
        code if ACCESS_DENIED.contains(&code) => RefusalKind::Denied,
        "connection" | "timeout" => RefusalKind::Unreachable,
        code if code.starts_with("Kms")
            || code.starts_with("KMS.")
            || code.starts_with("EncryptionKey") =>
        {
            RefusalKind::Encryption
        }
        "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue"
        | "InvalidAddress"
        | "NotFoundException" => RefusalKind::NotFound,
        code if code.ends_with("DoesNotExistException") => RefusalKind::NotFound,
        _ => RefusalKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_tells_what_to_do() {
        for (code, kind) in [
            ("credentials", RefusalKind::Credentials),
            ("ExpiredTokenException", RefusalKind::Credentials),
            ("AccessDenied", RefusalKind::Denied),
            ("AccessDeniedException", RefusalKind::Denied),
            ("http_403", RefusalKind::Denied),
            ("connection", RefusalKind::Unreachable),
            ("timeout", RefusalKind::Unreachable),
            ("KmsAccessDenied", RefusalKind::Encryption),
            ("EncryptionKeyDisabledException", RefusalKind::Encryption),
            (
                "AWS.SimpleQueueService.NonExistentQueue",
                RefusalKind::NotFound,
            ),
            ("RepositoryDoesNotExistException", RefusalKind::NotFound),
            ("ThrottlingException", RefusalKind::Other),
        ] {
            let error = CallError {
                operation: "Op",
                code: code.to_owned(),
                message: String::new(),
                request_id: None,
                source: None,
            };
            assert_eq!(refusal_kind(&error), kind, "{code}");
        }
    }
}
