//! The HTTP client of all calls, with the certificates that AWS's variables name: our own for direct
//! connections, the SDK's through a proxy. This machine is never asked through one.

mod direct;

use std::{fmt, sync::Arc, time::Duration};

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
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

use self::direct::Direct;
use super::Refusal;
use crate::{mutex::Mutex, proxy, trust};

/// What a client's connections trust.
#[derive(Clone, Debug)]
pub(super) struct Http {
    tls: Arc<ClientConfig>,
    /// The same for the SDK's client; without it, it trusts the machine's certificates.
    pem: Option<Vec<u8>>,
}

impl Http {
    /// With the machine's certificates, which are these.
    pub(super) fn trusting_the_machine(roots: RootCertStore) -> Result<Self, Refusal> {
        let tls = tls(roots)?;
        Ok(Self { tls, pem: None })
    }

    /// With these certificates alone, in PEM; with none, TLS fails.
    pub(super) fn trusting(pem: Vec<u8>) -> Result<Self, Refusal> {
        let tls = tls(trust::roots(&pem))?;
        let pem = Some(pem);
        Ok(Self { tls, pem })
    }

    /// A client with connections of its own.
    pub(super) fn client(&self) -> SharedHttpClient {
        let direct = SharedHttpClient::new(DirectClient {
            tls: Arc::clone(&self.tls),
            pools: Mutex::default(),
        });
        if proxy::is_set() {
            SharedHttpClient::new(Sorted {
                direct,
                proxied: self.proxied(ProxyConfig::from_env()),
            })
        } else {
            direct
        }
    }

    /// The SDK's own client, by these proxies.
    pub(super) fn proxied(&self, proxies: ProxyConfig) -> SharedHttpClient {
        let context = self.pem.as_ref().and_then(|pem| {
            let mut store = TrustStore::empty();
            if !pem.is_empty() {
                store = store.with_pem_certificate(pem.clone());
            }
            TlsContext::builder().with_trust_store(store).build().ok()
        });
        // As the SDK builds its default client.
        Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = ConnectorBuilder::default()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .proxy_config(proxies.clone());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            if let Some(context) = &context {
                connector.set_tls_context(context.clone());
            }
            connector.build()
        })
    }
}

/// How connections are made safe: with rustls's own cipher suites, of which the SDK leaves out two, those
/// of `ChaCha20` but for RSA in TLS 1.2. HTTP/1.1 is all that we speak.
fn tls(roots: RootCertStore) -> Result<Arc<ClientConfig>, Refusal> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Refusal::Roots(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Gives the calls of one client their pool, one for each pair of times that they set. A service's client
/// sets one pair; each source of credentials, which share a client, may set its own.
struct DirectClient {
    tls: Arc<ClientConfig>,
    pools: Mutex<Vec<(Times, SharedHttpConnector)>>,
}

/// The times for connecting and for an answer, as a call's settings give them.
type Times = (Option<Duration>, Option<Duration>);

impl fmt::Debug for DirectClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectClient").finish_non_exhaustive()
    }
}

impl HttpClient for DirectClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let times = (settings.connect_timeout(), settings.read_timeout());
        let mut pools = self.pools.lock();
        if let Some((_, pool)) = pools.iter().find(|(of, _)| *of == times) {
            return pool.clone();
        }
        let pool = SharedHttpConnector::new(Direct::new(&self.tls, settings));
        pools.push((times, pool.clone()));
        pool
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
