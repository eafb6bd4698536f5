//! What goes out, and where.

use aws_runtime::{
    invocation_id::InvocationIdInterceptor, request_info::RequestInfoInterceptor,
    service_clock_skew::ServiceClockSkewInterceptor, user_agent::UserAgentInterceptor,
};
use aws_sdk_dynamodb::operation::put_item::{PutItem, PutItemInput};
use aws_sdk_sqs::operation::receive_message::{ReceiveMessage, ReceiveMessageInput};
use aws_smithy_runtime_api::client::interceptors::{
    context::BeforeTransmitInterceptorContextMut, disable_interceptor,
};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use serde_json::json;

use super::*;

/// Has the SDK's client leave out the headers on the program and the attempt that our calls leave out.
#[derive(Debug)]
struct Named(UserAgent);

impl Intercept for Named {
    fn name(&self) -> &'static str {
        "Named"
    }

    fn read_before_execution(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let state = config.interceptor_state();
        state.store_put(disable_interceptor::<InvocationIdInterceptor>("tests"));
        state.store_put(disable_interceptor::<RequestInfoInterceptor>("tests"));
        state.store_put(disable_interceptor::<ServiceClockSkewInterceptor>("tests"));
        state.store_put(disable_interceptor::<UserAgentInterceptor>("tests"));
        Ok(())
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        headers.insert("user-agent", self.0.header());
        Ok(())
    }
}

/// What goes out for the same call: of the SDK's client, and twice of ours.
async fn calls_of(service: &str, config: SdkConfig) -> Vec<(String, Vec<u8>)> {
    let (client, asked) = answering(200, &[], "{}");
    let config = config.into_builder().http_client(client).build();
    let config = AwsConfig::of(config).one_attempt(SECOND);
    let clock = ServiceClock::default();
    let ours = UserAgent::new(&config);
    macro_rules! of {
        ($sdk:ident, $operation:expr, $call:expr, $input:expr) => {{
            let settings = $sdk::config::Builder::from(&config)
                .interceptor(Named(ours.clone()))
                .push_auth_scheme(Signing::new(clock.clone()));
            let client = $sdk::Client::from_conf(settings.build());
            // The answer is none of the service's.
            drop($input.send_with(&client).await);
            let caller = Caller::new::<$sdk::config::endpoint::Params, _>(
                &$operation,
                &clock,
                &ours,
                move |planner| $call(&client).customize().interceptor(planner).send(),
            );
            for _ in 0..2 {
                drop(caller.call($input.build()).await);
            }
        }};
    }
    match service {
        "ses" => of!(
            aws_sdk_sesv2,
            SendEmail::new(),
            aws_sdk_sesv2::Client::send_email,
            { SendEmailInput::builder().from_email_address(SENDER) }
        ),
        "sqs" => of!(
            aws_sdk_sqs,
            ReceiveMessage::new(),
            aws_sdk_sqs::Client::receive_message,
            {
                ReceiveMessageInput::builder()
                    .queue_url("https://sqs/1/q")
                    .wait_time_seconds(1)
            }
        ),
        _ => of!(
            aws_sdk_dynamodb,
            PutItem::new(),
            |client: &aws_sdk_dynamodb::Client| client.put_item().table_name("mails"),
            { PutItemInput::builder().table_name("mails") }
        ),
    }
    let asked = asked.lock().unwrap();
    asked.clone()
}

/// That our calls go out as the SDK's do, to this URL.
async fn agree(service: &str, config: SdkConfig, url: &str) {
    let calls = calls_of(service, config).await;
    assert_eq!(calls.len(), 3, "{service}: {calls:?}");
    let (head, _) = &calls[0];
    let found = head.lines().next().unwrap();
    assert!(found.starts_with(&format!("POST {url}")), "{found}");
    assert!(head.contains("x-amz-security-token: token"), "{head}");
    for call in &calls[1..] {
        assert_eq!(*call, calls[0], "{service}");
    }
}

/// One endpoint for one service, as a variable sets it.
#[derive(Debug)]
struct Own(&'static str);

impl LoadServiceConfig for Own {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        (key.service_id() == self.0).then(|| "http://own.example/x".to_owned())
    }
}

