//! Our calls and those of the SDK's own client, side by side.

mod requests;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::SystemTime,
};

use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, future},
};
use aws_sdk_sesv2::{
    config::endpoint::Params,
    operation::send_email::{SendEmail, SendEmailError, SendEmailInput, SendEmailOutput},
};
use aws_sdk_sqs::primitives::{DateTime, DateTimeFormat};
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_http_client::test_util::infallible_client_fn;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use axum::http::Response;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::{
    aws::{AwsConfig, classify::Failure, signing::Signing},
    testing::{
        canned::{SENDER, at, without_region},
        wire::{next_request, serving},
    },
};

const SECOND: Duration = Duration::from_secs(1);

/// Method, URL and headers of each request, and its body.
type Asked = Arc<std::sync::Mutex<Vec<(String, Vec<u8>)>>>;

/// An HTTP client that gives this answer to all.
fn answering(
    status: u16,
    headers: &[(&'static str, &str)],
    body: &'static str,
) -> (SharedHttpClient, Asked) {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    let client = infallible_client_fn(move |request| {
        let lines = request.headers().iter();
        let mut lines: Vec<_> = lines
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        let head = format!("{} {}", request.method(), request.uri());
        let body_of_it = request.body().bytes().unwrap().to_vec();
        let mut log = log.lock().unwrap();
        log.push((format!("{head}\n{}", lines.join("\n")), body_of_it));
        let mut answer = Response::builder().status(status);
        for (name, value) in &headers {
            answer = answer.header(*name, value);
        }
        answer.body(body).unwrap()
    });
    (client, asked)
}

/// Both at the same time, so that even their signatures are the same.
fn settings() -> aws_types::sdk_config::Builder {
    let keys = Credentials::new(
        "AKIDEXAMPLE",
        "secret",
        Some("token".to_owned()),
        None,
        "tests",
    );
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("eu-central-1"))
        .time_source(StaticTimeSource::from_secs(1_795_000_000))
        .app_name(AppName::new("tests").unwrap())
        .credentials_provider(SharedCredentialsProvider::new(keys))
}

/// The SDK's client and ours, for mails.
struct Ways {
    sdk: aws_sdk_sesv2::Client,
    ours: Caller<SendEmailInput, SendEmailOutput, SendEmailError>,
    clock: ServiceClock,
}

type Sent = Answer<SendEmailOutput, SendEmailError>;

impl Ways {
    fn to(aws: &AwsConfig) -> Self {
        let config = aws.one_attempt(SECOND);
        let clock = ServiceClock::default();
        let settings = aws_sdk_sesv2::config::Builder::from(&config)
            .push_auth_scheme(Signing::new(clock.clone()));
        let sdk = aws_sdk_sesv2::Client::from_conf(settings.build());
        let user_agent = UserAgent::new(&config);
        let client = sdk.clone();
        let ours =
            Caller::new::<Params, _>(&SendEmail::new(), &clock, &user_agent, move |planner| {
                client.send_email().customize().interceptor(planner).send()
            });
        Self { sdk, ours, clock }
    }

    async fn send(&self) -> Sent {
        self.ours.call(SendEmailInput::builder().build()).await
    }

    /// What both ways come to, ours twice.
    async fn all(&self) -> [Sent; 3] {
        let by_the_sdk = self.sdk.send_email().send().await;
        [by_the_sdk, self.send().await, self.send().await]
    }
}

/// All that the rest of the program learns of a failure.
fn told(sent: Sent) -> String {
    let failure = Failure::new("SendEmail", sent.unwrap_err()).of_send(SENDER);
    let error = failure.error;
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        failure.kind, error.code, error.message, error.request_id, error.obstacle
    )
}

/// That our call fails as the SDK's does.
async fn fail_alike(aws: &AwsConfig, kind: &str) {
    let [theirs, ours, again] = Ways::to(aws).all().await.map(told);
    assert!(theirs.starts_with(kind), "{theirs}");
    assert_eq!([&ours, &again], [&theirs, &theirs]);
}

