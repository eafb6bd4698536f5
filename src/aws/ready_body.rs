//! A request's body that is written by us and not by the SDK, where that costs much less.

use std::cell::Cell;

// These are the same for every service.
use aws_sdk_sesv2::{
    config::{
        ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut,
    },
    error::BoxError,
};

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
