//! Our request body beside the SDK's own.

use aws_sdk_sesv2::{
    Client,
    types::{Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag},
};
use proptest::prelude::*;
use serde_json::Value;

use super::BodyWriter;
use crate::{
    notification::{Address, Html, Mail, Segment},
    ports::Tags,
    testing::canned::{Answer, Canned, mail},
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
        .html(utf8(&mail.html.to_string()))
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
    Client::new(&canned.aws.config)
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

/// Templates of several segments, with the same values at several places.
fn html() -> impl Strategy<Value = Html> {
    let text = || proptest::string::string_regex("(?s).{0,60}").unwrap();
    let segment = prop_oneof![
        text().prop_map(Segment::Literal),
        (0..3_usize).prop_map(Segment::Value),
    ];
    let template = proptest::collection::vec(segment, 0..9);
    let values = proptest::collection::vec(text(), 3);
    (template, values).prop_map(|(template, values)| Html::new(template.into(), values))
}

fn mails() -> impl Strategy<Value = Mail> {
    let text = || proptest::string::string_regex("(?s).{0,60}").unwrap();
    let reply_to = proptest::collection::vec(text(), 0..3);
    (text(), reply_to, text(), html(), text(), 1..4_usize).prop_map(
        |(from, reply_to, subject, html, text, recipients)| Mail {
            from,
            to: (0..recipients)
                .map(|number| Address::parse(&format!("dana{number}@bücher.example")).unwrap())
                .collect(),
            reply_to,
            subject,
            html,
            text,
        },
    )
}

fn ours(writer: &BodyWriter, mail: &Mail, tag: &str) -> Value {
    serde_json::from_slice(&writer.write(
        mail,
        Tags {
            notification_id: tag,
            witness: false,
        },
    ))
    .unwrap()
}

proptest! {
    #[test]
    fn it_is_the_sdks_own(mails in [mails(), mails()], tag in "[A-Za-z0-9_-]{1,40}", set in proptest::option::of("[a-z]{1,9}")) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let writer = BodyWriter::new(set.clone());
        // The second of each template is written with what was escaped for the first.
        for mail in mails.iter().flat_map(|mail| [mail, mail]) {
            let theirs = runtime.block_on(by_the_sdk(mail, &tag, set.as_deref()));
            prop_assert_eq!(ours(&writer, mail, &tag), theirs);
        }
    }
}

#[test]
fn a_template_that_took_anothers_place_is_not_taken_for_it() {
    let writer = BodyWriter::default();
    for number in 0..100 {
        // Dropped at the end of each turn, so that the next may stand at its address.
        let mail = Mail {
            html: Html::from(format!("<p>{number}</p>").as_str()),
            ..mail()
        };
        let data = &ours(&writer, &mail, "tag")["Content"]["Simple"]["Body"]["Html"]["Data"];
        assert_eq!(*data, mail.html.to_string());
    }
}

#[test]
fn a_templates_text_is_escaped_once() {
    let writer = BodyWriter::default();
    let mail = mail();
    ours(&writer, &mail, "one");
    let first = writer.escaped.lock().literals.as_ptr();
    ours(&writer, &mail.clone(), "two");
    assert_eq!(writer.escaped.lock().literals.as_ptr(), first);
}

#[test]
fn a_witness_is_tagged_as_one_and_no_other_mail_is() {
    let tags = |witness| {
        let tags = Tags {
            notification_id: "id",
            witness,
        };
        let body = BodyWriter::default().write(&mail(), tags);
        serde_json::from_slice::<Value>(&body).unwrap()["EmailTags"].clone()
    };
    let id = serde_json::json!({ "Name": "notification-id", "Value": "id" });
    let witness = serde_json::json!({ "Name": "witness", "Value": "true" });
    assert_eq!(tags(false), serde_json::json!([id]));
    assert_eq!(tags(true), serde_json::json!([id, witness]));
}
