//! Export over OTLP, set up by the standard `OTEL_*` variables alone.
//!
//! The crates read endpoint, protocol, headers, timeout, sampler and batching themselves. What they
//! leave out is read here: `OTEL_SDK_DISABLED`, `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`,
//! `OTEL_PROPAGATORS`, the certificates of `OTEL_EXPORTER_OTLP_CERTIFICATE`, and the resource as the specification has it (`OTEL_SERVICE_NAME` beats
//! `OTEL_RESOURCE_ATTRIBUTES`, whose values are percent-decoded).

mod transport;

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{Meter, MeterProvider},
    trace::TracerProvider,
};
use opentelemetry_aws::detector::EcsResourceDetector;
use opentelemetry_sdk::{
    Resource,
    metrics::SdkMeterProvider,
    trace::{SdkTracer, SdkTracerProvider},
};
use percent_encoding::percent_decode_str;
use thiserror::Error;
use tracing_subscriber::{layer::SubscriberExt, registry};

use self::transport::{Transport, TransportError};
use super::{export_errors::ExportErrors, names::SCOPE};

/// Which carriers of a trace context are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Propagators {
    /// `traceparent` and `tracestate`.
    pub(crate) w3c: bool,
    /// `AWSTraceHeader`.
    pub(crate) xray: bool,
}

/// What the variables ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Whether spans are exported.
    pub(crate) traces: bool,
    /// Whether metrics are exported.
    pub(crate) metrics: bool,
    /// Which trace contexts are continued.
    pub(crate) propagators: Propagators,
    /// What was asked for and does not exist here, each as a warning.
    pub(crate) notes: Vec<String>,
}

/// An exporter cannot be set up.
#[derive(Debug, Error)]
pub(crate) enum OtlpError {
    /// It refuses its variables.
    #[error("the OTLP exporter of {signal} cannot be set up: {source}; check OTEL_EXPORTER_OTLP_*")]
    Variables {
        signal: &'static str,
        source: TransportError,
    },
    /// The machine has no certificates that its collector's could lead to.
    #[error("{0}, or OTEL_EXPORTER_OTLP_CERTIFICATE for the collector")]
    NoRoots(TransportError),
}

impl OtlpError {
    fn of(signal: &'static str) -> impl Fn(TransportError) -> Self {
        move |source| match source {
            TransportError::NoRoots(_) => Self::NoRoots(source),
            _ => Self::Variables { signal, source },
        }
    }
}

/// The exporters. Call [`Otlp::finish`] before the process ends.
#[derive(Debug, Default)]
pub(crate) struct Otlp {
    tracers: Option<SdkTracerProvider>,
    meters: Option<SdkMeterProvider>,
    pub(super) propagators: Propagators,
}

