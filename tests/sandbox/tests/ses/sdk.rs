//! SES v2 through the real SDK.

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sesv2::error::ProvideErrorMetadata as _;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};
use sandbox::Sandbox;

#[tokio::test]
async fn a_mail_sent_by_the_sdk_is_whole_in_the_outbox() {
    let running = Sandbox::start().await;
    let client = client(running.url());
    client
        .create_email_identity()
        .email_identity("example.com")
        .send()
        .await
        .unwrap();
    client
        .create_configuration_set()
        .configuration_set_name("events")
        .send()
        .await
        .unwrap();
    let utf8 = |data: &str| {
        Content::builder()
            .data(data)
            .charset("UTF-8")
            .build()
            .unwrap()
    };
    let body = Body::builder()
        .html(utf8("<p>é</p>"))
        .text(utf8("é"))
        .build();
    let header = aws_sdk_sesv2::types::MessageHeader::builder()
        .name("Auto-Submitted")
        .value("auto-generated")
        .build()
        .unwrap();
    let tag = MessageTag::builder()
        .name("sns")
        .value("id-1")
        .build()
        .unwrap();
    let message = Message::builder()
        .subject(utf8("Grüße"))
        .body(body)
        .headers(header)
        .build();
    let destination = Destination::builder()
        .to_addresses("dana@example.net")
        .cc_addresses("lee@example.net")
        .bcc_addresses("sam@example.net")
        .build();
    let answer = client
        .send_email()
        .from_email_address("Calendar <noreply@example.com>")
        .destination(destination)
        .reply_to_addresses("help@example.com")
        .content(EmailContent::builder().simple(message).build())
        .email_tags(tag)
        .configuration_set_name("events")
        .send()
        .await
        .unwrap();

    let mails = running.sandbox.outbox.mails();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(Some(mail.id.as_str()), answer.message_id());
    assert_eq!(mail.from, "Calendar <noreply@example.com>");
    assert_eq!(mail.to, ["dana@example.net"]);
    assert_eq!(mail.cc, ["lee@example.net"]);
    assert_eq!(mail.bcc, ["sam@example.net"]);
    assert_eq!(mail.reply_to, ["help@example.com"]);
    assert_eq!(mail.subject, "Grüße");
    assert_eq!(mail.html.as_deref(), Some("<p>é</p>"));
    assert_eq!(mail.text.as_deref(), Some("é"));
    assert_eq!(mail.headers[0].0, "Auto-Submitted");
    assert_eq!(mail.tags, [("sns".to_owned(), "id-1".to_owned())]);
    assert_eq!(mail.configuration_set.as_deref(), Some("events"));

    let account = client.get_account().send().await.unwrap();
    let quota = account.send_quota().unwrap();
    assert!((quota.sent_last24_hours() - 3.0).abs() < f64::EPSILON);
    assert!(account.sending_enabled() && account.production_access_enabled());
}

#[tokio::test]
async fn the_sdk_knows_the_modelled_errors() {
    let running = Sandbox::start().await;
    let client = client(running.url());
    let ses = &running.sandbox.ses;
    let send = || async {
        let content = Content::builder().data("x").build().unwrap();
        let body = Body::builder().text(content.clone()).build();
        let message = Message::builder().subject(content).body(body).build();
        client
            .send_email()
            .from_email_address("noreply@example.com")
            .destination(Destination::builder().to_addresses("d@example.net").build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await
            .map_err(aws_sdk_sesv2::error::SdkError::into_service_error)
    };
    let refused = send().await.unwrap_err();
    assert!(
        matches!(refused, SendEmailError::MessageRejected(_)),
        "{refused:?}"
    );
    assert_eq!(
        refused.message(),
        Some(
            "Email address is not verified. The following identities failed the check in region \
             US-EAST-1: noreply@example.com"
        )
    );
    ses.verify("noreply@example.com");
    ses.update_account(|account| account.suspended = true);
    let refused = send().await.unwrap_err();
    assert!(matches!(
        refused,
        SendEmailError::AccountSuspendedException(_)
    ));
    let account = client.get_account().send().await.unwrap();
    assert_eq!(account.enforcement_status(), Some("SHUTDOWN"));
    ses.update_account(|account| {
        account.suspended = false;
        account.paused = true;
    });
    let refused = send().await.unwrap_err();
    assert!(matches!(refused, SendEmailError::SendingPausedException(_)));
    ses.update_account(|account| {
        account.paused = false;
        account.max_24_hour_send = 0.0;
    });
    let refused = send().await.unwrap_err();
    assert!(matches!(
        refused,
        SendEmailError::TooManyRequestsException(_)
    ));
    assert!(
        refused
            .message()
            .unwrap()
            .contains("Daily message quota exceeded")
    );
    assert_eq!(running.sandbox.outbox.taken(), 0);
}

fn client(url: &str) -> Client {
    let config = aws_sdk_sesv2::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .endpoint_url(url)
        .retry_config(aws_sdk_sesv2::config::retry::RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}
