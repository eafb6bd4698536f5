//! The template over canned answers.

use std::time::Duration;

use aws_smithy_http_client::test_util::NeverClient;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::{Instant, sleep},
};

use super::{BucketTemplate, ObjectAddress, is_of_aws};
use crate::{
    ports::{BucketFailureKind, TemplateFailure, TemplateFailureKind, TemplateSource},
    testing::canned::{Answer, Canned, at, over},
};

const ETAG: &str = "\"5d41402abc4b2a76b9719d911017c592\"";
const MAX_BYTES: u64 = 64;

fn template(canned: &Canned) -> BucketTemplate {
    BucketTemplate::new(&canned.aws, address(), MAX_BYTES)
}

fn address() -> ObjectAddress {
    ObjectAddress {
        bucket: "email-templates".to_owned(),
        key: "mails/new event.html".to_owned(),
    }
}

fn object(body: &str) -> Answer {
    tagged(body, ETAG)
}

fn tagged(body: &str, etag: &str) -> Answer {
    Answer::new(200, "text/html", body)
        .with_header("etag", etag)
        .with_header("last-modified", "Wed, 11 Jan 2017 19:23:18 GMT")
        .with_header("content-length", &body.len().to_string())
}

fn kind(failure: &TemplateFailure) -> BucketFailureKind {
    match failure.kind {
        TemplateFailureKind::Bucket(kind) => kind,
        other => panic!("{other:?} is no bucket's"),
    }
}

async fn failed(answer: Answer) -> TemplateFailure {
    let canned = Canned::new(answer);
    template(&canned).fetch().await.err().unwrap()
}

#[tokio::test]
async fn a_fetch_names_bucket_and_key_and_brings_the_objects_bytes() {
    let version = "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY";
    let canned = Canned::new(object("\u{feff}<p>hi").with_header("x-amz-version-id", version));
    let file = template(&canned).fetch().await.unwrap();
    assert_eq!(file.bytes, b"\xef\xbb\xbf<p>hi");
    assert_eq!(file.version.commit_id, version);
    assert_eq!(file.version.blob_id, ETAG.trim_matches('"'));
    let age = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_484_162_598);
    assert_eq!(file.modified, Some(age));
    let asked = canned.only();
    assert_eq!(asked.method, "GET");
    // As everywhere in AWS, the bucket is in the host's name.
    assert_eq!(
        asked.uri,
        "https://email-templates.s3.eu-central-1.amazonaws.com/mails/new%20event.html?x-id=GetObject"
    );
    assert_eq!(asked.if_none_match, "");
}

/// A certificate of AWS's covers one name, and a dot makes two of it.
#[tokio::test]
async fn a_bucket_with_a_dot_in_its_name_is_in_the_path() {
    let canned = Canned::new(object("<p>hi"));
    let mut address = address();
    "email.templates".clone_into(&mut address.bucket);
    let source = BucketTemplate::new(&canned.aws, address, MAX_BYTES);
    source.fetch().await.unwrap();
    let begins = "https://s3.eu-central-1.amazonaws.com/email.templates/mails/";
    assert!(canned.only().uri.starts_with(begins));
}

#[tokio::test]
async fn a_bucket_without_versions_has_none() {
    for answer in [
        object("<p>"),
        object("<p>").with_header("x-amz-version-id", "null"),
    ] {
        let file = template(&Canned::new(answer)).fetch().await.unwrap();
        assert_eq!(file.version.commit_id, "");
        assert_eq!(file.version.blob_id, ETAG.trim_matches('"'));
    }
}

