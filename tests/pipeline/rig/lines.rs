//! The log, line by line.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;
use tracing::{Event, Level, Subscriber, field::Field, subscriber::DefaultGuard};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry,
};

use super::lock;

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Duration,
    pub(crate) level: Level,
    pub(crate) text: String,
    pub(crate) fields: BTreeMap<String, String>,
}

/// What this thread logs, for as long as this lives.
pub(super) struct Lines {
    lines: Arc<Mutex<Vec<Line>>>,
    _guard: DefaultGuard,
}

struct Capture {
    start: Instant,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Lines {
    pub(super) fn capture(start: Instant) -> Self {
        let lines = Arc::default();
        let capture = Capture {
            start,
            lines: Arc::clone(&lines),
        };
        let guard = tracing::subscriber::set_default(registry().with(capture));
        Self {
            lines,
            _guard: guard,
        }
    }

    pub(super) fn matching(&self, wanted: impl Fn(&Line) -> bool) -> Vec<Line> {
        let lines = lock(&self.lines);
        lines.iter().filter(|line| wanted(line)).cloned().collect()
    }

    /// The last lines, for a test that failed.
    pub(super) fn tail(&self) -> String {
        let lines = lock(&self.lines);
        let last = lines.iter().skip(lines.len().saturating_sub(30));
        let texts: Vec<_> = last
            .map(|line| format!("{:?} {} {}", line.at, line.level, line.text))
            .collect();
        texts.join("\n")
    }
}

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line {
            at: self.start.elapsed(),
            level: *event.metadata().level(),
            text: String::new(),
            fields: BTreeMap::new(),
        };
        event.record(&mut line);
        lock(&self.lines).push(line);
    }
}

impl tracing::field::Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        if field.name() == "message" {
            self.text = value;
        } else {
            self.fields.insert(field.name().to_owned(), value);
        }
    }
}