#[tokio::test]
async fn an_answer_is_read_as_the_sdk_reads_it() {
    let id = ("x-amzn-requestid", "4f5d6b3e");
    let (client, _) = answering(200, &[id], r#"{"MessageId": "0107-1"}"#);
    let aws = AwsConfig::of(settings().http_client(client).build());
    let [theirs, ours, again] = Ways::to(&aws).all().await.map(Result::unwrap);
    assert_eq!(theirs.message_id(), Some("0107-1"));
    assert_eq!([&ours, &again], [&theirs, &theirs]);
    let refusal = |code| ("x-amzn-errortype", code);
    for (status, headers, body, kind) in [
        (
            400,
            vec![id, refusal("MessageRejected")],
            r#"{"message": "No."}"#,
            "Refused",
        ),
        (
            429,
            vec![id, refusal("TooManyRequestsException")],
            "{}",
            "Throttled",
        ),
        (
            400,
            vec![refusal("NobodyKnows")],
            r#"{"message": "No."}"#,
            "Refused",
        ),
        (403, vec![id], "", "AccountWide"),
        (503, vec![], "<html>", "Transient"),
        (504, vec![], "<html>", "OutcomeUnknown"),
        (200, vec![id], "<html>", "OutcomeUnknown"),
    ] {
        let (client, _) = answering(status, &headers, body);
        let aws = AwsConfig::of(settings().http_client(client).build());
        fail_alike(&aws, kind).await;
    }
}

/// Credentials that cannot be had.
#[derive(Debug)]
struct Failing;

impl ProvideCredentials for Failing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let error = CredentialsError::provider_error("no answer");
        future::ProvideCredentials::ready(Err(error))
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_made_fails_as_the_sdks_does() {
    fail_alike(&without_region(), "Transient").await;
    let both = settings().use_fips(true).endpoint_url("http://127.0.0.1:1");
    fail_alike(&AwsConfig::of(both.build()), "Transient").await;
    let failing = settings().credentials_provider(SharedCredentialsProvider::new(Failing));
    fail_alike(&AwsConfig::of(failing.build()), "AccountWide(Credentials)").await;
    fail_alike(&at("http://127.0.0.1:1"), "Transient").await;
    fail_alike(&at("http://nowhere.invalid"), "Transient").await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_fails_as_the_sdks_does() {
    for (answer, kind) in [
        ("", "OutcomeUnknown"),
        ("nonsense\r\n\r\n", "OutcomeUnknown"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{",
            "OutcomeUnknown",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{",
            "OutcomeUnknown",
        ),
        ("HTTP/1.1 400 No\r\ncontent-length: 9\r\n\r\n{", "Refused"),
    ] {
        let address = serving(move |mut stream| async move {
            if next_request(&mut stream).await {
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let endpoint = format!("http://{}", address.await);
        fail_alike(&at(&endpoint), kind).await;
    }
}

#[tokio::test]
async fn a_call_without_credentials_says_so() {
    let mut config = settings().endpoint_url("http://127.0.0.1:1");
    config.set_credentials_provider(None);
    let ways = Ways::to(&AwsConfig::of(config.build()));
    for sent in ways.all().await {
        let told = told(sent);
        assert!(told.starts_with("AccountWide(Credentials)"), "{told}");
        assert!(told.ends_with("Some(NoCredentials)"), "{told}");
    }
}

#[tokio::test]
async fn after_an_answer_that_may_pass_the_next_call_has_another_connection() {
    for (status, connections) in [("503 Unavailable", 3), ("400 Bad Request", 1)] {
        let counted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&counted);
        let address = serving(move |mut stream| {
            count.fetch_add(1, Ordering::Relaxed);
            async move {
                while next_request(&mut stream).await {
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
        let ways = Ways::to(&at(&format!("http://{}", address.await)));
        for _ in 0..3 {
            ways.send().await.unwrap_err();
        }
        assert_eq!(counted.load(Ordering::Relaxed), connections, "{status}");
    }
}

#[tokio::test]
async fn calls_are_signed_by_the_time_that_answers_tell_unless_an_operator_forbids_it() {
    let hour = Duration::from_hours(1);
    let date = DateTime::from(SystemTime::now() + hour);
    let date = date.fmt(DateTimeFormat::HttpDate).unwrap();
    let headers = [("date", &*date), ("x-amzn-requestid", "1")];
    for is_forbidden in [false, true] {
        let (client, asked) = answering(200, &headers, "{}");
        let config = settings().disable_clock_skew_correction(is_forbidden);
        let ways = Ways::to(&AwsConfig::of(config.http_client(client).build()));
        assert!(ways.clock.difference().is_none());
        for _ in 0..2 {
            ways.send().await.unwrap();
        }
        assert!(ways.clock.difference().is_some());
        let asked = asked.lock().unwrap();
        let is_by_ours = |(head, _): &(String, _)| head.contains("x-amz-date: 20261118T110640Z");
        assert!(is_by_ours(&asked[0]));
        assert_eq!(is_by_ours(&asked[1]), is_forbidden);
    }
}
