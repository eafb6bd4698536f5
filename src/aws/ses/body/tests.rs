//! Our request body beside the SDK's own.

use aws_sdk_sesv2::{
    Client,
    types::{Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag},
};
use proptest::prelude::*;
use serde_json::Value;

use super::send_email;
use crate::{
    notification::{Address, JsonText, Mail},
    testing::canned::{Answer, Canned},
};

/// What the SDK itself would send.
async fn by_the_sdk(mail: &Mail, tag: &str, set: Option<&str>) -> Value {
    let utf8 = |data: &str| {
        Content::builder()
            .data(data)
            .charset("UTF-8")
            .build()
            .unwrap()
    };
    let body = Body::builder()
        .html(utf8(&mail.html.plain()))
        .text(utf8(&mail.text))
        .build();
    let automatic = MessageHeader::builder()
        .name("Auto-Submitted")
        .value("auto-generated")
        .build()
        .unwrap();
    let message = Message::builder()
        .subject(utf8(&mail.subject))
        .body(body)
        .headers(automatic)
        .build();
    let to = mail.to.iter().map(|to| to.as_str().to_owned()).collect();
    let tag = MessageTag::builder()
        .name("notification-id")
        .value(tag)
        .build()
        .unwrap();
    let canned = Canned::new(Answer::json(&serde_json::json!({ "MessageId": "1" })));
    Client::new(&canned.aws.0)
        .send_email()
        .from_email_address(&mail.from)
        .destination(Destination::builder().set_to_addresses(Some(to)).build())
        .set_reply_to_addresses((!mail.reply_to.is_empty()).then(|| mail.reply_to.clone()))
        .set_configuration_set_name(set.map(ToOwned::to_owned))
        .email_tags(tag)
        .content(EmailContent::builder().simple(message).build())
        .send()
        .await
        .unwrap();
    canned.only().body
}

fn mails() -> impl Strategy<Value = Mail> {
    let text = || proptest::string::string_regex("(?s).{0,60}").unwrap();
    let reply_to = proptest::collection::vec(text(), 0..3);
    (text(), reply_to, text(), text(), text(), 1..4_usize).prop_map(
        |(from, reply_to, subject, html, text, recipients)| Mail {
            from,
            to: (0..recipients)
                .map(|number| Address::parse(&format!("dana{number}@bücher.example")).unwrap())
                .collect(),
            reply_to,
            subject,
            html: JsonText::new(&html),
            text,
        },
    )
}

proptest! {
    #[test]
    fn it_is_the_sdks_own(mail in mails(), tag in "[A-Za-z0-9_-]{1,40}", set in proptest::option::of("[a-z]{1,9}")) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let theirs = runtime.block_on(by_the_sdk(&mail, &tag, set.as_deref()));
        let ours = send_email(&mail, &tag, set.as_deref()).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&ours).unwrap(), theirs);
    }
}
