//! What an AWS error means to us: by modelled variant or code, and by text where only that tells.
//!
//! The codes are those of the SDK's models and of the service documents; `tests.rs` beside this
//! file holds one case for each of them, as the service answers it.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sqs::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use hyper_util::client::legacy;

use crate::ports::{
    AccountCause, AccountFailure, AccountFailureKind, CallError, EntryFailure, EntryFailureKind,
    QueueFailure, QueueFailureKind, SendFailure, SendFailureKind, TemplateFailure,
    TemplateFailureKind,
};

#[cfg(test)]
mod tests;

const CREDENTIALS: [&str; 8] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

const ACCESS_DENIED: [&str; 5] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "NotAuthorized",
    "OptInRequired",
];

const THROTTLED: [&str; 10] = [
    "OverLimit",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// It was never written to a connection.
    NotSent,
    /// No credentials could be had for it.
    NoCredentials,
    /// It was written, or may have been, and no whole answer came.
    NoAnswer,
    /// The service, or something before it, answered with this HTTP status.
    Answered(u16),
}

/// An SDK error taken apart.
struct Failure {
    reach: Reach,
    error: CallError,
}

/// What a failed call on the queue means.
pub fn queue_failure<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> QueueFailure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let Failure { reach, error } = take_apart(operation, error);
    let kind = match code(&error) {
        "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue" | "InvalidAddress" => {
            QueueFailureKind::NotFound
        }
        "KmsThrottled" | "KMS.ThrottlingException" => QueueFailureKind::Throttled,
        other if other.starts_with("Kms") || other.starts_with("KMS.") => {
            QueueFailureKind::Encryption
        }
        other if THROTTLED.contains(&other) => QueueFailureKind::Throttled,
        other if is_denied(other) || reach == Reach::NoCredentials => {
            QueueFailureKind::AccessDenied
        }
        _ => match reach {
            Reach::Answered(403) => QueueFailureKind::AccessDenied,
            Reach::Answered(429) => QueueFailureKind::Throttled,
            _ => QueueFailureKind::Transient,
        },
    };
    QueueFailure {
        kind,
        error: Box::new(error),
    }
}

/// What a failed entry of a batch on the queue means. `sender_fault` is SQS's word that the entry
/// itself is at fault.
pub fn entry_failure(code: &str, message: &str, sender_fault: bool) -> EntryFailure {
    let kind = if is_lease_lost(code, message) {
        EntryFailureKind::LeaseLost
    } else if sender_fault && !THROTTLED.contains(&code) {
        EntryFailureKind::Refused
    } else {
        EntryFailureKind::Transient
    };
    EntryFailure {
        kind,
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

/// What a failed `GetFile` means.
pub fn template_failure<E>(
    operation: &'static str,
    error: SdkError<E, HttpResponse>,
) -> TemplateFailure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let Failure { reach, error } = take_apart(operation, error);
    let kind = match code(&error) {
        "CommitDoesNotExistException"
        | "CommitIdDoesNotExistException"
        | "FileDoesNotExistException"
        | "FileTooLargeException"
        | "InvalidCommitException"
        | "InvalidPathException"
        | "InvalidRepositoryNameException"
        | "PathRequiredException"
        | "RepositoryDoesNotExistException"
        | "RepositoryNameRequiredException" => TemplateFailureKind::Missing,
        "EncryptionKeyAccessDeniedException"
        | "EncryptionKeyDisabledException"
        | "EncryptionKeyNotFoundException" => TemplateFailureKind::AccessDenied,
        other if is_denied(other) || reach == Reach::NoCredentials => {
            TemplateFailureKind::AccessDenied
        }
        _ if reach == Reach::Answered(403) => TemplateFailureKind::AccessDenied,
        _ => TemplateFailureKind::Transient,
    };
    TemplateFailure {
        kind,
        error: Box::new(error),
    }
}

/// What a failed `SendEmail` means. `sender` is our own bare address: SES refuses an unverified
/// sender and, in the sandbox, an unverified recipient with the same text, and only the identity
/// that it names tells a broken set-up from one mail that cannot go.
pub fn send_failure<E>(
    operation: &'static str,
    error: SdkError<E, HttpResponse>,
    sender: &str,
) -> SendFailure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let Failure { reach, error } = take_apart(operation, error);
    let kind = match reach {
        Reach::NoCredentials => SendFailureKind::AccountWide(AccountCause::Credentials),
        Reach::NotSent => SendFailureKind::Transient,
        Reach::NoAnswer => SendFailureKind::OutcomeUnknown,
        Reach::Answered(status) => answered_send(status, &error, sender),
    };
    SendFailure {
        kind,
        error: Box::new(error),
    }
}

/// What a failed `GetAccount` means.
pub fn account_failure<E>(
    operation: &'static str,
    error: SdkError<E, HttpResponse>,
) -> AccountFailure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let Failure { reach, error } = take_apart(operation, error);
    let denied =
        is_denied(code(&error)) || matches!(reach, Reach::NoCredentials | Reach::Answered(403));
    let kind = if denied {
        AccountFailureKind::AccessDenied
    } else {
        AccountFailureKind::Transient
    };
    AccountFailure {
        kind,
        error: Box::new(error),
    }
}