#[tokio::test]
async fn an_object_that_stays_as_it_is_comes_once() {
    let unchanged = Answer::new(304, "", "").with_header("etag", ETAG);
    let other = tagged("<p>two", "\"other\"");
    let canned = Canned::in_turn([object("<p>one"), unchanged.clone(), unchanged, other]);
    let template = template(&canned);
    let mut fetched = Vec::new();
    for _ in 0..4 {
        fetched.push(template.fetch().await.unwrap());
    }
    assert_eq!(fetched[0].bytes, b"<p>one");
    for again in &fetched[1..3] {
        assert_eq!(again.bytes, fetched[0].bytes);
        assert_eq!(again.version, fetched[0].version);
    }
    assert_eq!(fetched[3].bytes, b"<p>two");
    let asked = canned.asked();
    let known: Vec<_> = asked.iter().map(|asked| &*asked.if_none_match).collect();
    assert_eq!(known, ["", ETAG, ETAG, ETAG]);
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_the_last_object_is_still_known() {
    let failing = Answer::s3(404, "NoSuchKey", "The specified key does not exist.");
    let unchanged = Answer::new(304, "", "");
    let canned = Canned::in_turn([object("<p>one"), failing, unchanged]);
    let template = template(&canned);
    template.fetch().await.unwrap();
    assert!(template.fetch().await.is_err());
    assert_eq!(template.fetch().await.unwrap().bytes, b"<p>one");
    assert_eq!(canned.asked()[2].if_none_match, ETAG);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_unchanged_before_the_first_object() {
    let failure = failed(Answer::new(304, "", "")).await;
    assert_eq!(kind(&failure), BucketFailureKind::Transient);
    assert_eq!(failure.error.code, "http_304");
}

#[tokio::test]
async fn an_object_that_is_too_large_is_told_by_its_length_alone() {
    let failure = failed(object(&"x".repeat(65))).await;
    assert_eq!(kind(&failure), BucketFailureKind::TooLarge);
    assert_eq!(
        failure.to_string(),
        "GetObject: too_large: the object has 65 bytes, and template.max_bytes allows 64"
    );
    let canned = Canned::new(object(&"x".repeat(64)));
    assert_eq!(template(&canned).fetch().await.unwrap().bytes.len(), 64);
}

#[tokio::test]
async fn an_object_whose_length_is_not_said_is_not_read_beyond_the_limit() {
    let endless = "x".repeat(1 << 20);
    let answer = Answer::new(200, "text/html", &endless).with_header("etag", ETAG);
    let failure = failed(answer).await;
    assert_eq!(kind(&failure), BucketFailureKind::TooLarge);
    assert!(failure.to_string().contains("has more bytes"), "{failure}");
}

#[tokio::test]
async fn an_object_without_an_etag_is_not_taken() {
    let failure = failed(Answer::new(200, "text/html", "<p>")).await;
    assert_eq!(kind(&failure), BucketFailureKind::Transient);
    assert_eq!(failure.error.code, "response");
}

#[tokio::test]
async fn a_bucket_elsewhere_is_told_with_its_region() {
    for (status, code) in [
        (301, "PermanentRedirect"),
        (400, "AuthorizationHeaderMalformed"),
        (400, "IllegalLocationConstraintException"),
    ] {
        let answer = Answer::s3(status, code, "Use the specified endpoint.")
            .with_header("x-amz-bucket-region", "eu-west-1");
        let failure = failed(answer).await;
        assert_eq!(kind(&failure), BucketFailureKind::OtherRegion);
        assert_eq!(
            failure.to_string(),
            format!("GetObject: {code}: the bucket is in eu-west-1")
        );
    }
    let failure = failed(Answer::s3(301, "PermanentRedirect", "Go away.")).await;
    assert_eq!(
        failure.to_string(),
        "GetObject: PermanentRedirect: Go away."
    );
}

#[tokio::test]
async fn the_location_names_bucket_and_key() {
    let canned = Canned::new(object("<p>"));
    assert_eq!(
        template(&canned).location(),
        "bucket email-templates, key mails/new event.html"
    );
    assert_eq!(template(&canned).call(), "S3/GetObject");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_may_pass_is_tried_three_times_and_a_refused_one_once() {
    for (status, code, attempts) in [
        (500, "InternalError", 3),
        (503, "SlowDown", 3),
        (404, "NoSuchKey", 1),
        (403, "AccessDenied", 1),
        (301, "PermanentRedirect", 1),
    ] {
        let canned = Canned::new(Answer::s3(status, code, "Because."));
        assert!(template(&canned).fetch().await.is_err());
        assert_eq!(canned.asked().len(), attempts, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_to_fetch_ends_in_time() {
    let never = NeverClient::new();
    let began = Instant::now();
    let source = BucketTemplate::new(&over(never.clone()), address(), MAX_BYTES);
    let failure = source.fetch().await.err().unwrap();
    assert_eq!(kind(&failure), BucketFailureKind::Transient);
    assert_eq!(failure.error.code, "timeout");
    assert_eq!(never.num_calls(), 3);
    let elapsed = began.elapsed();
    assert!((30..=33).contains(&elapsed.as_secs()), "{elapsed:?}");
}

#[test]
fn only_aws_has_a_name_for_each_bucket() {
    for aws in [
        "https://s3.eu-central-1.amazonaws.com",
        "https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com/",
        "https://s3.cn-north-1.amazonaws.com.cn:443",
        "https://s3.eu-central-1.api.aws",
    ] {
        assert!(is_of_aws(aws), "{aws}");
    }
    for other in [
        "http://127.0.0.1:4566",
        "http://localhost:4566",
        "http://aws:4566/x.amazonaws.com",
        "https://minio.example.com",
        "localhost",
    ] {
        assert!(!is_of_aws(other), "{other}");
    }
}

/// `localhost` has no name for each bucket in DNS, and an address cannot have one.
#[tokio::test]
async fn elsewhere_than_in_aws_the_bucket_is_in_the_path() {
    let running = sandbox::Sandbox::start().await;
    let s3 = &running.sandbox.s3;
    s3.create("email-templates", "eu-central-1").unwrap();
    s3.put("email-templates", "mails/new event.html", b"<p>hi")
        .unwrap();
    let by_name = running.url().replace("127.0.0.1", "localhost");
    for endpoint in [running.url(), &by_name] {
        let source = BucketTemplate::new(&at(endpoint), address(), MAX_BYTES);
        let file = source.fetch().await.unwrap();
        assert_eq!(file.bytes, b"<p>hi", "{endpoint}");
    }
}

#[tokio::test]
async fn a_key_is_taken_as_it_is_written() {
    let running = sandbox::Sandbox::start().await;
    let s3 = &running.sandbox.s3;
    s3.create("bucket", "eu-central-1").unwrap();
    for key in ["/mail.html", "a//b/../c.html", "Grüße & +1%20=?#.html"] {
        s3.put("bucket", key, key.as_bytes()).unwrap();
        let address = ObjectAddress {
            bucket: "bucket".to_owned(),
            key: key.to_owned(),
        };
        let source = BucketTemplate::new(&at(running.url()), address, MAX_BYTES);
        let file = source.fetch().await.unwrap();
        assert_eq!(file.bytes, key.as_bytes());
    }
}

/// Answers with the head of a good answer and half of its body, and then holds the line for so long.
async fn half_an_object(then: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            assert_ne!(stream.read(&mut request).await.unwrap(), 0);
            let answer =
                format!("HTTP/1.1 200 OK\r\netag: {ETAG}\r\ncontent-length: 10\r\n\r\n<p>hi");
            stream.write_all(answer.as_bytes()).await.unwrap();
            sleep(then).await;
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn an_object_that_breaks_off_is_fetched_again_later() {
    let endpoint = half_an_object(Duration::ZERO).await;
    let source = BucketTemplate::new(&at(&endpoint), address(), MAX_BYTES);
    let failure = source.fetch().await.err().unwrap();
    assert_eq!(kind(&failure), BucketFailureKind::Transient);
    assert_eq!(failure.error.code, "connection");
}

/// The SDK's own time-outs end with the answer's head.
#[tokio::test(start_paused = true)]
async fn an_object_that_stops_flowing_ends_in_time() {
    let endpoint = half_an_object(Duration::from_hours(1)).await;
    let source = BucketTemplate::new(&at(&endpoint), address(), MAX_BYTES);
    let began = Instant::now();
    let failure = source.fetch().await.err().unwrap();
    assert_eq!(kind(&failure), BucketFailureKind::Transient);
    assert_eq!(
        failure.to_string(),
        "GetObject: timeout: no whole object within 10s"
    );
    let elapsed = began.elapsed();
    assert!((10..=13).contains(&elapsed.as_secs()), "{elapsed:?}");
}
