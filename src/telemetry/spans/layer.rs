//! The layer that exports our spans.

use std::time::SystemTime;

use opentelemetry::{
    Context,
    trace::{SpanBuilder, Tracer},
};
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};
use tracing::{Level, Subscriber};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use crate::telemetry::names::SPANS;

/// Exports our spans and no others. The AWS SDK's own cost more than all of our work, and what the
/// exporter does must not be traced in its turn.
pub(in crate::telemetry) fn layer<S>(tracer: SdkTracer) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_opentelemetry::layer()
        .with_tracer(Starter(tracer))
        .with_threads(false)
        .with_location(false)
        .with_target(false)
        .with_level(false)
        // Every span would carry `busy_ns` and `idle_ns`, which are no convention's names.
        .with_tracked_inactivity(false)
        .with_filter(Targets::new().with_target(SPANS, Level::INFO))
}

/// A root's context under which a span starts at this time. The layer itself knows only the time at
/// which a span was made.
pub(super) fn starting_at(time: SystemTime) -> Context {
    Context::new().with_value(StartTime(time))
}

struct StartTime(SystemTime);

/// Starts the layer's spans.
struct Starter(SdkTracer);

impl Tracer for Starter {
    type Span = SdkSpan;

    fn build_with_context(&self, mut builder: SpanBuilder, parent: &Context) -> SdkSpan {
        if let Some(StartTime(time)) = parent.get() {
            builder.start_time = Some(*time);
        }
        self.0.build_with_context(builder, parent)
    }
}
