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
use serde_json::{Value, json};

use crate::{
    mutex::Mutex,
    notification::{Address, Mail, Segment},
};

/// The tag under which a configuration set's events carry the notification's id.
const TAG: &str = "notification-id";
/// The longest tag value that SES takes.
const TAG_LENGTH_MAX: usize = 256;
/// Where the HTML belongs in a frame. No text holds this: its quotes are escaped there.
const PLACE: &str = r#""Data":null"#;

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
    pub(super) fn write(&self, mail: &Mail, tag: &str) -> Vec<u8> {
        let frame = self.frame(mail, tag);
        let (before, after) = frame.split_once(PLACE).unwrap_or_default();
        let values: Vec<_> = mail
            .html
            .values()
            .iter()
            .map(|value| in_json(value))
            .collect();
        let mut escaped = self.escaped.lock();
        if !Arc::ptr_eq(&escaped.template, mail.html.template()) {
            *escaped = EscapedTemplate::new(mail.html.template());
        }
        let segments = escaped.template.iter().zip(&escaped.literals);
        let pieces = segments.map(|(segment, literal)| match segment {
            Segment::Literal(_) => literal,
            Segment::Value(index) => values.get(*index).unwrap_or(literal),
        });
        let length = pieces.clone().map(String::len).sum::<usize>();
        let mut body = Vec::with_capacity(frame.len() + length);
        body.extend(before.as_bytes());
        body.extend(br#""Data":""#);
        pieces.for_each(|piece| body.extend(piece.as_bytes()));
        body.extend(b"\"");
        body.extend(after.as_bytes());
        body
    }

    /// The request without its HTML, which stands behind [`PLACE`].
    fn frame(&self, mail: &Mail, tag: &str) -> String {
        // Without a charset SES reads 7-bit ASCII.
        let part = |data: Option<&str>| json!({ "Charset": "UTF-8", "Data": data });
        let to: Vec<_> = mail.to.iter().map(Address::as_str).collect();
        // RFC 3834: keeps out-of-office replies from answering a confirmation.
        let automatic = json!({ "Name": "Auto-Submitted", "Value": "auto-generated" });
        let mut request = json!({
            "FromEmailAddress": mail.from,
            "Destination": { "ToAddresses": to },
            "Content": { "Simple": {
                "Subject": part(Some(&mail.subject)),
                "Headers": [automatic],
                "Body": { "Text": part(Some(&mail.text)), "Html": part(None) },
            } },
        });
        if !mail.reply_to.is_empty() {
            request["ReplyToAddresses"] = json!(mail.reply_to);
        }
        let tag = tag_value(tag);
        // An empty tag says nothing.
        if !tag.is_empty() {
            request["EmailTags"] = json!([{ "Name": TAG, "Value": tag }]);
        }
        if let Some(set) = &self.configuration_set {
            request["ConfigurationSetName"] = json!(set);
        }
        request.to_string()
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