impl Wanted {
    /// Reads the variables through `variable`. Nothing is exported until an endpoint is set.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let disabled =
            set("OTEL_SDK_DISABLED").is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let mut notes = Vec::new();
        let mut exported = |signal: &str| {
            let endpoint = set("OTEL_EXPORTER_OTLP_ENDPOINT")
                .or_else(|| set(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")));
            let name = format!("OTEL_{signal}_EXPORTER");
            let exporters = set(&name).unwrap_or_else(|| "otlp".to_owned());
            let exporters: Vec<_> = exporters.split(',').map(str::trim).collect();
            for other in &exporters {
                if !["otlp", "none"].contains(other) {
                    notes.push(format!(
                        "{name}={other} is not known here; allowed: otlp, none"
                    ));
                }
            }
            !disabled && endpoint.is_some() && exporters.contains(&"otlp")
        };
        let (traces, metrics) = (exported("TRACES"), exported("METRICS"));
        for what in ["CLIENT_CERTIFICATE", "CLIENT_KEY"] {
            for of in ["", "TRACES_", "METRICS_"] {
                let name = format!("OTEL_EXPORTER_OTLP_{of}{what}");
                if (traces || metrics) && set(&name).is_some() {
                    notes.push(format!(
                        "{name} is not read here: client certificates for the collector are not \
                         supported"
                    ));
                }
            }
        }
        let propagators = Propagators::read(set("OTEL_PROPAGATORS").as_deref());
        Self {
            traces,
            metrics,
            propagators,
            notes,
        }
    }
}

impl Propagators {
    /// Reads a list of names. Both are read where no list is given.
    fn read(list: Option<&str>) -> Self {
        let list = list.unwrap_or("tracecontext,xray");
        let has = |name| list.split(',').any(|listed| listed.trim() == name);
        Self {
            w3c: has("tracecontext"),
            xray: has("xray") || has("xray-lambda"),
        }
    }
}

impl Otlp {
    /// Sets up what is wanted. Call it inside a tokio runtime that still runs when [`Otlp::finish`]
    /// is called: the gRPC exporter lives on it.
    ///
    /// The crates may complain meanwhile, for example of a sampler that they do not know. `errors`
    /// hears of it, since the log is set up only afterwards.
    pub(crate) async fn start(wanted: &Wanted, errors: &ExportErrors) -> Result<Self, OtlpError> {
        if !wanted.traces && !wanted.metrics {
            return Ok(Self::default());
        }
        // The ECS metadata endpoint is read with a blocking client.
        let resource = tokio::task::spawn_blocking(resource)
            .await
            .unwrap_or_else(|_| Resource::builder_empty().with_service_name(SCOPE).build());
        let _heard = tracing::subscriber::set_default(registry().with(errors.clone()));
        let tracers = wanted.traces.then(|| tracers(resource.clone()));
        let meters = wanted.metrics.then(|| meters(resource));
        Ok(Self {
            tracers: tracers.transpose()?,
            meters: meters.transpose()?,
            propagators: wanted.propagators,
        })
    }

    pub(super) fn tracer(&self) -> Option<SdkTracer> {
        self.tracers.as_ref().map(|provider| provider.tracer(SCOPE))
    }

    pub(super) fn meter(&self) -> Option<Meter> {
        self.meters.as_ref().map(|provider| provider.meter(SCOPE))
    }

    /// Whether anything is exported.
    pub(crate) fn is_on(&self) -> bool {
        self.tracers.is_some() || self.meters.is_some()
    }

