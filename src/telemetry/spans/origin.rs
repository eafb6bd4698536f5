//! The span that published a message.

use std::collections::HashMap;

use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_aws::trace::xray_propagator::span_context_from_str;
use opentelemetry_sdk::propagation::TraceContextPropagator;

use crate::{ports::ReceivedMessage, telemetry::otlp::Propagators};

impl Propagators {
    /// The span that published the message: W3C's context in the queue's attributes, otherwise in
    /// the notification's, otherwise X-Ray's.
    pub(super) fn origin(
        self,
        message: &ReceivedMessage,
        published: &[(String, String)],
    ) -> Option<SpanContext> {
        let carriers = &message.trace_carriers;
        let in_queue = |name: &str| carriers.get(name).map(String::as_str);
        let in_notification = |name: &str| {
            let named = published.iter().find(|(known, _)| known == name);
            named.map(|(_, value)| value.as_str())
        };
        let w3c = || w3c(in_queue).or_else(|| w3c(in_notification));
        let xray = || span_context_from_str(in_queue("AWSTraceHeader")?);
        let w3c = self.w3c.then(w3c).flatten();
        let context = w3c.or_else(|| self.xray.then(xray).flatten());
        context.filter(SpanContext::is_valid)
    }
}

/// The span that this header of W3C's names.
pub(super) fn of_traceparent(traceparent: &str) -> Option<SpanContext> {
    w3c(|name| (name == "traceparent").then_some(traceparent))
}

/// W3C's context out of a carrier.
fn w3c<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Option<SpanContext> {
    value("traceparent")?;
    let carrier: HashMap<_, _> = ["traceparent", "tracestate"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), value(name)?.to_owned())))
        .collect();
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    let context = context.span().span_context().clone();
    context.is_valid().then_some(context)
}
