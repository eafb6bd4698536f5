//! `CodeCommit`: not here yet.

use std::sync::Arc;

use serde_json::Value;

use super::clock::Clock;
use super::http::ServiceError;

pub(crate) struct CodeCommit;

impl CodeCommit {
    pub(crate) fn new(_clock: Arc<Clock>) -> Self {
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
            code: "RepositoryDoesNotExistException".to_owned(),
            query_code: None,
            message: "CodeCommit is not there.".to_owned(),
        })
    }

    #[expect(clippy::unused_self, reason = "the interface of all services")]
    pub(crate) fn reset(&self) {}
}