    /// Exports what is left, both signals side by side, for at most `limit`. A collector that hangs
    /// or is dead takes no longer.
    pub(crate) async fn finish(self, limit: Duration) {
        let Self {
            tracers, meters, ..
        } = self;
        let spans = tokio::task::spawn_blocking(move || {
            tracers.map(|provider| provider.shutdown_with_timeout(limit))
        });
        let numbers =
            tokio::task::spawn_blocking(move || meters.map(|provider| provider.shutdown()));
        // At the limit the rest is lost. That costs a few spans and never a message.
        let flushed = async { tokio::join!(spans, numbers) };
        drop(tokio::time::timeout(limit, flushed).await);
    }
}

fn tracers(resource: Resource) -> Result<SdkTracerProvider, OtlpError> {
    let way = Transport::read("TRACES", |name| std::env::var(name).ok());
    let exporter = way.and_then(Transport::spans);
    let exporter = exporter.map_err(OtlpError::of("traces"))?;
    let provider = SdkTracerProvider::builder().with_resource(resource);
    Ok(provider.with_batch_exporter(exporter).build())
}

fn meters(resource: Resource) -> Result<SdkMeterProvider, OtlpError> {
    let way = Transport::read("METRICS", |name| std::env::var(name).ok());
    let exporter = way.and_then(Transport::numbers);
    let exporter = exporter.map_err(OtlpError::of("metrics"))?;
    let provider = SdkMeterProvider::builder().with_resource(resource);
    Ok(provider.with_periodic_exporter(exporter).build())
}

/// The process that exports: its name, version and instance, its place on ECS, and what the variables
/// add.
fn resource() -> Resource {
    // The standard library's hash keys are random. That is enough to tell tasks apart.
    let random = RandomState::new();
    let instance = format!("{:016x}{:016x}", random.hash_one(0), random.hash_one(1));
    let attributes = resource_attributes(
        std::env::var("OTEL_RESOURCE_ATTRIBUTES").ok().as_deref(),
        std::env::var("OTEL_SERVICE_NAME").ok().as_deref(),
    );
    Resource::builder_empty()
        .with_detector(Box::new(EcsResourceDetector))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", instance))
        .with_attribute(KeyValue::new("telemetry.sdk.language", "rust"))
        .with_attribute(KeyValue::new("telemetry.sdk.name", "opentelemetry"))
        .with_attributes(attributes)
        .build()
}

/// The variables' attributes and the service's name. Of two with the same key the later one wins.
fn resource_attributes(list: Option<&str>, service: Option<&str>) -> Vec<KeyValue> {
    let mut attributes = vec![KeyValue::new("service.name", SCOPE)];
    for pair in list.unwrap_or_default().split(',') {
        if let Some((key, value)) = pair.split_once('=') {
            let value = percent_decode_str(value.trim()).decode_utf8_lossy();
            attributes.push(KeyValue::new(key.trim().to_owned(), value.into_owned()));
        }
    }
    if let Some(service) = service.filter(|name| !name.trim().is_empty()) {
        attributes.push(KeyValue::new("service.name", service.to_owned()));
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(variables: &[(&str, &str)]) -> Wanted {
        Wanted::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_is_exported_until_an_endpoint_is_set() {
        assert!(!wanted(&[]).traces);
        assert!(!wanted(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).metrics);
        let both = wanted(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")]);
        assert!(both.traces && both.metrics);
        let one = wanted(&[(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://127.0.0.1:4317",
        )]);
        assert!(one.traces && !one.metrics);
    }

    #[test]
    fn the_variables_that_the_crates_do_not_read_are_honoured() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
        let off = wanted(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")]);
        assert!(!off.traces && !off.metrics);
        let metrics = wanted(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")]);
        assert!(!metrics.traces && metrics.metrics);
        let traces = wanted(&[endpoint, ("OTEL_METRICS_EXPORTER", "none")]);
        assert!(traces.traces && !traces.metrics);
        let unknown = wanted(&[endpoint, ("OTEL_TRACES_EXPORTER", "zipkin")]);
        assert!(!unknown.traces);
        assert_eq!(
            unknown.notes,
            ["OTEL_TRACES_EXPORTER=zipkin is not known here; allowed: otlp, none"]
        );
    }

    #[test]
    fn propagators_can_be_chosen() {
        let chosen = |list| wanted(&[("OTEL_PROPAGATORS", list)]).propagators;
        assert_eq!(
            wanted(&[]).propagators,
            Propagators {
                w3c: true,
                xray: true
            }
        );
        assert_eq!(
            chosen("tracecontext,baggage"),
            Propagators {
                w3c: true,
                xray: false
            }
        );
        assert_eq!(
            chosen("xray"),
            Propagators {
                w3c: false,
                xray: true
            }
        );
        assert_eq!(
            chosen("none"),
            Propagators {
                w3c: false,
                xray: false
            }
        );
    }

    #[test]
    fn the_service_name_beats_the_resource_attributes_and_values_are_decoded() {
        let named = |list, service| {
            let built = Resource::builder_empty()
                .with_attributes(resource_attributes(list, service))
                .build();
            ["service.name", "team"].map(|key| {
                built
                    .get(&key.into())
                    .map(|value| value.to_string())
                    .unwrap_or_default()
            })
        };
        assert_eq!(named(None, None), ["organizer-notifier", ""]);
        let list = Some("service.name=b,team=a%20b");
        assert_eq!(named(list, None), ["b", "a b"]);
        assert_eq!(named(list, Some("a")), ["a", "a b"]);
    }
}
