//! The body of a `SendEmail` request. The SDK would write the same one, at a sixth of what a message
//! costs: it copies a mail three times and looks at each byte by itself. A test holds the two against
//! each other.

use std::cell::Cell;

use aws_sdk_sesv2::{
    config::{
        ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut,
    },
    error::BoxError,
};
use serde::Serialize;

use crate::notification::{Address, Mail};

/// The tag under which a configuration set's events carry the notification's id.
const TAG: &str = "notification-id";
/// The longest tag value that SES takes.
const TAG_LENGTH: usize = 256;
/// What the body holds beside subject and parts, and what escapes add to them, as a first guess.
const FRAME: usize = 1024;

tokio::task_local! {
    /// The body of the one request that is made within [`sending`].
    static BODY: Cell<Vec<u8>>;
}

/// Gives each request of a client the body that [`sending`] holds for it, before it is signed. An
/// interceptor of one call would cost more than the SDK's own body does.
#[derive(Debug)]
pub(super) struct ReadyBody;

impl Intercept for ReadyBody {
    fn name(&self) -> &'static str {
        "ReadyBody"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = BODY.try_with(Cell::take)?;
        let request = context.request_mut();
        let length = body.len().to_string();
        request.headers_mut().insert("content-length", length);
        *request.body_mut() = body.into();
        Ok(())
    }
}

/// Makes a request of a client that has [`ReadyBody`], with this body.
pub(super) fn sending<T>(
    body: Vec<u8>,
    request: impl Future<Output = T>,
) -> impl Future<Output = T> {
    BODY.scope(Cell::new(body), request)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Addressing<'a> {
    from_email_address: &'a str,
    destination: Destination<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    reply_to_addresses: &'a [String],
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
struct Pair<'a> {
    name: &'static str,
    value: &'a str,
}

/// The request for one mail, as JSON. The HTML goes in as it is, being escaped already; serde
/// would take it so only after another look at each byte, and writes all the rest.
pub(super) fn send_email(
    mail: &Mail,
    tag: &str,
    configuration_set: Option<&str>,
) -> serde_json::Result<Vec<u8>> {
    let tag = tag_value(tag);
    let addressing = Addressing {
        from_email_address: &mail.from,
        destination: Destination {
            to_addresses: mail.to.iter().map(Address::as_str).collect(),
        },
        reply_to_addresses: &mail.reply_to,
        // An empty one tells nothing.
        email_tags: (!tag.is_empty()).then_some([Pair {
            name: TAG,
            value: &tag,
        }]),
        configuration_set_name: configuration_set,
    };
    let html = mail.html.as_str();
    let mut body = Vec::with_capacity(html.len() + mail.text.len() + FRAME);
    // Without a charset SES reads 7-bit ASCII.
    body.extend(br#"{"Content":{"Simple":{"Body":{"Html":{"Charset":"UTF-8","Data":""#);
    body.extend(html.as_bytes());
    body.extend(br#""},"Text":{"Charset":"UTF-8","Data":"#);
    serde_json::to_writer(&mut body, &mail.text)?;
    body.extend(br#"}},"Subject":{"Charset":"UTF-8","Data":"#);
    serde_json::to_writer(&mut body, &mail.subject)?;
    // RFC 3834: nobody's out-of-office should answer a confirmation.
    body.extend(br#"},"Headers":[{"Name":"Auto-Submitted","Value":"auto-generated"}]}}"#);
    let opening = body.len();
    serde_json::to_writer(&mut body, &addressing)?;
    // Its members belong to the object that is open.
    body[opening] = b',';
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
