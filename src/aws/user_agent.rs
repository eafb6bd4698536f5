//! Who calls, in one header that is written once.

use aws_config::SdkConfig;
use hyper::header::HeaderValue;

/// Takes the place of two headers on the program that calls, which the SDK composes anew each time, and of two
/// on the attempt. Only for calls that have one attempt.
#[derive(Clone, Debug)]
pub(super) struct UserAgent(HeaderValue);

impl UserAgent {
    /// This program, and the name that `AWS_SDK_UA_APP_ID` or the profile gives to it.
    pub(super) fn new(config: &SdkConfig) -> Self {
        const PROGRAM: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
        let named = config
            .app_name()
            .map(|name| format!("{PROGRAM} app/{name}"));
        let named = named.and_then(|named| HeaderValue::try_from(named).ok());
        Self(named.unwrap_or(HeaderValue::from_static(PROGRAM)))
    }

    /// As the header of a request.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_config::AppName;
    use aws_smithy_http_client::test_util::capture_request;

    use super::*;
    use crate::{
        aws::SqsQueue,
        ports::{Queue, ReceiptHandle},
        testing::canned::over,
    };

    #[tokio::test]
    async fn a_call_says_once_who_calls() {
        let (client, asked) = capture_request(None);
        let url = "https://sqs.eu-central-1.amazonaws.com/1/q".to_owned();
        let second = Duration::from_secs(1);
        let queue = SqsQueue::new(&over(client), url, second, second);
        // Its answer is none of SQS's.
        drop(queue.delete(&[ReceiptHandle("r".to_owned())]).await);
        let asked = asked.expect_request();
        let program = concat!("organizer-notifier/", env!("CARGO_PKG_VERSION"));
        assert_eq!(asked.headers().get("user-agent"), Some(program));
        for not_asked in [
            "x-amz-user-agent",
            "amz-sdk-invocation-id",
            "amz-sdk-request",
        ] {
            assert_eq!(asked.headers().get(not_asked), None, "{not_asked}");
        }
    }

    #[test]
    fn the_name_that_an_operator_gives_is_told() {
        let name = AppName::new("billing").unwrap();
        let config = SdkConfig::builder().app_name(name).build();
        let UserAgent(told) = UserAgent::new(&config);
        assert!(told.to_str().unwrap().ends_with(" app/billing"), "{told:?}");
    }
}
