//! What an AWS error means to us: by modelled variant or code, and by text where only that tells.
//!
//! The codes are those of the SDK's models and of the service documents. The tests beside this file
//! hold one case for each of them, in the bytes that the service answers, read by the SDK; and one
//! for each way in which a call ends without an answer, over real sockets where that matters:
//! refused, unresolved, no handshake, broken off, out of time, without credentials.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sqs::{
    config::http::HttpResponse,
    error::{ErrorMetadata, ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use hyper_util::client::legacy;

use crate::ports::{
    AccountCause, AccountFailure, AccountFailureKind, BucketFailureKind, CallError, EntryFailure,
    EntryFailureKind, QueueFailure, QueueFailureKind, SendFailure, SendFailureKind,
    TemplateFailure, TemplateFailureKind,
    dead_letters::{ResendFailure, ResendFailureKind},
    inspect::RefusalKind,
    table::{TableFailure, TableFailureKind},
};

mod obstacle;
mod texts;

#[cfg(test)]
mod tests;

const ACCESS_DENIED: [&str; 5] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "NotAuthorized",
    "OptInRequired",
];

/// Those of KMS are SQS's words for a queue's key that is asked for too often.
pub(super) const THROTTLED: [&str; 13] = [
    "KMS.ThrottlingException",
    "KmsThrottled",
    "OverLimit",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
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

/// What the SDK says of each of its time-outs, before the time.
const TIMED_OUT: &str = " occurred after ";

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

/// A failed call, taken apart.
pub struct Failure {
    /// What is known of it.
    pub error: Box<CallError>,
    reach: Reach,
    refusal: RefusalKind,
}

impl Failure {
    /// Takes the SDK's error apart.
    pub fn new<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let (reach, fallback) = reach(&error);
        let service = error.as_service_error().map(ProvideErrorMetadata::meta);
        let code = match (service.and_then(ErrorMetadata::code), reach) {
            (Some(code), _) => code.to_owned(),
            (None, Reach::Answered(status)) if status >= 300 => format!("http_{status}"),
            (None, _) => fallback.to_owned(),
        };
        let message = service
            .and_then(ErrorMetadata::message)
            .map_or_else(|| innermost(&error), ToOwned::to_owned);
        let (request_id, obstacle) = match (&error, reach) {
            (SdkError::ServiceError(inner), _) => {
                let answer = inner.raw();
                let date = answer.headers().get("date");
                let obstacle = obstacle::of_answer(&code, &message, date);
                (answer.request_id().map(ToOwned::to_owned), obstacle)
            }
            (_, Reach::NoCredentials) => (None, obstacle::of_missing_credentials(&error)),
            (_, Reach::NotSent) => (None, obstacle::of_connection(&error)),
            _ => (None, None),
        };
        let error = CallError {
            operation,
            code,
            message,
            request_id,
            obstacle,
            source: Some(Box::new(error)),
        };
        Self {
            reach,
            refusal: match refusal_kind(&error) {
                RefusalKind::Other if reach == Reach::Answered(403) => RefusalKind::Denied,
                refusal => refusal,
            },
            error: Box::new(error),
        }
    }

    /// What it means for the queue.
    pub fn of_queue(self) -> QueueFailure {
        let kind = match self.refusal {
            _ if THROTTLED.contains(&self.error.code.as_str()) => QueueFailureKind::Throttled,
            RefusalKind::NotFound => QueueFailureKind::NotFound,
            RefusalKind::Encryption => QueueFailureKind::Encryption,
            RefusalKind::Credentials(_) | RefusalKind::Denied => QueueFailureKind::AccessDenied,
            _ if self.reach == Reach::Answered(429) => QueueFailureKind::Throttled,
            RefusalKind::Unreachable(_) | RefusalKind::Other => QueueFailureKind::Transient,
        };
        let error = self.error;
        QueueFailure { kind, error }
    }

    /// What it means for the template.
    pub fn of_template(self) -> TemplateFailure {
        let kind = match (self.error.code.as_str(), self.refusal) {
            (
                "FileTooLargeException"
                | "InvalidCommitException"
                | "InvalidPathException"
                | "InvalidRepositoryNameException"
                | "PathRequiredException"
                | "RepositoryNameRequiredException",
                _,
            )
            | (_, RefusalKind::NotFound) => TemplateFailureKind::Missing,
            ("EncryptionKeyUnavailableException", _)
            | (_, RefusalKind::Unreachable(_) | RefusalKind::Other) => {
                TemplateFailureKind::Transient
            }
            (_, RefusalKind::Credentials(_)) => TemplateFailureKind::Credentials,
            (_, RefusalKind::Denied | RefusalKind::Encryption) => TemplateFailureKind::AccessDenied,
        };
        let error = self.error;
        TemplateFailure { kind, error }
    }

    /// What it means for a template in a bucket.
    pub fn of_bucket(self) -> TemplateFailure {
        let kind = match (self.error.code.as_str(), self.refusal) {
            (_, RefusalKind::Credentials(_)) => {
                return TemplateFailure {
                    kind: TemplateFailureKind::Credentials,
                    error: self.error,
                };
            }
            ("NoSuchBucket" | "InvalidBucketName", _) => BucketFailureKind::NoBucket,
            ("KeyTooLongError", _) | (_, RefusalKind::NotFound) => BucketFailureKind::NoObject,
            // So S3 answers where an object needs a key in the request itself.
            ("InvalidRequest", _) => BucketFailureKind::Encryption,
            // Which of them S3 gives depends on the two regions. The redirect has no body where a proxy
            // took it away.
            (
                "PermanentRedirect"
                | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException"
                | "http_301",
                _,
            ) => BucketFailureKind::OtherRegion,
            ("InvalidObjectState", _) => BucketFailureKind::Archived,
            (code, _) if THROTTLED.contains(&code) => BucketFailureKind::Transient,
            (_, RefusalKind::Encryption) => BucketFailureKind::Encryption,
            // The key's refusal comes as the bucket's, and only its text tells them apart.
            (_, RefusalKind::Denied) if self.error.message.contains("kms:") => {
                BucketFailureKind::Encryption
            }
            (_, RefusalKind::Denied) => BucketFailureKind::AccessDenied,
            (_, RefusalKind::Unreachable(_) | RefusalKind::Other) => BucketFailureKind::Transient,
        };
        let error = self.error;
        let kind = TemplateFailureKind::Bucket(kind);
        TemplateFailure { kind, error }
    }

    /// What it means for a mail. `sender` is our own bare address: SES refuses an unverified sender
    /// and, in the sandbox, an unverified recipient with the same text, and only the identity that
    /// the text names distinguishes a broken set-up from one mail that cannot be sent.
    pub fn of_send(self, sender: &str) -> SendFailure {
        let kind = match self.reach {
            Reach::NoCredentials => SendFailureKind::AccountWide(AccountCause::Credentials),
            Reach::NotSent => SendFailureKind::Transient,
            Reach::NoAnswer => SendFailureKind::OutcomeUnknown,
            Reach::Answered(status) => self.answered_send(status, sender),
        };
        let error = self.error;
        SendFailure { kind, error }
    }

    /// What it means for messages that were to be sent to another queue.
    pub fn of_resend(self) -> ResendFailure {
        let code = self.error.code.as_str();
        let kind = match self.reach {
            _ if THROTTLED.contains(&code) => ResendFailureKind::Throttled,
            Reach::Answered(429) => ResendFailureKind::Throttled,
            Reach::NotSent | Reach::NoCredentials => ResendFailureKind::NotSent,
            Reach::Answered(status @ 400..500) if status != 408 && !PASSING.contains(&code) => {
                ResendFailureKind::NotSent
            }
            // A server's error may come after the queue has taken them.
            Reach::NoAnswer | Reach::Answered(_) => ResendFailureKind::Unknown,
        };
        let error = self.error;
        ResendFailure { kind, error }
    }

    /// What it means for the table.
    pub fn of_table(self) -> TableFailure {
        let kind = match self.refusal {
            _ if THROTTLED.contains(&self.error.code.as_str()) => TableFailureKind::Throttled,
            RefusalKind::NotFound => TableFailureKind::NotFound,
            RefusalKind::Encryption => TableFailureKind::Encryption,
            RefusalKind::Credentials(_) | RefusalKind::Denied => TableFailureKind::AccessDenied,
            _ if self.error.code == "ValidationException" => TableFailureKind::Refused,
            RefusalKind::Unreachable(_) | RefusalKind::Other => TableFailureKind::Transient,
        };
        let error = self.error;
        TableFailure { kind, error }
    }

    /// What it means for a reading of the account.
    pub fn of_account(self) -> AccountFailure {
        let kind = match self.refusal {
            RefusalKind::Credentials(_) | RefusalKind::Denied => AccountFailureKind::AccessDenied,
            _ => AccountFailureKind::Transient,
        };
        let error = self.error;
        AccountFailure { kind, error }
    }

    fn answered_send(&self, status: u16, sender: &str) -> SendFailureKind {
        use SendFailureKind::AccountWide;

        let error = &self.error;
        let says = |text: &str| error.message.to_ascii_lowercase().contains(text);
        match error.code.as_str() {
            // SES names the daily quota only in the text, under the codes of throttling.
            "LimitExceededException" => AccountWide(AccountCause::DailyQuota),
            other if THROTTLED.contains(&other) && says("daily message quota") => {
                AccountWide(AccountCause::DailyQuota)
            }
            other if THROTTLED.contains(&other) => SendFailureKind::Throttled,
            "AccountSuspendedException" => AccountWide(AccountCause::Suspended),
            // The last two and those that follow are v1's names, which proxies and emulators give.
            "SendingPausedException"
            | "AccountSendingPausedException"
            | "ConfigurationSetSendingPausedException" => AccountWide(AccountCause::Paused),
            "MailFromDomainNotVerifiedException" | "MailFromDomainNotVerified" => {
                AccountWide(AccountCause::MailFromNotVerified)
            }
            "NotFoundException"
            | "ConfigurationSetDoesNotExist"
            | "ConfigurationSetDoesNotExistException" => {
                AccountWide(AccountCause::ConfigurationSetMissing)
            }
            "MessageRejected"
                if says("is not verified") && names_identity(&error.message, sender) =>
            {
                AccountWide(AccountCause::SenderNotVerified)
            }
            // Without an address it does not say whose.
            "MessageRejected"
                if says("is not verified") && says("failed the check") && says("@") =>
            {
                SendFailureKind::RecipientNotVerified
            }
            // A refusal that is the account's by its text comes under any code of a client's error.
            _ if (400..500).contains(&status)
                && let Some(cause) = texts::account_cause(&error.message) =>
            {
                AccountWide(cause)
            }
            "MessageRejected" | "BadRequestException" => SendFailureKind::Refused,
            _ if matches!(self.refusal, RefusalKind::Credentials(_)) => {
                AccountWide(AccountCause::Credentials)
            }
            _ if self.refusal == RefusalKind::Denied || status == 403 => {
                AccountWide(AccountCause::AccessDenied)
            }
            other if PASSING.contains(&other) || status == 408 => SendFailureKind::Transient,
            _ if status == 429 => SendFailureKind::Throttled,
            // An answer of success that could not be read: SES took the mail, or may have.
            _ if status < 300 => SendFailureKind::OutcomeUnknown,
            // A gateway that waited for SES in vain: SES may have taken the mail.
            _ if status == 504 => SendFailureKind::OutcomeUnknown,
            _ if (400..500).contains(&status) => SendFailureKind::Refused,
            // A server's error, or a redirect, which SES never gives: something stood before it.
            _ => SendFailureKind::Transient,
        }
    }
}

