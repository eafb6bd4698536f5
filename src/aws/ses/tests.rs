//! The mailer and the account over canned answers.

use std::time::Duration;

use aws_credential_types::provider::future;
use aws_sdk_sesv2::config::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::test_util::NeverClient;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{Instant, sleep},
};

use super::{SesAccount, SesMailer};
use crate::{
    aws::AwsConfig,
    notification::{Address, Html, Mail},
    ports::{
        Account, AccountCause, AccountFacts, EnforcementStatus, Mailer, SendFailureKind, Tags,
    },
    testing::canned::{Answer, Canned, SENDER, at, key, mail, over, with_credentials},
};

const TIMEOUT: Duration = Duration::from_secs(10);

fn mailer(aws: &AwsConfig) -> SesMailer {
    SesMailer::new(aws, SENDER.to_owned(), None, "q", TIMEOUT)
}

fn taken() -> Answer {
    Answer::json(&json!({ "MessageId": "0107-1" }))
}

#[tokio::test]
async fn a_mail_goes_out_as_the_golden_request_and_nothing_else() {
    let canned = Canned::new(taken());
    let set = Some("notifications".to_owned());
    let mailer = SesMailer::new(&canned.aws, SENDER.to_owned(), set, "q", TIMEOUT);
    let mail = Mail {
        from: "\"Events & Co\" <events@calendar.example>".to_owned(),
        to: ["dana@example.com", "jane@bücher.example"]
            .map(|address| Address::parse(address).unwrap())
            .into(),
        reply_to: vec!["Help <help@calendar.example>".to_owned()],
        subject: "Your event Füße & Hände ✓".to_owned(),
        html: Html::from("<p>\"Füße\" &amp; Hände ✓</p>\n"),
        text: "\"Füße\" & Hände ✓\n".to_owned(),
    };
    let id = mailer
        .send(
            Box::new(mail),
            Tags::of(&key("95df01b4-ee98-5cb9-9903-4c221d41eb5e")),
        )
        .await
        .unwrap();
    assert_eq!(id, "0107-1");
    let asked = canned.only();
    assert_eq!(asked.method, "POST");
    assert_eq!(
        asked.uri,
        "https://email.eu-central-1.amazonaws.com/v2/email/outbound-emails"
    );
    let golden: Value = serde_json::from_str(include_str!("send_email.json")).unwrap();
    assert_eq!(asked.body, golden, "{:#}", asked.body);
    assert_eq!(asked.content_type, "application/json");
    assert_eq!(asked.content_length, asked.bytes.to_string());
}

#[tokio::test]
async fn mails_that_are_sent_at_once_keep_their_own_bodies() {
    let canned = Canned::new(taken());
    let mailer = mailer(&canned.aws);
    let mails: Vec<_> = ["one", "two", "three"]
        .map(|subject| Mail {
            subject: subject.to_owned(),
            ..mail()
        })
        .into();
    let keys: Vec<_> = mails.iter().map(|mail| key(&mail.subject)).collect();
    let sends = mails
        .iter()
        .zip(&keys)
        .map(|(mail, key)| mailer.send(Box::new(mail.clone()), Tags::of(key)));
    futures_util::future::join_all(sends).await;
    let asked = canned.asked();
    assert_eq!(asked.len(), 3);
    for request in asked {
        let subject = &request.body["Content"]["Simple"]["Subject"]["Data"];
        assert_eq!(subject, &request.body["EmailTags"][0]["Value"]);
        assert_eq!(request.content_length, request.bytes.to_string());
    }
}

#[tokio::test]
async fn what_is_not_configured_is_not_sent() {
    let canned = Canned::new(taken());
    mailer(&canned.aws)
        .send(Box::new(mail()), Tags::of(&key("tag")))
        .await
        .unwrap();
    let body = canned.only().body;
    let mut keys: Vec<_> = body
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        ["Content", "Destination", "EmailTags", "FromEmailAddress"]
    );
}

#[tokio::test]
async fn the_tags_name_notification_event_and_queue() {
    let canned = Canned::new(taken());
    mailer(&canned.aws)
        .send(Box::new(mail()), Tags::of(&key("tag")))
        .await
        .unwrap();
    let tags = canned.only().body["EmailTags"].clone();
    let tag = |name: &str, value: &str| json!({ "Name": name, "Value": value });
    let expected = json!([
        tag("notification-id", "tag"),
        tag("event", key("tag").event()),
        tag("queue", "q"),
    ]);
    assert_eq!(tags, expected);
}

