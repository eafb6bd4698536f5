//! What an AWS error means to us: by modelled variant or code, and by text where only that tells.
//!
//! The codes are those of the SDK's models and of the service documents. The tests beside this file
//! hold one case for each of them, in the bytes that the service answers, through the SDK's real
//! clients; and one for each way in which a call ends without an answer, over real sockets where
//! that matters: refused, unresolved, no handshake, broken off, out of time, without credentials.

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

mod refusal;
#[cfg(test)]
mod tests;

pub use refusal::{call_error, refusal_kind};

/// A clock that is off counts too: every signature of ours is refused until it is right.
const CREDENTIALS: [&str; 13] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
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

/// Those of KMS are SQS's words for a queue's key that is asked for too often.
const THROTTLED: [&str; 12] = [
    "KMS.ThrottlingException",
    "KmsThrottled",
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

/// Client errors by their status, and still no fault of what was asked.
const PASSING: [&str; 3] = [
    "RequestAbortedException",
    "RequestTimeout",
    "RequestTimeoutException",
];

/// What the SDK says, in a private type, where nothing was set up that could give credentials.
const NO_PROVIDER: &str = "failed to select an auth scheme";
/// What the SDK's cache says, only as a text, when credentials do not come within its time.
const PROVIDER_LATE: &str = "identity resolver timed out";

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// It was never written to a connection.
    NotSent,
    /// There were no credentials for it.
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
    let kind = match error.code.as_str() {
        "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue" | "InvalidAddress" => {
            QueueFailureKind::NotFound
        }
        other if THROTTLED.contains(&other) => QueueFailureKind::Throttled,
        other if other.starts_with("Kms") || other.starts_with("KMS.") => {
            QueueFailureKind::Encryption
        }
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
#[must_use]
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
    let kind = match error.code.as_str() {
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
        is_denied(&error.code) || matches!(reach, Reach::NoCredentials | Reach::Answered(403));
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
    match error.code.as_str() {
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
        other if PASSING.contains(&other) || status == 408 => SendFailureKind::Transient,
        _ if status == 429 => SendFailureKind::Throttled,
        // An answer of success that could not be read: SES took the mail, or may have.
        _ if status < 300 => SendFailureKind::OutcomeUnknown,
        _ if (400..500).contains(&status) => SendFailureKind::UnknownClientError,
        // A server's error, or a redirect, which SES never gives: something stood before it.
        _ => SendFailureKind::Transient,
    }
}

/// Whether SES's list of identities that failed their check holds the address or its domain.
fn names_identity(message: &str, address: &str) -> bool {
    let failed = message
        .split_once("failed the check")
        .map_or(message, |(_, rest)| rest);
    let failed = failed
        .split_once(": ")
        .map_or(failed, |(_region, list)| list);
    let domain = address
        .rsplit_once('@')
        .map_or(address, |(_, domain)| domain);
    // A display name may hold a comma, which does no harm: the address stands after the last one.
    failed.split(',').map(bare).any(|identity| {
        identity.eq_ignore_ascii_case(address) || identity.eq_ignore_ascii_case(domain)
    })
}

/// An identity without its display name, which SES may quote along.
fn bare(identity: &str) -> &str {
    let identity = identity.trim().trim_end_matches('.');
    let bare = identity
        .rsplit_once('<')
        .map_or(identity, |(_name, bare)| bare);
    bare.trim_end_matches('>')
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

fn take_apart<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let (reach, fallback) = reach(&error);
    let service_error = error.as_service_error();
    let code = service_error
        .and_then(ProvideErrorMetadata::code)
        .map_or_else(
            || match reach {
                Reach::Answered(status) if status >= 300 => format!("http_{status}"),
                _ => fallback.to_owned(),
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

/// How far a call came, and what to call its failure where no service gave it a code.
fn reach<E>(error: &SdkError<E, HttpResponse>) -> (Reach, &'static str)
where
    E: StdError + Send + Sync + 'static,
{
    match error {
        SdkError::TimeoutError(_) => (Reach::NoAnswer, "timeout"),
        SdkError::ResponseError(inner) => {
            (Reach::Answered(inner.raw().status().as_u16()), "response")
        }
        SdkError::ServiceError(inner) => {
            (Reach::Answered(inner.raw().status().as_u16()), "response")
        }
        other if lacks_credentials(other) => (Reach::NoCredentials, "credentials"),
        SdkError::ConstructionFailure(_) => (Reach::NotSent, "request"),
        SdkError::DispatchFailure(inner) => match client_error(error) {
            Some(client) if client.is_connect() => (Reach::NotSent, "connection"),
            // Nothing of the HTTP client in it: signing or the endpoint failed before its turn.
            None if inner.is_other() => (Reach::NotSent, "request"),
            _ => (Reach::NoAnswer, "connection"),
        },
        _ => (Reach::NoAnswer, "connection"),
    }
}

fn lacks_credentials(error: &(dyn StdError + 'static)) -> bool {
    chain(error).any(|cause| {
        let text = cause.to_string();
        cause.is::<CredentialsError>()
            || text.starts_with(NO_PROVIDER)
            || text.starts_with(PROVIDER_LATE)
    })
}

/// The HTTP client's own error. If the name, the socket or the handshake failed, there was no
/// connection and nothing was written. (The client itself replaces a kept connection that turns out
/// dead before a byte was written.)
fn client_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a legacy::Error> {
    chain(error).find_map(|cause| cause.downcast_ref())
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
