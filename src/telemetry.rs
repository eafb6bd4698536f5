//! What the process reports about itself. Logs go to standard error, as text on a terminal and as
//! JSON elsewhere. Traces and metrics go out over OTLP where the standard `OTEL_*` variables ask for
//! it.

pub(crate) mod export_errors;
pub(crate) mod log_writer;
pub(crate) mod measured_ports;
pub(crate) mod metrics;
pub mod names;
pub(crate) mod otlp;
pub(crate) mod spans;
mod text_lines;
pub(crate) mod throttle;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, stderr},
    panic,
};

use tracing::{Level, error, field::display, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, registry};

use self::{
    export_errors::ExportErrors,
    log_writer::{LastLines, LogWriter},
    metrics::Metrics,
    otlp::Otlp,
    spans::Spans,
    text_lines::TextLines,
};

/// The target of lines that are written at any level: how the daemon starts, stops, and stops
/// receiving. Without these lines, the log of a quiet daemon looks like that of a dead one.
pub(crate) const LIFECYCLE: &str = "lifecycle";

/// What the pipeline is watched with.
#[derive(Debug)]
pub struct Instruments {
    /// The metrics.
    pub(crate) metrics: Metrics,
    /// The spans.
    pub(crate) spans: Spans,
}

impl Instruments {
    /// Instruments about the queue at this URL, for what `otlp` exports.
    pub(crate) fn new(otlp: &Otlp, queue_url: &str) -> Self {
        Self {
            metrics: Metrics::new(otlp.meter(), queue_url),
            spans: Spans::new(otlp.tracer().is_some(), queue_url, otlp.propagators),
        }
    }

    /// Instruments that do nothing.
    pub fn off() -> Self {
        Self::new(&Otlp::default(), "")
    }
}

/// How the lines of the log are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// As JSON objects.
    Json,
    /// As text for people.
    Text {
        /// Whether its reader is a terminal that shows colours.
        colours: bool,
    },
}

/// Sets up the log for the whole process, and the panic hook.
/// Spans go to `otlp` where it exports any, and `errors` hears what the exporters complain of. A
/// second call changes nothing. The last lines are written when the result is dropped.
///
/// # Errors
///
/// If the system gives no thread for the log.
pub(crate) fn init(
    level: LevelFilter,
    lines: Lines,
    otlp: &Otlp,
    errors: ExportErrors,
) -> io::Result<LastLines> {
    let (writer, last_lines) = LogWriter::start(stderr())?;
    let layer = fmt::layer().with_writer(writer);
    let lines = match lines {
        Lines::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
        Lines::Text { colours } => layer
            .with_ansi(colours)
            .event_format(TextLines::new(level))
            .boxed(),
    };
    let lines = lines.with_filter(filter(level));
    let errors = errors.with_filter(Targets::new().with_target(export_errors::TARGET, Level::WARN));
    let spans = otlp.tracer().map(spans::layer::layer);
    let subscriber = registry().with(lines).with(errors).with(spans);
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        panic::set_hook(Box::new(log_panic));
    }
    Ok(last_lines)
}

/// Lets our own lines through at the level asked for. Those of other crates pass at `info` at most,
/// since the AWS SDK's debug spans cost more than all of our work.
fn filter(ours: LevelFilter) -> Targets {
    Targets::new()
        .with_default(ours.min(LevelFilter::INFO))
        .with_target(env!("CARGO_CRATE_NAME"), ours)
        .with_target(LIFECYCLE, Level::INFO)
        // Our own lines tell what each failure of the SDK's means, not each provider at each try.
        .with_targets(["aws_", "rustls"].map(|sdk| (sdk, ours.min(LevelFilter::ERROR))))
        .with_target(names::SPANS, LevelFilter::OFF)
        .with_target(export_errors::TARGET, LevelFilter::OFF)
}

/// Logs the place of a panic. Its payload may hold a message's content and is never logged.
fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let place = info
        .location()
        .map_or_else(String::new, ToString::to_string);
    let backtrace = Backtrace::capture();
    let is_captured = backtrace.status() == BacktraceStatus::Captured;
    let backtrace = is_captured.then(|| display(backtrace));
    error!(code.location = place, backtrace, "panic");
}
