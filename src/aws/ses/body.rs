//! The body of a `SendEmail` request. The SDK would write the same one, at a sixth of what a message
//! costs: it copies a mail three times and looks at each byte by itself. A test holds the two against
//! each other.

use serde::Serialize;

use crate::notification::{Address, Mail};

/// The tag under which a configuration set's events carry the notification's id.
const TAG: &str = "notification-id";
/// The longest tag value that SES takes.
const TAG_LENGTH: usize = 256;
/// What the body holds beside subject and parts, and what escapes add to them, as a first guess.
const FRAME: usize = 1024;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmail<'a> {
    from_email_address: &'a str,
    destination: Destination<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    reply_to_addresses: &'a [String],
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_tags: Option<[Pair<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration_set_name: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Destination<'a> {
    to_addresses: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Content<'a> {
    simple: Message<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Message<'a> {
    subject: Text<'a>,
    body: Body<'a>,
    headers: [Pair<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    text: Text<'a>,
    html: Text<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Text<'a> {
    data: &'a str,
    charset: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Pair<'a> {
    name: &'static str,
    value: &'a str,
}

/// The request for one mail, as JSON.
pub(super) fn send_email(
    mail: &Mail,
    tag: &str,
    configuration_set: Option<&str>,
) -> serde_json::Result<Vec<u8>> {
    // Without a charset SES reads 7-bit ASCII.
    let utf8 = |data| Text {
        data,
        charset: "UTF-8",
    };
    let tag = tag_value(tag);
    let request = SendEmail {
        from_email_address: &mail.from,
        destination: Destination {
            to_addresses: mail.to.iter().map(Address::as_str).collect(),
        },
        reply_to_addresses: &mail.reply_to,
        content: Content {
            simple: Message {
                subject: utf8(&mail.subject),
                body: Body {
                    text: utf8(&mail.text),
                    html: utf8(&mail.html),
                },
                // RFC 3834: nobody's out-of-office should answer a confirmation.
                headers: [Pair {
                    name: "Auto-Submitted",
                    value: "auto-generated",
                }],
            },
        },
        // An empty one tells nothing.
        email_tags: (!tag.is_empty()).then_some([Pair {
            name: TAG,
            value: &tag,
        }]),
        configuration_set_name: configuration_set,
    };
    let mut body = Vec::with_capacity(mail.html.len() + mail.text.len() + FRAME);
    serde_json::to_writer(&mut body, &request)?;
    Ok(body)
}

/// SES takes letters, digits, `_` and `-` alone in a tag.
fn tag_value(tag: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    tag.chars()
        .map(|c| if fits(c) { c } else { '-' })
        .take(TAG_LENGTH)
        .collect()
}

#[cfg(test)]
mod tests;