#[tokio::test(start_paused = true)]
async fn a_send_is_one_attempt_whatever_comes_back() {
    for answer in [
        Answer::ses(500, "InternalFailure", "Try again."),
        Answer::new(503, "text/html", "<html>"),
        Answer::ses(
            429,
            "TooManyRequestsException",
            "Maximum sending rate exceeded.",
        ),
        Answer::ses(400, "ThrottlingException", "Maximum sending rate exceeded."),
        Answer::ses(400, "RequestTimeout", "Try again."),
        Answer::ses(400, "MessageRejected", "No."),
        Answer::new(200, "application/json", "<html>"),
    ] {
        let canned = Canned::new(answer);
        mailer(&canned.aws)
            .send(Box::new(mail()), Tags::of(&key("tag")))
            .await
            .unwrap_err();
        assert_eq!(canned.asked().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_is_given_up_after_twice_its_timeout_and_not_tried_again() {
    for timeout in [1, 10, 60].map(Duration::from_secs) {
        let never = NeverClient::new();
        let mailer = SesMailer::new(&over(never.clone()), SENDER.to_owned(), None, "q", timeout);
        let began = Instant::now();
        let failure = mailer
            .send(Box::new(mail()), Tags::of(&key("tag")))
            .await
            .unwrap_err();
        assert_eq!(failure.kind, SendFailureKind::OutcomeUnknown);
        let said = &failure.error.message;
        assert!(said.starts_with("SES has not answered for "), "{said}");
        assert!(said.ends_with(" (twice email.timeout)"), "{said}");
        assert_eq!(began.elapsed().as_secs(), 2 * timeout.as_secs());
        assert_eq!(never.num_calls(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_comes_late_is_still_an_answer() {
    let timeout = Duration::from_secs(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 16_384];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        sleep(timeout * 5 / 4).await;
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                      content-length: 21\r\n\r\n{\"MessageId\": \"late\"}";
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let mailer = SesMailer::new(&at(&endpoint), SENDER.to_owned(), None, "q", timeout);
    assert_eq!(
        mailer
            .send(Box::new(mail()), Tags::of(&key("tag")))
            .await
            .unwrap(),
        "late"
    );
    serving.await.unwrap();
}

/// Credentials from an endpoint that never answers.
#[derive(Debug)]
struct Hanging;

impl ProvideCredentials for Hanging {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(std::future::pending())
    }
}

#[tokio::test]
async fn credentials_that_never_come_are_no_unknown_outcome() {
    let provider = SharedCredentialsProvider::new(Hanging);
    let aws = with_credentials(Some(provider));
    let mailer = SesMailer::new(
        &aws,
        SENDER.to_owned(),
        None,
        "q",
        Duration::from_millis(300),
    );
    let key = key("tag");
    let sends = (0..10).map(|_| mailer.send(Box::new(mail()), Tags::of(&key)));
    for answer in futures_util::future::join_all(sends).await {
        let failure = answer.unwrap_err();
        assert_eq!(
            failure.kind,
            SendFailureKind::AccountWide(AccountCause::Credentials)
        );
        assert_eq!(failure.error.code, "credentials");
    }
}

#[tokio::test]
async fn the_account_tells_its_quotas_and_its_state() {
    let canned = Canned::new(Answer::json(&json!({
        "SendQuota": { "Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 12.0 },
        "SendingEnabled": true,
        "ProductionAccessEnabled": true,
        "EnforcementStatus": "HEALTHY",
        "DedicatedIpAutoWarmupEnabled": false,
    })));
    let facts = SesAccount::new(&canned.aws).facts().await.unwrap();
    let expected = AccountFacts {
        max_send_rate: 14.0,
        max_24_hour_send: Some(50_000.0),
        sent_last_24_hours: 12.0,
        sending_enabled: true,
        enforcement_status: EnforcementStatus::Healthy,
        production_access: true,
    };
    assert_eq!(facts, expected);
    let asked = canned.only();
    assert_eq!(asked.method, "GET");
    assert_eq!(
        asked.uri,
        "https://email.eu-central-1.amazonaws.com/v2/email/account"
    );
}

#[tokio::test]
async fn a_daily_quota_of_minus_one_is_unlimited() {
    let canned = Canned::new(Answer::json(&json!({
        "SendQuota": { "Max24HourSend": -1.0, "MaxSendRate": 14.0, "SentLast24Hours": 0.0 },
    })));
    let facts = SesAccount::new(&canned.aws).facts().await.unwrap();
    assert_eq!(facts.max_24_hour_send, None);
    assert!(!facts.sending_enabled);
}

#[tokio::test(start_paused = true)]
async fn the_account_is_asked_again_by_the_sdk_since_that_changes_nothing() {
    let canned = Canned::new(Answer::ses(500, "InternalFailure", "Try again."));
    SesAccount::new(&canned.aws).facts().await.unwrap_err();
    assert_eq!(canned.asked().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_to_ask_for_the_account_ends_in_time() {
    let never = NeverClient::new();
    let began = Instant::now();
    SesAccount::new(&over(never.clone()))
        .facts()
        .await
        .unwrap_err();
    assert_eq!(never.num_calls(), 3);
    let elapsed = began.elapsed();
    assert!((15..=18).contains(&elapsed.as_secs()), "{elapsed:?}");
}

#[tokio::test]
async fn a_success_without_an_id_is_no_success() {
    for body in [json!({}), json!({ "MessageId": "" })] {
        let canned = Canned::new(Answer::json(&body));
        let failure = mailer(&canned.aws)
            .send(Box::new(mail()), Tags::of(&key("tag")))
            .await
            .unwrap_err();
        assert_eq!(failure.kind, SendFailureKind::OutcomeUnknown);
        assert!(failure.error.message.contains("MessageId"));
    }
}

#[tokio::test]
async fn an_account_without_a_quota_is_not_read() {
    let canned = Canned::new(Answer::json(&json!({ "SendingEnabled": true })));
    let failure = SesAccount::new(&canned.aws).facts().await.unwrap_err();
    assert!(failure.error.message.contains("SendQuota"));
}