/// What a code means, whichever service gives it: what an operator has to do depends on this.
pub fn refusal_kind(error: &CallError) -> RefusalKind {
    match error.obstacle {
        Some(obstacle) if obstacle.is_of_credentials() => {
            return RefusalKind::Credentials(obstacle);
        }
        Some(obstacle) => return RefusalKind::Unreachable(Some(obstacle)),
        None => {}
    }
    match error.code.as_str() {
        "http_403" => RefusalKind::Denied,
        code if ACCESS_DENIED.contains(&code) => RefusalKind::Denied,
        "connection" | "timeout" => RefusalKind::Unreachable(None),
        code if code.starts_with("Kms")
            || code.starts_with("KMS.")
            || code.starts_with("EncryptionKey") =>
        {
            RefusalKind::Encryption
        }
        "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue"
        | "InvalidAddress"
        | "NoSuchBucket"
        | "NoSuchKey"
        | "NotFoundException"
        | "ResourceNotFoundException" => RefusalKind::NotFound,
        code if code.ends_with("DoesNotExistException") => RefusalKind::NotFound,
        _ => RefusalKind::Other,
    }
}

/// What there is to say where there are no credentials for a call.
pub(super) fn without_credentials(error: CredentialsError) -> CallError {
    CallError {
        operation: "credentials",
        code: "credentials".to_owned(),
        message: innermost(&error),
        request_id: None,
        obstacle: obstacle::of_missing_credentials(&error),
        source: Some(Box::new(error)),
    }
}

/// What a failed entry of a batch on the queue means. `sender_fault` is SQS's statement that the
/// entry itself is at fault.
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
        other if obstacle::of_missing_credentials(other).is_some() => {
            (Reach::NoCredentials, "credentials")
        }
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

/// The HTTP client's own error. If the name, the socket or the handshake failed, there was no
/// connection and nothing was written. (The client itself replaces a kept connection that turns out
/// dead before a byte was written.)
fn client_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a legacy::Error> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

/// The last error of the chain says most plainly what went wrong: "connection refused". The SDK's own
/// words for a time-out name its parts ("operation attempt timeout (single attempt) occurred after
/// 20s"), so that only the time is taken from them.
pub(super) fn innermost(error: &(dyn StdError + 'static)) -> String {
    let text = chain(error)
        .last()
        .map_or_else(String::new, ToString::to_string);
    match text.split_once(TIMED_OUT) {
        Some((what, after)) if what.contains("connect") => format!("no connection within {after}"),
        Some((_, after)) => format!("no answer within {after}"),
        None => text,
    }
}

/// An error and its causes.
pub(super) fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| StdError::source(*error))
}
