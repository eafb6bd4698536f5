//! The HTTP client of all calls: the SDK's own, with the certificates that AWS's variables name, and never
//! through a proxy to this machine.

use aws_smithy_http_client::{
    Builder, ConnectorBuilder,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};

use crate::proxy;

/// What a client's connections trust.
#[derive(Clone, Debug)]
pub(super) struct Http(Option<TlsContext>);

impl Http {
    /// With the machine's certificates, as the SDK's default client.
    pub(super) fn trusting_the_machine() -> Self {
        Self(None)
    }

    /// With these certificates alone, in PEM; with none, TLS fails.
    pub(super) fn trusting(pem: Option<Vec<u8>>) -> Self {
        let mut store = TrustStore::empty();
        if let Some(pem) = pem {
            store = store.with_pem_certificate(pem);
        }
        let context = TlsContext::builder().with_trust_store(store).build();
        Self(context.ok())
    }

    /// A client with connections of its own.
    pub(super) fn client(&self) -> SharedHttpClient {
        let direct = self.with(ProxyConfig::disabled);
        if proxy::is_set() {
            SharedHttpClient::new(Sorted {
                direct,
                proxied: self.with(ProxyConfig::from_env),
            })
        } else {
            direct
        }
    }

    fn with(&self, proxy: fn() -> ProxyConfig) -> SharedHttpClient {
        let context = self.0.clone();
        // As the SDK builds its default client.
        Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = ConnectorBuilder::default()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .proxy_config(proxy());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            if let Some(context) = &context {
                connector.set_tls_context(context.clone());
            }
            connector.build()
        })
    }
}

/// Asks each host through the proxy that the variables name, or directly where that must be.
#[derive(Debug)]
struct Sorted<T> {
    direct: T,
    proxied: T,
}

impl HttpClient for Sorted<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Sorted {
            direct: self.direct.http_connector(settings, components),
            proxied: self.proxied.http_connector(settings, components),
        })
    }
}

impl HttpConnector for Sorted<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if host(request.uri()).is_some_and(proxy::is_bypassed) {
            self.direct.call(request)
        } else {
            self.proxied.call(request)
        }
    }
}

/// The host of a URL, an IPv6 address in its brackets.
pub(super) fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let end = match host.find(']') {
        Some(bracket) => bracket + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    Some(&host[..end])
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn the_host_of_a_url_is_found() {
        for (url, found) in [
            ("http://127.0.0.1:4566/q", Some("127.0.0.1")),
            (
                "https://sqs.eu-west-1.api.aws",
                Some("sqs.eu-west-1.api.aws"),
            ),
            ("http://[::1]:80/?a=b:c@d", Some("[::1]")),
            ("http://u:p@localhost?x", Some("localhost")),
            ("localhost", None),
        ] {
            assert_eq!(host(url), found, "{url}");
        }
    }
}
