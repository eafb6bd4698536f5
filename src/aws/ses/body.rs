//! The body of a `SendEmail` request. The SDK would write the same one, at a sixth of what a message
//! costs: it copies a mail three times and looks at each byte by itself. Here most of a mail, the
//! text of its template, is escaped for JSON once per version. A test holds our body against the
//! SDK's.

use std::{cell::Cell, sync::Arc};

use aws_sdk_sesv2::{
    config::{
        ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut,
    },
    error::BoxError,
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    mutex::Mutex,
    notification::{Address, Html, Mail, Segment},
};

/// The tag under which a configuration set's events carry the notification's id.
const TAG: &str = "notification-id";
/// The longest tag value that SES takes.
const TAG_LENGTH_MAX: usize = 256;
/// What the body holds beside text and HTML, and what escapes add to them, as a first guess.
const FRAME_LENGTH: usize = 1024;
/// What stands behind the HTML in a [`SendEmail`].
const AFTER_HTML: &[u8] = br#""}}}}}"#;

tokio::task_local! {
    /// The body of the one request that is made within [`sending`].
    static BODY: Cell<Vec<u8>>;
}

/// Gives each request of a client the body that [`sending`] holds for it, before it is signed. It
/// belongs to the client, since an interceptor of one call costs more than the SDK's own body does.
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

/// Writes the bodies of a mailer's requests.
#[derive(Default)]
pub(super) struct BodyWriter {
    configuration_set: Option<String>,
    escaped: Mutex<EscapedTemplate>,
}

/// The template that the last mail was made of, and its segments escaped for JSON, with an empty
/// text in the place of each value. It keeps the template alive, so that no other can come to stand
/// at the same address and be taken for it.
#[derive(Default)]
struct EscapedTemplate {
    template: Arc<[Segment]>,
    literals: Vec<String>,
}

/// The HTML comes last, so that it can be written behind all the rest.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmail<'a> {
    from_email_address: &'a str,
    destination: Destination<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    reply_to_addresses: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    email_tags: Option<[Pair<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration_set_name: Option<&'a str>,
    content: Content<'a>,
}

#[derive(Serialize)]
enum Destination<'a> {
    ToAddresses(Vec<&'a str>),
}

#[derive(Serialize)]
enum Content<'a> {
    Simple(Message<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Message<'a> {
    subject: Part<'a>,
    headers: [Pair<'a>; 1],
    body: Parts<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Parts<'a> {
    text: Part<'a>,
    html: Part<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Part<'a> {
    charset: &'static str,
    data: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Pair<'a> {
    name: &'static str,
    value: &'a str,
}

impl BodyWriter {
    pub(super) fn new(configuration_set: Option<String>) -> Self {
        Self {
            configuration_set,
            ..Self::default()
        }
    }

    /// The request for one mail, as JSON.
    pub(super) fn write(&self, mail: &Mail, tag: &str) -> serde_json::Result<Vec<u8>> {
        let tag = tag_value(tag);
        // Without a charset SES reads 7-bit ASCII.
        let part = |data| Part {
            charset: "UTF-8",
            data,
        };
        let request = SendEmail {
            from_email_address: &mail.from,
            destination: Destination::ToAddresses(mail.to.iter().map(Address::as_str).collect()),
            reply_to_addresses: &mail.reply_to,
            // An empty one tells nothing.
            email_tags: (!tag.is_empty()).then_some([Pair {
                name: TAG,
                value: &tag,
            }]),
            configuration_set_name: self.configuration_set.as_deref(),
            content: Content::Simple(Message {
                subject: part(&mail.subject),
                // RFC 3834: keeps out-of-office replies from answering a confirmation.
                headers: [Pair {
                    name: "Auto-Submitted",
                    value: "auto-generated",
                }],
                body: Parts {
                    text: part(&mail.text),
                    html: part(""),
                },
            }),
        };
        let mut body = Vec::with_capacity(mail.text.len() + FRAME_LENGTH);
        serde_json::to_writer(&mut body, &request)?;
        body.truncate(body.len() - AFTER_HTML.len());
        self.write_html(&mut body, &mail.html);
        body.extend(AFTER_HTML);
        Ok(body)
    }

    /// Writes the HTML as it stands between the quotes of a JSON string.
    fn write_html(&self, body: &mut Vec<u8>, html: &Html) {
        let values: Vec<_> = html.values().iter().map(|value| in_json(value)).collect();
        let mut escaped = self.escaped.lock();
        if !Arc::ptr_eq(&escaped.template, html.template()) {
            *escaped = EscapedTemplate::new(html.template());
        }
        let segments = escaped.template.iter().zip(&escaped.literals);
        let pieces = segments.map(|(segment, literal)| match segment {
            Segment::Literal(_) => literal,
            Segment::Value(index) => values.get(*index).unwrap_or(literal),
        });
        body.reserve(pieces.clone().map(String::len).sum::<usize>() + AFTER_HTML.len());
        pieces.for_each(|piece| body.extend(piece.as_bytes()));
    }
}

impl EscapedTemplate {
    fn new(template: &Arc<[Segment]>) -> Self {
        let literal = |segment: &Segment| match segment {
            Segment::Literal(text) => in_json(text),
            Segment::Value(_) => String::new(),
        };
        Self {
            template: Arc::clone(template),
            literals: template.iter().map(literal).collect(),
        }
    }
}

/// A text as it stands between the quotes of a JSON string.
fn in_json(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// SES takes only letters, digits, `_` and `-` in a tag.
fn tag_value(tag: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    tag.chars()
        .map(|c| if fits(c) { c } else { '-' })
        .take(TAG_LENGTH_MAX)
        .collect()
}

#[cfg(test)]
mod tests;
