//! Answers of S3 and the form of its refusals.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quick_xml::escape::escape;
use uuid::Uuid;

use super::super::http::ServiceError;
use super::errors::{Place, Refused};

/// An answer.
pub(crate) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    /// Without a body.
    pub(super) fn empty(status: u16) -> Self {
        Self::identified(status, &new_request_id(), Vec::new())
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Whether it says that the caller knows the object.
    pub(super) fn is_unchanged(&self) -> bool {
        self.status == StatusCode::NOT_MODIFIED
    }

    pub(super) fn content(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    pub(super) fn xml(self, body: &str) -> Self {
        let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}");
        self.with("content-type", "application/xml")
            .content(text.into_bytes())
    }

    /// An error that comes from outside the service.
    pub(crate) fn error(error: &ServiceError) -> Self {
        Self::refused(&Refused::from(error.clone()))
    }

    pub(super) fn refused(refused: &Refused) -> Self {
        let id = new_request_id();
        let ServiceError {
            status,
            code,
            message,
            ..
        } = &refused.error;
        let details = |wanted: Place| {
            let details = refused.details.iter();
            details.filter_map(move |(place, name, value)| {
                (*place == wanted).then_some((*name, value.as_str()))
            })
        };
        let elements = details(Place::Element)
            .map(|(name, value)| format!("<{name}>{}</{name}>", escape(value)));
        let body = format!(
            "<Error><Code>{}</Code><Message>{}</Message>{}<RequestId>{id}</RequestId><HostId>{}</HostId></Error>",
            escape(code.as_str()),
            escape(message.as_str()),
            elements.collect::<String>(),
            host_id(&id),
        );
        let reply = Self::identified(*status, &id, Vec::new()).xml(&body);
        details(Place::Header).fold(reply, |reply, (name, value)| reply.with(name, value))
    }

    fn identified(status: u16, id: &str, body: Vec<u8>) -> Self {
        let reply = Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: HeaderMap::new(),
            body,
        };
        reply
            .with("x-amz-request-id", id)
            .with("x-amz-id-2", &host_id(id))
            .with("server", "AmazonS3")
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        (self.status, self.headers, self.body).into_response()
    }
}

/// 16 characters.
fn new_request_id() -> String {
    let id = Uuid::new_v4().simple().to_string().to_uppercase();
    id.chars().take(16).collect()
}

fn host_id(request_id: &str) -> String {
    STANDARD.encode(request_id.repeat(3))
}