#[tokio::test]
async fn a_call_goes_out_as_the_sdk_would_send_it_wherever_it_goes() {
    let region = |name| settings().region(Region::from_static(name));
    for (service, id, host) in [
        ("ses", "SESv2", "email"),
        ("sqs", "SQS", "sqs"),
        ("dynamodb", "DynamoDB", "dynamodb"),
    ] {
        for (config, url) in [
            (
                region("eu-central-1"),
                format!("https://{host}.eu-central-1.amazonaws.com/"),
            ),
            (
                region("cn-north-1"),
                format!("https://{host}.cn-north-1.amazonaws.com.cn/"),
            ),
            (
                region("us-east-1").use_fips(true),
                format!("https://{host}-fips.us-east-1.amazonaws.com/"),
            ),
            (
                region("us-east-1").use_dual_stack(true),
                format!("https://{host}.us-east-1.api.aws/"),
            ),
            (
                region("eu-central-1").endpoint_url("http://all.example:1"),
                "http://all.example:1/".to_owned(),
            ),
            (
                region("eu-central-1")
                    .endpoint_url("http://all.example")
                    .service_config(Own(id)),
                "http://own.example/x/".to_owned(),
            ),
        ] {
            agree(service, config.build(), &url).await;
        }
    }
    // Its endpoint names another region to sign for.
    agree(
        "dynamodb",
        region("local").build(),
        "http://localhost:8000/",
    )
    .await;
}

/// The account that the keys with this number name. The third name none.
fn account(number: usize) -> Option<String> {
    (number != 2).then(|| format!("{number}00000000000"))
}

/// Keys that change from call to call, most with an account.
#[derive(Debug, Default)]
struct Changing(AtomicUsize);

impl ProvideCredentials for Changing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.0.fetch_add(1, Ordering::Relaxed) % 4;
        let mut credentials = Credentials::builder()
            .access_key_id(format!("KEY{number}"))
            .secret_access_key("secret")
            .provider_name("tests");
        if let Some(account) = account(number) {
            credentials = credentials.account_id(account);
        }
        future::ProvideCredentials::ready(Ok(credentials.build()))
    }
}

#[tokio::test]
async fn credentials_are_asked_for_at_each_call_and_the_endpoint_is_their_accounts() {
    let provider = SharedCredentialsProvider::new(Changing::default());
    let config = settings().credentials_provider(provider).build();
    let (client, asked) = answering(200, &[], "{}");
    let config = config.into_builder().http_client(client);
    let config = config
        .identity_cache(aws_config::identity::IdentityCache::no_cache())
        .retry_config(RetryConfig::disabled())
        .build();
    let client = aws_sdk_dynamodb::Client::new(&config);
    let clock = ServiceClock::default();
    let user_agent = UserAgent::new(&config);
    let caller = Caller::new::<aws_sdk_dynamodb::config::endpoint::Params, _>(
        &PutItem::new(),
        &clock,
        &user_agent,
        move |planner| {
            let request = client.put_item().table_name("mails").customize();
            request.interceptor(planner).send()
        },
    );
    for _ in 0..4 {
        let input = PutItemInput::builder().build();
        caller.call(input).await.unwrap();
    }
    let asked = asked.lock().unwrap();
    for (number, (head, _)) in asked.iter().enumerate() {
        let name =
            account(number).map_or("dynamodb".to_owned(), |account| format!("{account}.ddb"));
        let host = format!("https://{name}.eu-central-1.amazonaws.com/");
        assert!(head.starts_with(&format!("POST {host}")), "{head}");
        assert!(head.contains(&format!("Credential=KEY{number}/")), "{head}");
    }
    assert_eq!(asked.len(), 4);
}

#[tokio::test]
async fn a_body_of_ours_goes_out_in_place_of_the_inputs() {
    let (client, asked) = answering(200, &[], "{}");
    let ways = Ways::to(&AwsConfig::of(settings().http_client(client).build()));
    let body = json!({ "ours": true }).to_string();
    let input = SendEmailInput::builder().from_email_address(SENDER).build();
    let sent = ways.ours.call_with(input, body.clone().into_bytes());
    sent.await.unwrap();
    let asked = asked.lock().unwrap();
    let [(head, sent)] = &asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!(sent, body.as_bytes());
    assert!(head.contains("content-length: 13"), "{head}");
}
