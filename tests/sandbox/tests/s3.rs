//! The AWS SDK against the buckets over HTTP: what depends on region, owner and rights, and on faults.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use sandbox::faults::{Fault, Rule};
use sandbox::{Running, Sandbox};
use tokio::time::Instant;

use crate::wire::request;

const KEY: &str = "mails/new event+ü.html";
const SIGNED: &str = "authorization: AWS4-HMAC-SHA256 \
    Credential=AKIDEXAMPLE/20261101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

type Got = Result<GetObjectOutput, SdkError<GetObjectError, HttpResponse>>;

/// A sandbox with an object in a bucket of us-east-1, and a client of it that never retries.
async fn start() -> (Running, Client) {
    let running = Sandbox::start().await;
    running.sandbox.s3.put("bucket", KEY, b"<p>one").unwrap();
    let client = client(&running, "us-east-1");
    (running, client)
}

fn client(running: &Running, region: &'static str) -> Client {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(5))
        .build();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(region))
        .credentials_provider(Credentials::new("local", "local", None, None, "tests"))
        .endpoint_url(running.url())
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .build();
    Client::from_conf(config)
}

async fn get(client: &Client, bucket: &str, key: &str) -> Got {
    client.get_object().bucket(bucket).key(key).send().await
}

/// Status, code and text of a refusal, and a header of it.
fn refused(got: Got, header: &str) -> (u16, String, String, Option<String>) {
    let error = got.err().unwrap();
    let raw = error.raw_response().unwrap();
    let (status, header) = (raw.status().as_u16(), raw.headers().get(header));
    let header = header.map(str::to_owned);
    assert!(error.request_id().is_some());
    let error = error.into_service_error();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (status, text(error.code()), text(error.message()), header)
}

#[tokio::test]
async fn an_object_goes_round() {
    let (_running, client) = start().await;
    let put = client
        .put_object()
        .bucket("bucket")
        .key(KEY)
        .content_type("text/html")
        .body(ByteStream::from_static(b"<p>\xff two"))
        .send()
        .await
        .unwrap();
    let got = get(&client, "bucket", KEY).await.unwrap();
    assert_eq!(got.e_tag(), put.e_tag());
    assert_eq!(got.content_type(), Some("text/html"));
    assert_eq!(got.content_length(), Some(8));
    let age = got.last_modified().unwrap().secs();
    assert!(age > 1_700_000_000);
    let body = got.body.collect().await.unwrap().to_vec();
    assert_eq!(body, b"<p>\xff two");
}

#[tokio::test]
async fn an_unchanged_object_has_no_body() {
    let (running, client) = start().await;
    let etag = get(&client, "bucket", KEY).await.unwrap().e_tag.unwrap();
    let again = client.get_object().bucket("bucket").key(KEY);
    let unchanged = again.clone().if_none_match(&etag).send().await;
    let error = unchanged.err().unwrap();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 304);
    running.sandbox.s3.put("bucket", KEY, b"<p>two").unwrap();
    again.if_none_match(&etag).send().await.unwrap();
    assert_eq!(running.sandbox.calls()["s3:GetObject"], 3);
    assert_eq!(running.sandbox.s3.unchanged(), 1);
}

#[tokio::test]
async fn a_bucket_of_another_region_is_told_with_that_region() {
    const HEADER: &str = "x-amz-bucket-region";
    let (running, client) = start().await;
    let s3 = &running.sandbox.s3;
    s3.create("europe", "eu-west-1").unwrap();
    s3.put("europe", KEY, b"<p>").unwrap();
    let (status, code, text, region) = refused(get(&client, "europe", KEY).await, HEADER);
    assert_eq!((status, code.as_str()), (301, "PermanentRedirect"));
    assert!(text.contains("using the specified endpoint"), "{text}");
    assert_eq!(region.as_deref(), Some("eu-west-1"));
    // Only us-east-1 knows the others' buckets.
    let client = self::client(&running, "eu-central-1");
    let (status, code, text, region) = refused(get(&client, "europe", KEY).await, HEADER);
    assert_eq!(
        (status, code.as_str()),
        (400, "AuthorizationHeaderMalformed")
    );
    assert!(text.ends_with("expecting 'eu-west-1'"), "{text}");
    assert_eq!(region.as_deref(), Some("eu-west-1"));
    let client = self::client(&running, "eu-west-1");
    get(&client, "europe", KEY).await.unwrap();
}

#[tokio::test]
async fn a_bucket_of_another_account_is_closed() {
    let (running, client) = start().await;
    running.sandbox.s3.give_away("bucket").unwrap();
    let (status, code, text, _) = refused(get(&client, "bucket", KEY).await, "date");
    assert_eq!((status, code.as_str()), (403, "AccessDenied"));
    assert_eq!(text, "Access Denied");
}

