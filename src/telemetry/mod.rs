//! What the process tells of itself: logs to standard error, JSON off a terminal and text on one;
//! traces and metrics over OTLP where the standard `OTEL_*` variables ask for it.

pub mod metrics;
pub mod names;
pub mod observed;
pub mod otlp;
pub mod spans;
pub mod throttle;
pub mod troubles;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{IsTerminal, stderr},
    panic,
};

use tracing::{Level, error, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, registry};

use self::{
    metrics::Metrics,
    otlp::Otlp,
    spans::{Destination, Spans},
    troubles::Troubles,
};

/// The target of lines that are written at any level: how the daemon starts, stops, and stops
/// receiving. Without them a quiet log could not be told from a dead process.
pub const LIFECYCLE: &str = "lifecycle";

/// What is logged, and how.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings {
    /// The least severe lines that are written.
    pub level: LevelFilter,
    /// Whether a line is a JSON object, and not text.
    pub json: bool,
}

/// What the pipeline is watched with.
#[derive(Debug)]
pub struct Instruments {
    /// The metrics.
    pub metrics: Metrics,
    /// The spans.
    pub spans: Spans,
}

impl Instruments {
    /// Instruments about the queue at this URL, for what `otlp` exports.
    #[must_use]
    pub fn new(otlp: &Otlp, queue_url: &str) -> Self {
        let destination = Destination::of(queue_url);
        Self {
            metrics: Metrics::new(otlp.meter(), &destination),
            spans: Spans::new(otlp.tracer(), &destination, otlp.propagators),
        }
    }

    /// Instruments that do nothing.
    #[must_use]
    pub fn off() -> Self {
        Self::new(&Otlp::default(), "")
    }
}

/// Sets up the log for the whole process, and the panic hook. What the exporters complain of goes
/// to `troubles`. Called twice, it changes nothing.
pub fn init(settings: LogSettings, troubles: Troubles) {
    let lines = fmt::layer().with_writer(stderr);
    let lines = if settings.json {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed()
    } else {
        let terminal = stderr().is_terminal();
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        lines.with_ansi(colours).with_target(false).boxed()
    };
    let lines = lines.with_filter(filter(settings.level));
    let troubles = troubles.with_filter(Targets::new().with_target(troubles::TARGET, Level::WARN));
    let subscriber = registry().with(lines).with(troubles);
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        panic::set_hook(Box::new(log_panic));
    }
}

/// Our own lines at the level asked for; other crates' at `info` at most, since the SDK's debug
/// spans cost more than all of our work.
fn filter(ours: LevelFilter) -> Targets {
    Targets::new()
        .with_default(ours.min(LevelFilter::INFO))
        .with_target(env!("CARGO_CRATE_NAME"), ours)
        .with_target(LIFECYCLE, Level::INFO)
        .with_target(troubles::TARGET, LevelFilter::OFF)
}

/// The place of a panic and never its payload, which may hold a message's content.
fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let place = info
        .location()
        .map_or_else(String::new, ToString::to_string);
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        error!(code.location = place, backtrace = %backtrace, "panic");
    } else {
        error!(code.location = place, "panic");
    }
}
