//! Logs: JSON off a terminal, text on one, always to standard error.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{IsTerminal, stderr},
    panic,
};

use tracing::{Level as TracingLevel, error, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, registry};

use crate::config::{Format, Level, Log};

/// The target of lines that are written at any level: how the daemon starts, stops, and stops
/// receiving. Without them a quiet log could not be told from a dead process.
pub const LIFECYCLE: &str = "lifecycle";

/// Sets up the log for the whole process, and the panic hook. Called twice, it changes nothing.
pub fn init(settings: &Log) {
    let terminal = stderr().is_terminal();
    let text = match settings.format {
        Format::Auto => terminal,
        Format::Text => true,
        Format::Json => false,
    };
    let lines = fmt::layer().with_writer(stderr);
    let lines = if text {
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        lines.with_ansi(colours).with_target(false).boxed()
    } else {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed()
    };
    let subscriber = registry().with(lines.with_filter(filter(settings.level)));
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        panic::set_hook(Box::new(log_panic));
    }
}

/// Our own lines at the level asked for; other crates' at `info` at most, since the SDK's debug
/// spans cost more than all of our work.
fn filter(level: Level) -> Targets {
    let ours = match level {
        Level::Trace => LevelFilter::TRACE,
        Level::Debug => LevelFilter::DEBUG,
        Level::Info => LevelFilter::INFO,
        Level::Warn => LevelFilter::WARN,
        Level::Error => LevelFilter::ERROR,
        Level::Off => LevelFilter::OFF,
    };
    Targets::new()
        .with_default(ours.min(LevelFilter::INFO))
        .with_target(env!("CARGO_CRATE_NAME"), ours)
        .with_target(LIFECYCLE, TracingLevel::INFO)
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
