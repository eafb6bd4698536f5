//! A mail as the message that would go out, in MIME.

use axum::body::Bytes;
use mail_builder::MessageBuilder;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;

use super::StoredMail;

/// What SES writes after the `@` of message ids in us-east-1.
const DOMAIN: &str = "email.amazonses.com";

/// Raw content as it was given; of simple content the message that would go out: its headers, the
/// text and the HTML part, and the attached files. Blind copies stand in no header.
pub(super) fn source(mail: &StoredMail) -> Bytes {
    match &mail.raw {
        Some(raw) => raw.clone(),
        None => build(mail).into(),
    }
}

fn build(mail: &StoredMail) -> Vec<u8> {
    let seconds = i64::try_from(mail.time_millis / 1000).unwrap_or(i64::MAX);
    let mut message = MessageBuilder::new()
        .date(Date::new(seconds))
        .message_id(MessageId::new(format!("{}@{DOMAIN}", mail.id)))
        .subject(mail.subject.as_str());
    let lists = [
        ("To", &mail.to),
        ("Cc", &mail.cc),
        ("Reply-To", &mail.reply_to),
    ];
    let lists = lists.map(|(name, addresses)| (name, addresses.join(", ")));
    // Addresses are in ASCII by now: SES takes no others.
    for (name, value) in [("From", mail.from.clone())].into_iter().chain(lists) {
        if !value.is_empty() {
            message = message.header(name, Raw::new(value));
        }
    }
    for (name, value) in &mail.headers {
        message = message.header(name.as_str(), Raw::new(value.as_str()));
    }
    let written = message.body(body(mail)).write_to_vec();
    // Writing into memory does not fail.
    written.unwrap_or_default()
}

fn body(mail: &StoredMail) -> MimePart<'_> {
    let part = |kind: &'static str, text| MimePart::new(kind, text);
    let text = mail.text.as_deref().map(|text| part("text/plain", text));
    let html = mail.html.as_deref().map(|html| part("text/html", html));
    let content = match (text, html) {
        (Some(text), Some(html)) => several(mail, "alternative", vec![text, html]),
        (text, html) => text.or(html).unwrap_or_else(|| part("text/plain", "")),
    };
    if mail.files.is_empty() {
        return content;
    }
    let files = mail.files.iter().map(|file| {
        let kind = file.content_type.as_deref();
        let kind = kind.unwrap_or("application/octet-stream");
        MimePart::new(kind, file.bytes.as_ref()).attachment(file.name.as_str())
    });
    several(mail, "mixed", [content].into_iter().chain(files).collect())
}

/// The boundary comes from the mail's id, so that the same mail is the same message each time.
fn several<'a>(mail: &StoredMail, kind: &str, parts: Vec<MimePart<'a>>) -> MimePart<'a> {
    let boundary = format!("=_{kind}_{}", mail.id);
    let kind = ContentType::new(format!("multipart/{kind}")).attribute("boundary", boundary);
    MimePart::new(kind, parts)
}
