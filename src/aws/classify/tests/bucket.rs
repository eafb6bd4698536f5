//! Errors of S3, where the template is in a bucket.

use crate::{
    aws::{BucketTemplate, ObjectAddress},
    ports::{
        BucketFailureKind, TemplateFailure, TemplateFailureKind, TemplateSource, obstacle::Obstacle,
    },
    testing::canned::{Answer, Canned},
};

async fn fetch(answer: Answer) -> TemplateFailure {
    let address = ObjectAddress {
        bucket: "email-templates".to_owned(),
        key: "new_event.html".to_owned(),
    };
    let source = BucketTemplate::new(&Canned::new(answer).aws, address, 1024);
    source.fetch().await.err().unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_code_of_s3_says_what_became_of_the_fetch() {
    use BucketFailureKind::{
        AccessDenied, Archived, Encryption, NoBucket, NoObject, OtherRegion, Transient,
    };
    for (status, code, kind) in [
        (404, "NoSuchBucket", NoBucket),
        (400, "InvalidBucketName", NoBucket),
        (404, "NoSuchKey", NoObject),
        (301, "PermanentRedirect", OtherRegion),
        (400, "AuthorizationHeaderMalformed", OtherRegion),
        (400, "IllegalLocationConstraintException", OtherRegion),
        (403, "AccessDenied", AccessDenied),
        (403, "AllAccessDisabled", AccessDenied),
        (403, "AccountProblem", AccessDenied),
        (400, "KMS.DisabledException", Encryption),
        (400, "KMS.NotFoundException", Encryption),
        (400, "KMS.KMSInvalidStateException", Encryption),
        (403, "InvalidObjectState", Archived),
        (400, "InvalidRequest", Encryption),
        (400, "KeyTooLongError", NoObject),
        (400, "KMS.ThrottlingException", Transient),
        (503, "SlowDown", Transient),
        (400, "RequestTimeout", Transient),
        // The name of a bucket that was just made is not known everywhere yet.
        (307, "TemporaryRedirect", Transient),
        (409, "OperationAborted", Transient),
        (400, "BrandNewError", Transient),
        (500, "InternalError", Transient),
        (503, "ServiceUnavailable", Transient),
    ] {
        let failure = fetch(Answer::s3(status, code, "Because.")).await;
        assert_eq!(failure.kind, TemplateFailureKind::Bucket(kind), "{code}");
        assert_eq!(failure.kind.is_definite(), kind != Transient, "{code}");
        assert_eq!(failure.error.code, code);
        assert_eq!(failure.to_string(), format!("GetObject: {code}: Because."));
    }
}

#[tokio::test]
async fn credentials_that_s3_does_not_accept_are_no_fault_of_the_bucket() {
    for (status, code, obstacle) in [
        (403, "InvalidAccessKeyId", Obstacle::UnknownKey),
        (403, "SignatureDoesNotMatch", Obstacle::WrongSecret),
        (403, "RequestTimeTooSkewed", Obstacle::Clock(None)),
        (400, "ExpiredToken", Obstacle::Expired),
        (400, "InvalidToken", Obstacle::NotAccepted),
        (400, "TokenRefreshRequired", Obstacle::Expired),
    ] {
        let failure = fetch(Answer::s3(status, code, "Because.")).await;
        assert_eq!(failure.kind, TemplateFailureKind::Credentials, "{code}");
        assert!(failure.kind.is_definite());
        assert_eq!(failure.error.obstacle, Some(obstacle), "{code}");
        assert_eq!(failure.remedy(), obstacle.remedy());
    }
}

#[tokio::test]
async fn a_missing_right_to_the_key_is_known_by_its_text() {
    let text = "User: arn:aws:sts::111111111111:assumed-role/task/1 is not authorized to perform: \
                kms:Decrypt on resource: arn:aws:kms:eu-central-1:111111111111:key/1 because no \
                identity-based policy allows the kms:Decrypt action";
    let failure = fetch(Answer::s3(403, "AccessDenied", text)).await;
    let kind = BucketFailureKind::Encryption;
    assert_eq!(failure.kind, TemplateFailureKind::Bucket(kind));
    assert!(kind.remedy().starts_with("give the role kms:Decrypt"));
}

#[tokio::test]
async fn a_refusal_has_the_id_that_support_asks_for() {
    let failure = fetch(Answer::s3(403, "AccessDenied", "Access Denied")).await;
    assert_eq!(
        failure.error.request_id.as_deref(),
        Some("4442587FB7D0A2F9")
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_s3_without_a_code_is_read_by_its_status() {
    use BucketFailureKind::{AccessDenied, OtherRegion, Transient};
    for (status, code, kind) in [
        (301, "http_301", OtherRegion),
        (403, "http_403", AccessDenied),
        (502, "http_502", Transient),
    ] {
        let failure = fetch(Answer::new(status, "text/html", "")).await;
        assert_eq!(failure.kind, TemplateFailureKind::Bucket(kind), "{status}");
        assert_eq!(failure.error.code, code);
    }
}