fn answered_send(status: u16, error: &CallError, sender: &str) -> SendFailureKind {
    let says = |text: &str| error.message.to_ascii_lowercase().contains(text);
    match code(error) {
        // SES names the daily quota only in the text, under the codes of throttling.
        other if THROTTLED.contains(&other) || other == "LimitExceededException" => {
            if says("daily message quota") || other == "LimitExceededException" {
                SendFailureKind::AccountWide(AccountCause::DailyQuota)
            } else {
                SendFailureKind::Throttled
            }
        }
        "AccountSuspendedException" => SendFailureKind::AccountWide(AccountCause::Suspended),
        "SendingPausedException" => SendFailureKind::AccountWide(AccountCause::Paused),
        "MailFromDomainNotVerifiedException" => {
            SendFailureKind::AccountWide(AccountCause::MailFromNotVerified)
        }
        "NotFoundException" => SendFailureKind::AccountWide(AccountCause::ConfigurationSetMissing),
        "MessageRejected" if says("is not verified") && names_identity(&error.message, sender) => {
            SendFailureKind::AccountWide(AccountCause::SenderNotVerified)
        }
        "MessageRejected" | "BadRequestException" => SendFailureKind::Rejected,
        other if CREDENTIALS.contains(&other) => {
            SendFailureKind::AccountWide(AccountCause::Credentials)
        }
        other if ACCESS_DENIED.contains(&other) || status == 403 => {
            SendFailureKind::AccountWide(AccountCause::AccessDenied)
        }
        _ if status == 429 => SendFailureKind::Throttled,
        // An answer of success that could not be read: SES took the mail, or may have.
        _ if status < 400 => SendFailureKind::OutcomeUnknown,
        _ if status < 500 => SendFailureKind::UnknownClientError,
        _ => SendFailureKind::Transient,
    }
}

/// Whether SES's list of identities that failed their check holds the address or its domain.
fn names_identity(message: &str, address: &str) -> bool {
    let failed = message.rsplit_once(": ").map_or(message, |(_, list)| list);
    let domain = address
        .rsplit_once('@')
        .map_or(address, |(_, domain)| domain);
    failed
        .split(',')
        .map(|identity| identity.trim().trim_end_matches('.'))
        // SES may quote a sender with its display name.
        .map(|identity| identity.rsplit_once('<').map_or(identity, |(_, bare)| bare))
        .map(|identity| identity.trim_end_matches('>'))
        .any(|identity| {
            identity.eq_ignore_ascii_case(address) || identity.eq_ignore_ascii_case(domain)
        })
}

/// An expired or superseded receipt handle. `InvalidParameterValue` covers our own mistakes too,
/// so there the text decides.
fn is_lease_lost(code: &str, message: &str) -> bool {
    match code.rsplit('.').next().unwrap_or(code) {
        "ReceiptHandleIsInvalid" | "MessageNotInflight" => true,
        "InvalidParameterValue" | "InvalidParameterValueException" => {
            message.contains("not available for visibility timeout change")
                || message.contains("Message does not exist")
                || message.contains("receipt handle has expired")
        }
        _ => false,
    }
}

fn is_denied(code: &str) -> bool {
    CREDENTIALS.contains(&code) || ACCESS_DENIED.contains(&code)
}

fn code(error: &CallError) -> &str {
    &error.code
}

fn take_apart<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let (reach, fallback) = match &error {
        SdkError::TimeoutError(_) => (Reach::NoAnswer, "timeout"),
        SdkError::ResponseError(inner) => {
            (Reach::Answered(inner.raw().status().as_u16()), "response")
        }
        SdkError::ServiceError(inner) => {
            (Reach::Answered(inner.raw().status().as_u16()), "unknown")
        }
        other if has_source::<CredentialsError>(other, |_| true) => {
            (Reach::NoCredentials, "credentials")
        }
        SdkError::ConstructionFailure(_) => (Reach::NotSent, "request"),
        SdkError::DispatchFailure(_)
            if has_source::<legacy::Error>(&error, legacy::Error::is_connect) =>
        {
            (Reach::NotSent, "connection")
        }
        _ => (Reach::NoAnswer, "connection"),
    };
    let status = match reach {
        Reach::Answered(status) => Some(status),
        _ => None,
    };
    let service_error = error.as_service_error();
    let code = service_error
        .and_then(ProvideErrorMetadata::code)
        .map_or_else(
            || match status {
                Some(status) => format!("http_{status}"),
                None => fallback.to_owned(),
            },
            ToOwned::to_owned,
        );
    let message = service_error
        .and_then(ProvideErrorMetadata::message)
        .map_or_else(|| innermost(&error), ToOwned::to_owned);
    let request_id = match &error {
        SdkError::ServiceError(inner) => inner.raw().request_id().map(ToOwned::to_owned),
        _ => None,
    };
    Failure {
        reach,
        error: CallError {
            operation,
            code,
            message,
            request_id,
            source: Some(Box::new(error)),
        },
    }
}

/// Whether an error of type `T` that fits stands in the chain.
fn has_source<T: StdError + 'static>(
    error: &(dyn StdError + 'static),
    fits: impl Fn(&T) -> bool,
) -> bool {
    chain(error).any(|cause| cause.downcast_ref::<T>().is_some_and(&fits))
}

/// The last error of the chain says most plainly what went wrong: "connection refused".
fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error)
        .last()
        .map_or_else(String::new, ToString::to_string)
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}
