//! What the exporters complain of. A dead collector makes them do so every few seconds for as long
//! as it is dead, and one line a minute is enough.

use std::{
    fmt::{self, Write},
    mem,
    sync::Arc,
    time::Duration,
};

use tokio::time::sleep;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    warn,
};
use tracing_subscriber::layer::{Context, Layer};

use super::throttle::Throttle;
use crate::mutex::Mutex;

/// The targets of the exporters' own lines begin with this.
pub(super) const TARGET: &str = "opentelemetry";
const CHECK_EVERY: Duration = Duration::from_millis(500);
/// The most bytes that are logged of a complaint: a collector's answer may be a whole page.
const TEXT_BYTES_MAX: usize = 300;

/// Hears the exporters' warnings and errors in place of the log, and logs them with a limit.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExportErrors(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    /// The first complaint since the last line.
    first: String,
    /// How many there were since then.
    count: u64,
    throttle: Throttle,
}

impl ExportErrors {
    /// Logs what was heard, at most once a minute. Runs until dropped.
    pub(crate) async fn run(self) {
        loop {
            self.log(false);
            sleep(CHECK_EVERY).await;
        }
    }

    /// Logs what has not been logged, before the process ends.
    pub(crate) fn log_rest(&self) {
        self.log(true);
    }

    fn log(&self, at_once: bool) {
        let (first, suppressed) = {
            // The lock is gone before the line is written, since this layer sees that line too.
            let mut heard = self.0.lock();
            if heard.count == 0 || !(at_once || heard.throttle.due().is_some()) {
                return;
            }
            (mem::take(&mut heard.first), mem::take(&mut heard.count) - 1)
        };
        warn!(
            notifier.suppressed = suppressed,
            "the export of traces and metrics has a problem; no message is affected: {first}; check \
             the collector and the OTEL_* variables"
        );
    }

    fn hear(&self, event: &Event<'_>) {
        let mut heard = self.0.lock();
        if heard.count == 0 {
            let mut text = Text(String::new());
            event.record(&mut text);
            heard.first = text.0;
        }
        heard.count += 1;
    }
}

impl<S: Subscriber> Layer<S> for ExportErrors {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let about = event.metadata();
        if about.target().starts_with(TARGET) && *about.level() <= Level::WARN {
            self.hear(event);
        }
    }
}

/// The values of an event's fields, one after the other.
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        // A text's own `Debug` would add quotation marks.
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        let separator = if self.0.is_empty() { "" } else { ": " };
        // Writing to a string does not fail.
        let _ok = write!(self.0, "{separator}{value:?}");
        let end = self.0.floor_char_boundary(TEXT_BYTES_MAX);
        self.0.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use tracing::{error, info, subscriber::with_default};
    use tracing_subscriber::{layer::SubscriberExt, registry};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_complaint_is_told_once_a_minute_with_a_count_of_the_others() {
        let errors = ExportErrors::default();
        let pending = |errors: &ExportErrors| {
            let heard = errors.0.lock();
            (heard.first.clone(), heard.count)
        };
        let hear = |text: &str| {
            with_default(registry().with(errors.clone()), || {
                error!(target: "opentelemetry_sdk", text);
            });
        };
        with_default(registry().with(errors.clone()), || {
            info!(target: "opentelemetry_sdk", name = "BatchSpanProcessor.Started");
            error!("not the exporters'");
            assert_eq!(pending(&errors), (String::new(), 0));
            for number in 1..=3 {
                error!(target: "opentelemetry_sdk", name = "ExportError", error = number);
            }
        });
        assert_eq!(pending(&errors), ("ExportError: 1".to_owned(), 3));
        errors.log(false);
        assert_eq!(pending(&errors), (String::new(), 0));
        hear("again");
        advance(Duration::from_secs(59)).await;
        errors.log(false);
        assert_eq!(pending(&errors).1, 1, "too soon");
        advance(Duration::from_secs(1)).await;
        errors.log(false);
        assert_eq!(pending(&errors).1, 0);
        hear("at the end");
        errors.log_rest();
        assert_eq!(pending(&errors).1, 0);
    }
}
