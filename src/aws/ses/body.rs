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

use crate::{
    mutex::Mutex,
    notification::{Address, Mail, Segment},
    ports::Tags,
};

/// The tag under which a configuration set's events carry the notification's id.
const ID_TAG: &str = "notification-id";
/// The tag that only a witness has.
const WITNESS_TAG: &str = "witness";
/// The longest tag value that SES takes.
const TAG_LENGTH_MAX: usize = 256;
/// What a body holds beside subject, text and HTML, and what escapes add to them, as a first guess.
const FRAME: usize = 1024;

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

impl BodyWriter {
    pub(super) fn new(configuration_set: Option<String>) -> Self {
        Self {
            configuration_set,
            ..Self::default()
        }
    }

    /// The request for one mail, as JSON.
    pub(super) fn write(&self, mail: &Mail, tags: Tags<'_>) -> Vec<u8> {
        let to: Vec<_> = mail.to.iter().map(Address::as_str).collect();
        let id = tag_value(tags.notification_id);
        let values = mail.html.values().iter().map(|value| in_json(value));
        let values: Vec<_> = values.collect();
        let mut escaped = self.escaped.lock();
        if !Arc::ptr_eq(&escaped.template, mail.html.template()) {
            *escaped = EscapedTemplate::new(mail.html.template());
        }
        let segments = escaped.template.iter().zip(&escaped.literals);
        let html = segments.map(|(segment, literal)| match segment {
            Segment::Literal(_) => literal,
            Segment::Value(index) => values.get(*index).unwrap_or(literal),
        });
        let length = html.clone().map(String::len).sum::<usize>();
        let mut body = Vec::with_capacity(FRAME + mail.text.len() + length);
        append(&mut body, r#"{"Destination":{"ToAddresses":"#, &to);
        append(&mut body, r#"},"FromEmailAddress":"#, &mail.from);
        if !mail.reply_to.is_empty() {
            append(&mut body, r#","ReplyToAddresses":"#, &mail.reply_to);
        }
        // An empty tag says nothing.
        let tags = [
            (ID_TAG, &*id),
            (WITNESS_TAG, if tags.witness { "true" } else { "" }),
        ];
        let tags = tags.into_iter().filter(|(_, value)| !value.is_empty());
        let tags: Vec<_> = tags.map(|(name, value)| Tag { name, value }).collect();
        if !tags.is_empty() {
            append(&mut body, r#","EmailTags":"#, &tags);
        }
        if let Some(set) = &self.configuration_set {
            append(&mut body, r#","ConfigurationSetName":"#, set);
        }
        // Without a charset SES reads 7-bit ASCII.
        let subject = r#","Content":{"Simple":{"Subject":{"Charset":"UTF-8","Data":"#;
        append(&mut body, subject, &mail.subject);
        // RFC 3834: keeps out-of-office replies from answering a confirmation.
        body.extend(br#"},"Headers":[{"Name":"Auto-Submitted","Value":"auto-generated"}]"#);
        let text = r#","Body":{"Text":{"Charset":"UTF-8","Data":"#;
        append(&mut body, text, &mail.text);
        body.extend(br#"},"Html":{"Charset":"UTF-8","Data":""#);
        html.for_each(|piece| body.extend(piece.as_bytes()));
        body.extend(br#""}}}}}"#);
        body
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tag<'a> {
    name: &'a str,
    value: &'a str,
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

/// Appends what stands before a value, and the value as JSON.
fn append(body: &mut Vec<u8>, before: &str, value: &(impl Serialize + ?Sized)) {
    body.extend(before.as_bytes());
    // Neither texts nor memory refuse to be written.
    drop(serde_json::to_writer(body, value));
}

/// A text as it stands between the quotes of a JSON string.
fn in_json(text: &str) -> String {
    let mut quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.pop();
    quoted.drain(..1);
    quoted
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
