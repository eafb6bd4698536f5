//! Errors of SES.

use std::time::Duration;

use crate::{
    aws::{SesAccount, SesMailer},
    ports::{
        Account, AccountCause, AccountFailure, AccountFailureKind, Mailer, SendFailure,
        SendFailureKind::{self, *},
        Tags,
    },
    testing::canned::{Answer, Canned, SENDER, key, mail},
};

const TIMEOUT: Duration = Duration::from_secs(10);

async fn send(answer: Answer) -> SendFailure {
    let canned = Canned::new(answer);
    let mailer = SesMailer::new(&canned.aws, SENDER.to_owned(), None, "q", TIMEOUT);
    mailer
        .send(Box::new(mail()), Tags::of(&key("tag")))
        .await
        .unwrap_err()
}

async fn kind(status: u16, code: &str, message: &str) -> SendFailureKind {
    let failure = send(Answer::ses(status, code, message)).await;
    assert_eq!(failure.error.code, code);
    assert_eq!(failure.error.message, message);
    failure.kind
}

async fn facts(answer: Answer) -> AccountFailure {
    SesAccount::new(&Canned::new(answer).aws)
        .facts()
        .await
        .unwrap_err()
}

#[tokio::test]
async fn sending_too_fast_is_throttling_under_every_code() {
    for (status, code) in [
        (429, "TooManyRequestsException"),
        (400, "ThrottlingException"),
        (400, "Throttling"),
        (400, "ThrottledException"),
        (400, "RequestLimitExceeded"),
        (503, "SlowDown"),
    ] {
        assert_eq!(
            kind(status, code, "Maximum sending rate exceeded.").await,
            Throttled,
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_daily_quota_is_told_by_its_text_under_the_codes_of_throttling() {
    for (status, code) in [
        (429, "TooManyRequestsException"),
        (400, "ThrottlingException"),
        (400, "Throttling"),
        (400, "LimitExceededException"),
    ] {
        let kind = kind(status, code, "Daily message quota exceeded.").await;
        assert_eq!(kind, AccountWide(AccountCause::DailyQuota), "{code}");
    }
}

#[tokio::test]
async fn an_exceeded_limit_concerns_the_account_whatever_its_text() {
    let kind = kind(400, "LimitExceededException", "Too many instances.").await;
    assert_eq!(kind, AccountWide(AccountCause::DailyQuota));
}

#[tokio::test]
async fn what_refuses_every_mail_is_account_wide_with_its_cause() {
    for (status, code, message, cause) in [
        (
            400,
            "AccountSuspendedException",
            "Your account's ability to send email is permanently restricted.",
            AccountCause::Suspended,
        ),
        (
            400,
            "SendingPausedException",
            "Email sending for the account is currently paused.",
            AccountCause::Paused,
        ),
        (
            400,
            "MailFromDomainNotVerifiedException",
            "The sending domain isn't verified.",
            AccountCause::MailFromNotVerified,
        ),
        (
            404,
            "NotFoundException",
            "Configuration set <notifications> does not exist.",
            AccountCause::ConfigurationSetMissing,
        ),
        (
            403,
            "AccessDeniedException",
            "User is not authorized to perform: ses:SendEmail",
            AccountCause::AccessDenied,
        ),
        (
            400,
            "OptInRequired",
            "The service needs a subscription.",
            AccountCause::AccessDenied,
        ),
        (
            400,
            "NotAuthorized",
            "No permission.",
            AccountCause::AccessDenied,
        ),
    ] {
        assert_eq!(
            kind(status, code, message).await,
            AccountWide(cause),
            "{code}"
        );
    }
}

#[tokio::test]
async fn what_the_first_api_calls_by_another_name_or_only_the_text_tells_is_account_wide_too() {
    for (status, code, message, cause) in [
        // A default configuration set that was deleted.
        (
            400,
            "BadRequestException",
            "Configuration set <notifications> does not exist.",
            AccountCause::ConfigurationSetMissing,
        ),
        (
            400,
            "ConfigurationSetDoesNotExistException",
            "Configuration set does not exist",
            AccountCause::ConfigurationSetMissing,
        ),
        (
            400,
            "ConfigurationSetDoesNotExist",
            "",
            AccountCause::ConfigurationSetMissing,
        ),
        // A pause in the words that the first version of the API and SMTP have for it.
        (
            400,
            "MessageRejected",
            "Sending paused for this account. For more information, please check the inbox of the \
             email address associated with your AWS account.",
            AccountCause::Paused,
        ),
        (
            400,
            "SomeNewException",
            "Sending paused for configuration set <notifications>.",
            AccountCause::Paused,
        ),
        (
            400,
            "AccountSendingPausedException",
            "Email sending is disabled for your entire Amazon SES account",
            AccountCause::Paused,
        ),
        (
            400,
            "ConfigurationSetSendingPausedException",
            "Email sending is disabled for the configuration set",
            AccountCause::Paused,
        ),
        (
            400,
            "MessageRejected",
            "Account has been permanently suspended from sending.",
            AccountCause::Suspended,
        ),
        (
            400,
            "MessageRejected",
            "Sending suspended for this account.",
            AccountCause::Suspended,
        ),
        (
            400,
            "BadRequestException",
            "Email sending is disabled for your entire Amazon SES account.",
            AccountCause::Paused,
        ),
        (
            400,
            "MailFromDomainNotVerified",
            "The sending domain isn't verified.",
            AccountCause::MailFromNotVerified,
        ),
    ] {
        assert_eq!(
            kind(status, code, message).await,
            AccountWide(cause),
            "{code}"
        );
    }
}

#[tokio::test]
async fn credentials_that_are_not_accepted_are_account_wide() {
    for (status, code) in [
        (403, "ExpiredTokenException"),
        (403, "ExpiredToken"),
        (403, "UnrecognizedClientException"),
        (403, "InvalidClientTokenId"),
        (403, "SignatureDoesNotMatch"),
        (403, "InvalidSignatureException"),
        (403, "MissingAuthenticationToken"),
        (403, "MissingAuthenticationTokenException"),
        (400, "IncompleteSignature"),
        (400, "IncompleteSignatureException"),
        (400, "RequestExpired"),
        (403, "RequestTimeTooSkewed"),
    ] {
        let kind = kind(status, code, "The security token is not accepted.").await;
        assert_eq!(kind, AccountWide(AccountCause::Credentials), "{code}");
    }
}

#[tokio::test]
async fn what_may_be_the_mails_own_fault_is_a_refusal_that_does_not_say_whose() {
    for (status, code, message) in [
        // An unverified sender may come without its identity.
        (400, "MessageRejected", "Email address is not verified."),
        (
            400,
            "MessageRejected",
            "Email address is not verified. The following identities failed the check in region \
             EU-CENTRAL-1: ",
        ),
        (
            400,
            "MessageRejected",
            "Account not found in the recipient's address.",
        ),
        // What a mail holds may be quoted, and then says nothing of the account.
        (
            400,
            "BadRequestException",
            "Invalid header value: Sending paused for this account.",
        ),
        (
            400,
            "MessageRejected",
            "Illegal subject <Configuration set x does not exist>",
        ),
        (400, "MessageRejected", "Email contains a virus."),
        (
            400,
            "MessageRejected",
            "Transaction failed: Local address contains control characters.",
        ),
        (400, "BadRequestException", "Missing final '@domain'"),
    ] {
        assert_eq!(kind(status, code, message).await, Refused, "{message}");
    }
}

fn not_verified(identities: &str) -> String {
    format!(
        "Email address is not verified. The following identities failed the check in region \
         EU-CENTRAL-1: {identities}"
    )
}

#[tokio::test]
async fn a_sender_that_is_not_verified_is_account_wide_in_every_form_that_names_it() {
    for identities in [
        SENDER,
        "EVENTS@Calendar.Example",
        "calendar.example",
        "dana@example.com, events@calendar.example",
        "events@calendar.example, dana@example.com",
        "Events <events@calendar.example>",
        "\"Events, all of them\" <events@calendar.example>, dana@example.com",
        "\"From: Events\" <events@calendar.example>, \"To: Dana\" <dana@example.com>",
        "=?UTF-8?B?RXZlbnRz?= <events@calendar.example>",
        "events@calendar.example.",
    ] {
        let kind = kind(400, "MessageRejected", &not_verified(identities)).await;
        assert_eq!(
            kind,
            AccountWide(AccountCause::SenderNotVerified),
            "{identities}"
        );
    }
}

#[tokio::test]
async fn a_recipient_that_is_not_verified_rejects_one_mail_alone() {
    for identities in [
        "dana@example.com",
        "dana@example.com, jane@example.com",
        "Dana <dana@example.com>",
        "dana@calendar.example",
        "other-events@calendar.example",
        "events@calendar.example.org",
        "\"events@calendar.example\" <dana@example.com>",
    ] {
        let kind = kind(400, "MessageRejected", &not_verified(identities)).await;
        assert_eq!(kind, RecipientNotVerified, "{identities}");
    }
}

#[tokio::test]
async fn a_code_may_come_with_a_namespace_or_an_address() {
    for header in [
        "MessageRejected:http://internal.amazon.com/coral/com.amazonaws.services.simpleemailv2/",
        "com.amazonaws.sesv2#MessageRejected",
    ] {
        let failure = send(Answer::ses(400, header, "Email contains a virus.")).await;
        assert_eq!(failure.error.code, "MessageRejected");
        assert_eq!(failure.kind, Refused);
    }
}

#[tokio::test]
async fn a_refusal_without_a_code_is_read_by_its_status() {
    for (status, code, expected) in [
        (403, "http_403", AccountWide(AccountCause::AccessDenied)),
        (429, "http_429", Throttled),
        (400, "http_400", Refused),
        (413, "http_413", Refused),
        (302, "http_302", Transient),
        (408, "http_408", Transient),
        (500, "http_500", Transient),
        (502, "http_502", Transient),
        (503, "http_503", Transient),
        (504, "http_504", OutcomeUnknown),
    ] {
        let page = "<html><body><h1>It did not work</h1></body></html>";
        let failure = send(Answer::new(status, "text/html", page)).await;
        assert_eq!(failure.kind, expected, "{status}");
        assert_eq!(failure.error.code, code);
    }
}

#[tokio::test]
async fn an_unknown_code_is_the_clients_or_the_servers_by_its_status() {
    assert_eq!(kind(400, "BrandNewException", "New.").await, Refused);
    assert_eq!(kind(404, "UnknownOperationException", "").await, Refused);
    for (status, code) in [
        (500, "InternalFailure"),
        (500, "InternalServiceErrorException"),
        (503, "ServiceUnavailable"),
        (503, "BrandNewException"),
        (400, "RequestTimeout"),
        (400, "RequestTimeoutException"),
        (400, "RequestAbortedException"),
    ] {
        assert_eq!(kind(status, code, "Try again.").await, Transient, "{code}");
    }
}

#[tokio::test]
async fn a_success_that_cannot_be_read_may_have_sent() {
    for body in ["<html>", "{\"MessageId\": ", "[1]"] {
        let failure = send(Answer::new(200, "application/json", body)).await;
        assert_eq!(failure.kind, OutcomeUnknown, "{body}");
        assert_eq!(failure.error.code, "response", "{body}");
    }
}

#[tokio::test]
async fn a_failure_carries_the_request_id_for_aws_support() {
    let failure = send(Answer::ses(400, "MessageRejected", "No.")).await;
    let id = failure.error.request_id.as_deref();
    assert_eq!(id, Some("4f5d6b3e-0000-4000-8000-000000000001"));
    assert_eq!(failure.to_string(), "SendEmail: MessageRejected: No.");
}

#[tokio::test]
async fn an_account_that_may_not_be_read_is_told_from_one_that_does_not_answer() {
    for (status, code) in [
        (403, "AccessDeniedException"),
        (403, "ExpiredTokenException"),
        (403, "UnrecognizedClientException"),
    ] {
        let failure = facts(Answer::ses(status, code, "No.")).await;
        assert_eq!(failure.kind, AccountFailureKind::AccessDenied, "{code}");
    }
    let failure = facts(Answer::new(403, "text/html", "<html>")).await;
    assert_eq!(failure.kind, AccountFailureKind::AccessDenied);
    let failure = facts(Answer::ses(400, "BadRequestException", "No.")).await;
    assert_eq!(failure.kind, AccountFailureKind::Transient);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_asked_too_often_or_fails_may_be_read_later() {
    for (status, code) in [(429, "TooManyRequestsException"), (500, "InternalFailure")] {
        let failure = facts(Answer::ses(status, code, "Later.")).await;
        assert_eq!(failure.kind, AccountFailureKind::Transient, "{code}");
        assert_eq!(failure.error.code, code);
    }
}
