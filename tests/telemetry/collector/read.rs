//! OTLP's messages as tests look at them.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::{NumberDataPoint, metric::Data, number_data_point},
    trace::v1::{self, span::SpanKind, status::StatusCode},
};

/// Values as text, whatever their type.
pub(crate) type Attributes = BTreeMap<String, String>;

/// A span.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) attributes: Attributes,
    pub(crate) trace_id: String,
    pub(crate) id: String,
    /// Empty for a root.
    pub(crate) parent: String,
    pub(crate) links: Vec<Link>,
    pub(crate) failed: bool,
    pub(crate) events: usize,
    pub(crate) took_nanos: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) attributes: Attributes,
}

/// One point of a metric.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) metric: String,
    pub(crate) unit: String,
    pub(crate) kind: Kind,
    pub(crate) attributes: Attributes,
    /// A histogram's sum.
    pub(crate) value: f64,
    /// Of a histogram: how many were recorded.
    pub(crate) count: u64,
    pub(crate) bounds: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Span {
    pub(crate) fn get(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).map_or("", String::as_str)
    }

    pub(crate) fn links_to(&self, other: &Self) -> bool {
        self.links
            .iter()
            .any(|link| link.span_id == other.id && link.trace_id == other.trace_id)
    }
}

impl Point {
    pub(crate) fn get(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).map_or("", String::as_str)
    }
}

pub(super) fn spans(export: &ExportTraceServiceRequest) -> Vec<Span> {
    let resources = export.resource_spans.iter();
    let scopes = resources.flat_map(|resource| &resource.scope_spans);
    scopes
        .flat_map(|scope| &scope.spans)
        .map(|raw| Span {
            name: raw.name.clone(),
            kind: raw.kind(),
            attributes: attributes(&raw.attributes),
            trace_id: hex(&raw.trace_id),
            id: hex(&raw.span_id),
            parent: hex(&raw.parent_span_id),
            links: raw.links.iter().map(link).collect(),
            failed: raw
                .status
                .as_ref()
                .is_some_and(|status| status.code() == StatusCode::Error),
            events: raw.events.len(),
            took_nanos: raw.end_time_unix_nano - raw.start_time_unix_nano,
        })
        .collect()
}

fn link(raw: &v1::span::Link) -> Link {
    Link {
        trace_id: hex(&raw.trace_id),
        span_id: hex(&raw.span_id),
        attributes: attributes(&raw.attributes),
    }
}

pub(super) fn points(export: &ExportMetricsServiceRequest) -> Vec<Point> {
    let mut points = Vec::new();
    let resources = export.resource_metrics.iter();
    let scopes = resources.flat_map(|resource| &resource.scope_metrics);
    for metric in scopes.flat_map(|scope| &scope.metrics) {
        let point = |kind, pairs: &[KeyValue], value| Point {
            metric: metric.name.clone(),
            unit: metric.unit.clone(),
            kind,
            attributes: attributes(pairs),
            value,
            count: 0,
            bounds: Vec::new(),
        };
        match metric.data.as_ref().unwrap() {
            Data::Gauge(gauge) => points.extend(
                gauge
                    .data_points
                    .iter()
                    .map(|one| point(Kind::Gauge, &one.attributes, number(one))),
            ),
            Data::Sum(sum) => {
                assert!(sum.is_monotonic, "{}", metric.name);
                points.extend(
                    sum.data_points
                        .iter()
                        .map(|one| point(Kind::Counter, &one.attributes, number(one))),
                );
            }
            Data::Histogram(histogram) => {
                points.extend(histogram.data_points.iter().map(|one| Point {
                    count: one.count,
                    bounds: one.explicit_bounds.clone(),
                    ..point(
                        Kind::Histogram,
                        &one.attributes,
                        one.sum.unwrap_or_default(),
                    )
                }));
            }
            other => panic!("{} is of an unexpected kind: {other:?}", metric.name),
        }
    }
    points
}

pub(super) fn attributes(pairs: &[KeyValue]) -> Attributes {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::BoolValue(truth) => truth.to_string(),
        other => format!("{other:?}"),
    };
    let value = |pair: &KeyValue| Some(text(pair.value.as_ref()?.value.as_ref()?));
    pairs
        .iter()
        .map(|pair| (pair.key.clone(), value(pair).unwrap_or_default()))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "the tests' numbers are small")]
fn number(point: &NumberDataPoint) -> f64 {
    match point.value {
        Some(number_data_point::Value::AsDouble(number)) => number,
        Some(number_data_point::Value::AsInt(number)) => number as f64,
        None => f64::NAN,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
