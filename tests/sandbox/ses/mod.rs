//! SES v2: not here yet.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::clock::Clock;
use super::http::ServiceError;
use super::outbox::Outbox;

pub(crate) struct Ses;

pub(crate) fn route(
    method: &str,
    path: &str,
    _query: &str,
) -> Option<(&'static str, Map<String, Value>)> {
    match (method, path) {
        ("GET", "/v2/email/account") => Some(("GetAccount", Map::new())),
        ("POST", "/v2/email/outbound-emails") => Some(("SendEmail", Map::new())),
        _ => None,
    }
}

impl Ses {
    pub(crate) fn new(_clock: Arc<Clock>, _outbox: Arc<Outbox>) -> Self {
        Self
    }

    #[expect(clippy::unused_async, reason = "the interface of all services")]
    pub(crate) async fn call(
        &self,
        _operation: &str,
        _request: Value,
    ) -> Result<Value, ServiceError> {
        Err(ServiceError {
            status: 400,
            code: "MessageRejected".to_owned(),
            query_code: None,
            message: "SES is not there.".to_owned(),
        })
    }

    #[expect(clippy::unused_self, reason = "the interface of all services")]
    pub(crate) fn reset(&self) {}
}
