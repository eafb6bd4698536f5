//! SNS: not here yet.

use std::sync::Arc;

use super::clock::Clock;
use super::http::ServiceError;
use super::sqs::Sqs;

pub(crate) struct Sns;

impl Sns {
    pub(crate) fn new(_sqs: Arc<Sqs>, _clock: Arc<Clock>) -> Self {
        Self
    }

    #[expect(clippy::unused_async, reason = "the interface of all services")]
    pub(crate) async fn call_query(
        &self,
        _form: &[(String, String)],
    ) -> Result<String, ServiceError> {
        Err(ServiceError {
            status: 400,
            code: "InvalidAction".to_owned(),
            query_code: None,
            message: "SNS is not there.".to_owned(),
        })
    }

    #[expect(clippy::unused_self, reason = "the interface of all services")]
    pub(crate) fn reset(&self) {}
}
