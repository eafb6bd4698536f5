//! An AWS that gives one canned answer and keeps what it was asked: the tests' way through our
//! calls, from our arguments to the bytes of a request and from the bytes of an answer to our
//! types.

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::{
    Credentials, HttpClient, IntoShared, SharedCredentialsProvider, SharedHttpClient,
    retry::RetryConfig,
};
use aws_smithy_http_client::test_util::infallible_client_fn;
use axum::http::{HeaderMap, Response};
use serde_json::Value;

use crate::aws::AwsConfig;
use crate::notification::{Address, EventHash, Html, Mail, MailKey};

/// An answer as it comes over the wire.
#[derive(Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// A request as it went over the wire.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) uri: String,
    /// The `X-Amz-Target` header of the JSON protocols.
    pub(crate) target: String,
    pub(crate) content_type: String,
    /// The content that S3 is to answer with nothing for.
    pub(crate) if_none_match: String,
    pub(crate) content_length: String,
    pub(crate) bytes: usize,
    pub(crate) body: Value,
}

/// Every request is asked of this, and gets the next answer; the last one stays.
pub(crate) struct Canned {
    pub(crate) aws: AwsConfig,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &str, body: &str) -> Self {
        let headers = vec![
            ("content-type", content_type.to_owned()),
            (
                "x-amzn-requestid",
                "4f5d6b3e-0000-4000-8000-000000000001".to_owned(),
            ),
        ];
        Self {
            status,
            headers,
            body: body.to_owned(),
        }
    }

    /// HTTP 200 with a JSON body.
    pub(crate) fn json(body: &Value) -> Self {
        Self::new(200, "application/json", &body.to_string())
    }

    /// The XML of S3.
    pub(crate) fn s3(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
             <RequestId>4442587FB7D0A2F9</RequestId><HostId>aGVsbG8=</HostId></Error>"
        );
        let mut answer = Self::new(status, "application/xml", &body);
        answer.headers[1] = ("x-amz-request-id", "4442587FB7D0A2F9".to_owned());
        answer
    }

    /// SQS's awsJson 1.0: the shape in the body, the code of old in a header.
    pub(crate) fn sqs(status: u16, shape: &str, old_code: &str, message: &str) -> Self {
        let body = serde_json::json!({
            "__type": format!("com.amazonaws.sqs#{shape}"),
            "message": message,
        });
        let answer = Self::new(status, "application/x-amz-json-1.0", &body.to_string());
        let fault = if status < 500 { "Sender" } else { "Receiver" };
        answer.with_header("x-amzn-query-error", &format!("{old_code};{fault}"))
    }

    /// The restJson of SES: the code in a header.
    pub(crate) fn ses(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "message": message });
        Self::new(status, "application/json", &body.to_string())
            .with_header("x-amzn-errortype", code)
    }

    /// The awsJson 1.1 of `CodeCommit`: the code in the body alone.
    pub(crate) fn codecommit(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "__type": code, "message": message });
        Self::new(status, "application/x-amz-json-1.1", &body.to_string())
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn response(&self) -> Response<String> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        response.body(self.body.clone()).unwrap()
    }
}

impl Canned {
    pub(crate) fn new(answer: Answer) -> Self {
        Self::in_turn([answer])
    }

    /// With another answer for each request.
    pub(crate) fn in_turn<const N: usize>(answers: [Answer; N]) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let client = infallible_client_fn(move |request| {
            let body = request.body().bytes().unwrap_or_default();
            let mut log = log.lock().unwrap();
            let answer = &answers[log.len().min(N - 1)];
            log.push(Asked {
                method: request.method().to_string(),
                uri: request.uri().to_string(),
                target: header(request.headers(), "x-amz-target"),
                content_type: header(request.headers(), "content-type"),
                if_none_match: header(request.headers(), "if-none-match"),
                content_length: header(request.headers(), "content-length"),
                bytes: body.len(),
                body: serde_json::from_slice(body).unwrap_or_default(),
            });
            answer.response()
        });
        Self {
            aws: over(client),
            asked,
        }
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The only request.
    pub(crate) fn only(&self) -> Asked {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "one request");
        asked.remove(0)
    }
}

/// AWS behind this HTTP client.
pub(crate) fn over(client: impl HttpClient + 'static) -> AwsConfig {
    config(Some(good_credentials()), Some(client.into_shared()), None)
}

/// AWS at this address, behind this HTTP client.
pub(crate) fn over_to(client: impl HttpClient + 'static, endpoint: &str) -> AwsConfig {
    let client = Some(client.into_shared());
    config(Some(good_credentials()), client, Some(endpoint))
}

/// AWS at this address, over our own connections without TLS.
pub(crate) fn at(endpoint: &str) -> AwsConfig {
    at_trusting("", endpoint)
}

/// AWS at this address, over our own connections, which trust this authority alone.
pub(crate) fn at_trusting(pem: &str, endpoint: &str) -> AwsConfig {
    let config = settings(Some(good_credentials()), None, Some(endpoint));
    AwsConfig::trusting(pem, config).unwrap()
}

/// The two ways to AWS at this address: our own connections, and the SDK's, which lead through proxies.
pub(crate) fn ways_to(endpoint: &str) -> [AwsConfig; 2] {
    let by_the_sdk = config(Some(good_credentials()), None, Some(endpoint));
    [at(endpoint), by_the_sdk]
}

/// AWS at an address that is never asked, since these credentials do not allow a call.
pub(crate) fn with_credentials(provider: Option<SharedCredentialsProvider>) -> AwsConfig {
    config(provider, None, Some("http://127.0.0.1:1"))
}

/// AWS nowhere.
pub(crate) fn without_region() -> AwsConfig {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .credentials_provider(good_credentials());
    AwsConfig::of(config.build())
}

/// The key of a mail whose notification has this id.
pub(crate) fn key(notification_id: &str) -> MailKey {
    MailKey::new(notification_id, EventHash::of("{}"))
}

/// A mail from [`SENDER`] to Dana.
pub(crate) fn mail() -> Mail {
    Mail {
        from: format!("Events <{SENDER}>"),
        to: vec![Address::parse("dana@example.com").unwrap()],
        reply_to: Vec::new(),
        subject: "Your event".to_owned(),
        html: Html::from("<p>Your event</p>"),
        text: "Your event\n".to_owned(),
    }
}

/// Our own address in tests.
pub(crate) const SENDER: &str = "events@calendar.example";

fn config(
    credentials: Option<SharedCredentialsProvider>,
    client: Option<SharedHttpClient>,
    endpoint: Option<&str>,
) -> AwsConfig {
    AwsConfig::of(settings(credentials, client, endpoint))
}

/// With the SDK's retries on, as the loader of the environment sets them.
fn settings(
    credentials: Option<SharedCredentialsProvider>,
    client: Option<SharedHttpClient>,
    endpoint: Option<&str>,
) -> SdkConfig {
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("eu-central-1"))
        .retry_config(RetryConfig::standard());
    config.set_credentials_provider(credentials);
    config.set_http_client(client);
    config.set_endpoint_url(endpoint.map(ToOwned::to_owned));
    config.build()
}

fn good_credentials() -> SharedCredentialsProvider {
    let keys = Credentials::new("AKIDEXAMPLE", "secret", None, None, "canned");
    SharedCredentialsProvider::new(keys)
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
        .to_owned()
}
