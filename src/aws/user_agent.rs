//! Who calls, in one header that is written once.

use aws_config::SdkConfig;
use aws_runtime::{
    invocation_id::InvocationIdInterceptor, request_info::RequestInfoInterceptor,
    service_clock_skew::ServiceClockSkewInterceptor, user_agent::UserAgentInterceptor,
};
use aws_sdk_sqs::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{
            BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
        },
    },
    error::BoxError,
};
use aws_smithy_runtime_api::client::interceptors::disable_interceptor;
use hyper::header::HeaderValue;

/// Takes the place of four interceptors of the SDK's that cost a tenth of a call: it composes two headers
/// on the program that calls, and two on the attempt, anew each time. Only for clients whose calls have one
/// attempt, and whose clock [`Signing`](super::signing::Signing) corrects.
#[derive(Clone, Debug)]
pub(super) struct UserAgent(HeaderValue);

const WHY: &str = "it costs each call too much";

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

impl Intercept for UserAgent {
    fn name(&self) -> &'static str {
        "UserAgent"
    }

    fn read_before_execution(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let state = config.interceptor_state();
        state.store_put(disable_interceptor::<InvocationIdInterceptor>(WHY));
        state.store_put(disable_interceptor::<RequestInfoInterceptor>(WHY));
        state.store_put(disable_interceptor::<ServiceClockSkewInterceptor>(WHY));
        state.store_put(disable_interceptor::<UserAgentInterceptor>(WHY));
        Ok(())
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        headers.insert("user-agent", self.header());
        Ok(())
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
