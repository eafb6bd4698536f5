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
    ports::{MailPurpose, Tags},
    testing::canned::{Answer, Canned, key, mail},
};

/// What the SDK itself would send.
async fn by_the_sdk(mail: &Mail, id: &str, set: Option<&str>) -> Value {
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
    let key = key(id);
    let named = [
        ("notification-id", key.notification_id()),
        ("event", key.event()),
        ("queue", "q"),
    ];
    let tags = named.map(|(name, value)| {
        let tag = MessageTag::builder().name(name).value(value);
        tag.build().unwrap()
    });
    let canned = Canned::new(Answer::json(&serde_json::json!({ "MessageId": "1" })));
    Client::new(&canned.aws.config)
        .send_email()
        .from_email_address(&mail.from)
        .destination(Destination::builder().set_to_addresses(Some(to)).build())
        .set_reply_to_addresses((!mail.reply_to.is_empty()).then(|| mail.reply_to.clone()))
        .set_configuration_set_name(set.map(ToOwned::to_owned))
        .set_email_tags(Some(tags.into()))
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

fn ours(writer: &BodyWriter, mail: &Mail, id: &str) -> Value {
    serde_json::from_slice(&writer.write(mail, Tags::of(&key(id)))).unwrap()
}

proptest! {
    #[test]
    fn it_is_the_sdks_own(mails in [mails(), mails()], tag in "[A-Za-z0-9_-]{1,40}", set in proptest::option::of("[a-z]{1,9}")) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let writer = BodyWriter::new(set.clone(), "q");
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
fn only_a_witness_and_a_check_are_tagged_as_such() {
    let key = key("id");
    let names = |purpose| {
        let tags = Tags {
            purpose,
            traceparent: Some("00-1-2-01"),
            ..Tags::of(&key)
        };
        let body = BodyWriter::new(None, "q").write(&mail(), tags);
        let body: Value = serde_json::from_slice(&body).unwrap();
        let tags = body["EmailTags"].as_array().unwrap().iter();
        let names: Vec<_> = tags.map(|tag| tag["Name"].as_str().unwrap()).collect();
        names.join(" ")
    };
    let all = "notification-id event queue traceparent";
    assert_eq!(names(MailPurpose::Organizer), all);
    assert_eq!(names(MailPurpose::Witness), format!("{all} witness"));
    assert_eq!(names(MailPurpose::Check), format!("{all} check"));
}
