//! Errors of SQS.

use std::time::Duration;

use serde_json::json;

use crate::{
    aws::SqsQueue,
    ports::{
        EntryFailure, EntryFailureKind, Queue, QueueFailure, QueueFailureKind, ReceiptHandle,
        ReceiveRequest,
    },
    testing::canned::{Answer, Canned},
};

const URL: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/created";

fn queue(answer: Answer) -> SqsQueue {
    SqsQueue::new(
        &Canned::new(answer).aws,
        URL.to_owned(),
        Duration::from_secs(20),
        Duration::from_secs(3),
    )
}

/// The failure of each call that can fail as a whole.
async fn failures(answer: &Answer) -> Vec<QueueFailure> {
    let queue = queue(answer.clone());
    let request = ReceiveRequest {
        max_messages: 10,
        wait: Duration::from_secs(20),
        visibility: Duration::from_mins(1),
    };
    let handle = ReceiptHandle("handle".to_owned());
    vec![
        queue.describe().await.unwrap_err(),
        queue.receive(request).await.unwrap_err(),
        queue
            .delete(std::slice::from_ref(&handle))
            .await
            .unwrap_err(),
        queue
            .change_visibility(&[(handle, Duration::ZERO)])
            .await
            .unwrap_err(),
    ]
}

async fn assert_kind(answer: &Answer, code: &str, kind: QueueFailureKind) {
    for failure in failures(answer).await {
        assert_eq!(failure.kind, kind, "{failure}");
        assert_eq!(failure.error.code, code, "{failure}");
    }
}

/// The failure of the only entry of both batches, which is the same for both.
async fn entry(code: &str, message: &str, sender_fault: bool) -> EntryFailure {
    let answer = Answer::json(&json!({
        "Failed": [{ "Id": "0", "Code": code, "Message": message, "SenderFault": sender_fault }],
        "Successful": [],
    }));
    let queue = queue(answer);
    let handle = ReceiptHandle("handle".to_owned());
    let deleted = queue.delete(std::slice::from_ref(&handle)).await.unwrap();
    let changed = queue
        .change_visibility(&[(handle, Duration::ZERO)])
        .await
        .unwrap();
    let [deleted, changed] = [deleted, changed].map(|answers| answers[0].clone().unwrap_err());
    assert_eq!(deleted.kind, changed.kind);
    assert_eq!(deleted.code, code);
    assert_eq!(deleted.message, message);
    deleted
}

#[tokio::test(start_paused = true)]
async fn each_code_of_sqs_says_what_became_of_the_call() {
    use QueueFailureKind::{AccessDenied, Encryption, NotFound, Throttled, Transient};
    for (status, shape, code, kind) in [
        (
            400,
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            NotFound,
        ),
        (400, "InvalidAddress", "InvalidAddress", NotFound),
        (400, "OverLimit", "OverLimit", Throttled),
        (400, "RequestThrottled", "RequestThrottled", Throttled),
        (403, "RequestThrottled", "RequestThrottled", Throttled),
        (400, "ThrottlingException", "ThrottlingException", Throttled),
        (400, "InvalidSecurity", "InvalidSecurity", AccessDenied),
        (403, "AccessDeniedException", "AccessDenied", AccessDenied),
        (403, "ExpiredTokenException", "ExpiredToken", AccessDenied),
        (
            403,
            "InvalidClientTokenId",
            "InvalidClientTokenId",
            AccessDenied,
        ),
        (
            403,
            "UnrecognizedClientException",
            "UnrecognizedClientException",
            AccessDenied,
        ),
        (
            403,
            "SignatureDoesNotMatch",
            "SignatureDoesNotMatch",
            AccessDenied,
        ),
        (
            400,
            "KmsAccessDenied",
            "KMS.AccessDeniedException",
            Encryption,
        ),
        (400, "KmsDisabled", "KMS.DisabledException", Encryption),
        (
            400,
            "KmsInvalidKeyUsage",
            "KMS.InvalidKeyUsageException",
            Encryption,
        ),
        (
            400,
            "KmsInvalidState",
            "KMS.InvalidStateException",
            Encryption,
        ),
        (400, "KmsNotFound", "KMS.NotFoundException", Encryption),
        (400, "KmsOptInRequired", "KMS.OptInRequired", Encryption),
        (400, "KmsThrottled", "KMS.ThrottlingException", Throttled),
        (500, "InternalFailure", "InternalFailure", Transient),
        (503, "ServiceUnavailable", "ServiceUnavailable", Transient),
    ] {
        assert_kind(&Answer::sqs(status, shape, code, "Because."), code, kind).await;
    }
}