#[tokio::test]
async fn without_the_right_to_list_nothing_is_known_to_be_missing() {
    let (running, client) = start().await;
    let (status, code, _, _) = refused(get(&client, "bucket", "nothing").await, "date");
    assert_eq!((status, code.as_str()), (404, "NoSuchKey"));
    running.sandbox.s3.forbid_listing("bucket").unwrap();
    let (status, code, _, _) = refused(get(&client, "bucket", "nothing").await, "date");
    assert_eq!((status, code.as_str()), (403, "AccessDenied"));
    get(&client, "bucket", KEY).await.unwrap();
}

#[tokio::test]
async fn a_deleted_object_leaves_a_mark_where_versions_are_kept() {
    const HEADER: &str = "x-amz-delete-marker";
    let (running, client) = start().await;
    let s3 = &running.sandbox.s3;
    s3.delete("bucket", KEY).unwrap();
    let (_, code, _, marker) = refused(get(&client, "bucket", KEY).await, HEADER);
    assert_eq!((code.as_str(), marker), ("NoSuchKey", None));
    s3.keep_versions("bucket", true).unwrap();
    s3.put("bucket", KEY, b"<p>two").unwrap();
    s3.delete("bucket", KEY).unwrap();
    let (_, code, _, marker) = refused(get(&client, "bucket", KEY).await, HEADER);
    assert_eq!(
        (code.as_str(), marker.as_deref()),
        ("NoSuchKey", Some("true"))
    );
}

#[tokio::test]
async fn faults_strike_objects_as_all_else() {
    let (running, client) = start().await;
    let faults = &running.sandbox.faults;
    faults.set(vec![Rule::new(
        "s3:GetObject",
        Fault::error("SlowDown", 503),
    )]);
    let (status, code, text, _) = refused(get(&client, "bucket", KEY).await, "date");
    assert_eq!((status, code.as_str()), (503, "SlowDown"));
    assert_eq!(text, "Injected by the sandbox.");
    faults.set(vec![Rule::new("s3:*", Fault::ResetBefore)]);
    let reset = get(&client, "bucket", KEY).await.err().unwrap();
    assert!(matches!(reset, SdkError::DispatchFailure(_)), "{reset:?}");
    let latency = Fault::Latency {
        min_ms: 200,
        max_ms: 200,
    };
    faults.set(vec![Rule::new("s3:GetObject", latency)]);
    let began = Instant::now();
    get(&client, "bucket", KEY).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(200));
    faults.clear();
    get(&client, "bucket", KEY).await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_written_as_s3_writes_it() {
    let (running, _) = start().await;
    let answer = request(&running, "GET /bucket/no%20%3C%26", &[SIGNED], "").await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.has("content-type: application/xml"),
        "{}",
        answer.head
    );
    assert!(answer.has("x-amz-request-id: "), "{}", answer.head);
    assert!(answer.has("x-amz-id-2: "), "{}", answer.head);
    let begins = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code>\
                  <Message>The specified key does not exist.</Message><Key>no &lt;&amp;</Key><RequestId>";
    assert!(answer.body.starts_with(begins), "{}", answer.body);
    assert!(
        answer.body.ends_with("</HostId></Error>"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn what_is_not_known_here_is_refused() {
    let (running, _) = start().await;
    for (line, headers) in [
        ("GET /", &[SIGNED][..]),
        ("GET /bucket?list-type=2", &[SIGNED]),
        ("POST /bucket/x?uploads", &[SIGNED]),
        ("GET /bucket/x?acl", &[SIGNED]),
        ("DELETE /bucket", &[SIGNED]),
        (
            "PUT /bucket/x",
            &[
                SIGNED,
                "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            ],
        ),
    ] {
        let answer = request(&running, line, headers, "").await;
        assert_eq!(answer.status, 501, "{line}: {}", answer.body);
        assert!(
            answer.body.contains("<Code>NotImplemented</Code>"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_bucket_may_have_the_name_of_a_page() {
    let (running, client) = start().await;
    for name in ["events", "outbox", "health"] {
        running.sandbox.s3.put(name, "x", b"<p>").unwrap();
        get(&client, name, "x").await.unwrap();
        client
            .put_object()
            .bucket(name)
            .key("y")
            .send()
            .await
            .unwrap();
    }
    let page = request(&running, "GET /health", &[], "").await;
    assert_eq!((page.status, page.body.as_str()), (200, "ok\n"));
    running.sandbox.reset();
    let (_, code, _, _) = refused(get(&client, "events", "x").await, "date");
    assert_eq!(code, "NoSuchBucket");
}
