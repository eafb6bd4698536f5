//! Connections without a proxy: hyper's pool, with as little around it as a call needs.

use std::{
    error::Error as StdError,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        connection::{CaptureSmithyConnection, ConnectionMetadata},
        http::{HttpConnector, HttpConnectorFuture, HttpConnectorSettings},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
};
use aws_smithy_types::{body::SdkBody, retry::ErrorKind};
use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{
        Client, Error,
        connect::{CaptureConnection, HttpConnector as TcpConnector, capture_connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::ClientConfig;
use tokio::{net::TcpStream, time::timeout};
use tower_service::Service;

use super::super::classify::chain;

/// One pool of connections.
pub(super) struct Direct {
    client: Client<Connect, SdkBody>,
    read_timeout: Option<Duration>,
}

impl Direct {
    /// Over TLS where the URL says so. Both of the settings' times are kept.
    pub(super) fn new(tls: &Arc<ClientConfig>, settings: &HttpConnectorSettings) -> Self {
        let mut tcp = TcpConnector::new();
        tcp.enforce_http(false);
        // A request goes out in more than one piece, and Nagle's delay would hold back the last.
        tcp.set_nodelay(true);
        let https = HttpsConnector::from((tcp, Arc::clone(tls)));
        let client = Client::builder(TokioExecutor::new())
            // Without it no connection is closed for being idle.
            .pool_timer(TokioTimer::new())
            .build(Connect {
                https,
                within: settings.connect_timeout(),
            });
        Self {
            client,
            read_timeout: settings.read_timeout(),
        }
    }
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct").finish_non_exhaustive()
    }
}

impl HttpConnector for Direct {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        let connection = capture_connection(&mut request);
        if let Some(asks) = request.extensions().get::<CaptureSmithyConnection>() {
            // After an answer that may be tried again the SDK poisons its connection: the next call may
            // meet a host that is well.
            asks.set_connection_retriever(move || poisonable(&connection));
        }
        let answer = self.client.request(request);
        let within = self.read_timeout;
        HttpConnectorFuture::new(async move {
            let answer = match within {
                None => answer.await,
                Some(within) => timeout(within, answer)
                    .await
                    .map_err(|_elapsed| ConnectorError::timeout(TimedOut::boxed("read", within)))?,
            };
            let answer = answer.map_err(failure)?;
            // An answer came, so the request went out. `reach` in `classify` would take a failure of the
            // kind `other` for a call that was never sent.
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::io(error.into()))
        })
    }
}

/// A request's connection as the SDK knows it. `None` while there is none.
fn poisonable(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    connection.connection_metadata().as_ref()?;
    let connection = connection.clone();
    let metadata = ConnectionMetadata::builder()
        .proxied(false)
        .poison_fn(move || {
            if let Some(connected) = connection.connection_metadata().as_ref() {
                connected.poison();
            }
        });
    Some(metadata.build())
}

/// What the SDK may try again, it tries again: the kinds are those of its own client.
fn failure(error: Error) -> ConnectorError {
    let find_io = || chain(&error).any(<dyn StdError>::is::<std::io::Error>);
    let hyper = chain(&error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
    if chain(&error).any(<dyn StdError>::is::<TimedOut>) {
        return ConnectorError::timeout(error.into());
    }
    match hyper {
        Some(hyper) if hyper.is_timeout() => ConnectorError::timeout(error.into()),
        Some(hyper) if hyper.is_user() => ConnectorError::user(error.into()),
        Some(hyper) if hyper.is_closed() || hyper.is_canceled() || find_io() => {
            ConnectorError::io(error.into())
        }
        Some(hyper) if hyper.is_incomplete_message() => {
            ConnectorError::other(error.into(), Some(ErrorKind::TransientError))
        }
        None if error.is_connect() || find_io() => ConnectorError::io(error.into()),
        _ => ConnectorError::other(error.into(), None),
    }
}

/// Connects within a time that covers all of it: the name, the socket and the handshake.
#[derive(Clone)]
struct Connect {
    https: HttpsConnector<TcpConnector>,
    within: Option<Duration>,
}

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

impl Service<Uri> for Connect {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.https.call(uri);
        let within = self.within;
        Box::pin(async move {
            match within {
                None => connecting.await,
                Some(within) => timeout(within, connecting)
                    .await
                    .unwrap_or_else(|_elapsed| Err(TimedOut::boxed("connect", within))),
            }
        })
    }
}

/// Says it in the SDK's words, so that whoever tells of it needs to know these alone.
#[derive(Debug)]
struct TimedOut {
    what: &'static str,
    after: Duration,
}

impl TimedOut {
    fn boxed(what: &'static str, after: Duration) -> BoxError {
        Box::new(Self { what, after })
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, after } = self;
        write!(f, "HTTP {what} timeout occurred after {after:?}")
    }
}

impl StdError for TimedOut {}

#[cfg(test)]
mod tests;
