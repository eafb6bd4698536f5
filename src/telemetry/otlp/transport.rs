//! How the exporters reach their collector: over gRPC or HTTP, with which certificates, and never through a
//! proxy to this machine. The crates leave the certificates out, and their HTTP client asks a proxy for all.

use std::{path::Path, thread, time::Duration};

use axum::http::Uri;
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT, SpanExporter,
    WithHttpConfig, WithTonicConfig,
    tonic_types::transport::{Certificate, ClientTlsConfig},
};
use reqwest::blocking::Client;
use thiserror::Error;

use crate::{
    proxy,
    trust::{self, NoRoots},
};

/// Why there is no way to the collector.
#[derive(Debug, Error)]
pub(crate) enum TransportError {
    /// The exporter refuses its variables.
    #[error(transparent)]
    Build(#[from] ExporterBuildError),
    /// A certificate's file cannot be used.
    #[error("{variable} is `{file}`, which {fault}")]
    Certificate {
        variable: String,
        file: String,
        fault: String,
    },
    /// The machine trusts nobody.
    #[error("{0}")]
    NoRoots(NoRoots),
    /// The HTTP client cannot be built.
    #[error("there is no HTTP client: {0}")]
    Client(String),
}

/// A way to the collector of one signal.
pub(super) enum Transport {
    Grpc(Option<ClientTlsConfig>),
    Http(Client),
}

impl Transport {
    /// What the variables of this signal, or else those of all, ask for.
    pub(super) fn read(
        signal: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, TransportError> {
        let names = |what: &str| {
            [
                format!("OTEL_EXPORTER_OTLP_{signal}_{what}"),
                format!("OTEL_EXPORTER_OTLP_{what}"),
            ]
        };
        let set = |what| {
            let found = names(what).into_iter().find_map(|name| {
                let value = variable(&name).filter(|value| !value.is_empty())?;
                Some((name, value))
            });
            found.map(|(name, value)| (name, value.trim().to_owned()))
        };
        let value = |what| set(what).map(|(_, value)| value);
        let mut protocols = names("PROTOCOL").into_iter().filter_map(|name| {
            let protocol = variable(&name)?.to_lowercase();
            ["grpc", "http/protobuf"]
                .into_iter()
                .find(|known| *known == protocol)
        });
        let is_grpc = protocols.next() == Some("grpc");
        let endpoint = value("ENDPOINT").unwrap_or_default();
        let insecure = value("INSECURE").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let is_secure = match endpoint.split_once("://") {
            Some((scheme, _)) => scheme.eq_ignore_ascii_case("https"),
            None => is_grpc && !insecure && !endpoint.is_empty(),
        };
        // The file is not asked for where nothing is encrypted.
        let trusted = match set("CERTIFICATE").filter(|_| is_secure) {
            Some((variable, file)) => {
                let pem = trust::bundle(Path::new(&file));
                Some(pem.map_err(|fault| TransportError::Certificate {
                    variable,
                    file: file.escape_debug().to_string(),
                    fault,
                })?)
            }
            None if is_secure => {
                trust::system().map_err(TransportError::NoRoots)?;
                None
            }
            None => None,
        };
        if is_grpc {
            let tls = is_secure.then(|| match trusted {
                Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
                None => ClientTlsConfig::new().with_native_roots(),
            });
            return Ok(Self::Grpc(tls));
        }
        let timeout = value("TIMEOUT").and_then(|text| text.parse().ok());
        let mut client = Client::builder()
            .timeout(timeout.map_or(OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT, Duration::from_millis));
        let refused = |error: reqwest::Error| TransportError::Client(error.to_string());
        if let Some(pem) = &trusted {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(refused)?;
            client = client.tls_certs_only(certificates);
        } else if !is_secure {
            // It would look for the machine's certificates, and refuse to be built without any.
            client = client.tls_certs_only([]);
        }
        let uri: Option<Uri> = endpoint.parse().ok();
        if uri.is_some_and(|uri| uri.host().is_some_and(proxy::is_bypassed)) {
            client = client.no_proxy();
        }
        // It has a runtime of its own, which cannot be set up inside of another.
        let built = thread::spawn(move || client.build()).join();
        let built = built.map_err(|_| TransportError::Client("its thread panicked".to_owned()))?;
        Ok(Self::Http(built.map_err(refused)?))
    }

    pub(super) fn spans(self) -> Result<SpanExporter, TransportError> {
        Ok(match self {
            Self::Http(client) => SpanExporter::builder()
                .with_http()
                .with_http_client(client)
                .build(),
            Self::Grpc(None) => SpanExporter::builder().with_tonic().build(),
            Self::Grpc(Some(tls)) => SpanExporter::builder()
                .with_tonic()
                .with_tls_config(tls)
                .build(),
        }?)
    }

    pub(super) fn numbers(self) -> Result<MetricExporter, TransportError> {
        Ok(match self {
            Self::Http(client) => MetricExporter::builder()
                .with_http()
                .with_http_client(client)
                .build(),
            Self::Grpc(None) => MetricExporter::builder().with_tonic().build(),
            Self::Grpc(Some(tls)) => MetricExporter::builder()
                .with_tonic()
                .with_tls_config(tls)
                .build(),
        }?)
    }
}