/// Only a bug in this program causes these; the messages wait in the queue until it is fixed.
#[tokio::test(start_paused = true)]
async fn a_request_that_sqs_does_not_take_may_pass() {
    for (shape, code) in [
        (
            "UnsupportedOperation",
            "AWS.SimpleQueueService.UnsupportedOperation",
        ),
        (
            "EmptyBatchRequest",
            "AWS.SimpleQueueService.EmptyBatchRequest",
        ),
        (
            "InvalidBatchEntryId",
            "AWS.SimpleQueueService.InvalidBatchEntryId",
        ),
        (
            "BatchEntryIdsNotDistinct",
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        ),
        (
            "TooManyEntriesInBatchRequest",
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        ),
        ("InvalidAttributeName", "InvalidAttributeName"),
        ("InvalidParameterValueException", "InvalidParameterValue"),
    ] {
        let answer = Answer::sqs(400, shape, code, "Because.");
        assert_kind(&answer, code, QueueFailureKind::Transient).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_names_of_the_json_protocol_mean_the_same_as_those_of_old() {
    for (shape, kind) in [
        ("QueueDoesNotExist", QueueFailureKind::NotFound),
        ("KmsAccessDenied", QueueFailureKind::Encryption),
        ("KmsThrottled", QueueFailureKind::Throttled),
        ("AccessDeniedException", QueueFailureKind::AccessDenied),
    ] {
        let body = json!({ "__type": format!("com.amazonaws.sqs#{shape}"), "message": "No." });
        let answer = Answer::new(400, "application/x-amz-json-1.0", &body.to_string());
        assert_kind(&answer, shape, kind).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_sqs_without_a_code_is_read_by_its_status() {
    for (status, code, kind) in [
        (403, "http_403", QueueFailureKind::AccessDenied),
        (429, "http_429", QueueFailureKind::Throttled),
        (400, "http_400", QueueFailureKind::Transient),
        (502, "http_502", QueueFailureKind::Transient),
        (503, "http_503", QueueFailureKind::Transient),
    ] {
        assert_kind(&Answer::new(status, "text/html", "<html>"), code, kind).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_of_sqs_that_cannot_be_read_may_pass() {
    let answer = Answer::new(200, "application/x-amz-json-1.0", "<html>");
    assert_kind(&answer, "response", QueueFailureKind::Transient).await;
}

#[tokio::test]
async fn a_handle_that_no_longer_holds_the_message_is_a_lost_lease() {
    for (code, message) in [
        (
            "ReceiptHandleIsInvalid",
            "The input receipt handle is invalid.",
        ),
        ("MessageNotInflight", "The message is not in flight."),
        (
            "AWS.SimpleQueueService.MessageNotInflight",
            "The message is not in flight.",
        ),
        (
            "InvalidParameterValue",
            "Value AQEB for parameter ReceiptHandle is invalid. Reason: Message does not exist or \
             is not available for visibility timeout change.",
        ),
        (
            "InvalidParameterValue",
            "Value AQEB for parameter ReceiptHandle is invalid. Reason: The receipt handle has \
             expired.",
        ),
        (
            "InvalidParameterValueException",
            "Value AQEB for parameter ReceiptHandle is invalid. Reason: Message does not exist or \
             is not available for visibility timeout change.",
        ),
    ] {
        assert_eq!(
            entry(code, message, true).await.kind,
            EntryFailureKind::LeaseLost,
            "{message}"
        );
    }
}

#[tokio::test]
async fn an_invalid_value_of_our_own_making_is_refused_and_no_lost_lease() {
    for (code, message) in [
        (
            "InvalidParameterValue",
            "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total \
             VisibilityTimeout for the message is beyond the limit [43200 seconds].",
        ),
        (
            "InvalidParameterValue",
            "Value -1 for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and \
             43200, if provided.",
        ),
        (
            "MissingParameter",
            "The request must contain the parameter ReceiptHandle.",
        ),
    ] {
        assert_eq!(
            entry(code, message, true).await.kind,
            EntryFailureKind::Refused,
            "{message}"
        );
    }
}

#[tokio::test]
async fn an_entry_that_sqs_failed_itself_or_put_off_may_be_tried_again() {
    for (code, sender_fault) in [
        ("InternalError", false),
        ("ServiceUnavailable", false),
        ("RequestThrottled", true),
        ("ThrottlingException", true),
        ("KMS.ThrottlingException", true),
    ] {
        let failure = entry(code, "Later.", sender_fault).await;
        assert_eq!(failure.kind, EntryFailureKind::Transient, "{code}");
    }
}
